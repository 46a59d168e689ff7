/*
 * A stretch of cable between the driver and a board that listens on TCP: a thread that passes
 * bytes on, counts them, and damages some where it is asked to.
 */
#ifndef EF_MODEL_PROXY_H
#define EF_MODEL_PROXY_H

#include "op.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

struct proxy {
    int board_port;
    int port; /* where the driver is to connect to */
    int listener;
    pthread_t thread;
    atomic_bool stopping, calm;
    pthread_mutex_t lock; /* of the next two */
    bool asked;
    struct op wanted;
    /* The thread's own. */
    bool armed, hang_up;
    struct op fault;
    uint64_t fault_at;  /* bytes of its direction */
    uint64_t passed[2]; /* to the board, to the driver */
    _Atomic uint64_t bytes, happened;
    _Atomic int64_t kill_after; /* bytes to the board until `victim` is killed; negative: none */
    _Atomic pid_t victim, board_pid;
};

/* 0, or -1 with errno. */
int proxy_start(struct proxy *p, int board_port);
void proxy_stop(struct proxy *p);

/* Any thread. One fault at a time: others are dropped until it has happened. */
void proxy_ask(struct proxy *p, const struct op *fault);

#endif
