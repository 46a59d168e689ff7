/*
 * Does the chip hold already what is to be written? Decision 4: only what differs is touched.
 *
 * A yes keeps a sector from being written, so one damaged request must not say it: one flipped
 * bit makes the chip digest another place, which may hold what is wanted. (A flipped bit of the
 * length cannot: then the digest is of other bytes.) A yes is proven in one of two ways:
 * - it is said twice;
 * - for long ranges, the places that one flipped bit of the address leads to are shown, by a
 *   few bytes of each, to hold something else. If the request was damaged, those are not. Of a
 *   blank range, which looks alike wherever it is, the known sector before it is asked about
 *   with it.
 * A false no costs a write that was not needed, and nothing else.
 */
#include "absence.h"
#include "cache_private.h"
#include "witness.h"

#include "espflashfs/bytes.h"

#include <stdlib.h>
#include <string.h>

enum {
    GLIMPSE = 64,   /* bytes that tell most ranges apart */
    SPOTS_FROM = 5, /* sectors: of fewer, a glimpse of each costs as little */
    TWICE_MAX = 8,  /* sectors: up to here a second question is as cheap as glimpses */
    AT_A_TIME = 64, /* questions */
    ADDR_BITS = 32
};

static void note_absence(struct ef_cache *c, const struct ef_job *job)
{
    pthread_mutex_lock(&c->lock);
    ef_absence_note(c, job);
    pthread_mutex_unlock(&c->lock);
}

enum ef_err ef_cache_digest(struct ef_cache *c, uint32_t first, uint32_t count,
                            uint8_t md5[EF_DIGEST_BYTES], struct ef_patience patience)
{
    struct ef_job *job =
        ef_job_new(EF_JOB_DIGEST, EF_PRIORITY_WRITER, first * EF_SECTOR, count * EF_SECTOR);
    if (!job)
        return EF_NOMEM;
    ef_worker_submit(c->worker, job);
    enum ef_err err = ef_worker_wait(c->worker, job, patience.interrupted, patience.user);
    /* The worker is not done with the job of one who left. */
    if (err != EF_INTERRUPTED)
        note_absence(c, job);
    if (err == EF_OK)
        memcpy(md5, job->md5, EF_DIGEST_BYTES);
    ef_job_drop(job);
    return err;
}

enum ef_err ef_cache_digests(struct ef_cache *c, struct ef_digest *list, size_t count)
{
    return ef_cache_digests_for(c, list, count, (struct ef_patience){0});
}

enum ef_err ef_cache_digests_for(struct ef_cache *c, struct ef_digest *list, size_t count,
                                 struct ef_patience patience)
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
        ef_worker_submit(c->worker, job);
        err = ef_worker_wait(c->worker, job, patience.interrupted, patience.user);
        if (err != EF_INTERRUPTED)
            note_absence(c, job);
        if (err == EF_OK)
            memcpy(list, job->list, count * sizeof(*list));
    }
    ef_job_drop(job);
    return err;
}

static bool says(const struct ef_digest *d, const uint8_t *bytes)
{
    uint8_t md5[EF_DIGEST_BYTES];
    if (bytes)
        ef_digest_bytes(bytes, d->len, md5);
    else
        ef_digest_blank(d->len, md5);
    return memcmp(md5, d->md5, EF_DIGEST_BYTES) == 0;
}

/* What sector `i` is to hold, and those behind it; NULL: blank. */
static const uint8_t *ours(const struct ef_asked *a, uint32_t i)
{
    return a->data ? a->data + (size_t)i * EF_SECTOR : NULL;
}

/* Where in `bytes` a glimpse shows a shift by less than its length; 0 if nowhere. */
static uint32_t telling_place(const uint8_t *bytes, uint32_t len)
{
    uint32_t step = len > EF_SECTOR ? EF_SECTOR : 4 * GLIMPSE;
    for (uint32_t at = 0; at + 2 * GLIMPSE <= len; at += step) {
        bool tells = true;
        for (uint32_t shift = 1; shift <= GLIMPSE && tells; shift *= 2)
            tells = memcmp(bytes + at, bytes + at + shift, GLIMPSE) != 0;
        if (tells)
            return at;
    }
    return 0;
}

/*
 * *yes: no place that a request for `addr` leads to by one flipped bit begins with these bytes.
 * Past the flash's end the loader refuses, or starts again at 0, which is the same place.
 */
static enum ef_err is_one_of_its_kind(struct ef_cache *c, uint32_t addr, const uint8_t *bytes,
                                      uint32_t len, bool *yes)
{
    uint32_t at = telling_place(bytes, len);
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
        *yes = !says(&list[k], bytes + at);
    return err;
}

static enum ef_err holds(struct ef_cache *c, const struct ef_asked *a, uint32_t i, uint32_t n,
                         bool *yes)
{
    struct ef_digest d = {.addr = (a->first + i) * EF_SECTOR, .len = n * EF_SECTOR};
    enum ef_err err = ef_cache_digests(c, &d, 1);
    *yes = err == EF_OK && says(&d, ours(a, i));
    return err;
}

static uint32_t before_addr(const struct ef_asked *a)
{
    return (a->first - a->gap - 1) * EF_SECTOR;
}

/*
 * Blank sectors [0, n) and the known one before them: a range that begins with its bytes, where
 * one that is all blank would be found in many places.
 */
