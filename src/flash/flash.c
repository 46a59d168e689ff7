#include "espflashfs/flash.h"

#include "espflashfs/bytes.h"

#include <stdlib.h>
#include <string.h>

static bool fits(const struct ef_flash *f, uint32_t addr, uint32_t len)
{
    return len > 0 && ef_range_fits(addr, len, f->size);
}

static bool whole_sectors(const struct ef_flash *f, uint32_t addr, uint32_t len)
{
    return fits(f, addr, len) && addr % EF_SECTOR == 0 && len % EF_SECTOR == 0;
}

enum ef_err ef_flash_read(struct ef_flash *f, struct ef_read *r)
{
    r->done = 0;
    if (!fits(f, r->addr, r->len))
        return EF_INVALID;
    enum ef_err err = f->ops->read(f, r);
    if (r->done > r->len || (err == EF_OK && r->done < r->len)) {
        /* A layer that says yes has done all of it, and a failure carries a code. */
        r->done = 0;
        return EF_VERIFY;
    }
    return err;
}

enum ef_err ef_flash_write(struct ef_flash *f, uint32_t addr, uint32_t len, const uint8_t *data)
{
    return whole_sectors(f, addr, len) ? f->ops->write(f, addr, len, data) : EF_INVALID;
}

enum ef_err ef_flash_erase(struct ef_flash *f, uint32_t addr, uint32_t len)
{
    return whole_sectors(f, addr, len) ? f->ops->erase(f, addr, len) : EF_INVALID;
}

enum ef_err ef_flash_digests(struct ef_flash *f, struct ef_digest *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!fits(f, list[i].addr, list[i].len))
            return EF_INVALID;
    return count ? f->ops->digest(f, list, count) : EF_OK;
}

enum ef_err ef_flash_digest(struct ef_flash *f, uint32_t addr, uint32_t len,
                            uint8_t md5[EF_DIGEST_BYTES])
{
    struct ef_digest one = {.addr = addr, .len = len};
    enum ef_err err = ef_flash_digests(f, &one, 1);
    if (err == EF_OK)
        memcpy(md5, one.md5, EF_DIGEST_BYTES);
    return err;
}

enum ef_err ef_flash_recover(struct ef_flash *f)
{
    return f->ops->recover(f);
}

enum ef_err ef_flash_rejoin(struct ef_flash *f, bool (*stop)(void *user), void *user)
{
    while (f->below)
        f = f->below;
    return f->ops->rejoin ? f->ops->rejoin(f, stop, user) : EF_GONE;
}

uint64_t ef_flash_strays(const struct ef_flash *f)
{
    uint64_t strays = 0;
    for (; f; f = f->below)
        strays += f->strays;
    return strays;
}

uint64_t ef_flash_slowdowns(const struct ef_flash *f)
{
    uint64_t slowdowns = 0;
    for (; f; f = f->below)
        slowdowns += f->slowdowns;
    return slowdowns;
}

uint64_t ef_flash_absences(const struct ef_flash *f)
{
    uint64_t absences = 0;
    for (; f; f = f->below)
        absences += f->absences;
    return absences;
}

void ef_flash_free(struct ef_flash *f)
{
    while (f) {
        struct ef_flash *below = f->below;
        if (f->ops->free)
            f->ops->free(f);
        free(f);
        f = below;
    }
}

const struct ef_digest *ef_flash_front(const struct ef_flash *f)
{
    while (f->below)
        f = f->below;
    return &f->front;
}
