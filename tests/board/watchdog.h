/*
 * The watchdogs that the built-in USB-Serial-JTAG's reset leaves running: unless a host
 * switches the RTC's off and has the super watchdog fed, they reset the chip under it.
 */
#ifndef EB_WATCHDOG_H
#define EB_WATCHDOG_H

#include "chips.h"

struct eb_board;

/* Enables them in the registers; they count from the first time that the board is given. */
void eb_watchdog_arm(struct eb_board *board);

/* False where a write to a watchdog's register lacks the key, and is lost. */
bool eb_watchdog_unlocked(const struct eb_board *board, uint32_t addr);

/* Resets the chip if its time has come; returns when it would, or EB_NEVER. */
int64_t eb_watchdog_run(struct eb_board *board, int64_t now_ns);

#endif
