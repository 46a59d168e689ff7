/* Bringing sectors in: one read job covers a row of missing sectors. */
#include "absence.h"
#include "belief.h"
#include "cache_private.h"

#include "espflashfs/bytes.h"
#include "espflashfs/clock.h"

#include <stdlib.h>
#include <string.h>

enum {
    FETCH_SECTORS_MAX = 4 * EF_RUN_SECTORS,
    /* Of a stream, what is read next and what is asked for behind it. */
    STREAM_MARKED = 2 * EF_READ_PIECE_MAX,
    /* Who reads on this far behind where a stream is, waits for it. */
    STREAM_AHEAD_MAX = 1024 * 1024
};

/* A reader in one place does not wait for a stream that will come by, but has it cut short. */
static bool missing(const struct sector *sector, enum ef_priority priority)
{
    return !sector->have && !sector->fetching && !sector->erasing &&
           !(sector->streaming && priority == EF_PRIORITY_AHEAD);
}

/* What was known of a sector when it was forgotten is not what the chip holds: it was hit. */
static void compare_known(struct ef_cache *c, struct sector *sector, const uint8_t *bytes)
{
    uint8_t md5[EF_DIGEST_BYTES];
    if (!sector->known)
        return;
    ef_digest_bytes(bytes, EF_SECTOR, md5);
    sector->known = memcmp(md5, sector->md5, EF_DIGEST_BYTES) == 0;
    c->unproven = c->unproven || !sector->known;
}

/* The chip's bytes of one sector have come. What was written meanwhile stays. */
static void merge(struct ef_cache *c, uint32_t s, const uint8_t *bytes)
{
    struct sector *sector = &c->sector[s];
    if (sector->have || sector->erasing)
        return;
    compare_known(c, sector, bytes);
    uint8_t *data = ef_sector_data(c, s);
    sector->imaged = sector->imaged && memcmp(data, bytes, EF_SECTOR) == 0;
    if (sector->dirty) {
        memcpy(data, bytes, sector->lo);
        memcpy(data + sector->hi, bytes + sector->hi, (size_t)EF_SECTOR - sector->hi);
        ef_digest_bytes(bytes, EF_SECTOR, sector->md5);
        sector->known = true;
    } else {
        memcpy(data, bytes, EF_SECTOR);
    }
    ef_sector_set_have(c, s);
    ef_scout_note(c, s);
    ef_belief_note_crossed(c);
}

static enum ef_err start_stream(struct ef_cache *c, uint32_t s, uint32_t until);

/* Under the lock: what a job for who reads on leaves is the next one's. */
static void go_on(struct ef_cache *c, const struct ef_job *job, uint32_t at, uint32_t until)
{
    uint32_t s = at / EF_SECTOR;
    uint32_t end = ef_min_u32(until, c->size) / EF_SECTOR;
    while (s < end && c->sector[s].have)
        s++;
    if (s < end && !c->stopping && !c->distrusted && !atomic_load(&job->cancelled) &&
        missing(&c->sector[s], EF_PRIORITY_AHEAD))
        start_stream(c, s, until);
}

/* From where a stream is, so far as somebody waits for it, and a little further. */
static void mark_stream(struct fetch *f)
{
    struct ef_cache *c = f->cache;
    uint32_t end = f->job->addr + f->job->len;
    uint32_t near = ef_min_u32(STREAM_MARKED, end - f->at);
    uint32_t wanted = f->until > f->at ? ef_min_u32(f->until, end) - f->at : 0;
    uint32_t len = near > wanted ? near : wanted;
    for (uint32_t at = 0; at < len; at += EF_SECTOR)
        c->sector[(f->at + at) / EF_SECTOR].streaming = true;
}

static bool on_piece(void *user, uint32_t addr, const uint8_t *bytes, uint32_t len)
{
    struct fetch *f = user;
    struct ef_cache *c = f->cache;
    pthread_mutex_lock(&c->lock);
    ef_absence_note(c, f->job);
    for (uint32_t at = 0; at < len; at += EF_SECTOR)
        merge(c, (addr + at) / EF_SECTOR, bytes + at);
    bool more = true;
    if (f->job->kind == EF_JOB_STREAM) {
        for (uint32_t at = 0; at < len; at += EF_SECTOR)
            c->sector[(addr + at) / EF_SECTOR].streaming = false;
        f->at = addr + len;
        more = f->at < f->until;
        if (more)
            mark_stream(f);
    }
    ef_evict(c);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return more;
}

/* Under the lock. */
static void note_stray(struct ef_cache *c, const struct ef_job *job)
{
    ef_absence_note(c, job);
    c->suspect = c->suspect || job->stray;
    if (job->stray && !c->distrusted) {
        /* The kernel's read-ahead tries again what failed, and would hide a single failure. */
        c->distrusted = true;
        ef_log(c->log, EF_LOG_ERROR, "no more is read until the board is mounted again");
    }
}

