#include "espflashfs/worker.h"

#include "espflashfs/bytes.h"
#include "espflashfs/clock.h"
#include "espflashfs/thread.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    WAIT_SLICE_MS = 100,
    SHARED_MS = 3000, /* who had a read-ahead cut short may be back as long as that after */
    CUTS_MAX = 8,     /* streams in a row that got nowhere; the next one brings a piece */
    /* Typical of the chips in use, with the digest that proves an erase. */
    ERASE_BYTES_PER_S = 300 * 1024,
    DIGEST_BYTES_PER_S = 1024 * 1024,
    TELLING_LEN = EF_BLOCK /* what is shorter says little of how long the next one takes */
};

struct queue {
    struct ef_job *head, *tail;
};

struct ef_worker {
    struct ef_flash *flash;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work; /* something was queued, or stopping */
    pthread_cond_t done; /* some job finished */
    struct queue queues[EF_PRIORITIES];
    struct ef_job *running;
    struct ef_worker_activity told;   /* but for what is running */
    int64_t begun_ms;                 /* that was */
    uint32_t erase_rate, digest_rate; /* bytes a second, of the last ones */
    atomic_bool preempt;              /* somebody waits who goes before the running read-ahead */
    bool stopping;
    /* The thread's own. */
    int64_t cut_at_ms; /* when somebody last had a read-ahead cut short; 0: never */
    unsigned cuts;     /* streams since then that were, before they brought anything */
};

struct ef_job *ef_job_new(enum ef_job_kind kind, enum ef_priority priority, uint32_t addr,
                          uint32_t len)
{
    struct ef_job *job = calloc(1, sizeof(*job));
    if (!job)
        return NULL;
    job->kind = kind;
    job->priority = priority;
    job->addr = addr;
    job->len = len;
    atomic_init(&job->shares, 1);
    if (kind == EF_JOB_READ || kind == EF_JOB_WRITE || kind == EF_JOB_STREAM) {
        job->buf = malloc(kind == EF_JOB_STREAM ? ef_min_u32(len, EF_READ_PIECE_MAX) : len);
        if (!job->buf) {
            free(job);
            return NULL;
        }
    }
    return job;
}

void ef_job_drop(struct ef_job *job)
{
    if (job && atomic_fetch_sub(&job->shares, 1) == 1) {
        free(job->buf);
        free(job->list);
        free(job);
    }
}

static void queue_push(struct queue *q, struct ef_job *job)
{
    job->next = NULL;
    if (q->tail)
        q->tail->next = job;
    else
        q->head = job;
    q->tail = job;
}

static struct ef_job *queue_pop(struct queue *q)
{
    struct ef_job *job = q->head;
    if (!job)
        return NULL;
    q->head = job->next;
    if (!q->head)
        q->tail = NULL;
    return job;
}

static bool in_the_way(const struct ef_job *job)
{
    return job->priority == EF_PRIORITY_AHEAD && atomic_load(&job->worker->preempt);
}

/* Who reads here and there without a pause would have a stream wait for ever. */
static bool has_its_turn(const struct ef_job *job)
{
    return job->kind == EF_JOB_STREAM && !job->moved && job->worker->cuts >= CUTS_MAX;
}

/* A read ends early when its submitter left, or a read-ahead is in somebody's way. */
static bool should_stop(void *user)
{
    struct ef_job *job = user;
    return atomic_load(&job->cancelled) || (in_the_way(job) && !has_its_turn(job));
}

static bool is_shared(void *user)
{
    const struct ef_job *job = user;
    int64_t cut_at_ms = job->worker->cut_at_ms;
    return job->priority == EF_PRIORITY_AHEAD && cut_at_ms != 0 &&
           ef_clock_now_ms() - cut_at_ms < SHARED_MS;
}

static void note_cut(struct ef_worker *w, const struct ef_job *job)
{
    if (job->err == EF_INTERRUPTED && in_the_way(job)) {
        w->cut_at_ms = ef_clock_now_ms();
        w->cuts += job->kind == EF_JOB_STREAM;
    }
    if (job->moved)
        w->cuts = 0;
}

