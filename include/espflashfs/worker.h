/*
 * The line worker: one thread that owns a flash stack (and so the line), and a queue of
 * jobs by priority. A reader who waits goes before a writer, a writer before read-ahead; a
 * read-ahead that is running is cut short for either, but for a small piece now and then, so
 * that it comes to its end. Jobs of one priority run in order.
 *
 * Any thread may submit. A job is shared by its submitter and the worker: each drops it.
 */
#ifndef ESPFLASHFS_WORKER_H
#define ESPFLASHFS_WORKER_H

#include "espflashfs/flash.h"

#include <pthread.h>
#include <stdatomic.h>

enum ef_job_kind {
    EF_JOB_READ,
    EF_JOB_WRITE,
    EF_JOB_ERASE,
    EF_JOB_DIGEST,
    EF_JOB_DIGESTS, /* of `list`, two under way at a time */
    EF_JOB_STREAM   /* a read of which only the pieces are wanted; gives way to another of its
                       priority between two of them */
};

enum ef_priority { EF_PRIORITY_READER, EF_PRIORITY_WRITER, EF_PRIORITY_AHEAD, EF_PRIORITIES };

struct ef_worker;

struct ef_job {
    /* Set by the submitter, then left alone. */
    enum ef_job_kind kind;
    enum ef_priority priority;
    uint32_t addr, len;
    struct ef_digest second; /* digest: another one, asked for at once, unless its len is 0 */
    struct ef_digest *list;  /* digests: `count` of them, filled. malloc'd; freed with the job */
    size_t count;
    uint8_t *buf; /* read: filled; write: the data; stream: its own. Freed with the job */
    /* On the worker's thread, without locks held; either may be NULL. False ends the read. */
    bool (*on_piece)(void *user, uint32_t addr, const uint8_t *bytes, uint32_t len);
    void (*on_done)(void *user, struct ef_job *job);
    void *user;
    /* Set by the worker; valid once it is done. */
    enum ef_err err;
    uint32_t done; /* read: proven bytes */
    uint8_t md5[EF_DIGEST_BYTES];
    bool stray; /* sectors that were not meant may have been hit (see ef_flash_verify_new) */
    /* Times so far that the board was reset or away: what it held before need not be what it
     * holds. Told with a read's pieces as well. */
    uint64_t absences;
    /* The worker's own. */
    atomic_bool cancelled;
    atomic_int shares;
    bool finished;
    bool moved; /* a piece of it is there */
    struct ef_worker *worker;
    struct ef_job *next;
};

/* What the worker does now, and what has become of what it did, for those who watch. */
struct ef_worker_activity {
    bool busy;
    enum ef_job_kind kind;
    uint32_t addr, len;
    int64_t begun_ms;    /* when, by ef_clock_now_ms */
    int64_t expected_ms; /* how long it will take; 0: not known. Of an erase or a digest, by what
                            the last one took */
    uint64_t slowdowns;  /* of the line's rate */
    struct {
        enum ef_err err; /* EF_OK: nothing has failed */
        enum ef_job_kind kind;
        uint32_t addr;
    } failed; /* the last that did */
};

/* Starts the thread. Takes `flash` over, also on failure. EF_NOMEM. */
enum ef_err ef_worker_start(struct ef_flash *flash, struct ef_worker **worker);

/*
 * Finishes the job in hand, but does not wait for a board that is gone, fails the queued ones with
 * EF_INTERRUPTED, ends the thread and frees the flash. NULL is fine.
 */
void ef_worker_stop(struct ef_worker *worker);

/* A job with one share, the caller's, and a buffer of `len` bytes for a read or a write. */
struct ef_job *ef_job_new(enum ef_job_kind kind, enum ef_priority priority, uint32_t addr,
                          uint32_t len);

/* Drops one share; the last one frees. */
void ef_job_drop(struct ef_job *job);

/* Queues the job and returns at once; the worker takes a share. */
void ef_worker_submit(struct ef_worker *worker, struct ef_job *job);

/*
 * Waits until the job is done and returns its error. `interrupted` (may be NULL) is asked
 * every 100 ms; when it says true the job is cancelled and EF_INTERRUPTED returned at once:
 * a queued job never runs, a read stops soon, an erase or a write goes on to its end, or until
 * the board is gone.
 */
enum ef_err ef_worker_wait(struct ef_worker *worker, struct ef_job *job,
                           bool (*interrupted)(void *user), void *user);

/* Submit, wait, without a way to interrupt. */
enum ef_err ef_worker_run(struct ef_worker *worker, struct ef_job *job);

/* Never blocks on the line. */
struct ef_worker_activity ef_worker_activity(struct ef_worker *worker);

#endif
