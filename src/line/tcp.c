/* Connections to network serial servers. */
#include "tcp.h"

#include "espflashfs/clock.h"

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

enum ef_err ef_tcp_parse(const char *spec, struct ef_tcp_address *address)
{
    const char *s = strstr(spec, "://") + 3;
    const char *query = strchr(s, '?');
    size_t all = query ? (size_t)(query - s) : strlen(s);
    const char *colon = memrchr(s, ':', all);
    if (!colon || colon == s)
        return EF_INVALID;
    size_t len = (size_t)(colon - s);
    size_t digits = all - len - 1;
    if (digits == 0 || digits >= sizeof(address->port) || strspn(colon + 1, "0123456789") != digits)
        return EF_INVALID;
    /* getaddrinfo takes 65616 for 80. */
    unsigned long long number = strtoull(colon + 1, NULL, 10);
    if (number == 0 || number > UINT16_MAX)
        return EF_INVALID;
    if (s[0] == '[' && s[len - 1] == ']') {
        s++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof(address->host))
        return EF_INVALID;
    memcpy(address->host, s, len);
    address->host[len] = '\0';
    memcpy(address->port, colon + 1, digits);
    address->port[digits] = '\0';
    address->query = query ? query + 1 : NULL;
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

enum ef_err ef_tcp_connect(const char *spec, const struct ef_tcp_address *address,
                           struct ef_log *log, int *fd)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list;
    int rc = getaddrinfo(address->host, address->port, &hints, &list);
    if (rc != 0) {
        ef_log(log, EF_LOG_ERROR, "%s: %s", spec, gai_strerror(rc));
        return EF_MISSING;
    }
    int error;
    *fd = connect_any(list, &error);
    freeaddrinfo(list);
    if (*fd < 0)
        return report_failure(spec, error, log);
    int on = 1;
    setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(*fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    return EF_OK;
}
