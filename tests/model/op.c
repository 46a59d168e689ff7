#include "op.h"

#include <string.h>

enum { PIECE_MAX = 96 * 1024, SPARSE_EVERY = 512 };

uint64_t op_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

static void fill_random(const struct op *op, uint8_t *bytes)
{
    uint64_t state = op->seed;
    for (uint32_t i = 0; i < op->len; i += 8) {
        uint64_t word = op_random(&state);
        memcpy(bytes + i, &word, op->len - i < 8 ? op->len - i : 8);
    }
}

static void fill_text(const struct op *op, uint8_t *bytes)
{
    static const char WORDS[] = "rtc_gpio: held, wifi: scan done, heap free 0x000";
    for (uint32_t i = 0; i < op->len; i++)
        bytes[i] = (uint8_t)WORDS[(i + op->seed) % (sizeof(WORDS) - 1)];
}

/* Blank but for a byte here and there. */
static void fill_sparse(const struct op *op, uint8_t *bytes)
{
    memset(bytes, 0xFF, op->len);
    for (uint32_t i = op->seed % SPARSE_EVERY; i < op->len; i += SPARSE_EVERY)
        bytes[i] = (uint8_t)(op->seed >> 8);
}

void op_fill(const struct op *op, uint8_t *bytes)
{
    switch ((enum fill)op->detail) {
    case FILL_RANDOM:
        fill_random(op, bytes);
        break;
    case FILL_TEXT:
        fill_text(op, bytes);
        break;
    case FILL_ZERO:
        memset(bytes, 0, op->len);
        break;
    case FILL_BLANK:
        memset(bytes, 0xFF, op->len);
        break;
    case FILL_BYTE:
        memset(bytes, (int)(op->seed & 0xFF), op->len);
        break;
    case FILL_SPARSE:
        fill_sparse(op, bytes);
        break;
    case FILL_SAME:
    case FILLS:
        break;
    }
}

bool op_next_piece(const struct op *op, uint32_t off, uint32_t *len)
{
    uint64_t state = (uint64_t)op->seed << 32 | off;
    uint64_t word = op_random(&state);
    /* Holes end at any byte, mostly at pages. */
    uint32_t n = 1 + (uint32_t)(word >> 8) % PIECE_MAX;
    if (word & 6)
        n = (n + 4095) & ~4095U;
    *len = n < op->len - off ? n : op->len - off;
    return word & 1;
}

static const char *const NAMES[OP_KINDS] = {
    "write",      "read",     "mmap-read", "scan",        "truncate", "ftruncate", "fallocate",
    "write-past", "append",   "erase",     "fsync",       "reopen",   "replace",   "fault",
    "join",       "sync-all", "erase-all", "replace-all", "remount",  "kill",      "read-all"};

static const char *const FILL_NAMES[FILLS] = {"random", "text", "zeros", "blank",
                                              "byte",   "same", "sparse"};

static const char *const FAULT_NAMES[FAULT_KINDS] = {
    "flip:in",    "flip:out",    "drop:in", "drop:out", "dup:in", "dup:out",
    "silence:in", "silence:out", "reject",  "reset",    "hang-up"};

void op_print(const struct op *op, FILE *out)
{
    if (op_is_barrier(op)) {
        fprintf(out, "all  %s", NAMES[op->kind]);
        if (op->kind == OP_REPLACE_ALL)
            fprintf(out, " 0x%x bytes seed %u", op->len, op->seed);
    } else if (op->kind == OP_FAULT) {
        fprintf(out, "t%u   fault %s, %u on, %u", op->thread, FAULT_NAMES[op->detail], op->off,
                op->len);
    } else {
        fprintf(out, "t%u   %s 0x%x +0x%x", op->thread, NAMES[op->kind], op->off, op->len);
        if (op->kind == OP_WRITE || op->kind == OP_REPLACE)
            fprintf(out, " %s seed %u", FILL_NAMES[op->detail], op->seed);
    }
    fputc('\n', out);
}
