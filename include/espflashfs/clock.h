/*
 * Deadlines on the monotonic clock, so that a host clock that jumps moves none.
 * A deadline is an absolute time in milliseconds. Any thread.
 */
#ifndef ESPFLASHFS_CLOCK_H
#define ESPFLASHFS_CLOCK_H

#include <stdint.h>

typedef int64_t ef_deadline;

/* Milliseconds since an arbitrary start. */
int64_t ef_clock_now_ms(void);

ef_deadline ef_deadline_in(int64_t ms);

/* What is left in milliseconds, 0 if it has passed, capped to fit poll(2). */
int ef_deadline_left_ms(ef_deadline deadline);

/* The earlier of the two. */
ef_deadline ef_deadline_min(ef_deadline a, ef_deadline b);

/* Blocks for `ms`. */
void ef_clock_sleep_ms(int64_t ms);

#endif
