/* One operation of a model run: small enough that a run is a list of them. */
#ifndef EF_MODEL_OP_H
#define EF_MODEL_OP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum op_kind {
    /* By one thread, beside the others. */
    OP_WRITE,      /* off, len, fill */
    OP_READ,       /* off, len */
    OP_MAP_READ,   /* the same through a mapping */
    OP_SCAN,       /* the same in pieces, as cp reads */
    OP_TRUNCATE,   /* off: the size; by path, through nothing that is open */
    OP_FTRUNCATE,  /* off: the size */
    OP_FALLOCATE,  /* off, len */
    OP_WRITE_PAST, /* off, len: reaches past the end, and is refused */
    OP_APPEND,     /* len: refused as well */
    OP_ERASE,      /* off, len: whole sectors, by `erase` or as a hole, as the seed has it */
    OP_FSYNC,      /* off, len: this thread's own bytes, compared with the chip's afterwards */
    OP_REOPEN,     /* the same by close(2) */
    OP_REPLACE,    /* len: a sparse copy from the start to there, through a handle with O_TRUNC */
    OP_FAULT,      /* detail: enum fault_kind; off: how far from now; len: more of it */
    /* All wait for each other, and one does it. */
    OP_JOIN,
    OP_SYNC_ALL, /* fsync: the chip holds all that was written */
    OP_ERASE_ALL,
    OP_REPLACE_ALL, /* as OP_REPLACE, of all of the flash */
    OP_REMOUNT,
    OP_KILL, /* and mount again: of what was not reported durable, old or new */
    OP_READ_ALL,
    OP_KINDS
};

enum fill {
    FILL_RANDOM,
    FILL_TEXT,
    FILL_ZERO,
    FILL_BLANK,
    FILL_BYTE,
    FILL_SAME,
    FILL_SPARSE,
    FILLS
};

enum fault_kind {
    FAULT_FLIP_IN,
    FAULT_FLIP_OUT,
    FAULT_DROP_IN,
    FAULT_DROP_OUT,
    FAULT_DUP_IN,
    FAULT_DUP_OUT,
    FAULT_SILENCE_IN,
    FAULT_SILENCE_OUT,
    FAULT_REJECT,
    FAULT_RESET,   /* of the chip */
    FAULT_HANG_UP, /* the line is dead until it is opened anew */
    FAULT_KINDS
};

struct op {
    uint8_t kind, thread, detail; /* detail: enum fill, enum fault_kind */
    uint32_t off, len, seed;
};

static inline bool op_is_barrier(const struct op *op)
{
    return op->kind >= OP_JOIN;
}

/* The bytes that a write gives, op->len of them; FILL_SAME leaves what is there. */
void op_fill(const struct op *op, uint8_t *bytes);

/* A sparse copy's next piece from `off` on: true if it is data, false if a hole. */
bool op_next_piece(const struct op *op, uint32_t off, uint32_t *len);

/* One line. */
void op_print(const struct op *op, FILE *out);

/* splitmix64: the next of a row of numbers. */
uint64_t op_random(uint64_t *state);

#endif
