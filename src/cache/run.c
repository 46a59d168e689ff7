/*
 * One run of dirty sectors to the chip: find what differs, erase what becomes blank, write
 * the rest. Decision 4: only what differs is touched.
 */
#include "cache_private.h"

#include "espflashfs/bytes.h"

#include <string.h>

static const struct ef_patience FOREVER;

struct run {
    uint32_t first, count;
    uint32_t generation[EF_STRETCH_SECTORS];
    uint8_t md5[EF_STRETCH_SECTORS][EF_DIGEST_BYTES];  /* of what is to be there */
    uint8_t chip[EF_STRETCH_SECTORS][EF_DIGEST_BYTES]; /* of what is there, if known */
    bool known[EF_STRETCH_SECTORS];
    bool done[EF_STRETCH_SECTORS]; /* the chip holds it, proven unless `blind` */
    bool settled[EF_STRETCH_SECTORS];
    bool blind; /* this chip tells nothing of what it holds */
};

static const uint8_t *run_data(const struct ef_cache *c, uint32_t i)
{
    return c->run + (size_t)i * EF_SECTOR;
}

/*
 * Under the lock: the next row of dirty sectors from `from` on, inside one stretch.
 * Where `whole_only`, sectors of which only a part was written do not count.
 */
static void find_run(const struct ef_cache *c, uint32_t from, bool whole_only, struct run *r)
{
    uint32_t s = from;
    while (s < c->sectors && !(c->sector[s].dirty && (c->sector[s].have || !whole_only)))
        s++;
    uint32_t end = s;
    while (end < c->sectors && (end == s || end % EF_STRETCH_SECTORS != 0) &&
           c->sector[end].dirty && (c->sector[end].have || !whole_only))
        end++;
    r->first = s;
    r->count = end - s;
}

/* Under the lock, released while waiting: the first sector of the run that is not ready to be
 * copied is waited for. *ready if there was none. */
static enum ef_err make_ready(struct ef_cache *c, const struct run *r, bool *ready)
{
    *ready = false;
    for (uint32_t s = r->first; s < r->first + r->count; s++) {
        if (c->sector[s].erasing)
            return ef_cache_wait(c, FOREVER);
        if (!c->sector[s].have)
            return ef_fetch_wait(c, s, s + 1, EF_PRIORITY_WRITER, FOREVER);
    }
    *ready = true;
    return EF_OK;
}

/* Under the lock: copies what the run is to hold; writers may go on in the cache. */
static void take_copy(struct ef_cache *c, struct run *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        struct sector *sector = &c->sector[r->first + i];
        sector->writing = true;
        r->generation[i] = sector->generation;
        r->known[i] = sector->known;
        memcpy(r->chip[i], sector->md5, EF_DIGEST_BYTES);
        memcpy(c->run + (size_t)i * EF_SECTOR, ef_sector_data(c, r->first + i), EF_SECTOR);
    }
}

/* Finds a run and takes its copy; what happens while it waits makes it look again. */
static enum ef_err claim_run(struct ef_cache *c, uint32_t from, bool whole_only, struct run *r)
{
    enum ef_err err = EF_OK;
    bool ready = false;
    pthread_mutex_lock(&c->lock);
    while (err == EF_OK && !ready) {
        find_run(c, from, whole_only, r);
        err = make_ready(c, r, &ready);
    }
    if (err == EF_OK)
        take_copy(c, r);
    pthread_mutex_unlock(&c->lock);
    return err;
}

static enum ef_err find_differences(struct ef_cache *c, struct run *r)
{
    bool held[EF_STRETCH_SECTORS] = {false};
    struct ef_asked asked = {
        .first = r->first, .count = r->count, .data = c->run, .md5 = r->md5, .held = held};
    for (uint32_t i = 0; i < r->count; i++)
        ef_digest_bytes(run_data(c, i), EF_SECTOR, r->md5[i]);
    for (uint32_t i = 0; i < r->count && !r->blind;) {
        uint32_t n = 0;
        while (i + n < r->count && !r->known[i + n])
            n++;
        enum ef_err err = n ? ef_ask_run(c, &asked, i, n) : EF_OK;
        r->blind = err == EF_UNSUPPORTED;
        if (err != EF_OK && !r->blind)
            return err;
        i += n ? n : 1;
    }
    for (uint32_t i = 0; i < r->count; i++) {
        if (held[i])
            memcpy(r->chip[i], r->md5[i], EF_DIGEST_BYTES);
        r->known[i] = r->known[i] || held[i];
        r->done[i] = r->known[i] && memcmp(r->chip[i], r->md5[i], EF_DIGEST_BYTES) == 0;
    }
    return EF_OK;
}

