#include "options.h"
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *why)
{
    fprintf(stderr, "espboard: %s\n", why);
    return EXIT_FAILURE;
}

static int serve(struct eb_server *server)
{
    printf("listening on %s\n", server->endpoint->name);
    fflush(stdout);
    int result = eb_server_run(server);
    return result == 0 ? EXIT_SUCCESS : fail(strerror(errno));
}

static void block_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGUSR2);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
    struct eb_options options;
    struct eb_endpoint endpoint;
    struct eb_line_out out;
    struct eb_board *board = NULL;
    char why[EB_WHY_CAP] = "out of memory";
    if (eb_options_parse(&options, argc, argv, why, sizeof(why)) < 0)
        return fail(why);
    if (options.help) {
        eb_options_help(stdout);
        return EXIT_SUCCESS;
    }
    block_signals();
    if (eb_event_log_open(&options.config.log, options.log_path) < 0)
        return fail(strerror(errno));
    eb_line_out_init(&out, options.latency_ns);
    out.usb_hold = options.usb_hold;
    struct eb_server *server = calloc(1, sizeof(*server));
    struct eb_line_in *in = calloc(1, sizeof(*in));
    options.config.outlet = eb_server_outlet;
    options.config.cut = eb_server_cut;
    options.config.outlet_ctx = server;
    if (server && in)
        board = eb_board_new(&options.config, why);
    int status = EXIT_FAILURE;
    if (!board || eb_endpoint_open(&endpoint, options.listen, why, sizeof(why)) < 0) {
        fail(why);
        goto out;
    }
    eb_line_in_init(in, board);
    server->board = board;
    server->endpoint = &endpoint;
    server->in = in;
    server->out = &out;
    server->listen = options.listen;
    server->counters_path = options.counters_path;
    status = serve(server);
    if (!server->away)
        endpoint.kind->close(&endpoint);
out:
    if (board)
        eb_board_free(board);
    else
        eb_event_log_close(&options.config.log);
    eb_line_out_free(&out);
    free(in);
    free(server);
    return status;
}
