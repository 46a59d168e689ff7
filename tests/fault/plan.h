/*
 * What is to go wrong in a run: one fault, at one step, in one of its variants. A step is a
 * frame to or from the board, a command, an erase or page program, an allocation, or a change to
 * the journal's disk, counted from 1 from when the scenario begins.
 */
#ifndef SW_PLAN_H
#define SW_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sw_fault {
    SW_NONE,
    /* Of the k-th frame: all of it, or one byte. IN is host to board. */
    SW_DROP_IN,
    SW_DROP_OUT,
    SW_TWICE_IN,
    SW_TWICE_OUT,
    SW_LATE_IN,
    SW_LATE_OUT,
    SW_CUT_IN,
    SW_CUT_OUT,
    SW_DOUBLE_IN,
    SW_DOUBLE_OUT,
    SW_FLIP_IN,
    SW_FLIP_OUT,
    /* At the k-th command. */
    SW_REJECT,
    SW_LIE,
    SW_SILENCE,
    SW_REBOOT,
    SW_REBOOT_AFTER,
    SW_FIRMWARE,
    SW_HANG_UP,
    SW_HANG_UP_AFTER,
    SW_UNPLUG, /* and plugged in again, 3 s later */
    /* At the k-th erase or page program. */
    SW_POWER,
    SW_POWER_HANG_UP,
    /* The host's. */
    SW_NO_MEMORY,
    SW_DISK_FULL,
    SW_DISK_BROKEN,
    SW_DISK_READ_ONLY,
    SW_FAULTS
};

enum sw_step {
    SW_STEP_FRAME_IN,
    SW_STEP_FRAME_OUT,
    SW_STEP_COMMAND,
    SW_STEP_FLASH,
    SW_STEP_HOST,
    SW_STEP_DISK
};

struct sw_point {
    enum sw_fault fault;
    uint32_t step;
    uint32_t variant;
    uint64_t seed;
};

enum { SW_FRAMES_MAX = 16384 };

/* What a clean run went through. */
struct sw_footprint {
    uint32_t frames_in, frames_out, commands, flash_ops, allocations, changes;
    uint16_t len_in[SW_FRAMES_MAX], len_out[SW_FRAMES_MAX]; /* bytes on the line */
};

const char *sw_fault_name(enum sw_fault fault);
enum sw_fault sw_fault_find(const char *name); /* SW_FAULTS if there is none */
enum sw_step sw_fault_step(enum sw_fault fault);

/* How many steps a clean run offers to `fault`, and how many variants at one of them. */
uint32_t sw_steps(const struct sw_footprint *print, enum sw_fault fault);
uint32_t sw_variants(const struct sw_footprint *print, enum sw_fault fault, uint32_t step);

/* The byte of a frame of `len` that a variant means; for a flip, the bit as well. */
uint32_t sw_variant_at(enum sw_fault fault, uint32_t variant, uint32_t len);
uint8_t sw_variant_bit(uint32_t variant);

/* For how long a late frame is held. */
int64_t sw_variant_late_ns(uint32_t variant);

#endif
