/*
 * The plain array beside the mount: what a reader may see of flash.bin, and what the chip may
 * hold. Several threads write, each in bytes of its own, and several read anywhere: a read sees,
 * byte by byte, a value that the byte had while the read was under way.
 *
 * Any thread; one write and one read a thread at a time. Nothing here blocks on the mount.
 */
#ifndef EF_MODEL_TRUTH_H
#define EF_MODEL_TRUTH_H

#include "chance.h"

#include <pthread.h>

enum { TRUTH_THREADS = 8 };

/* How a write ended. */
enum truth_end {
    TRUTH_DONE,   /* readers see it, and the chip may hold it */
    TRUTH_PERHAPS /* it failed: each byte is the old one or the new one */
};

/* Values that came on top of what a read began with. */
struct truth_layer {
    uint32_t off, len;
    struct truth_layer *next;
    uint8_t bytes[];
};

struct truth {
    uint32_t size;
    pthread_mutex_t lock;
    struct chance seen; /* by readers */
    struct chance chip; /* base: what is proven to be there; more: what may have got there since */
    struct {
        const uint8_t *data; /* NULL: none */
        uint32_t off, len;
    } write[TRUTH_THREADS]; /* under way */
    struct {
        bool active, open;
        uint32_t off, len;
        uint8_t *base;
        struct truth_layer *layers;
    } read[TRUTH_THREADS];
};

void truth_init(struct truth *t, uint32_t size, const uint8_t *contents);
void truth_free(struct truth *t);

/* `data` is the caller's and stays until the write has ended. */
void truth_begin_write(struct truth *t, unsigned thread, uint32_t off, uint32_t len,
                       const uint8_t *data);
void truth_end_write(struct truth *t, unsigned thread, enum truth_end end);

/* What the array has there now, for a write of what is there already. */
void truth_copy(struct truth *t, uint32_t off, uint32_t len, uint8_t *data);

void truth_begin_read(struct truth *t, unsigned thread, uint32_t off, uint32_t len);
/* `got` of the bytes came. False: one is wrong, and *at is where; *may is what it could be. */
bool truth_end_read(struct truth *t, unsigned thread, const uint8_t *bytes, uint32_t got,
                    uint32_t *at, uint8_t *may);

/* Nothing is under way there: the chip holds exactly what readers see. False: *at is where not. */
bool truth_expect_chip(struct truth *t, uint32_t off, uint32_t len, const uint8_t *chip,
                       uint32_t *at);

/* The work was broken off: `bytes` is something that the chip may hold, and what readers see. */
bool truth_adopt(struct truth *t, const uint8_t *bytes, uint32_t *at);

/* Sectors that were reported as damaged are what they are. Returns how many. */
uint32_t truth_accept(struct truth *t, const uint8_t *bytes);

#endif