/* Under the lock: sectors [i, i+n) are what they will be by this run. */
static void settle(struct ef_cache *c, struct run *r, uint32_t i, uint32_t n)
{
    for (uint32_t k = i; k < i + n; k++) {
        struct sector *sector = &c->sector[r->first + k];
        if (r->settled[k])
            continue;
        r->settled[k] = true;
        sector->writing = false;
        sector->known = r->known[k];
        memcpy(sector->md5, r->chip[k], EF_DIGEST_BYTES);
        if (r->done[k] && sector->generation == r->generation[k])
            ef_sector_set_clean(c, r->first + k);
    }
    pthread_cond_broadcast(&c->changed);
}

/* Sectors [i, i+n) differ, and are all to be blank or all not. Settled at once, for who waits. */
static enum ef_err put_down(struct ef_cache *c, struct run *r, uint32_t i, uint32_t n, bool blank)
{
    struct ef_job *job = ef_job_new(blank ? EF_JOB_ERASE : EF_JOB_WRITE, EF_PRIORITY_WRITER,
                                    (r->first + i) * EF_SECTOR, n * EF_SECTOR);
    if (!job)
        return EF_NOMEM;
    if (!blank)
        memcpy(job->buf, run_data(c, i), (size_t)n * EF_SECTOR);
    for (uint32_t k = i; k < i + n; k++)
        r->known[k] = false;
    enum ef_err err = ef_worker_run(c->worker, job);
    for (uint32_t k = i; k < i + n && err == EF_OK; k++) {
        memcpy(r->chip[k], r->md5[k], EF_DIGEST_BYTES);
        r->known[k] = !r->blind;
        r->done[k] = true;
    }
    pthread_mutex_lock(&c->lock);
    c->suspect = c->suspect || job->stray;
    c->blind = c->blind || r->blind;
    settle(c, r, i, n);
    pthread_mutex_unlock(&c->lock);
    ef_job_drop(job);
    return err;
}

/* The row of sectors from `i` on that differ and are all to be blank, or all not. A transfer
 * ends where blocks end, so that what is erased for it is erased by the block. */
static uint32_t row_len(const struct ef_cache *c, const struct run *r, uint32_t i, bool blank)
{
    uint32_t n = 1;
    while (i + n < r->count && !r->done[i + n] &&
           (blank || (r->first + i + n) % EF_TRANSFER_SECTORS != 0) &&
           ef_bytes_blank(run_data(c, i + n), EF_SECTOR) == blank)
        n++;
    return n;
}

static enum ef_err put_differences_down(struct ef_cache *c, struct run *r)
{
    for (uint32_t i = 0; i < r->count;) {
        if (r->done[i]) {
            i++;
            continue;
        }
        bool blank = ef_bytes_blank(run_data(c, i), EF_SECTOR);
        uint32_t n = row_len(c, r, i, blank);
        enum ef_err err = put_down(c, r, i, n, blank);
        if (err != EF_OK)
            return err;
        i += n;
    }
    return EF_OK;
}

enum ef_err ef_run_flush(struct ef_cache *c, uint32_t from, bool whole_only, uint32_t *next)
{
    struct run r = {0};
    *next = c->sectors;
    enum ef_err err = claim_run(c, from, whole_only, &r);
    if (err != EF_OK || r.count == 0)
        return err;
    *next = r.first + r.count;
    err = find_differences(c, &r);
    if (err == EF_OK)
        err = put_differences_down(c, &r);
    pthread_mutex_lock(&c->lock);
    c->blind = c->blind || r.blind;
    settle(c, &r, 0, r.count);
    pthread_mutex_unlock(&c->lock);
    return err;
}
