/* The operations of one thread. */
#include "player_private.h"

#include <errno.h>
#include <string.h>

static struct subject *subject_of(struct actor *a)
{
    return a->player->subject;
}

void player_open(struct actor *a, const struct op *op)
{
    int rc = subject_of(a)->ops->open(subject_of(a), OPEN_PLAIN, &a->handle);
    if (!player_accepts(a->player, op, rc))
        a->handle = NULL;
}

void player_write(struct actor *a, const struct op *op, uint32_t off, uint32_t len,
                  const uint8_t *data)
{
    struct player *p = a->player;
    truth_begin_write(&p->truth, a->thread, off, len, data);
    ssize_t n = subject_of(a)->ops->write(subject_of(a), a->handle, data, len, off);
    bool done = player_accepts(p, op, n < 0 ? n : 0) && n == (ssize_t)len;
    truth_end_write(&p->truth, a->thread, done ? TRUTH_DONE : TRUTH_PERHAPS);
    if (n >= 0 && !done && !p->plan->limits.faults)
        player_fail(p, op, "wrote %zd bytes of %u", n, len);
    p->report->bytes += len;
}

static void write_some(struct actor *a, const struct op *op)
{
    if (op->detail == FILL_SAME)
        truth_copy(&a->player->truth, op->off, op->len, a->data);
    else
        op_fill(op, a->data);
    player_write(a, op, op->off, op->len, a->data);
}

static void read_piece(struct actor *a, const struct op *op, uint32_t off, uint32_t len,
                       bool mapped)
{
    struct player *p = a->player;
    const struct subject_ops *ops = subject_of(a)->ops;
    uint32_t at = 0;
    uint8_t may = 0;
    truth_begin_read(&p->truth, a->thread, off, len);
    ssize_t n = (mapped ? ops->map_read : ops->read)(subject_of(a), a->handle, a->buf, len, off);
    uint32_t got = n > 0 ? (uint32_t)n : 0;
    bool accepted = player_accepts(p, op, n < 0 ? n : 0);
    if (!truth_end_read(&p->truth, a->thread, a->buf, got, &at, &may)) {
        if (player_may_be_hit(p))
            p->owed = true;
        else
            player_fail(p, op, "read 0x%02x at 0x%x, where 0x%02x is", a->buf[at - off], at, may);
    }
    if (accepted && got < len && !p->plan->limits.faults)
        player_fail(p, op, "read %u bytes of %u at 0x%x", got, len, off);
    p->report->reads++;
    p->report->bytes += got;
}

static void read_some(struct actor *a, const struct op *op)
{
    if (op->kind != OP_SCAN) {
        read_piece(a, op, op->off, op->len, op->kind == OP_MAP_READ);
        return;
    }
    for (uint32_t at = 0; at < op->len && !a->player->wrong; at += PIECE)
        read_piece(a, op, op->off + at, op->len - at < PIECE ? op->len - at : PIECE, false);
}

void player_read_all(struct actor *a, const struct op *op)
{
    for (uint32_t at = 0; at < a->player->plan->size && a->handle && !a->player->wrong; at += PIECE)
        read_piece(a, op, at, PIECE, false);
}

/* What must say `errno_wanted`, and change nothing. */
static void expect_refusal(struct actor *a, const struct op *op, long rc, int errno_wanted)
{
    if (rc != -errno_wanted && !(rc < 0 && a->player->plan->limits.faults))
        player_fail(a->player, op, "result %ld, not -%d", rc, errno_wanted);
}

static void truncate_some(struct actor *a, const struct op *op)
{
    struct handle *handle = op->kind == OP_FTRUNCATE ? a->handle : NULL;
    int rc = subject_of(a)->ops->truncate(subject_of(a), handle, op->off);
    if (op->off <= a->player->plan->size)
        player_accepts(a->player, op, rc);
    else
        expect_refusal(a, op, rc, EFBIG);
}

static void write_past(struct actor *a, const struct op *op)
{
    memset(a->data, 0x5A, op->len);
    expect_refusal(a, op,
                   subject_of(a)->ops->write(subject_of(a), a->handle, a->data, op->len, op->off),
                   ENOSPC);
}

static void append(struct actor *a, const struct op *op)
{
    struct handle *handle;
    struct subject *s = subject_of(a);
    int rc = s->ops->open(s, OPEN_APPEND, &handle);
    if (!player_accepts(a->player, op, rc))
        return;
    memset(a->data, 0xA5, op->len);
    expect_refusal(a, op, s->ops->write(s, handle, a->data, op->len, 0), ENOSPC);
    player_accepts(a->player, op, s->ops->close(s, handle));
}

static void fallocate_some(struct actor *a, const struct op *op)
{
    int rc = subject_of(a)->ops->fallocate(subject_of(a), a->handle, op->off, op->len);
    if ((uint64_t)op->off + op->len <= a->player->plan->size)
        player_accepts(a->player, op, rc);
    else
        expect_refusal(a, op, rc, ENOSPC);
}

