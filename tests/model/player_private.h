/* What the player's files share. */
#ifndef EF_MODEL_PLAYER_PRIVATE_H
#define EF_MODEL_PLAYER_PRIVATE_H

#include "player.h"

enum { BUF_MAX = 4 * 1024 * 1024, PIECE = 128 * 1024 };

struct player {
    const struct plan *plan;
    const struct player_config *config;
    struct report *report;
    struct subject *subject;
    struct truth truth;
    atomic_bool wrong;    /* the reason is in the report */
    atomic_bool owed;     /* readers saw what a damaged command left, and are to be told */
    atomic_bool errors;   /* since the chip was last compared: something was reported */
    pthread_mutex_t lock; /* of `report->why` */
    pthread_t watcher;
    pthread_mutex_t watch_lock;
    pthread_cond_t over;
    size_t from, to; /* the phase in hand */
    struct actor {
        struct player *player;
        unsigned thread;
        struct handle *handle; /* NULL: none could be opened */
        uint8_t *buf, *data;
        pthread_t id;
    } actor[TRUTH_THREADS];
};

/* Says what is wrong, once; the run ends soon. */
void player_fail(struct player *p, const struct op *op, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* `rc` of an operation that ought to succeed. True if it did; a failure is wrong without faults. */
bool player_accepts(struct player *p, const struct op *op, long rc);

/*
 * After a damaged command that the stack has noticed, sectors that it never read cannot be put
 * right, and it says so at the next fsync: until then readers see what the chip holds now. True
 * if that may be.
 */
bool player_may_be_hit(struct player *p);

/* One operation of a thread. */
void player_do(struct actor *actor, const struct op *op);

/* One that is done alone, the threads' having ended. */
void player_barrier(struct player *p, const struct op *op);

/* The end: faults over, everything flushed, compared, and read after a remount. */
void player_finish(struct player *p);

void player_open(struct actor *actor, const struct op *op);
void player_write(struct actor *actor, const struct op *op, uint32_t off, uint32_t len,
                  const uint8_t *data);
void player_replace(struct actor *actor, const struct op *op);
void player_erase(struct actor *actor, const struct op *op, uint32_t off, uint32_t len);
void player_read_all(struct actor *actor, const struct op *op);

#endif
