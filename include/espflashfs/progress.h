/*
 * How far those are who read or write a file from one end to the other: as a share of the file, a
 * rate over the last seconds, and the time that is left at that rate.
 *
 * Knows no clock: every call is told what time it is, in milliseconds that never go back. Any
 * thread; never blocks.
 */
#ifndef ESPFLASHFS_PROGRESS_H
#define ESPFLASHFS_PROGRESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum ef_task_kind { EF_TASK_READ, EF_TASK_WRITE, EF_TASK_ERASE, EF_TASK_DIGEST, EF_TASK_AWAIT };

enum { EF_TASK_NAME_MAX = 80, EF_TASK_STEPS = 16, EF_PROGRESS_TEXT_MAX = 256 };

/* One reader or writer of a file; its caller's. All zeros at first. Guarded by the progress. */
struct ef_task {
    enum ef_task_kind kind;
    char name[EF_TASK_NAME_MAX];
    uint64_t total;          /* bytes of the file */
    uint64_t base;           /* where it began, or began again */
    uint64_t reached;        /* up to where it has been given or has taken bytes */
    uint64_t settled;        /* written: ... and up to where the chip holds them, for all we know */
    unsigned calls;          /* under way */
    int64_t begun_ms, at_ms; /* at_ms: when it was last heard of */
    struct {
        int64_t at_ms;
        uint64_t settled;
    } step[EF_TASK_STEPS]; /* a second apart at least */
    unsigned steps;
    bool listed;
    struct ef_task *next, **link;
};

struct ef_progress {
    pthread_mutex_t lock;
    struct ef_task *newest;
};

/* What is going on. */
struct ef_progress_now {
    bool busy;
    enum ef_task_kind kind;
    char name[EF_TASK_NAME_MAX];
    int percent;     /* -1: not known */
    bool estimated;  /* by how long such work takes: nobody tells how far it is */
    uint64_t rate;   /* bytes a second; 0: not known */
    int64_t left_s;  /* -1: not known */
    unsigned others; /* who are at work besides */
};

void ef_progress_init(struct ef_progress *progress);
void ef_progress_free(struct ef_progress *progress);

/* A call on the file `name` of `total` bytes begins at `off`: goes on there, or begins anew. */
void ef_task_enter(struct ef_progress *progress, struct ef_task *task, enum ef_task_kind kind,
                   const char *name, uint64_t off, uint64_t total, int64_t now_ms);

/* The same for a call that moves nothing, a close perhaps, of who has been at work. */
void ef_task_wait(struct ef_progress *progress, struct ef_task *task, int64_t now_ms);

/*
 * The call that entered, or waited, ends; it went up to `upto` of the file (0: nowhere).
 * `unwritten` bytes of all that was written are not on the chip.
 */
void ef_task_leave(struct ef_progress *progress, struct ef_task *task, uint64_t upto,
                   uint64_t unwritten, int64_t now_ms);

/* Nothing more comes of it. */
void ef_task_end(struct ef_progress *progress, struct ef_task *task);

/* Of those who are at work, or were a moment ago, the one who began first. */
struct ef_progress_now ef_progress_look(struct ef_progress *progress, uint64_t unwritten,
                                        int64_t now_ms);

/* Work of which only is known when it began and how long such takes (0: not known). */
struct ef_progress_now ef_progress_estimate(enum ef_task_kind kind, int64_t elapsed_ms,
                                            int64_t expected_ms);

/* "reading flash.bin: 43 %, 88.2 KiB/s, 26 s left"; "idle" where nothing is going on. */
void ef_progress_text(const struct ef_progress_now *now, char out[EF_PROGRESS_TEXT_MAX]);

#endif
