#include "belief.h"
#include "cache_private.h"
#include "telling.h"

#include "espflashfs/bytes.h"
#include "espflashfs/clock.h"

#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = EF_RUN_SECTORS,
    PIECE = EF_SCOUT_PIECE,
    REACH_MAX = 256,      /* 1 MiB: 1 s of the chip's time, for which others wait */
    REACH_BLANK = 1024,   /* with an anchor, and nobody there to wait */
    REACH_DOUBT = 64,     /* where samples have just misled us */
    REACH_BESIDE = PIECE, /* while somebody else reads here and there: 125 ms */
    BESIDE_MS = 10000,    /* ... as long as that after the last time */
    LEAST = 4             /* 16 KiB cross in 0.2 s at 921600 baud: less is not worth a question */
};

/* What is expected of a sector: nothing, blank, or what another one holds; itself: the image's. */
struct guess {
    bool any, blank;
    uint32_t source;
};

enum ef_err ef_scout_init(struct ef_cache *c)
{
    struct scout *sc = &c->scout;
    sc->blocks = (c->sectors + BLOCK - 1) / BLOCK;
    sc->sample = calloc(sc->blocks, sizeof(*sc->sample));
    sc->most = malloc(c->sectors * sizeof(*sc->most));
    if (!sc->sample || !sc->most)
        return EF_NOMEM;
    for (uint32_t s = 0; s < c->sectors; s++)
        sc->most[s] = REACH_BLANK;
    sc->reach = REACH_MAX;
    ef_digest_blank(EF_SECTOR, sc->blank_md5);
    return EF_OK;
}

void ef_scout_free(struct ef_cache *c)
{
    free(c->scout.sample);
    free(c->scout.most);
}

static bool is_blank(const struct scout *sc, uint32_t block)
{
    return sc->sample[block].known &&
           memcmp(sc->sample[block].md5, sc->blank_md5, EF_DIGEST_BYTES) == 0;
}

static bool alike(const struct sample *a, const struct sample *b)
{
    return a->known && b->known && memcmp(a->md5, b->md5, EF_DIGEST_BYTES) == 0;
}

/* The sample that speaks for a block: its own, or that of the block before it in the piece. */
static uint32_t speaker(const struct scout *sc, uint32_t block)
{
    return sc->sample[block].known ? block : block & ~UINT32_C(1);
}

/* A block that the chip's digest says begins as `block` does, and whose bytes are here. */
static bool find_twin(const struct ef_cache *c, uint32_t block, uint32_t *twin)
{
    const struct scout *sc = &c->scout;
    for (uint32_t j = 0; j < sc->blocks; j++) {
        if (j != block && c->sector[j * BLOCK].have && alike(&sc->sample[j], &sc->sample[block])) {
            *twin = j;
            return true;
        }
    }
    return false;
}

static bool holds_blank(const struct ef_cache *c, uint32_t s)
{
    return ef_bytes_blank(c->data + (size_t)s * EF_SECTOR, EF_SECTOR);
}

static struct guess guess(const struct ef_cache *c, uint32_t s)
{
    const struct scout *sc = &c->scout;
    uint32_t block = speaker(sc, s / BLOCK);
    if (sc->off || sc->most[s] == 0 || c->sector[s].dirty || !sc->sample[block].known)
        return (struct guess){0};
    if (c->sector[s].imaged)
        return (struct guess){.any = true, .blank = holds_blank(c, s), .source = s};
    if (is_blank(sc, block))
        return (struct guess){.any = true, .blank = true};
    uint32_t twin;
    if (!find_twin(c, block, &twin))
        return (struct guess){0};
    uint32_t source = twin * BLOCK + (s - block * BLOCK);
    bool there = source < c->sectors && c->sector[source].have;
    return (struct guess){.any = there, .source = source};
}

/* There is an image of the second block of a piece, and none that is still right of the first. */
static bool is_doubted(const struct ef_cache *c, uint32_t block)
{
    uint32_t first = block * BLOCK;
    return c->sector[first].imaged && !c->sector[first].have && !c->sector[first - BLOCK].imaged;
}

/*
 * Of a piece, one sample is enough, unless the question about all of it was answered with no,
 * or blank flash begins behind it: perhaps in its middle. Or there is an image of the second
 * block, and none, or none that is still right, of the first.
 */
