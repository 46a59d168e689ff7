/*
 * A bit that flips in a command's address makes the chip write or erase elsewhere. When a
 * proof failed, so that this may have happened, all that we know is held against the chip.
 */
#include "absence.h"
#include "cache_private.h"

#include <string.h>

static const struct ef_patience FOREVER;

struct recheck {
    uint32_t damaged, unknown;
};

/* Under the lock: clean sectors from `s` on whose bytes we hold, up to a block; if not `all`, those
 * that no flush has told of. */
static uint32_t clean_run(const struct ef_cache *c, uint32_t s, bool all)
{
    uint32_t n = 0;
    while (s + n < c->sectors && n < EF_RUN_SECTORS && c->sector[s + n].have &&
           !c->sector[s + n].dirty && !c->sector[s + n].erasing &&
           (all || ef_is_untold(c, &c->sector[s + n])))
        n++;
    return n;
}

/* Under the lock, dropped while the chip works: does the chip hold what we hold? */
static enum ef_err compare(struct ef_cache *c, uint32_t s, uint32_t n, bool *same)
{
    uint8_t ours[EF_DIGEST_BYTES];
    uint8_t chip[EF_DIGEST_BYTES];
    ef_digest_bytes(ef_sector_data(c, s), n * EF_SECTOR, ours);
    pthread_mutex_unlock(&c->lock);
    enum ef_err err = ef_cache_digest(c, s, n, chip, FOREVER);
    pthread_mutex_lock(&c->lock);
    *same = err == EF_OK && memcmp(ours, chip, EF_DIGEST_BYTES) == 0;
    return err;
}

static enum ef_err recheck_run(struct ef_cache *c, uint32_t s, uint32_t n, bool all,
                               struct recheck *found)
{
    bool same;
    enum ef_err err = compare(c, s, n, &same);
    for (uint32_t i = s; i < s + n && err == EF_OK && !same; i++) {
        bool one_same = false;
        if (clean_run(c, i, all) > 0)
            err = compare(c, i, 1, &one_same);
        if (err != EF_OK || one_same)
            continue;
        c->sector[i].known = false;
        if (clean_run(c, i, all) == 0)
            continue; /* somebody writes or erases it anyway */
        ef_sector_set_dirty(c, i);
        found->damaged++;
    }
    return err;
}

/* Under the lock: a sector whose bytes we do not hold can be vouched for only by its digest. */
static enum ef_err recheck_digest(struct ef_cache *c, uint32_t s, struct recheck *found)
{
    struct sector *sector = &c->sector[s];
    if (sector->have)
        sector->known = false; /* dirty: what it is to replace may have been hit */
    if (!sector->known || sector->have) {
        found->unknown += !sector->have;
        return EF_OK;
    }
    uint8_t chip[EF_DIGEST_BYTES];
    pthread_mutex_unlock(&c->lock);
    enum ef_err err = ef_cache_digest(c, s, 1, chip, FOREVER);
    pthread_mutex_lock(&c->lock);
    if (err == EF_OK && sector->known && memcmp(chip, sector->md5, EF_DIGEST_BYTES) != 0) {
        sector->known = false; /* its old contents are to be written, if they are given again */
        found->unknown++;
    }
    return err;
}

enum ef_err ef_cache_recheck(struct ef_cache *c, bool all)
{
    struct recheck found = {0};
    enum ef_err err = EF_OK;
    ef_log(c->log, EF_LOG_WARN, "%s",
           all ? "a damaged command may have hit other sectors: checking them"
               : "the board was away: checking what was written before");
    pthread_mutex_lock(&c->lock);
    ef_scout_forget_all(c);
    /* A chip that tells nothing proves as little of what was written after the absence. */
    for (uint32_t s = !all && c->blind ? c->sectors : 0; s < c->sectors && err == EF_OK;) {
        while (c->sector[s].erasing)
            ef_cache_wait(c, FOREVER);
        uint32_t n = clean_run(c, s, all);
        if (n)
            err = recheck_run(c, s, n, all, &found);
        else if (all || (ef_is_untold(c, &c->sector[s]) && c->sector[s].known))
            err = recheck_digest(c, s, &found);
        s += n ? n : 1;
    }
    c->unproven = c->unproven || found.unknown > 0;
    pthread_mutex_unlock(&c->lock);
    if (err != EF_OK)
        return err;
    if (found.damaged)
        ef_log(c->log, EF_LOG_WARN, "%u sectors were %s and are written again",
               (unsigned)found.damaged, all ? "hit" : "changed meanwhile");
    if (found.unknown)
        ef_log(c->log, EF_LOG_ERROR,
               "what was written is right, but %u sectors that were never read cannot be vouched "
               "for: compare flash.bin with your backup",
               (unsigned)found.unknown);
    return EF_OK;
}
