/*
 * Settings that every tty gets, and ttys that libserialport does not know: ptys, mostly.
 *
 * libserialport 0.1.1 is not asked to configure: it leaves hardware flow control on where
 * another program had it (it looks for CRTSCTS among the input flags), and takes six transfers for
 * each change of the rate.
 */
#include "fd_line.h"
#include "termios2.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* Receivers of 8N1 get along with 2 % at each end; bridges round their divisors to less. */
enum { RATE_TOLERANCE_PERCENT = 3 };

static bool is_near(uint32_t got, uint32_t wanted)
{
    uint64_t off = got > wanted ? got - wanted : wanted - got;
    return off * 100 <= (uint64_t)wanted * RATE_TOLERANCE_PERCENT;
}

/* 0, or -1 with errno. */
static int set_rate(int fd, struct termios *tio, uint32_t baud)
{
    /* glibc takes the rate itself as well as its B constant. */
    if (cfsetspeed(tio, (speed_t)baud) == 0)
        return tcsetattr(fd, TCSANOW, tio);
    return tcsetattr(fd, TCSANOW, tio) < 0 ? -1 : ef_termios2_set_rate(fd, baud);
}

enum ef_err ef_fd_configure(int fd, uint32_t baud)
{
    struct termios tio;
    if (tcgetattr(fd, &tio) < 0)
        return ef_fd_error(errno);
    uint32_t before = ef_termios2_rate(fd);
    cfmakeraw(&tio);
    tio.c_iflag &= ~(tcflag_t)(IXANY | IXOFF | INPCK);
    tio.c_cflag |= CLOCAL | CREAD;
    tio.c_cflag &= ~(tcflag_t)(CSTOPB | CRTSCTS);
    tio.c_cc[VMIN] = 0;
    tio.c_cc[VTIME] = 0;
    if (set_rate(fd, &tio, baud) < 0)
        return ef_fd_error(errno);
    if (is_near(ef_termios2_rate(fd), baud))
        return EF_OK;
    /* The driver took another rate, as it does for one that its hardware does not have. */
    if (before && set_rate(fd, &tio, before) < 0)
        return ef_fd_error(errno);
    return EF_UNSUPPORTED;
}

enum ef_err ef_tty_set_baud(struct ef_line *line, uint32_t baud)
{
    struct ef_fd_line *self = (struct ef_fd_line *)line;
    ef_fd_drain_output(self->fd);
    return ef_fd_configure(self->fd, baud);
}

/*
 * Killed in the middle of a reset, the program would leave the board held in it (RTS asserted):
 * so HUPCL stays as it is, usually on, and the kernel lets both lines go.
 *
 * Settings outlive the close of a real port: the next program finds those that were there.
 * With HUPCL among them, as is usual, DTR and RTS drop together: both were as good as off to a
 * board's reset circuit, and to anything else they are as they were before the opening. A line
 * that is asserted on purpose stays so.
 */
static void restore_settings(struct ef_fd_line *self)
{
    if (self->asserted[EF_DTR] || self->asserted[EF_RTS])
        self->before.c_cflag &= ~(tcflag_t)HUPCL;
    tcsetattr(self->fd, TCSANOW, &self->before);
}

static void tty_close(struct ef_line *line)
{
    struct ef_fd_line *self = (struct ef_fd_line *)line;
    ef_fd_release(self->fd);
    if (self->restore)
        restore_settings(self);
    if (self->port)
        ef_serialport_close(self->port);
    close(self->guard);
    free(self);
}

static const struct ef_line_ops PLAIN_TTY = {.read = ef_fd_line_read,
                                             .write = ef_fd_line_write,
                                             .set_baud = ef_tty_set_baud,
                                             .close = tty_close};
static const struct ef_line_ops MODEM_TTY = {.read = ef_fd_line_read,
                                             .write = ef_fd_line_write,
                                             .set_baud = ef_tty_set_baud,
                                             .set_lines = ef_fd_line_set_lines,
                                             .set_one_line = ef_fd_line_set_one_line,
                                             .close = tty_close};

static enum ef_err open_locked(const char *path, struct ef_log *log, int *fd)
{
    *fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0)
        return ef_open_failed(path, errno, log);
    if (isatty(*fd))
        return ef_fd_lock(*fd, path, log);
    if (errno == EIO)
        ef_log(log, EF_LOG_ERROR, "%s: there is no hardware behind this name", path);
    else
        ef_log(log, EF_LOG_ERROR, "%s is not a serial port", path);
    return EF_INVALID;
}

static enum ef_err configure(int fd, const char *path, uint32_t baud, struct ef_log *log)
{
    enum ef_err err = ef_fd_configure(fd, baud);
    if (err == EF_GONE)
        ef_log(log, EF_LOG_ERROR, "%s: the device left, or there is no hardware behind this name",
               path);
    else if (err != EF_OK)
        ef_log(log, EF_LOG_ERROR, "%s cannot be set to %u baud 8N1: try another baud=", path,
               (unsigned)baud);
    tcflush(fd, TCIOFLUSH);
    return err;
}

/*
 * The port is locked through a descriptor of our own before libserialport opens it: the library
 * changes settings as it opens, and those of a port that another program holds are not ours.
 */
enum ef_err ef_tty_open(const char *path, uint32_t baud, struct ef_log *log, struct ef_line **line)
{
    int guard;
    enum ef_err err = open_locked(path, log, &guard);
    if (err != EF_OK) {
        if (guard >= 0)
            close(guard);
        return err;
    }
    bool modem = ef_fd_has_modem_lines(guard);
    struct ef_fd_line *self = ef_fd_line_new(guard, "tty", modem ? &MODEM_TTY : &PLAIN_TTY);
    if (!self)
        return EF_NOMEM;
    self->guard = guard;
    /* A pty with nobody on it would echo with the settings that it had. */
    self->restore = modem && tcgetattr(guard, &self->before) == 0;
    self->port = modem ? ef_serialport_open(path, &self->fd) : NULL;
    if (self->port)
        self->line.kind = "serial";
    ef_serialport_usb_ids(path, &self->line);
    ef_fd_exclude(self->fd);
    err = configure(self->fd, path, baud, log);
    if (err == EF_OK)
        *line = &self->line;
    else
        tty_close(&self->line);
    return err;
}
