/*
 * A cell of the table: one scenario on one target under one kind of fault. Its runs are made in
 * a process of their own, so that one that crashes or hangs is a line in the table, too.
 */
#ifndef SW_CELL_H
#define SW_CELL_H

#include "options.h"

struct sw_cell {
    const struct sw_options *options;
    const struct sw_target *target;
    const struct sw_scenario *scenario;
    enum sw_fault fault;
};

struct sw_tally {
    uint32_t tried, healed, reported, strayed, unreached, known, wrong;
    int64_t longest_ns;
};

void sw_tally_head(void);

/* A clean run; false, with a line printed, if it goes wrong. */
bool sw_cell_count(const struct sw_cell *cell, struct sw_footprint *print);

/* Runs what the options ask for, prints a line, and adds to `sum`. */
void sw_cell_sweep(const struct sw_cell *cell, const struct sw_footprint *print,
                   struct sw_tally *sum);

#endif
