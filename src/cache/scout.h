/*
 * Scouting ahead of a stream: which bytes need not cross. Private to src/cache; everything
 * here is called under the cache's lock.
 *
 * The chip's digest of a sector here and there (samples) tells where it is worth asking about
 * a whole stretch; what is expected there (erased flash, or what is known of another place)
 * is put where the sectors' bytes go, and counts once the chip's digest of the very range
 * agrees. The proof is the chip's: no source need be right.
 *
 * A request with one flipped bit asks about another place, which may hold the same. So a
 * stretch is said twice, unless no place that one flipped bit leads to begins as it does. A
 * blank stretch does so with what lies before it, where that is known.
 */
#ifndef ESPFLASHFS_SCOUT_H
#define ESPFLASHFS_SCOUT_H

#include "espflashfs/worker.h"

struct ef_cache;

/* Of a block, the chip's digest of its first sector. */
struct sample {
    bool known;
    uint8_t md5[EF_DIGEST_BYTES];
};

struct stretch {
    uint32_t first, end; /* sectors */
};

struct scout {
    struct sample *sample; /* owned; one for each block of the flash */
    uint16_t *most;        /* owned; of each sector, the most sectors to be asked about with it */
    uint32_t blocks;
    uint8_t blank_md5[EF_DIGEST_BYTES]; /* of a sector */
    uint32_t reach;                     /* sectors that the next question may be about */
    bool off;                           /* the chip tells no digests */
    bool busy;                          /* a question is under way: one at a time */
    struct stretch said;                /* once, and must be said again: what `said_md5` is of */
    uint8_t said_md5[EF_DIGEST_BYTES];
    struct stretch wrong; /* of which all is not as expected, and so what is left of it is not */
};

struct ask {
    bool samples;                 /* the first sectors of `block`, two at most */
    uint32_t block[2];            /* the second may be `blocks`: none */
    struct stretch range;         /* else: the sectors that are wanted ... */
    uint32_t from;                /* ... and the sector from which on they are asked about */
    uint8_t md5[EF_DIGEST_BYTES]; /* what is expected */
    bool enough;                  /* this answer counts, if it is that */
};

enum ef_err ef_scout_init(struct ef_cache *c);
void ef_scout_free(struct ef_cache *c);

/* True, with a question to put to the chip, before what is missing at sector `s` crosses. */
bool ef_scout_plan(struct ef_cache *c, uint32_t s, struct ask *ask);

/* True if there may be a question at sector `s`, once a stream has come there. */
bool ef_scout_hopes(const struct ef_cache *c, uint32_t s);

/* The job of the question has the answer. */
void ef_scout_hear(struct ef_cache *c, const struct ask *ask, const struct ef_job *job);

/* Sector `s` was read. */
void ef_scout_note(struct ef_cache *c, uint32_t s);

/* What the chip holds at sector `s`, or anywhere, changes or may have. */
void ef_scout_forget(struct ef_cache *c, uint32_t s);
void ef_scout_forget_all(struct ef_cache *c);

#endif
