#include "belief.h"

#include "cache_private.h"

#include "espflashfs/bytes.h"

enum {
    PIECE = 2 * EF_RUN_SECTORS, /* sectors; their starts are sampled */
    LEAST = 4,                  /* sectors: the shortest question, as in scout.c */
    ROW = 8 * PIECE, /* twice what a stream must be to need no digest of all of it (verify.c) */
    /* A digest of a 16th of the flash takes a 180th of the time of a backup at 921600 baud. */
    AT_FIRST = 16,
    /* What a yes pays for: less than the 11 that it saved. */
    SAVED = 4,
    /* What has crossed pays a 16th: a 180th of its time. */
    CROSSED = 16
};

static void earn(struct ef_cache *c, uint32_t sectors)
{
    c->belief.credit = ef_min_u32(c->belief.credit + sectors, c->sectors);
}

void ef_belief_begin(struct ef_cache *c)
{
    c->belief.credit = c->sectors / AT_FIRST;
}

void ef_belief_drop(struct ef_cache *c, uint32_t first, uint32_t end)
{
    for (uint32_t s = first; s < ef_min_u32(end, c->sectors); s++)
        c->sector[s].imaged = c->sector[s].imaged && c->sector[s].have;
}

uint32_t ef_belief_weigh(struct ef_cache *c, uint32_t s)
{
    uint32_t most = LEAST;
    if (c->belief.credit < LEAST) {
        ef_belief_drop(c, s, (s + ROW + PIECE - 1) / PIECE * PIECE);
        return 0;
    }
    /* Half of it: what is left pays for the halves. */
    while (4 * most <= c->belief.credit)
        most *= 2;
    return most;
}

void ef_belief_hear(struct ef_cache *c, struct stretch range, bool yes)
{
    uint32_t images = 0;
    for (uint32_t s = range.first; s < range.end; s++)
        images += c->sector[s].imaged;
    if (yes)
        earn(c, SAVED * images);
    else
        c->belief.credit -= ef_min_u32(images, c->belief.credit);
}

void ef_belief_note_crossed(struct ef_cache *c)
{
    if (c->image && ++c->belief.crossed % CROSSED == 0)
        earn(c, 1);
}
