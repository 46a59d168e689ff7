/* The sweep's command line. */
#ifndef SW_OPTIONS_H
#define SW_OPTIONS_H

#include "scenario.h"

struct sw_options {
    uint64_t seed;
    uint32_t sample;  /* points of each cell; 0: all of them */
    uint32_t at_most; /* of all of a cell: every n-th, so that there are no more; 0: no limit */
    const char *chip, *loader, *line, *scenario, *fault; /* NULL: every one */
    uint32_t step, variant;                              /* step 0: not one alone */
    const char *without; /* NULL, or `proof` or `journal`, left out: something must go wrong */
    bool verbose;
    char folder[64]; /* of its own, for what a run needs on disk */
};

/* False with a message on standard error. */
bool sw_options_parse(struct sw_options *options, int argc, char **argv);

bool sw_options_want(const struct sw_options *options, const struct sw_target *target,
                     const struct sw_scenario *scenario);
bool sw_options_want_fault(const struct sw_options *options, enum sw_fault fault);

const char *sw_loader_name(const struct sw_target *target);
const char *sw_line_name(const struct sw_target *target);

#endif
