/* socket://HOST:PORT: raw TCP to a network serial server, which owns baud and modem lines. */
#include "fd_line.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECT_TIMEOUT_MS = 5000 };

static const struct ef_line_ops SOCKET = {
    .read = ef_fd_line_read, .write = ef_fd_line_write, .close = ef_fd_line_close};

/* "socket://host:port" or "socket://[v6]:port" to its parts. */
static enum ef_err split_spec(const char *spec, char host[256], char port[16])
{
    const char *s = strstr(spec, "://") + 3;
    const char *colon = strrchr(s, ':');
    if (!colon || colon == s || strlen(colon + 1) == 0 || strlen(colon + 1) >= 16 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return EF_INVALID;
    /* getaddrinfo takes 65616 for 80. */
    unsigned long long number = strtoull(colon + 1, NULL, 10);
    if (number == 0 || number > UINT16_MAX)
        return EF_INVALID;
    size_t len = (size_t)(colon - s);
    if (s[0] == '[' && s[len - 1] == ']') {
        s++;
        len -= 2;
    }
    if (len == 0 || len >= 256)
        return EF_INVALID;
    memcpy(host, s, len);
    host[len] = '\0';
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    return EF_OK;
}

/* 0, or the errno of the failed attempt. */
static int connect_within(int fd, const struct addrinfo *ai, ef_deadline deadline)
{
    if (connect(fd, ai->ai_addr, ai->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int n;
    do {
        n = poll(&p, 1, ef_deadline_left_ms(deadline));
    } while (n < 0 && errno == EINTR);
    if (n == 0)
        return ETIMEDOUT;
    int error = 0;
    socklen_t len = sizeof(error);
    if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return errno;
    return error;
}

static enum ef_err report_failure(const char *spec, int error, struct ef_log *log)
{
    if (error == ETIMEDOUT) {
        ef_log(log, EF_LOG_ERROR, "%s: no connection within %d s: is the host up, the port right?",
               spec, CONNECT_TIMEOUT_MS / 1000);
        return EF_TIMEOUT;
    }
    ef_log(log, EF_LOG_ERROR, "%s: %s: is the serial server running there?", spec, strerror(error));
    return EF_GONE;
}

static int connect_any(const struct addrinfo *list, int *error)
{
    ef_deadline deadline = ef_deadline_in(CONNECT_TIMEOUT_MS);
    *error = ECONNREFUSED;
    for (const struct addrinfo *ai = list; ai; ai = ai->ai_next) {
        int fd =
            socket(ai->ai_family, ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, ai->ai_protocol);
        if (fd < 0) {
            *error = errno;
            continue;
        }
        *error = connect_within(fd, ai, deadline);
        if (*error == 0)
            return fd;
        close(fd);
    }
    return -1;
}

enum ef_err ef_socket_open(const char *spec, struct ef_log *log, struct ef_line **line)
{
    char host[256];
    char port[16];
    if (split_spec(spec, host, port) != EF_OK) {
        ef_log(log, EF_LOG_ERROR, "%s: write it as socket://HOST:PORT", spec);
        return EF_INVALID;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list;
    int rc = getaddrinfo(host, port, &hints, &list);
    if (rc != 0) {
        ef_log(log, EF_LOG_ERROR, "%s: %s", spec, gai_strerror(rc));
        return EF_MISSING;
    }
    int error;
    int fd = connect_any(list, &error);
    freeaddrinfo(list);
    if (fd < 0)
        return report_failure(spec, error, log);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    struct ef_fd_line *self = ef_fd_line_new(fd, "socket", &SOCKET);
    if (!self)
        return EF_NOMEM;
    *line = &self->line;
    return EF_OK;
}
