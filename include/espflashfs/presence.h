/*
 * Whether the board is there, for those who watch: the line worker says, any thread looks. No
 * call blocks.
 */
#ifndef ESPFLASHFS_PRESENCE_H
#define ESPFLASHFS_PRESENCE_H

#include "espflashfs/clock.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum ef_presence_state {
    EF_PRESENT,
    EF_AWAITED, /* it is gone, and requests wait until it is back, or the time is over */
    EF_ABSENT   /* ... and the time is over */
};

struct ef_presence_now {
    enum ef_presence_state state;
    bool foreign;           /* not present, and another board was seen in its place */
    ef_deadline until;      /* of EF_AWAITED */
    unsigned reconnections; /* times that it came back */
};

struct ef_presence {
    pthread_mutex_t lock;
    struct ef_presence_now now;
};

void ef_presence_init(struct ef_presence *presence);
void ef_presence_free(struct ef_presence *presence);

void ef_presence_say(struct ef_presence *presence, struct ef_presence_now now);
struct ef_presence_now ef_presence_look(struct ef_presence *presence);

#endif
