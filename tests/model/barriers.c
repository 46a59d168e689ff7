/* What is done while the threads wait. */
#include "player_private.h"

#include <stdlib.h>

enum { SYNC_TRIES = 6 };

static int sync_once(struct player *p, const struct op *op)
{
    struct actor *a = &p->actor[0];
    if (!a->handle)
        player_open(a, op);
    return a->handle ? p->subject->ops->fsync(p->subject, a->handle) : -1;
}

bool player_may_be_hit(struct player *p)
{
    return p->plan->limits.faults && p->subject->ops->strays(p->subject) > 0;
}

/* A byte is not what it may be. True if that was reported as damage. */
static bool judge_difference(struct player *p, const struct op *op, uint32_t at, uint8_t is,
                             uint8_t wanted)
{
    if (p->errors && player_may_be_hit(p))
        return true;
    player_fail(p, op, "0x%02x is at 0x%x, not 0x%02x", is, at, wanted);
    return false;
}

/* The chip has been compared, and a flush said that all is well. */
static void settle(struct player *p, const struct op *op)
{
    if (p->owed && !p->errors)
        player_fail(p, op, "readers saw damaged bytes, and nobody was told");
    p->owed = false;
    p->errors = false;
}

/* Everything written is on the chip, and nothing else is. */
static void expect_all(struct player *p, const struct op *op)
{
    uint32_t at;
    const uint8_t *chip = p->subject->chip;
    p->report->checks++;
    if (!truth_expect_chip(&p->truth, 0, p->plan->size, chip, &at) &&
        judge_difference(p, op, at, chip[at], p->truth.seen.base[at])) {
        p->report->reported += truth_accept(&p->truth, chip);
        truth_expect_chip(&p->truth, 0, p->plan->size, chip, &at);
    }
    settle(p, op);
}

static bool sync_all(struct player *p, const struct op *op)
{
    int rc = sync_once(p, op);
    if (!player_accepts(p, op, rc))
        return false;
    expect_all(p, op);
    return true;
}

/* Nobody else writes or reads; a thread of its own does the work. */
static void do_alone(struct player *p, const struct op *op)
{
    struct actor *a = &p->actor[0];
    if (!a->handle)
        player_open(a, op);
    if (!a->handle)
        return;
    if (op->kind == OP_READ_ALL)
        player_read_all(a, op);
    else if (op->kind == OP_REPLACE_ALL)
        player_replace(a, op);
    else
        player_erase(a, op, 0, p->plan->size);
    if (op->kind != OP_READ_ALL)
        sync_all(p, op);
}

static void close_all(struct player *p, const struct op *op, bool dead)
{
    for (unsigned i = 0; i < p->plan->threads; i++) {
        struct actor *a = &p->actor[i];
        int rc = a->handle ? p->subject->ops->close(p->subject, a->handle) : 0;
        a->handle = NULL;
        if (!dead)
            player_accepts(p, op, rc);
    }
}

/*
 * What is there now is what there is, so far as it may be: the chip's bytes, or a reader's from a
 * mount that has yet to put them down.
 */
static void adopt(struct player *p, const struct op *op, const uint8_t *bytes)
{
    uint32_t at;
    p->report->checks++;
    if (!truth_adopt(&p->truth, bytes, &at) &&
        judge_difference(p, op, at, bytes[at], p->truth.chip.base[at]))
        p->report->reported += truth_accept(&p->truth, bytes);
    settle(p, op);
}

static bool read_whole(struct player *p, uint8_t *bytes)
{
    struct handle *handle = p->actor[0].handle;
    for (uint32_t at = 0; at < p->plan->size; at += PIECE)
        if (p->subject->ops->read(p->subject, handle, bytes + at, PIECE, at) != PIECE)
            return false;
    return true;
}

/*
 * A mount that follows one that was killed, or could not write all, finishes what that one began:
 * its readers see no torn sector, before and after it is on the chip.
 */
static void expect_healed(struct player *p, const struct op *op)
{
    struct actor *a = &p->actor[0];
    bool reads_first = op->seed % 3 != 0;
    p->subject->ops->calm(p->subject, true);
    player_open(a, op);
    if (!a->handle || (reads_first && !read_whole(p, a->data)))
        player_fail(p, op, "not readable after it was killed");
    else if (reads_first)
        adopt(p, op, a->data);
    int rc = p->wrong ? 0 : sync_once(p, op);
    if (rc != 0)
        player_fail(p, op, "fsync after it was killed: %d", rc);
    else if (reads_first && !p->wrong)
        expect_all(p, op);
    else if (!p->wrong)
        adopt(p, op, p->subject->chip);
    p->subject->ops->calm(p->subject, false);
}

static void remount(struct player *p, const struct op *op)
{
    close_all(p, op, false);
    if (player_accepts(p, op, p->subject->ops->remount(p->subject)))
        expect_all(p, op);
    else
        expect_healed(p, op);
}

static void kill_mount(struct player *p, const struct op *op)
{
    if (!p->subject->finishes_writes) {
        remount(p, op);
        return;
    }
    int rc = p->subject->ops->kill(p->subject, op->seed);
    close_all(p, op, true);
    if (rc != 0)
        player_fail(p, op, "not mounted again: %d", rc);
    else
        expect_healed(p, op);
}

void player_barrier(struct player *p, const struct op *op)
{
    switch ((enum op_kind)op->kind) {
    case OP_SYNC_ALL:
        sync_all(p, op);
        break;
    case OP_READ_ALL:
    case OP_REPLACE_ALL:
    case OP_ERASE_ALL:
        do_alone(p, op);
        break;
    case OP_REMOUNT:
        remount(p, op);
        break;
    case OP_KILL:
        kill_mount(p, op);
        break;
    default:
        break;
    }
}

void player_finish(struct player *p)
{
    static const struct op SYNC = {.kind = OP_SYNC_ALL};
    static const struct op MOUNT = {.kind = OP_REMOUNT};
    static const struct op READ = {.kind = OP_READ_ALL};
    p->subject->ops->calm(p->subject, true);
    /* With faults, what they left may take a few to be told of, or a remount to be over. */
    for (int i = 0; i < SYNC_TRIES && !p->wrong && !sync_all(p, &SYNC); i++)
        continue;
    if (!p->wrong)
        remount(p, &MOUNT);
    if (!p->wrong)
        do_alone(p, &READ);
    if (!p->wrong && p->errors)
        player_fail(p, &READ, "errors after a remount, without faults");
    if (!p->wrong && !sync_all(p, &SYNC))
        player_fail(p, &SYNC, "fsync fails after a remount, without faults");
}
