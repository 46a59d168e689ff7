/*
 * Where a host reaches the board: a listening socket, or a pseudo terminal. One host at a
 * time. Every call returns at once; nothing here knows the serial protocol.
 */
#ifndef EB_ENDPOINT_H
#define EB_ENDPOINT_H

#include "event_log.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct eb_endpoint;

struct eb_endpoint_kind {
    /*
     * A host that came or left since the last call: *connected is set anew. Returns the
     * descriptor to wait on for reading, -1 if there is none to wait on just now.
     */
    int (*look)(struct eb_endpoint *endpoint, bool *connected);
    /* The host's baud, 0 where the line has none. */
    uint32_t (*host_baud)(const struct eb_endpoint *endpoint);
    bool baud_counts; /* a baud unlike the board's garbles, whatever the line rate */
    /* As read(2) and write(2); NULL: those, on `fd`. What comes with the bytes of other kinds
     * (modem lines) is told through `on_lines` in its place among them. */
    ssize_t (*read)(struct eb_endpoint *endpoint, uint8_t *buf, size_t cap);
    ssize_t (*write)(struct eb_endpoint *endpoint, const uint8_t *buf, size_t len);
    /* Bytes read or taken that read or write has not passed on yet; NULL: there are never any. */
    bool (*more_in)(const struct eb_endpoint *endpoint);
    bool (*more_out)(const struct eb_endpoint *endpoint);
    /* The chip is held in reset; NULL: the line does not notice. */
    void (*chip_off)(struct eb_endpoint *endpoint);
    /* The host is gone as far as reading or writing showed. */
    void (*hang_up)(struct eb_endpoint *endpoint);
    void (*close)(struct eb_endpoint *endpoint);
};

struct eb_endpoint {
    const struct eb_endpoint_kind *kind;
    void (*on_lines)(void *ctx, bool dtr, bool rts); /* set by the server */
    /* Bytes that wait in the server, board to host or host to board, are dropped. */
    void (*on_purge)(void *ctx, bool to_host, bool to_board);
    void *on_lines_ctx;       /* of both */
    struct eb_event_log *log; /* the board's; set by the server */
    void *state;              /* the kind's own */
    int listen_fd;            /* a socket's; -1 else */
    int fd;                   /* to the host; a socket's is -1 while there is none */
    char name[PATH_MAX];      /* what `listening on` says, and a pty's link to remove */
};

/*
 * `where` is socket:PORT, rfc2217:PORT, usbip:PORT[:KIND] or pty:LINK. 0, or -1 with a sentence in
 * `why`. Sockets listen on 127.0.0.1 alone; port 0 picks a free one. An existing LINK that is a
 * symbolic link is replaced.
 */
int eb_endpoint_open(struct eb_endpoint *endpoint, const char *where, char *why, size_t why_cap);

/* The kinds, by what follows the colon. */
int eb_endpoint_open_socket(struct eb_endpoint *endpoint, const char *port, char *why,
                            size_t why_cap);
int eb_endpoint_open_rfc2217(struct eb_endpoint *endpoint, const char *port, char *why,
                             size_t why_cap);
int eb_endpoint_open_usbip(struct eb_endpoint *endpoint, const char *where, char *why,
                           size_t why_cap);
int eb_endpoint_open_pty(struct eb_endpoint *endpoint, const char *link, char *why, size_t why_cap);

/* Takes a host that knocks at listen_fd: its socket, which does not block, or -1. */
int eb_endpoint_accept(const struct eb_endpoint *endpoint);

/* The output speed set on a terminal, whatever number it is; 0 if it cannot be told. */
uint32_t eb_terminal_baud(int fd);

#endif
