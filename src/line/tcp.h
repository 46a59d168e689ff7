/* A TCP connection to a network serial server, for the kinds of line that go over one. */
#ifndef ESPFLASHFS_TCP_H
#define ESPFLASHFS_TCP_H

#include "espflashfs/error.h"
#include "espflashfs/log.h"

struct ef_tcp_address {
    char host[256];
    char port[16];
    const char *query; /* what follows a `?` of the spelling, or NULL */
};

/*
 * KIND://HOST:PORT, KIND://[V6]:PORT, either with a query behind; `spec` must outlive
 * *address. EF_INVALID for anything else.
 */
enum ef_err ef_tcp_parse(const char *spec, struct ef_tcp_address *address);

/*
 * Connects within 5 s; *fd is non-blocking, and the caller's. A failure is logged under the
 * name `spec`: EF_MISSING (no such host), EF_TIMEOUT, EF_GONE (refused).
 */
enum ef_err ef_tcp_connect(const char *spec, const struct ef_tcp_address *address,
                           struct ef_log *log, int *fd);

#endif
