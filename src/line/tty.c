/* A tty through plain termios: ptys, and whatever libserialport does not know. */
#include "fd_line.h"

#include <errno.h>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

static enum ef_err configure(int fd, uint32_t baud)
{
    struct termios tio;
    if (tcgetattr(fd, &tio) < 0)
        return EF_INVALID;
    cfmakeraw(&tio);
    tio.c_cflag |= CLOCAL | CREAD;
    tio.c_cflag &= ~(tcflag_t)(CSTOPB | CRTSCTS | HUPCL);
    tio.c_cc[VMIN] = 0;
    tio.c_cc[VTIME] = 0;
    /* glibc takes the rate itself as well as its B constant. */
    if (cfsetspeed(&tio, (speed_t)baud) < 0)
        return EF_UNSUPPORTED;
    return tcsetattr(fd, TCSANOW, &tio) < 0 ? EF_GONE : EF_OK;
}

static enum ef_err tty_set_baud(struct ef_line *line, uint32_t baud)
{
    struct ef_fd_line *self = (struct ef_fd_line *)line;
    ef_fd_drain_output(self->fd);
    return configure(self->fd, baud);
}

static const struct ef_line_ops PLAIN_TTY = {.read = ef_fd_line_read,
                                             .write = ef_fd_line_write,
                                             .set_baud = tty_set_baud,
                                             .close = ef_fd_line_close};
static const struct ef_line_ops MODEM_TTY = {.read = ef_fd_line_read,
                                             .write = ef_fd_line_write,
                                             .set_baud = tty_set_baud,
                                             .set_lines = ef_fd_line_set_lines,
                                             .set_one_line = ef_fd_line_set_one_line,
                                             .close = ef_fd_line_close};

enum ef_err ef_tty_open(const char *path, uint32_t baud, struct ef_log *log, struct ef_line **line)
{
    int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return ef_open_failed(path, errno, log);
    enum ef_err err = EF_INVALID;
    if (!isatty(fd)) {
        ef_log(log, EF_LOG_ERROR, "%s is not a serial port", path);
        goto out;
    }
    err = ef_fd_lock(fd, path, log);
    if (err != EF_OK)
        goto out;
    err = configure(fd, baud);
    if (err != EF_OK) {
        ef_log(log, EF_LOG_ERROR, "%s cannot be set to %u baud", path, (unsigned)baud);
        ef_fd_unlock(fd);
        goto out;
    }
    tcflush(fd, TCIOFLUSH);
    struct ef_fd_line *self =
        ef_fd_line_new(fd, "tty", ef_fd_has_modem_lines(fd) ? &MODEM_TTY : &PLAIN_TTY);
    if (!self)
        return EF_NOMEM;
    *line = &self->line;
    return EF_OK;
out:
    close(fd);
    return err;
}
