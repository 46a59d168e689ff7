#include "absence.h"
#include "begun.h"
#include "cache_private.h"
#include "witness.h"

#include "espflashfs/bytes.h"

#include <stdlib.h>
#include <string.h>

struct erase {
    struct ef_cache *cache;
    uint32_t first, end; /* sectors */
};

static bool range_busy(const struct ef_cache *c, uint32_t first, uint32_t end)
{
    for (uint32_t s = first; s < end; s++)
        if (c->sector[s].writing || c->sector[s].erasing)
            return true;
    return false;
}

static void mark_erasing(struct ef_cache *c, uint32_t first, uint32_t end, bool erasing)
{
    for (uint32_t s = first; s < end; s++) {
        ef_scout_forget(c, s);
        c->sector[s].erasing = erasing;
    }
    pthread_cond_broadcast(&c->changed);
}

/* Under the lock: the sectors are blank now, on the chip and here. */
static void set_blank(struct ef_cache *c, uint32_t first, uint32_t end)
{
    uint8_t md5[EF_DIGEST_BYTES];
    ef_digest_blank(EF_SECTOR, md5);
    for (uint32_t s = first; s < end; s++) {
        struct sector *sector = &c->sector[s];
        ef_sector_set_clean(c, s);
        ef_sector_set_have(c, s);
        sector->imaged = sector->imaged && ef_bytes_blank(ef_sector_data(c, s), EF_SECTOR);
        memset(ef_sector_data(c, s), 0xFF, EF_SECTOR);
        memcpy(sector->md5, md5, sizeof(md5));
        sector->known = true;
        sector->begun = EF_BEGUN_NOT;
        sector->generation++;
    }
    if (c->dirty_count == 0) {
        /* What could not be written is wanted no more. */
        c->stalled = false;
        c->flush_err = EF_OK;
    }
    ef_cache_touch(c, false);
}

/*
 * Under the lock: nobody knows how far the erase went. What is torn is finished by the next flush,
 * or the next mount; data that waits to be written there is kept.
 */
static void set_torn(struct ef_cache *c, uint32_t first, uint32_t end, enum ef_err err)
{
    for (uint32_t s = first; s < end; s++) {
        ef_begun_take(c, s, NULL);
        c->sector[s].known = false;
    }
    c->stalled = true;
    c->flush_err = err;
    ef_cache_touch(c, false);
}

/* True where some of it may be erased. */
static bool was_begun(enum ef_err err)
{
    return err != EF_INTERRUPTED && err != EF_GUARDED && err != EF_INVALID && err != EF_NOMEM &&
           err != EF_UNSUPPORTED;
}

static void on_erased(void *user, struct ef_job *job)
{
    struct erase *e = user;
    struct ef_cache *c = e->cache;
    pthread_mutex_lock(&c->lock);
    ef_absence_note(c, job);
    if (job->err == EF_OK)
        set_blank(c, e->first, e->end);
    else if (was_begun(job->err))
        set_torn(c, e->first, e->end, job->err);
    c->suspect = c->suspect || job->stray;
    ef_begun_end_erase(c, e->first, e->end);
    mark_erasing(c, e->first, e->end, false);
    ef_evict(c);
    pthread_mutex_unlock(&c->lock);
    ef_begun_end(c, job->err != EF_OK);
    pthread_mutex_lock(&c->lock);
    c->erases--;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    free(e);
}

static enum ef_err give_up(struct ef_cache *c, uint32_t first, uint32_t end, enum ef_err err)
{
    pthread_mutex_lock(&c->lock);
    ef_begun_end_erase(c, first, end);
    mark_erasing(c, first, end, false);
    pthread_mutex_unlock(&c->lock);
    return err;
}

/* Under no lock; the range is marked as erasing and stays so until the job is done. */
static enum ef_err queue_erase(struct ef_cache *c, uint32_t first, uint32_t end,
                               struct ef_patience patience)
{
    struct ef_seen seen = {0};
    enum ef_err err = c->journal.key ? ef_seen_ask(c, first, end - first, &seen, patience) : EF_OK;
    if (err != EF_INTERRUPTED)
        err = ef_begun_add(c, first, end - first, NULL, &seen, patience);
    if (err != EF_OK) {
        give_up(c, first, end, err);
        ef_begun_end(c, true);
        return err;
    }
    struct erase *e = malloc(sizeof(*e));
    struct ef_job *job =
        ef_job_new(EF_JOB_ERASE, EF_PRIORITY_WRITER, first * EF_SECTOR, (end - first) * EF_SECTOR);
    if (!e || !job) {
        free(e);
        ef_job_drop(job);
        give_up(c, first, end, EF_NOMEM);
        ef_begun_end(c, true);
        return EF_NOMEM;
    }
    *e = (struct erase){.cache = c, .first = first, .end = end};
    job->on_done = on_erased;
    job->user = e;
    pthread_mutex_lock(&c->lock);
    c->erases++;
    pthread_mutex_unlock(&c->lock);
    ef_worker_submit(c->worker, job);
    err = ef_worker_wait(c->worker, job, patience.interrupted, patience.user);
    ef_job_drop(job);
    return err;
}

/* Under no lock: a range that is blank already needs no erase. */
static enum ef_err is_blank(struct ef_cache *c, uint32_t first, uint32_t end,
                            struct ef_patience patience, bool *yes)
{
    uint8_t md5[EF_DIGEST_BYTES];
    uint8_t blank[EF_DIGEST_BYTES];
    enum ef_err err = ef_cache_digest(c, first, end - first, md5, patience);
    ef_digest_blank((end - first) * EF_SECTOR, blank);
    *yes = err == EF_OK && memcmp(md5, blank, sizeof(md5)) == 0;
    return err;
}

static enum ef_err erase_if_needed(struct ef_cache *c, uint32_t first, uint32_t end,
                                   struct ef_patience patience)
{
    bool blank;
    enum ef_err err = is_blank(c, first, end, patience, &blank);
    if (err == EF_OK && !blank)
        return queue_erase(c, first, end, patience);
    pthread_mutex_lock(&c->lock);
    if (blank)
        set_blank(c, first, end);
    mark_erasing(c, first, end, false);
    ef_evict(c);
    pthread_mutex_unlock(&c->lock);
    /* What is blank may have been torn, and the record have other plans with it. */
    if (blank)
        ef_begun_end(c, true);
    return err;
}

enum ef_err ef_cache_erase(struct ef_cache *c, uint64_t off, uint64_t len,
                           struct ef_patience patience)
{
    if (!ef_range_fits(off, len, c->size) || len == 0 || off % EF_SECTOR || len % EF_SECTOR)
        return EF_INVALID;
    uint32_t first = (uint32_t)(off / EF_SECTOR);
    uint32_t end = (uint32_t)((off + len) / EF_SECTOR);
    enum ef_err err = EF_OK;
    pthread_mutex_lock(&c->lock);
    while (err == EF_OK && range_busy(c, first, end))
        err = ef_cache_wait(c, patience);
    if (err == EF_OK)
        mark_erasing(c, first, end, true);
    pthread_mutex_unlock(&c->lock);
    if (err != EF_OK)
        return err;
    err = erase_if_needed(c, first, end, patience);
    if (err != EF_OK)
        return err;
    ef_begun_settle(c);
    pthread_mutex_lock(&c->lock);
    bool suspect = c->suspect || c->healing;
    pthread_mutex_unlock(&c->lock);
    return suspect ? ef_cache_flush(c, patience) : EF_OK;
}
