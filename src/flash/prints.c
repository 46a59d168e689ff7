#include "prints.h"

#include "espflashfs/bytes.h"

#include <stdlib.h>
#include <string.h>

enum ef_err ef_prints_init(struct ef_prints *p, uint32_t size, uint32_t piece)
{
    *p = (struct ef_prints){.piece = piece, .count = (size + piece - 1) / piece};
    p->list = calloc(p->count, sizeof(p->list[0]));
    return p->list ? EF_OK : EF_NOMEM;
}

void ef_prints_free(struct ef_prints *p)
{
    free(p->list);
    p->list = NULL;
}

/* The next index from `i` on whose print is not known, `count` if there is none. */
static uint32_t next_unknown(const struct ef_prints *p, uint32_t i)
{
    while (i < p->count && p->list[i].known)
        i++;
    return i;
}

static void keep(struct ef_prints *p, uint32_t i, const struct ef_digest *digest)
{
    memcpy(p->list[i].md5, digest->md5, EF_DIGEST_BYTES);
    p->list[i].known = true;
}

enum ef_err ef_prints_take(struct ef_prints *p, struct ef_flash *below, const struct ef_read *r)
{
    for (uint32_t i = next_unknown(p, 0); i < p->count; i = next_unknown(p, i)) {
        if (r->stop && r->stop(r->user))
            return EF_INTERRUPTED;
        uint32_t j = next_unknown(p, i + 1);
        struct ef_digest pair[2] = {{.addr = i * p->piece, .len = EF_SECTOR},
                                    {.addr = j * p->piece, .len = EF_SECTOR}};
        bool both = j < p->count;
        enum ef_err err = ef_flash_digests(below, pair, both ? 2 : 1);
        if (err != EF_OK)
            return err;
        keep(p, i, &pair[0]);
        if (both)
            keep(p, j, &pair[1]);
    }
    p->complete = true;
    return EF_OK;
}

void ef_prints_note(struct ef_prints *p, const struct ef_digest *digest)
{
    if (digest->len == EF_SECTOR && digest->addr % p->piece == 0)
        keep(p, digest->addr / p->piece, digest);
}

static bool equal(const struct ef_prints *p, uint32_t i, const uint8_t md5[EF_DIGEST_BYTES])
{
    return memcmp(p->list[i].md5, md5, EF_DIGEST_BYTES) == 0;
}

bool ef_prints_tell(const struct ef_prints *p, uint32_t addr, uint32_t len)
{
    uint32_t i = addr / p->piece;
    if (!p->complete || addr % p->piece != 0 || len != p->piece)
        return false;
    for (uint32_t bit = 1; bit < p->count; bit <<= 1)
        if ((i ^ bit) < p->count && equal(p, i ^ bit, p->list[i].md5))
            return false;
    return true;
}

/*
 * A flipped bit below the piece's own leads to a place a little further on. Sector-wise: then
 * the first sector of the piece behind lies that much before this one's end. Inside a sector:
 * then this one begins with a pattern of that period, since it begins as it should.
 */
static bool may_be_shifted(const struct ef_prints *p, uint32_t i, const uint8_t *bytes)
{
    uint32_t shift = 1;
    for (; shift < EF_SECTOR; shift <<= 1)
        if (memcmp(bytes, bytes + shift, EF_SECTOR - shift) == 0)
            return true;
    uint32_t behind = i + 1 < p->count ? i + 1 : 0; /* behind the end some flashes begin anew */
    for (; shift < p->piece; shift <<= 1) {
        uint8_t md5[EF_DIGEST_BYTES];
        ef_digest_bytes(bytes + p->piece - shift, EF_SECTOR, md5);
        if (equal(p, behind, md5))
            return true;
    }
    return false;
}

enum ef_proof ef_prints_prove(struct ef_prints *p, uint32_t addr, const uint8_t *bytes)
{
    uint32_t i = addr / p->piece;
    uint8_t md5[EF_DIGEST_BYTES];
    ef_digest_bytes(bytes, EF_SECTOR, md5);
    if (!equal(p, i, md5)) {
        /* Either may be the damaged one. */
        ef_prints_forget(p, addr, p->piece);
        return EF_PROOF_NO;
    }
    return may_be_shifted(p, i, bytes) ? EF_PROOF_DOUBT : EF_PROOF_YES;
}

void ef_prints_forget(struct ef_prints *p, uint32_t addr, uint32_t len)
{
    for (uint32_t i = addr / p->piece; len > 0 && i <= (addr + len - 1) / p->piece; i++) {
        if (i < p->count && p->list[i].known) {
            p->list[i].known = false;
            p->complete = false;
        }
    }
}
