/*
 * The host's own failures: the k-th allocation, thread or mapping is refused, or the k-th change
 * to the disk. The linker puts these in front of the C library's (--wrap); what the board and the
 * sweep itself ask for is passed over. One process runs one point at a time.
 */
#ifndef SW_HOST_H
#define SW_HOST_H

#include "plan.h"

/* The names that the linker's --wrap knows: what stands in front of NAME, and NAME itself. */
#define SW_WRAP(name) __asm__("__wrap_" #name)
#define SW_REAL(name) __asm__("__real_" #name)

/* Counts steps from 1 from here on, and has `point` happen. */
void sw_host_arm(const struct sw_point *point);

/* How many of each there were; true if `point` happened. */
bool sw_host_disarm(struct sw_footprint *print);

/* This thread works for the board, or the sweep (+1), or no more (-1). */
void sw_host_pass(int by);

/* For disk.c: counts a change; true, with errno set, if it is refused. */
bool sw_host_refuses_change(void);

#endif
