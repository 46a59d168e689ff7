/*
 * The sweep's own time, which passes only where somebody waits for it: minutes of deadlines
 * cost microseconds. It stands in for src/base/clock.c. Any thread.
 */
#ifndef SW_CLOCK_H
#define SW_CLOCK_H

#include "espflashfs/clock.h"

int64_t sw_clock_now_ns(void);

/* Time passes, or has come to `at_ns` at least. */
void sw_clock_pass_ns(int64_t ns);
void sw_clock_reach_ns(int64_t at_ns);

#endif
