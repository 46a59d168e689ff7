/* Reset sequences on the modem lines DTR and RTS, as data. Each blocks for its waits. */
#ifndef ESPFLASHFS_RESET_H
#define ESPFLASHFS_RESET_H

#include "espflashfs/line.h"

/*
 * Puts a board with the usual auto-reset circuit (EN low while RTS alone is asserted, IO0
 * low while DTR alone is) into its boot loader. `attempt` counts from 0 and varies the
 * wait, since boards differ in the size of the capacitor at EN. EF_UNSUPPORTED on a line
 * without modem lines.
 */
enum ef_err ef_reset_to_loader(struct ef_line *line, int attempt);

/* Lets the board run its firmware. */
enum ef_err ef_reset_to_firmware(struct ef_line *line);

#endif
