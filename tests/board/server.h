/* Joins a board and an endpoint in real time, until a signal ends it. */
#ifndef EB_SERVER_H
#define EB_SERVER_H

#include "board.h"
#include "endpoint.h"
#include "line_in.h"
#include "line_out.h"

#include <signal.h>

enum { EB_PENDING_CAP = 65536 };

struct eb_server {
    struct eb_board *board;
    struct eb_endpoint *endpoint;
    struct eb_line_in *in;
    struct eb_line_out *out;
    const char *listen;        /* as --listen has it */
    const char *counters_path; /* NULL: none */
    bool connected;
    bool away;       /* the endpoint is closed, as it is while the board is unplugged, ... */
    int64_t back_ns; /* ... until then */
    uint8_t pending[EB_PENDING_CAP]; /* due, but not taken by the host yet */
    size_t pending_len;
    bool counters_stale;
    int64_t counters_ns; /* when the file was written */
};

/* An eb_outlet towards the server's line out; `ctx` is the server. */
void eb_server_outlet(void *ctx, const uint8_t *bytes, size_t len, int64_t start_ns,
                      int64_t byte_ns);
/* Its eb_cut. */
void eb_server_cut(void *ctx, int64_t now_ns);

/*
 * Serves one host after another. SIGTERM and SIGINT end it, SIGUSR1 writes the counters,
 * SIGUSR2 presses the board's buttons; they must be blocked by the caller and are taken through a
 * descriptor. Blocks until then. 0, or -1 with errno set.
 */
int eb_server_run(struct eb_server *server);

#endif