static bool another_waits(const struct ef_job *job)
{
    struct ef_worker *w = job->worker;
    pthread_mutex_lock(&w->lock);
    bool waits = w->queues[job->priority].head != NULL;
    pthread_mutex_unlock(&w->lock);
    return waits;
}

static enum ef_err forward_piece(void *user, uint32_t addr, const uint8_t *bytes, uint32_t len)
{
    struct ef_job *job = user;
    job->moved = true;
    job->absences = ef_flash_absences(job->worker->flash);
    bool go_on = !job->on_piece || job->on_piece(job->user, addr, bytes, len);
    bool gives_way = job->kind == EF_JOB_STREAM && (in_the_way(job) || another_waits(job));
    return go_on && !gives_way ? EF_OK : EF_INTERRUPTED;
}

static void run_read(struct ef_flash *flash, struct ef_job *job)
{
    struct ef_read r = {.addr = job->addr,
                        .len = job->len,
                        .buf = job->buf,
                        .rolling = job->kind == EF_JOB_STREAM,
                        .piece = forward_piece,
                        .stop = should_stop,
                        .shared = is_shared,
                        .user = job};
    job->err = ef_flash_read(flash, &r);
    job->done = r.done;
    note_cut(job->worker, job);
}

static void run_digest(struct ef_flash *flash, struct ef_job *job)
{
    struct ef_digest pair[2] = {{.addr = job->addr, .len = job->len}, job->second};
    job->err = ef_flash_digests(flash, pair, job->second.len ? 2 : 1);
    memcpy(job->md5, pair[0].md5, EF_DIGEST_BYTES);
    job->second = pair[1];
}

/* Its submitter has left, or the mount ends: not worth waiting for a board that is gone. */
static bool is_unwanted(void *user)
{
    const struct ef_job *job = user;
    return atomic_load(&job->cancelled);
}

static void run_job(struct ef_worker *w, struct ef_job *job)
{
    uint64_t strays = ef_flash_strays(w->flash);
    if (atomic_load(&job->cancelled)) {
        job->err = EF_INTERRUPTED;
        return;
    }
    w->flash->stop_waiting = is_unwanted;
    w->flash->stop_user = job;
    switch (job->kind) {
    case EF_JOB_READ:
    case EF_JOB_STREAM:
        run_read(w->flash, job);
        break;
    case EF_JOB_WRITE:
        job->err = ef_flash_write(w->flash, job->addr, job->len, job->buf);
        break;
    case EF_JOB_ERASE:
        job->err = ef_flash_erase(w->flash, job->addr, job->len);
        break;
    case EF_JOB_DIGEST:
        run_digest(w->flash, job);
        break;
    case EF_JOB_DIGESTS:
        job->err = ef_flash_digests(w->flash, job->list, job->count);
        break;
    }
    job->stray = ef_flash_strays(w->flash) != strays;
    job->absences = ef_flash_absences(w->flash);
}

/* The rate at which such jobs go; NULL: it depends on the line, and on much else. */
static uint32_t *rate_of(struct ef_worker *w, enum ef_job_kind kind)
{
    if (kind == EF_JOB_ERASE)
        return &w->erase_rate;
    return kind == EF_JOB_DIGEST ? &w->digest_rate : NULL;
}

/* Under the lock. */
static void learn_rate(struct ef_worker *w, const struct ef_job *job, int64_t took_ms)
{
    uint32_t *rate = rate_of(w, job->kind);
    if (!rate || job->err != EF_OK || job->second.len || job->len < TELLING_LEN || took_ms <= 0)
        return;
    uint64_t found = (uint64_t)job->len * 1000 / (uint64_t)took_ms;
    *rate = found > UINT32_MAX ? UINT32_MAX : (uint32_t)found;
}

static void finish(struct ef_worker *w, struct ef_job *job)
{
    int64_t now_ms = ef_clock_now_ms();
    if (job->on_done)
        job->on_done(job->user, job);
    pthread_mutex_lock(&w->lock);
    learn_rate(w, job, now_ms - w->begun_ms);
    job->finished = true;
    w->running = NULL;
    w->told.slowdowns = ef_flash_slowdowns(w->flash);
    if (job->err != EF_OK && job->err != EF_INTERRUPTED) {
        w->told.failed.err = job->err;
        w->told.failed.kind = job->kind;
        w->told.failed.addr = job->addr + job->done;
    }
    pthread_cond_broadcast(&w->done);
    pthread_mutex_unlock(&w->lock);
    ef_job_drop(job);
}

