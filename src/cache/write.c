#include "cache_private.h"

#include "espflashfs/bytes.h"

#include <string.h>

/* True if [lo, hi) can be added to what is written of a sector that we do not have. */
static bool joins(const struct sector *sector, uint32_t lo, uint32_t hi)
{
    return !sector->dirty || (lo <= sector->hi && hi >= sector->lo);
}

/* One that waits to be blank counts for little, and for more once it is to hold something. */
static bool window_full(const struct ef_cache *c, const struct sector *sector)
{
    if (sector->dirty)
        return sector->blank && c->dirty_count - c->blank_count >= EF_WINDOW_SECTORS;
    return ef_window_is_full(c);
}

/* Waits, the lock released meanwhile, until [lo, hi) of sector `s` may be put down. */
static enum ef_err wait_writable(struct ef_cache *c, uint32_t s, uint32_t lo, uint32_t hi,
                                 struct ef_patience patience)
{
    struct sector *sector = &c->sector[s];
    for (;;) {
        enum ef_err err = EF_OK;
        if (sector->erasing)
            err = ef_cache_wait(c, patience);
        else if (window_full(c, sector) && c->stalled)
            return c->flush_err;
        else if (window_full(c, sector)) {
            pthread_cond_broadcast(&c->changed);
            err = ef_cache_wait(c, patience);
        } else if (!sector->have && !joins(sector, lo, hi))
            err = ef_fetch_wait(c, s, s + 1, EF_PRIORITY_WRITER, patience);
        else
            return EF_OK;
        if (err != EF_OK)
            return err;
    }
}

static void put(struct ef_cache *c, uint32_t s, uint32_t lo, uint32_t hi, const uint8_t *data)
{
    struct sector *sector = &c->sector[s];
    if (sector->have && !sector->dirty && !sector->known && !c->blind) {
        /* The last moment at which our bytes are the chip's. */
        ef_digest_bytes(ef_sector_data(c, s), EF_SECTOR, sector->md5);
        sector->known = true;
    }
    if (!sector->have) {
        sector->lo = (uint16_t)(sector->dirty ? ef_min_u32(sector->lo, lo) : lo);
        sector->hi = (uint16_t)(sector->dirty && sector->hi > hi ? sector->hi : hi);
    }
    memcpy(ef_sector_data(c, s) + lo, data, hi - lo);
    c->journal.outdated = c->journal.outdated || sector->begun;
    sector->imaged = false;
    sector->generation++;
    ef_sector_set_dirty(c, s);
    if (!sector->have && sector->lo == 0 && sector->hi == EF_SECTOR)
        ef_sector_set_have(c, s);
    ef_sector_set_blank(c, s, sector->have && ef_bytes_blank(ef_sector_data(c, s), EF_SECTOR));
}

enum ef_err ef_cache_write(struct ef_cache *c, uint64_t off, uint32_t len, const uint8_t *data,
                           struct ef_patience patience)
{
    if (!ef_range_fits(off, len, c->size))
        return EF_INVALID;
    uint32_t addr = (uint32_t)off;
    enum ef_err err = EF_OK;
    pthread_mutex_lock(&c->lock);
    while (len > 0) {
        uint32_t s = addr / EF_SECTOR;
        uint32_t lo = addr % EF_SECTOR;
        uint32_t hi = ef_min_u32(lo + len, EF_SECTOR);
        err = wait_writable(c, s, lo, hi, patience);
        if (err != EF_OK)
            break;
        put(c, s, lo, hi, data);
        data += hi - lo;
        addr += hi - lo;
        len -= hi - lo;
    }
    ef_cache_touch(c, true);
    if (c->complete_count >= EF_RUN_SECTORS)
        pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return err;
}