static bool wants_second(const struct ef_cache *c, uint32_t block)
{
    const struct scout *sc = &c->scout;
    uint32_t first = block * BLOCK;
    bool doubt = sc->most[first] > 0 && sc->most[first] <= BLOCK;
    return doubt || is_doubted(c, block) ||
           (block + 1 < sc->blocks && is_blank(sc, block + 1) && !is_blank(sc, block - 1));
}

static bool wants_sample(const struct ef_cache *c, uint32_t block)
{
    return !c->scout.sample[block].known && (block % 2 == 0 || wants_second(c, block));
}

static bool settled(const struct ef_cache *c, uint32_t block)
{
    const struct sector *sector = &c->sector[block * BLOCK];
    return !sector->dirty && !sector->erasing;
}

/* From block `from` on in steps of `step`: the first that lacks a sample, `blocks` if none does. */
static uint32_t next_unsampled(const struct ef_cache *c, uint32_t from, uint32_t step)
{
    uint32_t block = from;
    while (block < c->scout.blocks && (c->scout.sample[block].known || !settled(c, block)))
        block += step;
    return ef_min_u32(block, c->scout.blocks);
}

/* What was written is what the chip holds, once it is clean. */
static void sample_what_is_held(struct ef_cache *c)
{
    for (uint32_t block = 0; block < c->scout.blocks; block++)
        if (ef_is_held(c, block * BLOCK, block * BLOCK + 1))
            ef_scout_note(c, block * BLOCK);
}

/* From block `from` on: the first that lacks a sample to tell if its image is as old as that of
 * the block before it. All are asked for at once: later, each would cut a stream in two. */
static uint32_t next_doubted(const struct ef_cache *c, uint32_t from)
{
    uint32_t block = from | 1;
    while (block < c->scout.blocks &&
           (c->scout.sample[block].known || !settled(c, block) || !is_doubted(c, block)))
        block += 2;
    return ef_min_u32(block, c->scout.blocks);
}

static bool plan_samples(struct ef_cache *c, uint32_t s, struct ask *ask)
{
    uint32_t block = s / BLOCK;
    sample_what_is_held(c);
    ask->samples = true;
    ask->block[1] = c->scout.blocks;
    ask->block[0] = next_unsampled(c, 0, 2);
    if (ask->block[0] < c->scout.blocks) {
        ask->block[1] = next_unsampled(c, ask->block[0] + 2, 2);
        return true;
    }
    ask->block[0] = next_doubted(c, 0);
    if (ask->block[0] < c->scout.blocks) {
        ask->block[1] = next_doubted(c, ask->block[0] + 2);
        return true;
    }
    ask->block[0] = block;
    return wants_sample(c, block) && settled(c, block);
}

static bool missing(const struct sector *sector)
{
    return !sector->have && !sector->dirty && !sector->erasing && !sector->fetching &&
           !sector->streaming;
}

static bool has_company(const struct ef_cache *c)
{
    return c->others_at_ms != 0 && ef_clock_now_ms() - c->others_at_ms < BESIDE_MS;
}

/* The piece in which the last data before `s` lies, if that is near and held; else `s`. */
static uint32_t anchor_of(const struct ef_cache *c, uint32_t s)
{
    uint32_t i = s;
    while (i > 0 && s - i < 2 * PIECE && ef_is_held(c, i - 1, i) && holds_blank(c, i - 1))
        i--;
    bool data = i > 0 && s - i < 2 * PIECE && ef_is_held(c, i - 1, i);
    return data ? (i - 1) / PIECE * PIECE : s;
}

/* True if a long blank stretch begins at `s`: it is asked about by itself, anchored. */
static bool blank_begins(const struct ef_cache *c, uint32_t s)
{
    uint32_t end = ef_min_u32(s + PIECE, c->sectors);
    for (uint32_t i = s; i < end; i++)
        if (!guess(c, i).blank)
            return false;
    return true;
}

/* How many sectors from `s` on may be asked about at once. */
static uint32_t find_reach(const struct ef_cache *c, uint32_t s, bool blank)
{
    const struct scout *sc = &c->scout;
    if (has_company(c))
        return REACH_BESIDE;
    if (c->evict.limit < c->sectors)
        return sc->reach; /* what is expected is held until the chip has answered */
    uint32_t anchor = blank && sc->most[s] > REACH_MAX ? anchor_of(c, s) : s;
    return anchor < s && ef_telling(c, anchor, s + PIECE) ? sc->most[s] : sc->reach;
}