static void unlink_fetch(struct fetch *f)
{
    struct fetch **link = &f->cache->fetches;
    while (*link != f)
        link = &(*link)->next;
    *link = f->next;
}

static void on_done(void *user, struct ef_job *job)
{
    struct fetch *f = user;
    struct ef_cache *c = f->cache;
    pthread_mutex_lock(&c->lock);
    for (uint32_t at = 0; at < job->len; at += EF_SECTOR) {
        struct sector *sector = &c->sector[(job->addr + at) / EF_SECTOR];
        sector->fetching = sector->fetching && job->kind == EF_JOB_STREAM;
        sector->streaming = sector->streaming && job->kind != EF_JOB_STREAM;
        if (!sector->have)
            sector->fetch_err = (int8_t)job->err;
    }
    note_stray(c, job);
    unlink_fetch(f);
    if (job->kind == EF_JOB_STREAM && job->err == EF_OK)
        go_on(c, job, job->addr + job->len, f->until);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    ef_job_drop(job);
    free(f);
}

static enum ef_err new_fetch(struct ef_cache *c, enum ef_job_kind kind, enum ef_priority priority,
                             uint32_t s, uint32_t count, struct fetch **fetch)
{
    struct fetch *f = calloc(1, sizeof(*f));
    if (!f)
        return EF_NOMEM;
    f->job = ef_job_new(kind, priority, s * EF_SECTOR, count * EF_SECTOR);
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
    *fetch = f;
    return EF_OK;
}

/* Under the lock: queues a read of the missing sectors from `s` on, at most up to `end`. */
static enum ef_err start_read(struct ef_cache *c, uint32_t s, uint32_t end,
                              enum ef_priority priority)
{
    struct fetch *f;
    uint32_t count = 0;
    if (priority == EF_PRIORITY_READER && c->fetches)
        c->others_at_ms = ef_clock_now_ms();
    while (count < FETCH_SECTORS_MAX && s + count < end && missing(&c->sector[s + count], priority))
        count++;
    enum ef_err err = new_fetch(c, EF_JOB_READ, priority, s, count, &f);
    if (err != EF_OK)
        return err;
    for (uint32_t i = 0; i < count; i++) {
        c->sector[s + i].fetching = true;
        c->sector[s + i].fetch_err = EF_OK;
    }
    ef_worker_submit(c->worker, f->job);
    return EF_OK;
}

/* The sectors that a question is asked for: the reader of the first one waits for it. */
static struct stretch asked_for(const struct fetch *f)
{
    uint32_t s = f->at / EF_SECTOR;
    return f->ask.samples ? (struct stretch){.first = s, .end = s + 1} : f->ask.range;
}

static bool tells_nothing(enum ef_err err)
{
    return err == EF_UNSUPPORTED || err == EF_GUARDED || err == EF_REJECTED;
}

static void on_answer(void *user, struct ef_job *job)
{
    struct fetch *f = user;
    struct ef_cache *c = f->cache;
    struct stretch range = asked_for(f);
    pthread_mutex_lock(&c->lock);
    c->scout.busy = false;
    c->scout.off = c->scout.off || tells_nothing(job->err);
    for (uint32_t s = range.first; s < range.end; s++) {
        c->sector[s].streaming = false;
        if (!c->scout.off)
            c->sector[s].fetch_err = (int8_t)job->err;
    }
    note_stray(c, job);
    unlink_fetch(f);
    if (job->err == EF_OK)
        ef_scout_hear(c, &f->ask, job);
    ef_evict(c);
    if (job->err == EF_OK || c->scout.off)
        go_on(c, job, f->at, f->until);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    ef_job_drop(job);
    free(f);
}

/* Under the lock: a question, before what is missing at `s` is streamed. */
static enum ef_err start_question(struct ef_cache *c, uint32_t s, uint32_t until,
                                  const struct ask *ask)
{
    struct fetch *f;
    uint32_t first = ask->samples ? ask->block[0] * EF_RUN_SECTORS : ask->from;
    uint32_t count = ask->samples ? 1 : ask->range.end - ask->from;
    enum ef_err err = new_fetch(c, EF_JOB_DIGEST, EF_PRIORITY_AHEAD, first, count, &f);
    if (err != EF_OK)
        return err;
    if (ask->samples && ask->block[1] < c->scout.blocks)
        f->job->second = (struct ef_digest){.addr = ask->block[1] * EF_BLOCK, .len = EF_SECTOR};
    f->job->on_done = on_answer;
    f->ask = *ask;
    f->at = s * EF_SECTOR;
    f->until = until;
    struct stretch range = asked_for(f);
    for (uint32_t i = range.first; i < range.end; i++) {
        c->sector[i].streaming = true;
        c->sector[i].fetch_err = EF_OK;
    }
    c->scout.busy = true;
    ef_worker_submit(c->worker, f->job);
    return EF_OK;
}

