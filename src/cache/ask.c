/*
 * Does the chip hold already what is to be written? Decision 4: only what differs is touched.
 *
 * A yes keeps a sector from being written, so one damaged request must not say it: one flipped
 * bit makes the chip digest another place, which may hold what is wanted. (A flipped bit of the
 * length cannot: then the digest is of other bytes.) A yes is proven in one of two ways:
 * - it is said twice;
 * - for long ranges, the places that one flipped bit of the address leads to are shown, by a
 *   few bytes of each, to hold something else. If the request was damaged, those are not.
 * A false no costs a write that was not needed, and nothing else.
 */
#include "cache_private.h"

#include "espflashfs/bytes.h"

#include <stdlib.h>
#include <string.h>

enum {
    GLIMPSE = 64,               /* bytes that tell most ranges apart */
    TWICE_MAX = EF_RUN_SECTORS, /* up to here a second question is as cheap as glimpses */
    ADDR_BITS = 32
};

enum ef_err ef_cache_digest(struct ef_cache *c, uint32_t first, uint32_t count,
                            uint8_t md5[EF_DIGEST_BYTES], struct ef_patience patience)
{
    struct ef_job *job =
        ef_job_new(EF_JOB_DIGEST, EF_PRIORITY_WRITER, first * EF_SECTOR, count * EF_SECTOR);
    if (!job)
        return EF_NOMEM;
    ef_worker_submit(c->worker, job);
    enum ef_err err = ef_worker_wait(c->worker, job, patience.interrupted, patience.user);
    if (err == EF_OK)
        memcpy(md5, job->md5, EF_DIGEST_BYTES);
    ef_job_drop(job);
    return err;
}

enum ef_err ef_cache_digests(struct ef_cache *c, struct ef_digest *list, size_t count)
{
    if (count == 0)
        return EF_OK;
    struct ef_job *job = ef_job_new(EF_JOB_DIGESTS, EF_PRIORITY_WRITER, list->addr, list->len);
    if (!job)
        return EF_NOMEM;
    job->list = malloc(count * sizeof(*list));
    enum ef_err err = EF_NOMEM;
    if (job->list) {
        memcpy(job->list, list, count * sizeof(*list));
        job->count = count;
        err = ef_worker_run(c->worker, job);
        if (err == EF_OK)
            memcpy(list, job->list, count * sizeof(*list));
    }
    ef_job_drop(job);
    return err;
}

static const uint8_t *ours(const struct ef_asked *a, uint32_t i)
{
    return a->data + (size_t)i * EF_SECTOR;
}

static bool says(const struct ef_digest *d, const uint8_t *bytes)
{
    uint8_t md5[EF_DIGEST_BYTES];
    ef_digest_bytes(bytes, d->len, md5);
    return memcmp(md5, d->md5, EF_DIGEST_BYTES) == 0;
}

static void set_held(const struct ef_asked *a, uint32_t i, uint32_t n)
{
    for (uint32_t k = i; k < i + n; k++)
        a->held[k] = true;
}

static enum ef_err holds(struct ef_cache *c, const struct ef_asked *a, uint32_t i, uint32_t n,
                         bool *yes)
{
    struct ef_digest d = {.addr = (a->first + i) * EF_SECTOR, .len = n * EF_SECTOR};
    enum ef_err err = ef_cache_digests(c, &d, 1);
    *yes = err == EF_OK && says(&d, ours(a, i));
    return err;
}

/* Where in `bytes` a glimpse shows a shift by less than its length; 0 if nowhere. */
static uint32_t telling_place(const uint8_t *bytes, uint32_t len)
{
    for (uint32_t at = 0; at + 2 * GLIMPSE <= len; at += EF_SECTOR) {
        bool tells = true;
        for (uint32_t shift = 1; shift <= GLIMPSE && tells; shift *= 2)
            tells = memcmp(bytes + at, bytes + at + shift, GLIMPSE) != 0;
        if (tells)
            return at;
    }
    return 0;
}

/*
 * *yes: no place that a request for sectors [i, i+n) leads to by one flipped bit of its address
 * holds what they are to hold. Past the flash's end the loader refuses, or starts again at 0,
 * which is the same place.
 */
