#include "telling.h"

#include <string.h>

enum { PIECE = EF_SCOUT_PIECE };

bool ef_is_held(const struct ef_cache *c, uint32_t first, uint32_t end)
{
    for (uint32_t s = first; s < end; s++)
        if (!c->sector[s].have || c->sector[s].dirty || c->sector[s].erasing)
            return false;
    return end <= c->sectors;
}

static const struct sample *sample_at(const struct ef_cache *c, uint32_t s)
{
    return &c->scout.sample[s / EF_RUN_SECTORS];
}

static bool begins_as_sampled(const struct ef_cache *c, uint32_t s, const struct sample *sample)
{
    uint8_t md5[EF_DIGEST_BYTES];
    ef_digest_bytes(c->data + (size_t)s * EF_SECTOR, EF_SECTOR, md5);
    return sample->known && memcmp(md5, sample->md5, EF_DIGEST_BYTES) == 0;
}

/* A bit that leads to another piece: none of those begins alike. */
static bool unlike_other_pieces(const struct ef_cache *c, uint32_t first)
{
    const struct sample *own = sample_at(c, first);
    for (uint32_t bit = PIECE; bit < c->sectors; bit <<= 1) {
        if ((first ^ bit) >= c->sectors)
            continue;
        const struct sample *other = sample_at(c, first ^ bit);
        if (!other->known || memcmp(other->md5, own->md5, EF_DIGEST_BYTES) == 0)
            return false;
    }
    return true;
}

/* One inside the first sector: a range that begins there would begin with a pattern. */
static bool has_no_pattern(const struct ef_cache *c, uint32_t first)
{
    const uint8_t *bytes = c->data + (size_t)first * EF_SECTOR;
    for (uint32_t shift = 1; shift < EF_SECTOR; shift <<= 1)
        if (memcmp(bytes, bytes + shift, EF_SECTOR - shift) == 0)
            return false;
    return true;
}

static bool sampled_otherwise(const struct ef_cache *c, uint32_t first, uint32_t there)
{
    return there < c->sectors && sample_at(c, there)->known &&
           memcmp(sample_at(c, there)->md5, sample_at(c, first)->md5, EF_DIGEST_BYTES) != 0;
}

/*
 * One inside the piece. Such a range begins with a sector that we know to be another; or the
 * piece behind would begin with a sector that lies that much before its start.
 */
static bool is_not_shifted(const struct ef_cache *c, uint32_t first, uint32_t end)
{
    const uint8_t *bytes = c->data + (size_t)first * EF_SECTOR;
    uint32_t behind = first + PIECE;
    bool sampled = behind < c->sectors && behind <= end && sample_at(c, behind)->known;
    for (uint32_t shift = 1; shift < PIECE; shift <<= 1) {
        if (first + shift < c->sectors && ef_is_held(c, first + shift, first + shift + 1) &&
            memcmp(bytes, bytes + (size_t)shift * EF_SECTOR, EF_SECTOR) != 0)
            continue;
        if (shift == EF_RUN_SECTORS && sampled_otherwise(c, first, first + shift))
            continue;
        if (!sampled || begins_as_sampled(c, behind - shift, sample_at(c, behind)))
            return false;
    }
    return true;
}

bool ef_telling(const struct ef_cache *c, uint32_t first, uint32_t end)
{
    return first % PIECE == 0 && begins_as_sampled(c, first, sample_at(c, first)) &&
           unlike_other_pieces(c, first) && has_no_pattern(c, first) &&
           is_not_shifted(c, first, end);
}
