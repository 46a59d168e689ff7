/*
 * Any rate at all, by the kernel's termios2. Apart from fd_line.h, since its header and
 * <termios.h> exclude each other.
 */
#ifndef ESPFLASHFS_TERMIOS2_H
#define ESPFLASHFS_TERMIOS2_H

#include <stdint.h>

/* Both directions. 0, or -1 with errno. */
int ef_termios2_set_rate(int fd, uint32_t baud);

/* The rate in force, which may not be the one asked for; 0 where that is not known. */
uint32_t ef_termios2_rate(int fd);

#endif
