/* Plays a plan's operations on a subject, beside the truth; and watches that it gets on. */
#ifndef EF_MODEL_PLAYER_H
#define EF_MODEL_PLAYER_H

#include "subject.h"
#include "truth.h"

#include <stdatomic.h>

/* What a run did; in memory that outlives the process that plays. */
struct report {
    _Atomic uint64_t ops, failed, bytes;     /* operations; those that were refused; moved */
    _Atomic uint64_t checks, reads, unknown; /* of the whole chip; judged; of the last, not */
    _Atomic uint64_t reported;          /* sectors that changed unasked and were reported as such */
    _Atomic uint32_t at[TRUTH_THREADS]; /* the operation in hand, plus one; of each thread */
    _Atomic uint32_t reached;           /* operations up to the barrier in hand */
    _Atomic bool done, stuck;
    struct subject_sums sums;
    char why[512]; /* "": nothing is wrong */
};

enum {
    PLAYED_RIGHT = 0,
    PLAYED_WRONG = 9, /* a byte was wrong, or an operation's result */
    PLAYED_STUCK = 10,
    PLAYED_NOWHERE = 11 /* nothing could be mounted */
};

struct player_config {
    enum breakage breakage;
    bool in_turn;   /* the threads' operations one after another, in the list's order */
    int patience_s; /* without a step, before it counts as a deadlock */
    const char *folder;
};

/* Returns one of the above; the caller's process is best one that may be lost. */
int player_run(const struct plan *plan, const struct player_config *config, struct report *report);

#endif
