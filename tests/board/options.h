/* The command line of espboard, as one checked struct. */
#ifndef EB_OPTIONS_H
#define EB_OPTIONS_H

#include "board.h"

#include <stdio.h>

enum { EB_OPTIONS_EFUSES = 32 };

struct eb_options {
    struct eb_config config; /* without log and outlet; points into this struct */
    struct eb_register efuses[EB_OPTIONS_EFUSES];
    const char *listen;
    const char *counters_path;
    const char *log_path;
    int64_t latency_ns;
    bool usb_hold;
    bool help;
};

/* 0, or -1 with a sentence in `why`. Strings point into argv. */
int eb_options_parse(struct eb_options *options, int argc, char **argv, char *why, size_t why_cap);
void eb_options_help(FILE *out);

#endif
