/*
 * A layer on top of the flash stack: tells how often it strayed, and, where it is to, breaks what
 * the stack has proven, so that it is seen that the model finds that.
 */
#ifndef EF_MODEL_TAP_H
#define EF_MODEL_TAP_H

#include "subject.h"

#include "espflashfs/flash.h"

#include <stdatomic.h>

struct tap_state {
    enum breakage breakage;
    _Atomic uint64_t strays;
    uint8_t *chip; /* the board's flash */
};

/* `state` outlives it. Takes `below` over. NULL without memory. */
struct ef_flash *tap_new(struct ef_flash *below, struct tap_state *state);

#endif
