/*
 * What the fuzz targets share. A target is fuzz_NAME.c with one function, which takes any bytes
 * and aborts where something that must hold does not. It runs in two programs: fuzz_NAME,
 * libFuzzer's, and replay_NAME, which reads files (replay.c).
 */
#ifndef EF_TEST_FUZZ_H
#define EF_TEST_FUZZ_H

#include "espflashfs/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Of a function's declaration: the linker takes it in place of `name` (CMakeLists.txt, wrap_...).
 */
#define IN_PLACE_OF(name) __asm__("__wrap_" #name)

/* An input that is taken apart from its front; behind its end there are zeros. */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

/* Up to `len` bytes of the input, in place; how many. */
static inline size_t fuzz_take(struct fuzz_input *in, size_t len, const uint8_t **bytes)
{
    len = len < in->left ? len : in->left;
    *bytes = in->at;
    in->at += len;
    in->left -= len;
    return len;
}

static inline uint8_t fuzz_u8(struct fuzz_input *in)
{
    const uint8_t *byte;
    return fuzz_take(in, 1, &byte) ? *byte : 0;
}

static inline uint16_t fuzz_u16(struct fuzz_input *in)
{
    uint8_t low = fuzz_u8(in);
    return (uint16_t)(low | fuzz_u8(in) << 8);
}

static inline uint32_t fuzz_u32(struct fuzz_input *in)
{
    uint16_t low = fuzz_u16(in);
    return low | (uint32_t)fuzz_u16(in) << 16;
}

/* The rest of the input as a string, cut at `cap`; free(3) it. */
char *fuzz_text(struct fuzz_input *in, size_t cap);

/* The clock that the code under test sees (clock.c) moves by this alone, and by its own waits. */
void fuzz_clock_pass(int64_t ms);

/* A folder of this process; whoever runs it sets TMPDIR, and removes what is there. */
const char *fuzz_folder(void);

/* Replaces the file `path` by these bytes. */
void fuzz_write_file(const char *path, const uint8_t *bytes, size_t len);

/* A log that is kept in memory, every level of it. */
struct fuzz_log {
    struct ef_log log;
    char *text;
    size_t len;
};

void fuzz_log_open(struct fuzz_log *log);

/*
 * Checks that each line is one that a terminal can be shown: of printable ASCII, and no longer
 * than a log's. Frees it.
 */
void fuzz_log_close(struct fuzz_log *log);

/* True if it is made of printable ASCII, but for the line feeds where they are allowed. */
bool fuzz_is_plain(const char *text, bool line_feeds);

#endif
