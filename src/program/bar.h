/*
 * What is going on, in the last line of the terminal, while the program is in the foreground of
 * one. Main thread only; a thread of its own looks a few times a second, and never waits for the
 * line.
 */
#ifndef ESPFLASHFS_BAR_H
#define ESPFLASHFS_BAR_H

#include "espflashfs/node.h"

struct ef_bar {
    struct ef_mount *mount;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool running, stopping;
};

/* Does nothing where standard error is no terminal that can draw, or shows debug messages. The
 * mount's worker and cache must outlive it. */
void ef_bar_start(struct ef_bar *bar, struct ef_mount *mount);

/* Removes what is drawn. Also of one that was not started. */
void ef_bar_stop(struct ef_bar *bar);

enum { EF_BAR_MAX = 512 };

/* The line, of less than `columns` characters; "" where nothing is going on. */
void ef_bar_draw(const struct ef_progress_now *now, unsigned columns, char out[EF_BAR_MAX]);

#endif
