/*
 * Rates that have no B constant. The kernel's termios2 carries any rate, and tells which one
 * the driver settled on; its header cannot be included beside <termios.h>.
 */
#include "termios2.h"

#include <asm/termbits.h>
#include <sys/ioctl.h>

int ef_termios2_set_rate(int fd, uint32_t baud)
{
    struct termios2 tio;
    if (ioctl(fd, TCGETS2, &tio) < 0)
        return -1;
    /* An input rate of 0 bits means "as the output's". */
    tio.c_cflag &= ~(tcflag_t)(CBAUD | (CBAUD << IBSHIFT));
    tio.c_cflag |= BOTHER;
    tio.c_ispeed = baud;
    tio.c_ospeed = baud;
    return ioctl(fd, TCSETS2, &tio);
}

uint32_t ef_termios2_rate(int fd)
{
    struct termios2 tio;
    return ioctl(fd, TCGETS2, &tio) < 0 ? 0 : tio.c_ospeed;
}
