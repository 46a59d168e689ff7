/* An episode: a board, a mount of it, and the operations, all made of one number. */
#ifndef EF_MODEL_PLAN_H
#define EF_MODEL_PLAN_H

#include "op.h"

#include <stddef.h>

enum plan_fill { PLAN_BLANK, PLAN_FULL, PLAN_MIXED };

/* What an episode may have. */
struct plan_limits {
    unsigned ops; /* of threads and barriers together */
    bool faults;  /* the line and the chip fail now and then */
    bool through_fuse;
    unsigned threads; /* at most; 0: as many as there may be */
};

struct plan {
    uint64_t seed;
    struct plan_limits limits;
    const char *chip;
    bool stub;
    uint32_t size;       /* of the flash, bytes */
    uint32_t cache_size; /* bytes held at most */
    bool keeps_image;    /* cache=DIR */
    bool keeps_journal;  /* journal=DIR; else it is never killed */
    enum plan_fill fill;
    unsigned threads;
    struct op *ops;
    size_t count;
};

/* The same seed and limits give the same plan. Ends the program without memory. */
void plan_make(struct plan *plan, uint64_t seed, const struct plan_limits *limits);
void plan_free(struct plan *plan);

/* What the flash holds at first. */
void plan_contents(const struct plan *plan, uint8_t *bytes);

/* One line of what it is, then the operations; joins of nothing are left out. */
void plan_print(const struct plan *plan, FILE *out);

#endif
