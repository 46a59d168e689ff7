#include "endpoint.h"

#include "espflashfs/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4 };

int eb_endpoint_accept(const struct eb_endpoint *endpoint)
{
    int on = 1;
    int fd = accept4(endpoint->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

static int socket_look(struct eb_endpoint *endpoint, bool *connected)
{
    if (endpoint->fd < 0)
        endpoint->fd = eb_endpoint_accept(endpoint);
    *connected = endpoint->fd >= 0;
    return *connected ? endpoint->fd : endpoint->listen_fd;
}

/* A raw socket carries no baud: the far end is taken to follow the board's. */
static uint32_t socket_host_baud(const struct eb_endpoint *endpoint)
{
    (void)endpoint;
    return 0;
}

static void socket_hang_up(struct eb_endpoint *endpoint)
{
    if (endpoint->fd >= 0)
        close(endpoint->fd);
    endpoint->fd = -1;
}

static void socket_close(struct eb_endpoint *endpoint)
{
    socket_hang_up(endpoint);
    close(endpoint->listen_fd);
}

static const struct eb_endpoint_kind SOCKET_KIND = {.look = socket_look,
                                                    .host_baud = socket_host_baud,
                                                    .hang_up = socket_hang_up,
                                                    .close = socket_close};

int eb_endpoint_open_socket(struct eb_endpoint *endpoint, const char *port, char *why,
                            size_t why_cap)
{
    uint64_t number;
    if (ef_text_to_u64(port, &number) != EF_OK || number > UINT16_MAX) {
        snprintf(why, why_cap, "'%s' is no port", port);
        return -1;
    }
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                               .sin_port = htons((uint16_t)number)};
    socklen_t addr_len = sizeof(addr);
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&addr, addr_len) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &addr_len) < 0) {
        snprintf(why, why_cap, "cannot listen on port %s: %s", port, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    endpoint->kind = &SOCKET_KIND;
    endpoint->listen_fd = fd;
    snprintf(endpoint->name, sizeof(endpoint->name), "127.0.0.1:%u", ntohs(addr.sin_port));
    return 0;
}