/* The next job by priority, or NULL when stopping with nothing queued. Blocks for work. */
static struct ef_job *take_job(struct ef_worker *w)
{
    pthread_mutex_lock(&w->lock);
    struct ef_job *job = NULL;
    for (;;) {
        for (int p = 0; p < EF_PRIORITIES && !job; p++)
            job = queue_pop(&w->queues[p]);
        if (job || w->stopping)
            break;
        pthread_cond_wait(&w->work, &w->lock);
    }
    w->running = job;
    w->begun_ms = ef_clock_now_ms();
    atomic_store(&w->preempt, w->queues[EF_PRIORITY_READER].head != NULL ||
                                  w->queues[EF_PRIORITY_WRITER].head != NULL);
    if (job && w->stopping)
        atomic_store(&job->cancelled, true);
    pthread_mutex_unlock(&w->lock);
    return job;
}

static void *worker_main(void *arg)
{
    struct ef_worker *w = arg;
    struct ef_job *job;
    while ((job = take_job(w))) {
        run_job(w, job);
        finish(w, job);
    }
    return NULL;
}

enum ef_err ef_worker_start(struct ef_flash *flash, struct ef_worker **worker)
{
    struct ef_worker *w = calloc(1, sizeof(*w));
    if (!w) {
        ef_flash_free(flash);
        return EF_NOMEM;
    }
    w->flash = flash;
    w->erase_rate = ERASE_BYTES_PER_S;
    w->digest_rate = DIGEST_BYTES_PER_S;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->work, NULL);
    ef_cond_init(&w->done);
    if (ef_thread_start(&w->thread, worker_main, w) != 0) {
        ef_flash_free(flash);
        free(w);
        return EF_NOMEM;
    }
    *worker = w;
    return EF_OK;
}

void ef_worker_stop(struct ef_worker *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    if (w->running)
        atomic_store(&w->running->cancelled, true);
    pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->work);
    pthread_cond_destroy(&w->done);
    ef_flash_free(w->flash);
    free(w);
}

void ef_worker_submit(struct ef_worker *w, struct ef_job *job)
{
    job->worker = w;
    atomic_fetch_add(&job->shares, 1);
    pthread_mutex_lock(&w->lock);
    queue_push(&w->queues[job->priority], job);
    if (job->priority != EF_PRIORITY_AHEAD)
        atomic_store(&w->preempt, true);
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock);
}

static void wait_slice(struct ef_worker *w)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAIT_SLICE_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_cond_timedwait(&w->done, &w->lock, &until);
}

enum ef_err ef_worker_wait(struct ef_worker *w, struct ef_job *job, bool (*interrupted)(void *user),
                           void *user)
{
    pthread_mutex_lock(&w->lock);
    while (!job->finished) {
        wait_slice(w);
        if (job->finished || !interrupted)
            continue;
        pthread_mutex_unlock(&w->lock);
        bool stop = interrupted(user);
        pthread_mutex_lock(&w->lock);
        if (stop && !job->finished) {
            atomic_store(&job->cancelled, true);
            pthread_mutex_unlock(&w->lock);
            return EF_INTERRUPTED;
        }
    }
    pthread_mutex_unlock(&w->lock);
    return job->err;
}

enum ef_err ef_worker_run(struct ef_worker *w, struct ef_job *job)
{
    ef_worker_submit(w, job);
    return ef_worker_wait(w, job, NULL, NULL);
}

struct ef_worker_activity ef_worker_activity(struct ef_worker *w)
{
    pthread_mutex_lock(&w->lock);
    struct ef_worker_activity now = w->told;
    now.busy = w->running != NULL;
    if (now.busy) {
        now.kind = w->running->kind;
        now.addr = w->running->addr;
        now.len = w->running->len;
        now.begun_ms = w->begun_ms;
        const uint32_t *rate = rate_of(w, now.kind);
        if (rate && *rate > 0)
            now.expected_ms = (int64_t)((uint64_t)now.len * 1000 / *rate);
    }
    pthread_mutex_unlock(&w->lock);
    return now;
}