/* The end of the stretch from `s` on that there is a guess at, and that may be asked about. */
static uint32_t find_end(struct ef_cache *c, uint32_t s)
{
    const struct scout *sc = &c->scout;
    bool blank = guess(c, s).blank;
    uint32_t most = sc->most[s];
    uint32_t reach = find_reach(c, s, blank);
    if (c->sector[s].imaged)
        reach = ef_min_u32(reach, ef_belief_weigh(c, s));
    bool far = reach > REACH_MAX;
    uint32_t chunk = far ? (uint32_t)REACH_BLANK : ef_min_u32(most, REACH_MAX);
    uint32_t limit = chunk && !far ? (s / chunk + 1) * chunk - s : chunk;
    limit = ef_min_u32(ef_min_u32(limit, reach), c->sectors - s);
    uint32_t end = s;
    for (; end - s < limit && sc->most[end] >= ef_min_u32(most, REACH_MAX); end++) {
        struct guess g = guess(c, end);
        if (!missing(&c->sector[end]) || !g.any || (far && !g.blank) ||
            (end % BLOCK == 0 && wants_sample(c, end / BLOCK)) ||
            (!blank && end > s && g.blank && blank_begins(c, end)))
            break;
    }
    return end;
}

/* Puts what is expected where the bytes of the sectors go; nobody else does while they miss. */
static bool put_expected(struct ef_cache *c, struct stretch range)
{
    bool blank = true;
    for (uint32_t s = range.first; s < range.end; s++) {
        struct guess g = guess(c, s);
        blank = blank && g.blank;
        c->sector[s].expected = true;
        if (c->sector[s].imaged)
            continue;
        if (g.blank)
            memset(ef_sector_data(c, s), 0xFF, EF_SECTOR);
        else
            memcpy(ef_sector_data(c, s), ef_sector_data(c, g.source), EF_SECTOR);
    }
    return blank;
}

/* What makes a yes enough: see the head of scout.h. The flash layer asks twice about blank. */
static void plan_proof(struct ef_cache *c, struct ask *ask, bool blank)
{
    const struct scout *sc = &c->scout;
    struct stretch r = ask->range;
    ask->from = r.first;
    ask->enough = !blank && ef_telling(c, ask->from, r.end);
    uint32_t before = r.first;
    if (blank)
        before = anchor_of(c, r.first);
    else if (r.first > 0)
        before = (r.first - 1) / PIECE * PIECE;
    if (!ask->enough && before < r.first && r.first - before < r.end - r.first &&
        ef_is_held(c, before, r.first) && ef_telling(c, before, r.end)) {
        ask->from = before;
        ask->enough = true;
    }
    ask->enough = ask->enough || blank;
    ef_digest_bytes(ef_sector_data(c, ask->from), (r.end - ask->from) * EF_SECTOR, ask->md5);
    if (sc->said.first == r.first && sc->said.end == r.end &&
        memcmp(sc->said_md5, ask->md5, EF_DIGEST_BYTES) == 0)
        ask->enough = true;
}

bool ef_scout_plan(struct ef_cache *c, uint32_t s, struct ask *ask)
{
    *ask = (struct ask){0};
    if (c->scout.off || c->suspect || c->healing)
        return false;
    if (plan_samples(c, s, ask))
        return true;
    *ask = (struct ask){.range = {.first = s, .end = find_end(c, s)}};
    if (ask->range.end - s < ef_min_u32(LEAST, c->sectors - s))
        return false;
    plan_proof(c, ask, put_expected(c, ask->range));
    return true;
}

/* True if the block begins as one before it does, which a stream may bring until then. */
static bool has_elder(const struct scout *sc, uint32_t block)
{
    for (uint32_t j = 0; j < block; j++)
        if (alike(&sc->sample[j], &sc->sample[block]))
            return true;
    return false;
}

bool ef_scout_hopes(const struct ef_cache *c, uint32_t s)
{
    const struct scout *sc = &c->scout;
    if (sc->off || sc->most[s] == 0)
        return false;
    return guess(c, s).any ||
           (s % BLOCK == 0 && (wants_sample(c, s / BLOCK) || has_elder(sc, s / BLOCK)));
}

