#include "fd_line.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { DRAIN_TIMEOUT_MS = 1000 };

struct ef_fd_line *ef_fd_line_new(int fd, const char *kind, const struct ef_line_ops *ops)
{
    struct ef_fd_line *self = calloc(1, sizeof(*self));
    if (!self) {
        close(fd);
        return NULL;
    }
    self->fd = fd;
    self->line.kind = kind;
    self->line.ops = ops;
    return self;
}

static enum ef_err wait_ready(int fd, short events, ef_deadline deadline)
{
    struct pollfd p = {.fd = fd, .events = events};
    for (;;) {
        int n = poll(&p, 1, ef_deadline_left_ms(deadline));
        if (n == 0)
            return EF_TIMEOUT;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || (p.revents & POLLNVAL))
            return EF_GONE;
        /* With data still to read, a hang-up waits until it has been read. */
        if (p.revents & events)
            return EF_OK;
        return EF_GONE;
    }
}

enum ef_err ef_fd_line_read(struct ef_line *line, uint8_t *buf, size_t cap, ef_deadline deadline,
                            size_t *got)
{
    struct ef_fd_line *self = (struct ef_fd_line *)line;
    for (;;) {
        ssize_t n = read(self->fd, buf, cap);
        if (n > 0) {
            *got = (size_t)n;
            return EF_OK;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            return EF_GONE;
        /* 0 from a raw tty with VMIN=0 means "nothing yet", from a socket "closed": poll knows
         * only the first, so a readable descriptor that yields 0 is a hang-up. */
        enum ef_err err = wait_ready(self->fd, POLLIN, deadline);
        if (err != EF_OK)
            return err;
        if (n == 0) {
            n = read(self->fd, buf, cap);
            if (n > 0) {
                *got = (size_t)n;
                return EF_OK;
            }
            if (n == 0)
                return EF_GONE;
        }
    }
}

enum ef_err ef_fd_line_write(struct ef_line *line, const uint8_t *buf, size_t len,
                             ef_deadline deadline)
{
    struct ef_fd_line *self = (struct ef_fd_line *)line;
    while (len > 0) {
        ssize_t n = write(self->fd, buf, len);
        if (n > 0) {
            buf += n;
            len -= (size_t)n;
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            return EF_GONE;
        enum ef_err err = wait_ready(self->fd, POLLOUT, deadline);
        if (err != EF_OK)
            return err;
    }
    return EF_OK;
}

enum ef_err ef_fd_line_set_lines(struct ef_line *line, bool dtr, bool rts)
{
    struct ef_fd_line *self = (struct ef_fd_line *)line;
    int bits = 0;
    if (ioctl(self->fd, TIOCMGET, &bits) < 0)
        return errno == EIO || errno == ENODEV ? EF_GONE : EF_UNSUPPORTED;
    bits &= ~(TIOCM_DTR | TIOCM_RTS);
    bits |= (dtr ? TIOCM_DTR : 0) | (rts ? TIOCM_RTS : 0);
    return ioctl(self->fd, TIOCMSET, &bits) < 0 ? EF_GONE : EF_OK;
}

enum ef_err ef_fd_line_set_one_line(struct ef_line *line, enum ef_modem_line which, bool on)
{
    struct ef_fd_line *self = (struct ef_fd_line *)line;
    int bit = which == EF_DTR ? TIOCM_DTR : TIOCM_RTS;
    if (ioctl(self->fd, on ? TIOCMBIS : TIOCMBIC, &bit) == 0)
        return EF_OK;
    return errno == EIO || errno == ENODEV ? EF_GONE : EF_UNSUPPORTED;
}

bool ef_fd_has_modem_lines(int fd)
{
    int bits;
    return ioctl(fd, TIOCMGET, &bits) == 0;
}

void ef_fd_line_close(struct ef_line *line)
{
    struct ef_fd_line *self = (struct ef_fd_line *)line;
    ef_fd_unlock(self->fd);
    close(self->fd);
    free(self);
}

void ef_fd_drain_output(int fd)
{
    ef_deadline deadline = ef_deadline_in(DRAIN_TIMEOUT_MS);
    int queued = 0;
    while (ioctl(fd, TIOCOUTQ, &queued) == 0 && queued > 0 && ef_deadline_left_ms(deadline) > 0)
        ef_clock_sleep_ms(1);
}
