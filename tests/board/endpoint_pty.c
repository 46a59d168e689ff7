#include "endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* The master shows POLLHUP for as long as nobody has the slave open. */
static int pty_look(struct eb_endpoint *endpoint, bool *connected)
{
    struct pollfd pfd = {.fd = endpoint->fd, .events = POLLIN};
    *connected = poll(&pfd, 1, 0) >= 0 && (pfd.revents & POLLHUP) == 0;
    return *connected ? endpoint->fd : -1;
}

static uint32_t pty_host_baud(const struct eb_endpoint *endpoint)
{
    return eb_terminal_baud(endpoint->fd);
}

static void pty_hang_up(struct eb_endpoint *endpoint)
{
    (void)endpoint;
}

static void pty_close(struct eb_endpoint *endpoint)
{
    close(endpoint->fd);
    unlink(endpoint->name);
}

static const struct eb_endpoint_kind PTY_KIND = {
    .look = pty_look, .host_baud = pty_host_baud, .hang_up = pty_hang_up, .close = pty_close};

/* Opening and closing the slave once makes the master show that nobody is there. */
static int make_raw(const char *slave)
{
    struct termios settings;
    int fd = open(slave, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result = tcgetattr(fd, &settings);
    if (result == 0) {
        cfmakeraw(&settings);
        cfsetspeed(&settings, B115200);
        result = tcsetattr(fd, TCSANOW, &settings);
    }
    close(fd);
    return result;
}

static int link_to(const char *slave, const char *link)
{
    struct stat st;
    if (lstat(link, &st) == 0 && S_ISLNK(st.st_mode) && unlink(link) < 0)
        return -1;
    return symlink(slave, link);
}

int eb_endpoint_open_pty(struct eb_endpoint *endpoint, const char *link, char *why, size_t why_cap)
{
    char slave[PATH_MAX];
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || grantpt(fd) < 0 || unlockpt(fd) < 0 || ptsname_r(fd, slave, sizeof(slave)) != 0 ||
        make_raw(slave) < 0 || link_to(slave, link) < 0) {
        snprintf(why, why_cap, "cannot make a pty at %s: %s", link, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    endpoint->kind = &PTY_KIND;
    endpoint->fd = fd;
    snprintf(endpoint->name, sizeof(endpoint->name), "%s", link);
    return 0;
}