/* A stream is under way to the data just before `s`, which a question from there on begins with. */
static bool anchor_comes(const struct ef_cache *c, uint32_t s)
{
    uint32_t addr = s * EF_SECTOR;
    for (const struct fetch *f = c->fetches; f; f = f->next)
        if (f->job->kind == EF_JOB_STREAM && f->at < addr && f->until > f->at &&
            addr - f->at <= STREAM_AHEAD_MAX && !atomic_load(&f->job->cancelled))
            return true;
    return false;
}

/*
 * Under the lock: the same for who reads on, to the next sector that is there, or perhaps need
 * not cross. Nothing is started while a question is under way: what comes then depends on it.
 */
static enum ef_err start_stream(struct ef_cache *c, uint32_t s, uint32_t until)
{
    struct fetch *f;
    struct ask ask;
    uint32_t count = 1;
    if (c->scout.busy || (ef_scout_hopes(c, s) && anchor_comes(c, s)))
        return EF_OK;
    if (ef_scout_plan(c, s, &ask))
        return start_question(c, s, until, &ask);
    while (s + count < c->sectors && missing(&c->sector[s + count], EF_PRIORITY_AHEAD) &&
           !ef_scout_hopes(c, s + count))
        count++;
    enum ef_err err = new_fetch(c, EF_JOB_STREAM, EF_PRIORITY_AHEAD, s, count, &f);
    if (err != EF_OK)
        return err;
    f->at = f->job->addr;
    f->until = until;
    for (uint32_t i = 0; i < count; i++)
        c->sector[s + i].fetch_err = EF_OK;
    mark_stream(f);
    ef_worker_submit(c->worker, f->job);
    return EF_OK;
}

static enum ef_err start(struct ef_cache *c, uint32_t s, uint32_t end, enum ef_priority priority)
{
    return priority == EF_PRIORITY_AHEAD ? start_stream(c, s, end * EF_SECTOR)
                                         : start_read(c, s, end, priority);
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
        bool idle = missing(sector, priority);
        if (idle && c->distrusted)
            return EF_VERIFY;
        if (idle && waited && sector->fetch_err != EF_OK && sector->fetch_err != EF_INTERRUPTED)
            return (enum ef_err)sector->fetch_err;
        enum ef_err err = idle ? start(c, s, end, priority) : EF_OK;
        waited = waited || sector->fetching || sector->streaming;
        if (err == EF_OK)
            err = ef_cache_wait(c, patience);
        if (err == EF_INTERRUPTED)
            cancel_fetch_of(c, s);
        if (err != EF_OK)
            return err;
    }
    return EF_OK;
}

/* Under the lock: a stream that will soon come to `addr` goes on for who waits there. */
static bool extend_stream(struct ef_cache *c, uint32_t addr, uint32_t until)
{
    for (struct fetch *f = c->fetches; f; f = f->next) {
        bool near = addr >= f->at && addr - f->at < STREAM_AHEAD_MAX;
        bool stream = f->job->kind == EF_JOB_STREAM;
        bool covered = stream ? addr - f->job->addr < f->job->len : f->job->kind == EF_JOB_DIGEST;
        if (!near || !covered || atomic_load(&f->job->cancelled))
            continue;
        f->until = until > f->until ? until : f->until;
        if (stream)
            mark_stream(f);
        return true;
    }
    return false;
}

void ef_cache_read_ahead(struct ef_cache *c, uint64_t off, uint32_t len)
{
    if (off >= c->size)
        return;
    uint32_t first = (uint32_t)(off / EF_SECTOR);
    uint64_t stop = (off + len + EF_SECTOR - 1) / EF_SECTOR;
    uint32_t end = stop > c->sectors ? c->sectors : (uint32_t)stop;
    pthread_mutex_lock(&c->lock);
    while (first < end && c->sector[first].have)
        first++;
    if (first < end && !extend_stream(c, first * EF_SECTOR, end * EF_SECTOR) &&
        missing(&c->sector[first], EF_PRIORITY_AHEAD))
        start_stream(c, first, end * EF_SECTOR);
    pthread_mutex_unlock(&c->lock);
}

void ef_cache_fetch(struct ef_cache *c, uint64_t off)
{
    if (off >= c->size)
        return;
    uint32_t s = (uint32_t)(off / EF_SECTOR);
    pthread_mutex_lock(&c->lock);
    if (missing(&c->sector[s], EF_PRIORITY_AHEAD) && !c->distrusted && !c->stopping)
        start_read(c, s, s + 1, EF_PRIORITY_AHEAD);
    pthread_mutex_unlock(&c->lock);
}
