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

/* `hung_up`, where it is not NULL, tells that the far end has left, although there may be data. */
static enum ef_err wait_ready(int fd, short events, ef_deadline deadline, bool *hung_up)
{
    struct pollfd p = {.fd = fd, .events = (short)(events | POLLRDHUP)};
    for (;;) {
        int n = poll(&p, 1, ef_deadline_left_ms(deadline));
        if (n == 0)
            return EF_TIMEOUT;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 || (p.revents & POLLNVAL))
            return EF_GONE;
        if (hung_up)
            *hung_up = (p.revents & (POLLHUP | POLLERR | POLLRDHUP)) != 0;
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
    bool polled = false;
    bool hung_up = false;
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
        /* 0 from a raw tty with VMIN=0 means "nothing yet", from a socket "closed", from a tty
         * whose device left "gone": poll tells them apart. */
        if (n == 0 && hung_up)
            return EF_GONE;
        /* Another program may have emptied the tty's buffer meanwhile. */
        if (polled && ef_deadline_left_ms(deadline) == 0)
            return EF_TIMEOUT;
        enum ef_err err = wait_ready(self->fd, POLLIN, deadline, &hung_up);
        if (err != EF_OK)
            return err;
        polled = true;
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
        enum ef_err err = wait_ready(self->fd, POLLOUT, deadline, NULL);
        if (err != EF_OK)
            return err;
    }
    return EF_OK;
}

enum ef_err ef_fd_error(int error)
{
    switch (error) {
    case ENOTTY:
    case EINVAL:
    case ENOSYS:
    case EOPNOTSUPP:
    case EPIPE: /* a USB device that refuses the request */
        return EF_UNSUPPORTED;
    default:
        /* EIO from a tty that was hung up; ENODEV, EPROTO, ESHUTDOWN and more before that. */
        return EF_GONE;
    }
}

static enum ef_err modem_ioctl(int fd, unsigned long request, int *bits)
{
    int n;
    do {
        n = ioctl(fd, request, bits);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? ef_fd_error(errno) : EF_OK;
}

enum ef_err ef_fd_line_set_lines(struct ef_line *line, bool dtr, bool rts)
{
    struct ef_fd_line *self = (struct ef_fd_line *)line;
    int bits = 0;
    enum ef_err err = modem_ioctl(self->fd, TIOCMGET, &bits);
    if (err != EF_OK)
        return err;
    self->asserted[EF_DTR] = dtr;
    self->asserted[EF_RTS] = rts;
    bits &= ~(TIOCM_DTR | TIOCM_RTS);
    bits |= (dtr ? TIOCM_DTR : 0) | (rts ? TIOCM_RTS : 0);
    return modem_ioctl(self->fd, TIOCMSET, &bits);
}

enum ef_err ef_fd_line_set_one_line(struct ef_line *line, enum ef_modem_line which, bool on)
{
    struct ef_fd_line *self = (struct ef_fd_line *)line;
    self->asserted[which] = on;
    int bit = which == EF_DTR ? TIOCM_DTR : TIOCM_RTS;
    return modem_ioctl(self->fd, on ? TIOCMBIS : TIOCMBIC, &bit);
}

bool ef_fd_has_modem_lines(int fd)
{
    int bits;
    return ioctl(fd, TIOCMGET, &bits) == 0;
}

void ef_fd_line_close(struct ef_line *line)
{
    struct ef_fd_line *self = (struct ef_fd_line *)line;
    close(self->fd);
    free(self);
}

bool ef_fd_drain_output(int fd)
{
    ef_deadline deadline = ef_deadline_in(DRAIN_TIMEOUT_MS);
    int queued = 0;
    while (ioctl(fd, TIOCOUTQ, &queued) == 0 && queued > 0) {
        if (ef_deadline_left_ms(deadline) == 0)
            return false;
        ef_clock_sleep_ms(1);
    }
    return true;
}
