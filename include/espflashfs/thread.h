/* Threads of our own, as all of them are. Any thread. */
#ifndef ESPFLASHFS_THREAD_H
#define ESPFLASHFS_THREAD_H

#include <pthread.h>

/*
 * Starts a thread that no signal reaches: those that end the mount have to wake the main thread. 0
 * or an errno, as pthread_create(3).
 */
int ef_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

/* A condition whose timed waits go by the clock of ef_clock_now_ms. */
void ef_cond_init(pthread_cond_t *cond);

#endif