void player_erase(struct actor *a, const struct op *op, uint32_t off, uint32_t len)
{
    struct player *p = a->player;
    char request[64] = "all\n";
    if (op->kind == OP_ERASE)
        snprintf(request, sizeof(request), op->seed & 1 ? "0x%x 0x%x\n" : "%u %u\n", off, len);
    memset(a->data, 0xFF, len);
    truth_begin_write(&p->truth, a->thread, off, len, a->data);
    bool punch = op->kind == OP_ERASE && op->seed & 2;
    int rc = punch ? subject_of(a)->ops->punch(subject_of(a), off, len) : -EOPNOTSUPP;
    if (rc == -EOPNOTSUPP)
        rc = subject_of(a)->ops->erase(subject_of(a), request);
    bool done = player_accepts(p, op, rc);
    truth_end_write(&p->truth, a->thread, done ? TRUTH_DONE : TRUTH_PERHAPS);
}

/* It is durable: so far as the chip's bytes are this thread's, they are compared at once. */
static void expect_durable(struct actor *a, const struct op *op, int rc)
{
    struct player *p = a->player;
    uint32_t at;
    if (!player_accepts(p, op, rc) || op->len == 0 || p->plan->limits.faults)
        return;
    if (!truth_expect_chip(&p->truth, op->off, op->len, p->subject->chip, &at))
        player_fail(p, op, "the chip holds 0x%02x at 0x%x, not 0x%02x, and is said to",
                    p->subject->chip[at], at, p->truth.seen.base[at]);
}

static void reopen(struct actor *a, const struct op *op)
{
    int rc = subject_of(a)->ops->close(subject_of(a), a->handle);
    player_open(a, op);
    expect_durable(a, op, rc);
}

/* All that a sparse copy leaves from the start to its end, hole by hole. */
static void make_copy(struct actor *a, const struct op *op)
{
    uint32_t len;
    struct op fill = *op;
    fill.detail = op->detail;
    op_fill(&fill, a->data);
    for (uint32_t off = 0; off < op->len; off += len)
        if (!op_next_piece(op, off, &len))
            memset(a->data + off, 0, len);
}

/* As cp --sparse writes: the data, then ftruncate where the image ends in a hole. */
static bool write_copy(struct actor *a, const struct op *op, struct handle *handle)
{
    struct subject *s = subject_of(a);
    uint32_t len;
    bool hole = false;
    for (uint32_t off = 0; off < op->len; off += len) {
        hole = !op_next_piece(op, off, &len);
        for (uint32_t at = 0; at < len && !hole; at += PIECE) {
            uint32_t n = len - at < PIECE ? len - at : PIECE;
            ssize_t rc = s->ops->write(s, handle, a->data + off + at, n, off + at);
            if (!player_accepts(a->player, op, rc < 0 ? rc : 0) || rc != (ssize_t)n)
                return false;
        }
    }
    return !hole || player_accepts(a->player, op, s->ops->truncate(s, handle, op->len));
}

void player_replace(struct actor *a, const struct op *op)
{
    struct player *p = a->player;
    struct subject *s = subject_of(a);
    struct handle *handle;
    if (!player_accepts(p, op, s->ops->open(s, OPEN_TRUNC, &handle)))
        return;
    make_copy(a, op);
    truth_begin_write(&p->truth, a->thread, 0, op->len, a->data);
    bool done = write_copy(a, op, handle);
    done = player_accepts(p, op, s->ops->close(s, handle)) && done;
    truth_end_write(&p->truth, a->thread, done ? TRUTH_DONE : TRUTH_PERHAPS);
    p->report->bytes += op->len;
}

void player_do(struct actor *a, const struct op *op)
{
    struct subject *s = subject_of(a);
    if (!a->handle)
        player_open(a, op);
    if (!a->handle)
        return;
    switch ((enum op_kind)op->kind) {
    case OP_WRITE:
        write_some(a, op);
        break;
    case OP_READ:
    case OP_MAP_READ:
    case OP_SCAN:
        read_some(a, op);
        break;
    case OP_TRUNCATE:
    case OP_FTRUNCATE:
        truncate_some(a, op);
        break;
    case OP_FALLOCATE:
        fallocate_some(a, op);
        break;
    case OP_WRITE_PAST:
        write_past(a, op);
        break;
    case OP_APPEND:
        append(a, op);
        break;
    case OP_ERASE:
        player_erase(a, op, op->off, op->len);
        break;
    case OP_FSYNC:
        expect_durable(a, op, s->ops->fsync(s, a->handle));
        break;
    case OP_REOPEN:
        reopen(a, op);
        break;
    case OP_REPLACE:
        player_replace(a, op);
        break;
    case OP_FAULT:
        s->ops->fault(s, op);
        break;
    default:
        break;
    }
}