static enum ef_err holds_behind(struct ef_cache *c, const struct ef_asked *a, uint32_t n, bool *yes)
{
    struct ef_digest d = {.addr = before_addr(a), .len = (1 + a->gap + n) * EF_SECTOR};
    uint8_t md5[EF_DIGEST_BYTES];
    enum ef_err err = ef_cache_digests(c, &d, 1);
    ef_digest_then_blank(a->before, EF_SECTOR, (a->gap + n) * EF_SECTOR, md5);
    *yes = err == EF_OK && memcmp(d.md5, md5, EF_DIGEST_BYTES) == 0;
    return err;
}

/* Does the chip hold what is wanted of sectors [i, i+n)? A yes is proven. */
static enum ef_err holds_surely(struct ef_cache *c, const struct ef_asked *a, uint32_t i,
                                uint32_t n, bool *yes)
{
    bool behind = false;
    enum ef_err err = EF_OK;
    if (a->before && i == 0 && n > TWICE_MAX)
        err = is_one_of_its_kind(c, before_addr(a), a->before, EF_SECTOR, &behind);
    if (err == EF_OK && behind)
        return holds_behind(c, a, n, yes);
    *yes = false;
    if (err == EF_OK)
        err = holds(c, a, i, n, yes);
    /* The flash's layers ask twice for themselves where a digest is that of blank flash. */
    if (err != EF_OK || !*yes || !a->data || ef_bytes_blank(ours(a, i), n * EF_SECTOR))
        return err;
    *yes = false;
    if (n > TWICE_MAX)
        err = is_one_of_its_kind(c, (a->first + i) * EF_SECTOR, ours(a, i), n * EF_SECTOR, yes);
    return err == EF_OK && !*yes ? holds(c, a, i, n, yes) : err;
}

/* Keeps of the sectors `at`, AT_A_TIME at most, those that begin as is wanted. */
static enum ef_err keep_alike(struct ef_cache *c, const struct ef_asked *a, uint32_t *at,
                              uint32_t *count)
{
    struct ef_digest list[AT_A_TIME];
    for (uint32_t k = 0; k < *count; k++)
        list[k] = (struct ef_digest){.addr = (a->first + at[k]) * EF_SECTOR, .len = GLIMPSE};
    enum ef_err err = ef_cache_digests(c, list, *count);
    uint32_t kept = 0;
    for (uint32_t k = 0; k < *count && err == EF_OK && a->seen; k++)
        if (at[k] % EF_SEEN_EVERY == 0)
            ef_seen_note(a->seen, &list[k]);
    for (uint32_t k = 0; k < *count && err == EF_OK; k++)
        if (says(&list[k], ours(a, at[k])))
            at[kept++] = at[k];
    *count = kept;
    return err;
}

/* By the first sector of each block, and the last of all. */
enum ef_err ef_ask_looks(struct ef_cache *c, const struct ef_asked *a, uint32_t i, uint32_t n,
                         bool *yes)
{
    uint32_t at[AT_A_TIME];
    enum ef_err err = EF_OK;
    *yes = true;
    for (uint32_t k = i; k < i + n && err == EF_OK && *yes;) {
        uint32_t count = 0;
        for (; k < i + n && count < AT_A_TIME; k++)
            if (k == i || k == i + n - 1 || (a->first + k) % EF_RUN_SECTORS == 0)
                at[count++] = k;
        uint32_t kept = count;
        err = keep_alike(c, a, at, &kept);
        *yes = kept == count;
    }
    return err;
}

/* Sectors [i, i+n), all of which look alike: as many at a time as are found to be alike. */
static enum ef_err ask_row(struct ef_cache *c, const struct ef_asked *a, uint32_t i, uint32_t n)
{
    enum ef_err err = EF_OK;
    for (uint32_t end = i + n; i < end && err == EF_OK;) {
        n = ef_min_u32(n, end - i);
        bool yes;
        err = holds_surely(c, a, i, n, &yes);
        for (uint32_t k = i; k < i + n && yes; k++)
            a->held[k] = true;
        i += yes || n == 1 ? n : 0;
        n = yes ? 2 * n : (n + 1) / 2;
    }
    return err;
}

/* A glimpse of each, then what those hold that look alike. */
static enum ef_err ask_each(struct ef_cache *c, const struct ef_asked *a, uint32_t i, uint32_t n)
{
    uint32_t at[AT_A_TIME];
    uint32_t count = n;
    for (uint32_t k = 0; k < n; k++)
        at[k] = i + k;
    enum ef_err err = n > 1 ? keep_alike(c, a, at, &count) : EF_OK;
    for (uint32_t k = 0; k < count && err == EF_OK;) {
        uint32_t row = 1;
        while (k + row < count && at[k + row] == at[k] + row)
            row++;
        err = ask_row(c, a, at[k], row);
        k += row;
    }
    return err;
}

enum ef_err ef_ask_run(struct ef_cache *c, const struct ef_asked *a, uint32_t i, uint32_t n)
{
    bool yes = false;
    enum ef_err err = n >= SPOTS_FROM ? ef_ask_looks(c, a, i, n, &yes) : EF_OK;
    if (err == EF_OK && yes)
        err = holds_surely(c, a, i, n, &yes);
    for (uint32_t k = i; k < i + n && yes; k++)
        a->held[k] = true;
    for (uint32_t end = i + n; i < end && err == EF_OK && !yes;) {
        n = ef_min_u32(AT_A_TIME, end - i);
        err = ask_each(c, a, i, n);
        i += n;
    }
    return err;
}
