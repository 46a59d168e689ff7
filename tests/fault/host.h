/*
 * The host's own failures: the k-th allocation, thread or mapping is refused. The linker puts
 * these in front of the C library's (--wrap); what the board and the sweep itself ask for is
 * passed over. One process runs one point at a time.
 */
#ifndef SW_HOST_H
#define SW_HOST_H

#include <stdint.h>

/* Counts from 1; `fail_at` 0 refuses nothing. */
void sw_host_arm(uint32_t fail_at);
/* Returns how many there were. */
uint32_t sw_host_disarm(void);

/* This thread works for the board, or the sweep (+1), or no more (-1). */
void sw_host_pass(int by);

#endif
