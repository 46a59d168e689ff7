/* Text that came from outside, made safe to show; numbers that people type. Any thread. */
#ifndef ESPFLASHFS_TEXT_H
#define ESPFLASHFS_TEXT_H

#include "espflashfs/error.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Copies `in` to `out` with every control or non-ASCII character as \xNN, cut to fit
 * `cap` bytes (at least 1). Always terminated.
 */
void ef_text_escape(char *out, size_t cap, const char *in);

/*
 * A size or an offset: decimal or 0x hex, then nothing or one of k, K (1024), m, M (1024²),
 * optionally followed by B or iB. EF_INVALID for anything else, a sign, or overflow.
 */
enum ef_err ef_text_to_u64(const char *text, uint64_t *value);

/* Lower-case hex of `len` bytes; `out` has 2*len+1. */
void ef_text_hex(char *out, const uint8_t *bytes, size_t len);

#endif
