/* What is known of the flash, for those who draw it or skip what need not be read. */
#include "cache_private.h"

#include "espflashfs/bytes.h"

#include <string.h>

/* Looked at under one lock: 1 MiB of bytes, which takes a fraction of a millisecond. */
enum { AT_A_TIME = 16 * EF_RUN_SECTORS };

/* Of sectors whose bytes were forgotten, the chip's digest may be known. Made where one is met. */
struct digests {
    bool made;
    uint8_t blank[EF_DIGEST_BYTES], zeros[EF_DIGEST_BYTES];
};

static void make_digests(struct digests *digests)
{
    static const uint8_t zeros[EF_SECTOR];
    if (digests->made)
        return;
    ef_digest_blank(EF_SECTOR, digests->blank);
    ef_digest_bytes(zeros, EF_SECTOR, digests->zeros);
    digests->made = true;
}

static bool is_zeros(const uint8_t *p)
{
    return p[0] == 0 && memcmp(p, p + 1, EF_SECTOR - 1) == 0;
}

static enum ef_look_kind kind_of(struct ef_cache *c, uint32_t s, struct digests *digests)
{
    const struct sector *sector = &c->sector[s];
    if (sector->have) {
        const uint8_t *bytes = ef_sector_data(c, s);
        if (ef_bytes_blank(bytes, EF_SECTOR))
            return EF_LOOK_BLANK;
        return is_zeros(bytes) ? EF_LOOK_ZEROS : EF_LOOK_DATA;
    }
    if (sector->dirty || !sector->known)
        return EF_LOOK_UNSEEN;
    make_digests(digests);
    if (memcmp(sector->md5, digests->blank, EF_DIGEST_BYTES) == 0)
        return EF_LOOK_BLANK;
    return memcmp(sector->md5, digests->zeros, EF_DIGEST_BYTES) == 0 ? EF_LOOK_ZEROS : EF_LOOK_DATA;
}

/* Under the lock. What is being erased is neither what it was nor blank yet. */
static struct ef_look look_at(struct ef_cache *c, uint32_t s, struct digests *digests)
{
    struct ef_look look = {.kind = EF_LOOK_UNSEEN, .dirty = false};
    if (s >= c->sectors)
        return look;
    look.dirty = c->sector[s].dirty || c->sector[s].erasing;
    look.kind = c->sector[s].erasing ? EF_LOOK_UNSEEN : kind_of(c, s, digests);
    return look;
}

void ef_cache_look(struct ef_cache *c, uint32_t first, uint32_t count, struct ef_look *look)
{
    struct digests digests = {.made = false};
    for (uint32_t i = 0; i < count;) {
        uint32_t end = i + ef_min_u32(AT_A_TIME, count - i);
        pthread_mutex_lock(&c->lock);
        for (; i < end; i++)
            look[i] = look_at(c, first + i, &digests);
        pthread_mutex_unlock(&c->lock);
    }
}

enum ef_err ef_cache_peek(struct ef_cache *c, uint64_t off, uint32_t len, uint8_t *buf,
                          uint64_t *age)
{
    if (!ef_range_fits(off, len, c->size))
        return EF_INVALID;
    uint32_t s = (uint32_t)(off / EF_SECTOR);
    uint32_t lo = (uint32_t)(off % EF_SECTOR);
    pthread_mutex_lock(&c->lock);
    const struct sector *sector = &c->sector[s];
    bool written = sector->dirty && sector->lo <= lo && sector->hi >= lo + len;
    bool known = !sector->erasing && (sector->have || written);
    if (known)
        memcpy(buf, ef_sector_data(c, s) + lo, len);
    *age = c->absences << 32 | sector->generation;
    pthread_mutex_unlock(&c->lock);
    return known ? EF_OK : EF_MISSING;
}
