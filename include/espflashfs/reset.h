/*
 * Reset sequences on the modem lines DTR and RTS, as data, written as esptool's users know
 * them: steps parted by `|`. Playing one blocks for its waits; one thread at a time, as
 * the line.
 */
#ifndef ESPFLASHFS_RESET_H
#define ESPFLASHFS_RESET_H

#include "espflashfs/line.h"

enum ef_reset_action { EF_RESET_DTR, EF_RESET_RTS, EF_RESET_BOTH, EF_RESET_WAIT };

struct ef_reset_step {
    enum ef_reset_action action;
    bool dtr, rts; /* asserted; each where `action` concerns it */
    int wait_ms;
};

enum {
    EF_RESET_STEPS_MAX = 64,
    EF_RESET_WAIT_MAX_MS = 10000, /* of all waits of a sequence together */
    EF_RESET_WHY_MAX = 256
};

struct ef_reset_sequence {
    struct ef_reset_step step[EF_RESET_STEPS_MAX];
    size_t count;
};

/* For messages and the help. */
#define EF_RESET_GRAMMAR                                                                           \
    "steps parted by |: D0 or D1 (DTR), R0 or R1 (RTS), U1,0 (both at once), W0.1 (wait, seconds)"

/*
 * D0|R1|W0.1|D1|R0|W0.05|D0. Case does not matter, nor blanks around a step, nor an empty
 * step, as in esptool 5. EF_INVALID with a sentence in `why` (EF_RESET_WHY_MAX bytes).
 * Any thread, never blocks.
 */
enum ef_err ef_reset_parse(const char *text, struct ef_reset_sequence *sequence, char *why);

/* EF_UNSUPPORTED on a line without modem lines, EF_GONE where the device left meanwhile. */
enum ef_err ef_reset_play(struct ef_line *line, const struct ef_reset_sequence *sequence);

/* A sequence of this program's own. */
struct ef_reset_way {
    const char *name; /* for the log */
    const char *steps;
};

enum { EF_RESET_ATTEMPTS = 4 };

/*
 * The way into the boot loader to try on an attempt, counted from 0: which ones, and in
 * which order, depends on what is behind the line. `usb_reset`: the built-in USB's alone.
 */
const struct ef_reset_way *ef_reset_way_to_loader(const struct ef_line *line, bool usb_reset,
                                                  unsigned attempt);

/* The way into the firmware. */
const struct ef_reset_way *ef_reset_way_to_firmware(const struct ef_line *line, bool usb_reset);

#endif
