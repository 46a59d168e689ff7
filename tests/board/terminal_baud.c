/*
 * The baud of a terminal as a number: libc's termios knows it as one of a few constants
 * only, and its header cannot be included together with the kernel's.
 */
#include "endpoint.h"

#include <asm/termbits.h>
#include <sys/ioctl.h>

uint32_t eb_terminal_baud(int fd)
{
    struct termios2 settings;
    return ioctl(fd, TCGETS2, &settings) == 0 ? settings.c_ospeed : 0;
}
