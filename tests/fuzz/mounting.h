/*
 * The program's way from an open port to bytes that were read, over a line of the target's own:
 * the session, info.txt, the stack of flash layers. What must hold whatever a device says is
 * checked on the way: it ends, in bounded time; all text is fit to be shown.
 */
#ifndef EF_TEST_MOUNTING_H
#define EF_TEST_MOUNTING_H

#include "fuzz.h"

#include "espflashfs/session.h"

enum {
    FUZZ_READS = 2,
    FUZZ_READ_MAX = 16384,
    FUZZ_OPEN_MAX_MS = 600 * 1000, /* one that answers at the last moment, each time */
    FUZZ_READ_MAX_MS = 600 * 1000,
    FUZZ_CLOSE_MAX_MS = 60 * 1000
};

struct fuzz_mounting {
    struct ef_line *line; /* the caller's; opening any port gives this one */
    struct ef_session_config config;
    uint32_t addr[FUZZ_READS], len[FUZZ_READS]; /* to read; cut to what there is */
    /* Out. */
    enum ef_err opened;
    bool offers_flash;
    enum ef_err read[FUZZ_READS];
    uint32_t done[FUZZ_READS];
    uint8_t buf[FUZZ_READS][FUZZ_READ_MAX];
};

/* A config that takes the first byte of the input: the loader, the rate, the resets, the size. */
struct ef_session_config fuzz_mounting_config(uint8_t flags);

void fuzz_mounting_run(struct fuzz_mounting *mounting);

#endif
