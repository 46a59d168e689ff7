/* Bringing sectors in: one read job covers a row of missing sectors. */
#include "cache_private.h"

#include "espflashfs/bytes.h"

#include <stdlib.h>
#include <string.h>

enum { FETCH_SECTORS_MAX = 4 * EF_RUN_SECTORS };

static bool missing(const struct sector *sector)
{
    return !sector->have && !sector->fetching && !sector->erasing;
}

/* The chip's bytes of one sector have come. What was written meanwhile stays. */
static void merge(struct ef_cache *c, uint32_t s, const uint8_t *bytes)
{
    struct sector *sector = &c->sector[s];
    if (sector->have || sector->erasing)
        return;
    uint8_t *data = ef_sector_data(c, s);
    if (sector->dirty) {
        memcpy(data, bytes, sector->lo);
        memcpy(data + sector->hi, bytes + sector->hi, (size_t)EF_SECTOR - sector->hi);
        ef_digest_bytes(bytes, EF_SECTOR, sector->md5);
        sector->known = true;
    } else {
        memcpy(data, bytes, EF_SECTOR);
    }
    ef_sector_set_have(c, s);
}

static void on_piece(void *user, uint32_t addr, const uint8_t *bytes, uint32_t len)
{
    struct fetch *f = user;
    struct ef_cache *c = f->cache;
    pthread_mutex_lock(&c->lock);
    for (uint32_t at = 0; at < len; at += EF_SECTOR)
        merge(c, (addr + at) / EF_SECTOR, bytes + at);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void on_done(void *user, struct ef_job *job)
{
    struct fetch *f = user;
    struct ef_cache *c = f->cache;
    pthread_mutex_lock(&c->lock);
    for (uint32_t at = 0; at < job->len; at += EF_SECTOR) {
        struct sector *sector = &c->sector[(job->addr + at) / EF_SECTOR];
        sector->fetching = false;
        if (!sector->have)
            sector->fetch_err = (int8_t)job->err;
    }
    c->suspect = c->suspect || job->stray;
    if (job->stray && !c->distrusted) {
        /* The kernel's read-ahead tries again what failed, and would hide a single failure. */
        c->distrusted = true;
        ef_log(c->log, EF_LOG_ERROR, "no more is read until the board is mounted again");
    }
    struct fetch **link = &c->fetches;
    while (*link != f)
        link = &(*link)->next;
    *link = f->next;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    ef_job_drop(job);
    free(f);
}

enum ef_err ef_fetch_start(struct ef_cache *c, uint32_t s, uint32_t end, enum ef_priority priority)
{
    uint32_t count = 0;
    while (count < FETCH_SECTORS_MAX && s + count < end && missing(&c->sector[s + count]))
        count++;
    struct fetch *f = calloc(1, sizeof(*f));
    if (!f || count == 0) {
        free(f);
        return count == 0 ? EF_OK : EF_NOMEM;
    }
    f->job = ef_job_new(EF_JOB_READ, priority, s * EF_SECTOR, count * EF_SECTOR);
    if (!f->job) {
        free(f);
        return EF_NOMEM;
    }
    f->cache = c;
    f->job->on_piece = on_piece;
    f->job->on_done = on_done;
    f->job->user = f;
    f->next = c->fetches;
    c->fetches = f;
    for (uint32_t i = 0; i < count; i++) {
        c->sector[s + i].fetching = true;
        c->sector[s + i].fetch_err = EF_OK;
    }
    ef_worker_submit(c->worker, f->job);
    return EF_OK;
}

/* Others who wait for the same job start one of their own. */
static void cancel_fetch_of(struct ef_cache *c, uint32_t s)
{
    uint32_t addr = s * EF_SECTOR;
    for (struct fetch *f = c->fetches; f; f = f->next)
        if (addr >= f->job->addr && addr - f->job->addr < f->job->len)
            atomic_store(&f->job->cancelled, true);
}

enum ef_err ef_fetch_wait(struct ef_cache *c, uint32_t s, uint32_t end, enum ef_priority priority,
                          struct ef_patience patience)
{
    struct sector *sector = &c->sector[s];
    bool waited = false;
    while (!sector->have || sector->erasing) {
        bool idle = missing(sector);
        if (idle && c->distrusted)
            return EF_VERIFY;
        if (idle && waited && sector->fetch_err != EF_OK && sector->fetch_err != EF_INTERRUPTED)
            return (enum ef_err)sector->fetch_err;
        enum ef_err err = idle ? ef_fetch_start(c, s, end, priority) : EF_OK;
        waited = waited || sector->fetching;
        if (err == EF_OK)
            err = ef_cache_wait(c, patience);
        if (err == EF_INTERRUPTED)
            cancel_fetch_of(c, s);
        if (err != EF_OK)
            return err;
    }
    return EF_OK;
}

void ef_cache_read_ahead(struct ef_cache *c, uint64_t off, uint32_t len)
{
    if (off >= c->size)
        return;
    uint32_t first = (uint32_t)(off / EF_SECTOR);
    uint64_t stop = (off + len + EF_SECTOR - 1) / EF_SECTOR;
    uint32_t end = stop > c->sectors ? c->sectors : (uint32_t)stop;
    pthread_mutex_lock(&c->lock);
    while (first < end && !missing(&c->sector[first]))
        first++;
    if (first < end)
        ef_fetch_start(c, first, end, EF_PRIORITY_AHEAD);
    pthread_mutex_unlock(&c->lock);
}
