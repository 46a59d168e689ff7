/*
 * The line to the board, with faults that land while it is in use: asked for by any thread, done
 * on the line's own. One at a time; none while one is still to come.
 */
#ifndef EF_MODEL_BROKEN_LINE_H
#define EF_MODEL_BROKEN_LINE_H

#include "op.h"

#include "board_line.h"

#include <pthread.h>
#include <stdatomic.h>

struct broken_line {
    struct board_line *board;
    struct ef_line_ops ops; /* the line's, ours in front */
    pthread_mutex_t lock;   /* of `wanted` */
    struct op wanted;
    atomic_bool asked, quiet;
    bool armed;                /* the line's own thread */
    _Atomic int64_t cut_after; /* writes until the line is dead; negative: never */
    _Atomic uint64_t happened;
};

void broken_line_init(struct broken_line *self, struct board_line *board);
void broken_line_ask(struct broken_line *self, const struct op *fault);

/* Nothing more happens from the next write on, until that is taken back. */
void broken_line_calm(struct broken_line *self, bool calm);

/* Dead after so many writes; negative: whole again. */
void broken_line_cut(struct broken_line *self, int64_t writes);

#endif