/* Not all of the range is as expected: its halves may be. */
static void mark_wrong(struct scout *sc, struct stretch range)
{
    uint32_t most = REACH_BLANK;
    while (most >= range.end - range.first)
        most /= 2;
    for (uint32_t s = range.first; s < range.end; s++)
        sc->most[s] = (uint16_t)ef_min_u32(sc->most[s], most < LEAST ? 0 : most);
    sc->wrong = range;
}

/* The first part of what was wrong is right, so that the rest is not. */
static void mark_rest_wrong(struct scout *sc, struct stretch right)
{
    if (right.first == sc->wrong.first && right.end < sc->wrong.end)
        mark_wrong(sc, (struct stretch){.first = right.end, .end = sc->wrong.end});
}

static void take_expected(struct ef_cache *c, struct stretch range)
{
    for (uint32_t s = range.first; s < range.end; s++) {
        /* What was written into part of it meanwhile lies over what is the chip's. */
        if (!c->sector[s].expected || c->sector[s].erasing)
            continue;
        ef_sector_set_have(c, s);
        ef_scout_note(c, s);
    }
}

static void hear_range(struct ef_cache *c, const struct ask *ask, const struct ef_job *job)
{
    struct scout *sc = &c->scout;
    bool yes = memcmp(job->md5, ask->md5, EF_DIGEST_BYTES) == 0;
    if (!yes || ask->enough)
        ef_belief_hear(c, ask->range, yes);
    if (!yes) {
        sc->reach = REACH_DOUBT;
        sc->said = (struct stretch){0};
        mark_wrong(sc, ask->range);
    } else if (!ask->enough) {
        sc->said = ask->range;
        memcpy(sc->said_md5, ask->md5, EF_DIGEST_BYTES);
    } else {
        sc->reach = ef_min_u32(2 * sc->reach, REACH_MAX);
        take_expected(c, ask->range);
        mark_rest_wrong(sc, ask->range);
    }
}

/* An image that begins otherwise than the block does is not asked about: all of it may differ. */
static void judge_image(struct ef_cache *c, uint32_t block)
{
    uint8_t md5[EF_DIGEST_BYTES];
    uint32_t first = block * BLOCK;
    ef_digest_bytes(ef_sector_data(c, first), EF_SECTOR, md5);
    if (memcmp(md5, c->scout.sample[block].md5, EF_DIGEST_BYTES) != 0)
        ef_belief_drop(c, first, first + BLOCK);
}

static void keep_sample(struct ef_cache *c, uint32_t block, const uint8_t md5[EF_DIGEST_BYTES])
{
    if (block >= c->scout.blocks || !settled(c, block))
        return;
    memcpy(c->scout.sample[block].md5, md5, EF_DIGEST_BYTES);
    c->scout.sample[block].known = true;
    if (c->sector[block * BLOCK].imaged && !c->sector[block * BLOCK].have)
        judge_image(c, block);
}

void ef_scout_hear(struct ef_cache *c, const struct ask *ask, const struct ef_job *job)
{
    if (!ask->samples) {
        hear_range(c, ask, job);
        return;
    }
    keep_sample(c, ask->block[0], job->md5);
    keep_sample(c, ask->block[1], job->second.md5);
}

void ef_scout_note(struct ef_cache *c, uint32_t s)
{
    uint32_t block = s / BLOCK;
    if (s % BLOCK != 0 || c->scout.sample[block].known || !settled(c, block))
        return;
    uint8_t md5[EF_DIGEST_BYTES];
    ef_digest_bytes(ef_sector_data(c, s), EF_SECTOR, md5);
    keep_sample(c, block, md5);
}

void ef_scout_forget(struct ef_cache *c, uint32_t s)
{
    if (s >= c->scout.said.first && s < c->scout.said.end)
        c->scout.said = (struct stretch){0};
    if (s % BLOCK == 0)
        c->scout.sample[s / BLOCK].known = false;
}

void ef_scout_forget_all(struct ef_cache *c)
{
    c->scout.said = (struct stretch){0};
    for (uint32_t block = 0; block < c->scout.blocks; block++)
        c->scout.sample[block].known = false;
}