static enum ef_err is_one_of_its_kind(struct ef_cache *c, const struct ef_asked *a, uint32_t i,
                                      uint32_t n, bool *yes)
{
    uint32_t addr = (a->first + i) * EF_SECTOR;
    uint32_t at = telling_place(ours(a, i), n * EF_SECTOR);
    struct ef_digest list[ADDR_BITS];
    size_t count = 0;
    for (uint32_t bit = 0; bit < ADDR_BITS; bit++) {
        uint32_t other = addr ^ UINT32_C(1) << bit;
        if (other < c->size && ef_range_fits((uint64_t)other + at, GLIMPSE, c->size))
            list[count++] = (struct ef_digest){.addr = other + at, .len = GLIMPSE};
    }
    enum ef_err err = ef_cache_digests(c, list, count);
    *yes = err == EF_OK;
    for (size_t k = 0; k < count && *yes; k++)
        *yes = !says(&list[k], ours(a, i) + at);
    return err;
}

/* The chip said once that it holds sectors [i, i+n). */
static enum ef_err prove(struct ef_cache *c, const struct ef_asked *a, uint32_t i, uint32_t n,
                         bool *yes)
{
    /* The flash's layers ask twice for themselves where a digest is that of blank flash. */
    *yes = ef_bytes_blank(ours(a, i), n * EF_SECTOR);
    enum ef_err err = EF_OK;
    if (!*yes && n > TWICE_MAX)
        err = is_one_of_its_kind(c, a, i, n, yes);
    return err == EF_OK && !*yes ? holds(c, a, i, n, yes) : err;
}

/* Keeps of the sectors `at` those of whose first `len` bytes the chip has what is wanted. */
static enum ef_err keep_alike(struct ef_cache *c, const struct ef_asked *a, uint32_t *at,
                              uint32_t *count, uint32_t len)
{
    struct ef_digest list[EF_STRETCH_SECTORS];
    for (uint32_t k = 0; k < *count; k++)
        list[k] = (struct ef_digest){.addr = (a->first + at[k]) * EF_SECTOR, .len = len};
    enum ef_err err = ef_cache_digests(c, list, *count);
    uint32_t kept = 0;
    for (uint32_t k = 0; k < *count && err == EF_OK; k++)
        if (says(&list[k], ours(a, at[k])))
            at[kept++] = at[k];
    *count = kept;
    return err;
}

/* One by one: a glimpse of each, then what they hold, twice where that is what is wanted. */
static enum ef_err ask_each(struct ef_cache *c, const struct ef_asked *a, uint32_t i, uint32_t n)
{
    uint32_t at[EF_STRETCH_SECTORS];
    uint32_t count = n;
    for (uint32_t k = 0; k < n; k++)
        at[k] = i + k;
    enum ef_err err = n > 1 ? keep_alike(c, a, at, &count, GLIMPSE) : EF_OK;
    for (int times = 0; times < 2 && err == EF_OK; times++)
        err = keep_alike(c, a, at, &count, EF_SECTOR);
    for (uint32_t k = 0; k < count && err == EF_OK; k++)
        a->held[at[k]] = true;
    return err;
}

/* Sectors inside one block: all at once, then one by one. */
static enum ef_err ask_block(struct ef_cache *c, const struct ef_asked *a, uint32_t i, uint32_t n)
{
    bool yes = false;
    enum ef_err err = n > 1 ? holds(c, a, i, n, &yes) : EF_OK;
    if (err == EF_OK && yes)
        err = prove(c, a, i, n, &yes);
    if (err == EF_OK && yes)
        set_held(a, i, n);
    return err == EF_OK && !yes ? ask_each(c, a, i, n) : err;
}

/* Do the first and the last of them look like what is wanted? Else most will differ. */
static enum ef_err ends_look_alike(struct ef_cache *c, const struct ef_asked *a, uint32_t i,
                                   uint32_t n, bool *yes)
{
    uint32_t at[2] = {i, i + n - 1};
    uint32_t count = 2;
    enum ef_err err = keep_alike(c, a, at, &count, GLIMPSE);
    *yes = count > 0;
    return err;
}

enum ef_err ef_ask_run(struct ef_cache *c, const struct ef_asked *a, uint32_t i, uint32_t n)
{
    if (n <= TWICE_MAX)
        return ask_block(c, a, i, n);
    bool alike;
    enum ef_err err = ends_look_alike(c, a, i, n, &alike);
    if (err != EF_OK)
        return err;
    if (!alike)
        return ask_each(c, a, i, n);
    bool yes;
    err = holds(c, a, i, n, &yes);
    if (err == EF_OK && yes)
        err = prove(c, a, i, n, &yes);
    if (err == EF_OK && yes)
        set_held(a, i, n);
    while (err == EF_OK && !yes && n > 0) {
        uint32_t in_block = EF_RUN_SECTORS - (a->first + i) % EF_RUN_SECTORS;
        in_block = ef_min_u32(in_block, n);
        err = ask_block(c, a, i, in_block);
        i += in_block;
        n -= in_block;
    }
    return err;
}
