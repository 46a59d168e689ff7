/*
 * Faults as data: --fault's specifications, and their effect on the bytes and commands
 * that pass. Random ones come from a seed, so that a run can be repeated. One thread.
 */
#ifndef EB_FAULTS_H
#define EB_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum eb_direction { EB_IN, EB_OUT }; /* as the board sees it: IN is host to board */

enum eb_fault_kind {
    EB_FAULT_DROP,
    EB_FAULT_FLIP,
    EB_FAULT_DUP,
    EB_FAULT_DELAY,
    EB_FAULT_SILENCE,
    EB_FAULT_RANDOM_FLIP,
    EB_FAULT_DAMAGE,
    EB_FAULT_HANG_UP,
    EB_FAULT_UNPLUG,
    EB_FAULT_REJECT, /* from here on: not of single bytes */
    EB_FAULT_REJECT_OP,
    EB_FAULT_LIE,
    EB_FAULT_POWER,
    EB_FAULT_REBOOT
};

struct eb_fault {
    enum eb_fault_kind kind;
    enum eb_direction direction;
    uint8_t op;          /* REJECT_OP */
    uint64_t index;      /* byte index from 0, or the K-th command or flash operation from 1 */
    uint64_t count;      /* SILENCE: bytes; FLIP: bit; DELAY, UNPLUG: ms; RANDOM_FLIP, DAMAGE: per
                            million */
    uint64_t above_baud; /* DAMAGE */
};

enum { EB_FAULTS_MAX = 64 };

struct eb_faults {
    struct eb_fault list[EB_FAULTS_MAX];
    size_t count;
    bool touches_bytes[2]; /* by direction: false lets bytes pass unlooked at */
    uint64_t seen[2];      /* bytes that passed in each direction */
    uint64_t commands;
    uint64_t ops[256];
    uint64_t damaged; /* bytes, by DAMAGE */
    uint64_t random;  /* the generator's state, never 0 */
    uint32_t baud;    /* in force; the board keeps it current */
    /* The line broke: nothing passes any more until whoever serves the board has mended it. */
    bool broken;
    bool unplugged;   /* and the board has no power, */
    uint32_t away_ms; /* for so long */
};

/* What becomes of a command. */
enum eb_verdict {
    EB_RUN,
    EB_REFUSE,  /* answered with an error, and not run */
    EB_SAY_YES, /* answered as if it were done, and not run */
    EB_RESTART  /* the chip resets instead of running it */
};

/* What becomes of one byte. */
struct eb_fault_effect {
    uint8_t bytes[2];
    uint8_t len; /* 0 dropped, 1, or 2 doubled */
    uint32_t delay_ms;
};

void eb_faults_init(struct eb_faults *faults, uint64_t seed);

/* Adds the fault that `spec` spells. 0, or -1 with a sentence in `why`. */
int eb_faults_add(struct eb_faults *faults, const char *spec, char *why, size_t why_cap);

/* The specifications, one a line, for --help. */
const char *eb_faults_help(void);

struct eb_fault_effect eb_faults_byte(struct eb_faults *faults, enum eb_direction direction,
                                      uint8_t byte);

/* Counts a command. */
enum eb_verdict eb_faults_command(struct eb_faults *faults, uint8_t op);

/* The next number of the seeded generator. */
uint64_t eb_faults_random(struct eb_faults *faults);

#endif
