/*
 * Has the kernel drop the pages that it keeps of a file. It waits for pages that a reader's
 * read-ahead has locked, deaf to signals and for as long as the line takes: so a thread of its own
 * does, and no caller waits longer than NOTICE_WAIT_MS for it. Private to the front.
 */
#ifndef ESPFLASHFS_FRONT_NOTICES_H
#define ESPFLASHFS_FRONT_NOTICES_H

#include <fuse.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { NOTICE_WAIT_MS = 1000, NOTICES_MAX = 32, NOTICE_PATH_MAX = 128 };

struct front_notices {
    struct fuse *fuse;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char path[NOTICES_MAX][NOTICE_PATH_MAX]; /* not given to the kernel yet, the oldest first */
    unsigned waiting;
    uint64_t given, done; /* since the start */
    bool runs, ends;
};

void front_notices_init(struct front_notices *notices);

/* Starts the thread; after the fork. 0 or -1. Without it, front_notices_send does nothing. */
int front_notices_start(struct front_notices *notices, struct fuse *fuse);

/*
 * Any thread but one that holds pages of `path` locked; waits NOTICE_WAIT_MS at most. True where
 * all of its pages have been dropped since.
 */
bool front_notices_send(struct front_notices *notices, const char *path);

/*
 * Ends the thread, once nobody sends any more. Before the unmount, which would leave requests
 * unanswered for which the kernel waits: they are served here, by who ends.
 */
void front_notices_end(struct front_notices *notices);

#endif
