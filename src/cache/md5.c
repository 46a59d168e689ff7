/*
 * The chip's MD5 of a range, for whoever asks for it by name. It is of one moment, that at which
 * the worker comes to it: jobs that write go one behind the other, so that all that is needed is
 * that nothing of the range is unwritten when it is queued. What is written later comes later.
 *
 * Neither the request nor the answer has a checksum. One that is of the very bytes that are held
 * here is surely right; any other is believed when it was given twice in a row.
 */
#include "absence.h"
#include "cache_private.h"

#include "espflashfs/bytes.h"

#include <nettle/md5.h>
#include <string.h>

enum {
    ROUNDS = 16, /* flushes, behind each of which somebody has written again */
    ANSWERS = 4,
    AT_A_TIME = 16 * EF_RUN_SECTORS /* sectors that are digested here under one lock */
};

struct range {
    uint32_t addr, len;
    uint32_t first, end; /* the sectors that it touches */
};

enum standing { SETTLED, UNWRITTEN, IN_ERASE };

/* Under the lock. */
static enum standing standing_of(const struct ef_cache *c, struct range r)
{
    enum standing standing = SETTLED;
    for (uint32_t s = r.first; s < r.end; s++) {
        if (c->sector[s].erasing)
            return IN_ERASE;
        if (c->sector[s].dirty)
            standing = UNWRITTEN;
    }
    return standing;
}

/* Queues the job at a moment at which the chip holds all of the range, or will before its turn. */
static enum ef_err submit_settled(struct ef_cache *c, struct range r, struct ef_job *job,
                                  struct ef_patience patience)
{
    enum ef_err err = EF_OK;
    for (int round = 0; round < ROUNDS && err == EF_OK; round++) {
        enum standing standing;
        pthread_mutex_lock(&c->lock);
        while ((standing = standing_of(c, r)) == IN_ERASE && err == EF_OK)
            err = ef_cache_wait(c, patience);
        if (standing == SETTLED && err == EF_OK)
            ef_worker_submit(c->worker, job);
        pthread_mutex_unlock(&c->lock);
        if (standing == SETTLED || err != EF_OK)
            return err;
        err = ef_cache_flush(c, patience);
    }
    return err == EF_OK ? EF_BUSY : err;
}

static enum ef_err ask(struct ef_cache *c, struct range r, uint8_t md5[EF_DIGEST_BYTES],
                       struct ef_patience patience)
{
    struct ef_job *job = ef_job_new(EF_JOB_DIGEST, EF_PRIORITY_WRITER, r.addr, r.len);
    if (!job)
        return EF_NOMEM;
    enum ef_err err = submit_settled(c, r, job, patience);
    if (err == EF_OK) {
        err = ef_worker_wait(c->worker, job, patience.interrupted, patience.user);
        if (err != EF_INTERRUPTED) {
            pthread_mutex_lock(&c->lock);
            ef_absence_note(c, job);
            pthread_mutex_unlock(&c->lock);
        }
    }
    if (err == EF_OK)
        memcpy(md5, job->md5, EF_DIGEST_BYTES);
    ef_job_drop(job);
    return err;
}

/* What of the range lies in sector `s`. */
static void digest_part(struct md5_ctx *ctx, struct ef_cache *c, struct range r, uint32_t s)
{
    uint32_t from = s == r.first ? r.addr % EF_SECTOR : 0;
    uint32_t to = ef_min_u32(EF_SECTOR, r.addr + r.len - s * EF_SECTOR);
    md5_update(ctx, to - from, ef_sector_data(c, s) + from);
}

/* The lock is taken in between: of what is written meanwhile any part may be seen, and will not
 * match. False where not all bytes are here, be it as an image's. */
static bool digest_here(struct ef_cache *c, struct range r, uint8_t md5[EF_DIGEST_BYTES])
{
    struct md5_ctx ctx;
    bool here = true;
    md5_init(&ctx);
    for (uint32_t s = r.first; s < r.end && here;) {
        uint32_t end = ef_min_u32(s + AT_A_TIME, r.end);
        pthread_mutex_lock(&c->lock);
        for (; s < end && here; s++) {
            const struct sector *sector = &c->sector[s];
            here = sector->have || (sector->imaged && !sector->dirty);
            if (here)
                digest_part(&ctx, c, r, s);
        }
        pthread_mutex_unlock(&c->lock);
    }
    md5_digest(&ctx, EF_DIGEST_BYTES, md5);
    return here;
}

static bool is_sure(struct ef_cache *c, struct range r, const uint8_t md5[EF_DIGEST_BYTES])
{
    uint8_t ours[EF_DIGEST_BYTES];
    ef_digest_blank(r.len, ours);
    /* Then the flash's layers have asked twice for themselves. */
    if (r.len >= EF_SECTOR && memcmp(ours, md5, EF_DIGEST_BYTES) == 0)
        return true;
    return digest_here(c, r, ours) && memcmp(ours, md5, EF_DIGEST_BYTES) == 0;
}

static struct timespec age_of(struct ef_cache *c)
{
    return ef_cache_state(c).changed;
}

static bool is_same_age(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/*
 * The chip has said twice that it holds something else than the bytes that are held here, or than
 * some of them. They are only expected of it from now on, as after an absence.
 */
static void doubt_what_is_held(struct ef_cache *c, struct range r, struct timespec since)
{
    uint8_t ours[EF_DIGEST_BYTES];
    if (!digest_here(c, r, ours))
        return;
    pthread_mutex_lock(&c->lock);
    bool doubt = standing_of(c, r) == SETTLED && is_same_age(c->modified, since);
    bool held = false;
    for (uint32_t s = r.first; s < r.end && doubt; s++) {
        held = held || c->sector[s].have;
        c->sector[s].generation++; /* so that ef_cache_peek tells */
        ef_absence_doubt(c, s);
    }
    if (held) {
        ef_scout_forget_all(c);
        ef_cache_touch(c, false);
    }
    pthread_mutex_unlock(&c->lock);
    if (held)
        ef_log(c->log, EF_LOG_WARN,
               "the flash was changed by somebody else since it was read: it is read anew");
}

enum ef_err ef_cache_md5(struct ef_cache *c, uint64_t off, uint64_t len,
                         uint8_t md5[EF_DIGEST_BYTES], struct ef_patience patience)
{
    if (!ef_range_fits(off, len, c->size) || len == 0)
        return EF_INVALID;
    struct range r = {.addr = (uint32_t)off,
                      .len = (uint32_t)len,
                      .first = (uint32_t)(off / EF_SECTOR),
                      .end = (uint32_t)((off + len + EF_SECTOR - 1) / EF_SECTOR)};
    struct timespec age = age_of(c);
    uint8_t last[EF_DIGEST_BYTES];
    for (int i = 0; i < ANSWERS; i++) {
        enum ef_err err = ask(c, r, md5, patience);
        if (err != EF_OK || is_sure(c, r, md5))
            return err;
        if (i > 0 && memcmp(last, md5, EF_DIGEST_BYTES) == 0) {
            doubt_what_is_held(c, r, age);
            return EF_OK;
        }
        memcpy(last, md5, EF_DIGEST_BYTES);
    }
    return is_same_age(age, age_of(c)) ? EF_VERIFY : EF_BUSY;
}
