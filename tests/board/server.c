#include "server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_SIGNAL, WAIT_HOST, WAIT_COUNT };

static const int64_t NS_PER_MS = 1000LL * 1000;
static const int64_t NS_PER_S = 1000LL * 1000 * 1000;
static const int64_t COUNTERS_EVERY_NS = 50LL * 1000 * 1000;
static const int64_t LOOK_EVERY_NS = 20LL * 1000 * 1000; /* for a pty that nobody has open */
static const int64_t OUT_GRAIN_NS = 200LL * 1000;        /* bytes that follow closely go together */

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void write_counters(struct eb_server *server, int64_t now)
{
    if (server->counters_path &&
        eb_counters_write(eb_board_counters(server->board), eb_board_nor(server->board),
                          server->counters_path) < 0)
        eb_event(eb_board_log(server->board), "cannot write %s: %s", server->counters_path,
                 strerror(errno));
    server->counters_stale = false;
    server->counters_ns = now;
}

static void set_connected(struct eb_server *server, bool connected, int64_t now)
{
    if (connected == server->connected)
        return;
    server->connected = connected;
    eb_line_out_clear(server->out);
    server->pending_len = 0;
    if (connected)
        eb_board_connected(server->board, now);
    else
        eb_board_hung_up(server->board, now);
}

static void lose_host(struct eb_server *server, int64_t now)
{
    server->endpoint->kind->hang_up(server->endpoint);
    set_connected(server, false, now);
}

static void read_host(struct eb_server *server, int64_t now)
{
    uint8_t bytes[4096];
    size_t room = eb_line_in_room(server->in);
    size_t cap = room < sizeof(bytes) ? room : sizeof(bytes);
    struct eb_endpoint *endpoint = server->endpoint;
    ssize_t n = endpoint->kind->read ? endpoint->kind->read(endpoint, bytes, cap)
                                     : read(endpoint->fd, bytes, cap);
    if (n > 0)
        eb_line_in_put(server->in, bytes, (size_t)n, now);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        lose_host(server, now);
}

void eb_server_outlet(void *ctx, const uint8_t *bytes, size_t len, int64_t start_ns,
                      int64_t byte_ns)
{
    struct eb_server *server = ctx;
    uint8_t chunk[1024];
    while (len > 0) {
        size_t n = len < sizeof(chunk) ? len : sizeof(chunk);
        memcpy(chunk, bytes, n);
        /* Judged as they leave: the host changes its baud after what it got at the old one. */
        eb_line_garble(server->in, chunk, n);
        eb_line_out_put(server->out, chunk, n, start_ns, byte_ns);
        start_ns += (int64_t)n * byte_ns;
        bytes += n;
        len -= n;
    }
}

void eb_server_cut(void *ctx, int64_t now_ns)
{
    struct eb_server *server = ctx;
    eb_line_out_cut(server->out, now_ns);
    if (server->endpoint->kind->chip_off)
        server->endpoint->kind->chip_off(server->endpoint);
}

static void take_lines(void *ctx, bool dtr, bool rts)
{
    struct eb_server *server = ctx;
    eb_board_set_lines(server->board, dtr, rts, now_ns());
}

static void take_purge(void *ctx, bool to_host, bool to_board)
{
    struct eb_server *server = ctx;
    if (to_board)
        eb_line_in_clear(server->in);
    while (to_host) {
        server->pending_len = 0;
        to_host = eb_line_out_take(server->out, now_ns(), server->pending, EB_PENDING_CAP) > 0;
    }
}

static bool more_out(const struct eb_server *server)
{
    const struct eb_endpoint *endpoint = server->endpoint;
    return server->pending_len > 0 ||
           (server->connected && endpoint->kind->more_out && endpoint->kind->more_out(endpoint));
}

static void write_host(struct eb_server *server, int64_t now)
{
    uint8_t *free_part = server->pending + server->pending_len;
    size_t n = eb_line_out_take(server->out, now, free_part, EB_PENDING_CAP - server->pending_len);
    server->pending_len += n;
    if (!server->connected)
        server->pending_len = 0;
    if (!more_out(server))
        return;
    struct eb_endpoint *endpoint = server->endpoint;
    ssize_t sent = endpoint->kind->write
                       ? endpoint->kind->write(endpoint, server->pending, server->pending_len)
                       : write(endpoint->fd, server->pending, server->pending_len);
    if (sent > 0) {
        server->pending_len -= (size_t)sent;
        memmove(server->pending, server->pending + sent, server->pending_len);
    } else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        lose_host(server, now);
    }
}

static void take_host_baud(struct eb_server *server)
{
    uint32_t baud = server->away ? 0 : server->endpoint->kind->host_baud(server->endpoint);
    if (baud != server->in->host_baud)
        eb_event(eb_board_log(server->board), "HOST BAUD %u", baud);
    server->in->host_baud = baud;
}

/* Everything that is due by now; returns when to come again. */
static int64_t run_due(struct eb_server *server, int64_t now)
{
    take_host_baud(server);
    int64_t next = eb_line_in_advance(server->in, now);
    next = earlier(next, eb_board_advance(server->board, now));
    write_host(server, now);
    int64_t out_ns = eb_line_out_next_ns(server->out);
    if (out_ns != INT64_MAX)
        next = earlier(next, out_ns + (eb_board_byte_ns(server->board) > 0 ? OUT_GRAIN_NS : 0));
    server->counters_stale = eb_board_take_changed(server->board) || server->counters_stale;
    if (server->counters_stale && now - server->counters_ns >= COUNTERS_EVERY_NS)
        write_counters(server, now);
    if (server->counters_stale)
        next = earlier(next, server->counters_ns + COUNTERS_EVERY_NS);
    return next;
}

static bool more_in(const struct eb_server *server)
{
    const struct eb_endpoint *endpoint = server->endpoint;
    return server->connected && endpoint->kind->more_in && endpoint->kind->more_in(endpoint);
}

/* Bytes before a change of baud or lines reach the board before it. */
static void read_all(struct eb_server *server)
{
    for (;;) {
        read_host(server, now_ns());
        if (!more_in(server) || eb_line_in_room(server->in) == 0)
            return;
        run_due(server, now_ns());
    }
}

/* True if a signal asks to end. */
static bool take_signal(struct eb_server *server, int signal_fd)
{
    struct signalfd_siginfo info;
    while (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGUSR1)
            write_counters(server, now_ns());
        else if (info.ssi_signo == SIGUSR2)
            eb_board_press_buttons(server->board, now_ns());
        else
            return true;
    }
    return false;
}

static void attach_endpoint(struct eb_server *server)
{
    server->endpoint->on_lines = take_lines;
    server->endpoint->on_purge = take_purge;
    server->endpoint->on_lines_ctx = server;
    server->endpoint->log = eb_board_log(server->board);
    server->in->baud_counts = server->endpoint->kind->baud_counts;
}

/* What was in the cable is lost. */
static void unplug(struct eb_server *server, int64_t now)
{
    struct eb_faults *faults = eb_board_faults(server->board);
    eb_event(eb_board_log(server->board), "FAULT %s", faults->unplugged ? "unplug" : "hang-up");
    if (faults->unplugged)
        eb_board_set_power(server->board, false, now);
    set_connected(server, false, now);
    eb_line_in_clear(server->in);
    server->endpoint->kind->close(server->endpoint);
    server->away = true;
    server->back_ns = now + (int64_t)faults->away_ms * NS_PER_MS;
}

/* The endpoint as it was, on the very port that it had. */
static bool reopen(struct eb_server *server)
{
    char where[PATH_MAX];
    char why[EB_WHY_CAP];
    const char *listen = server->listen;
    const char *rest = strchr(listen, ':') + 1;
    const char *port = strrchr(server->endpoint->name, ':');
    if (port && strncmp(listen, "pty:", 4) != 0)
        snprintf(where, sizeof(where), "%.*s%s%s", (int)(rest - listen), listen, port + 1,
                 rest + strcspn(rest, ":"));
    else
        snprintf(where, sizeof(where), "%s", listen);
    if (eb_endpoint_open(server->endpoint, where, why, sizeof(why)) == 0)
        return true;
    eb_event(eb_board_log(server->board), "%s", why);
    return false;
}

static void plug_in(struct eb_server *server, int64_t now)
{
    struct eb_faults *faults = eb_board_faults(server->board);
    if (!reopen(server)) {
        server->back_ns = now + LOOK_EVERY_NS;
        return;
    }
    attach_endpoint(server);
    server->away = false;
    faults->broken = false;
    if (faults->unplugged)
        eb_board_set_power(server->board, true, now);
}

/* The host's descriptor to wait on, or -1. */
static int look(struct eb_server *server, bool *connected)
{
    int64_t now = now_ns();
    if (!server->away && eb_board_faults(server->board)->broken)
        unplug(server, now);
    if (server->away && server->back_ns <= now)
        plug_in(server, now);
    *connected = false;
    return server->away ? -1 : server->endpoint->kind->look(server->endpoint, connected);
}

static int wait_until(struct pollfd *fds, int64_t next)
{
    struct timespec timeout;
    int64_t left = next == EB_NEVER ? -1 : next - now_ns();
    if (next != EB_NEVER && left < 0)
        left = 0;
    timeout.tv_sec = (time_t)(left / NS_PER_S);
    timeout.tv_nsec = (long)(left % NS_PER_S);
    int n = ppoll(fds, WAIT_COUNT, left < 0 ? NULL : &timeout, NULL);
    return n < 0 && errno != EINTR ? -1 : 0;
}

static int serve(struct eb_server *server, int signal_fd)
{
    for (;;) {
        bool connected;
        int host_fd = look(server, &connected);
        set_connected(server, connected, now_ns());
        int64_t next = run_due(server, now_ns());
        if (eb_board_powerless(server->board)) {
            eb_event(eb_board_log(server->board), "POWER failed");
            return 0;
        }
        if (host_fd < 0)
            next = earlier(next, now_ns() + LOOK_EVERY_NS);
        bool room = eb_line_in_room(server->in) > 0;
        struct pollfd fds[WAIT_COUNT] = {
            [WAIT_SIGNAL] = {.fd = signal_fd, .events = POLLIN},
            [WAIT_HOST] = {.fd = host_fd,
                           .events =
                               (short)((room ? POLLIN : 0) | (more_out(server) ? POLLOUT : 0))}};
        bool broke = eb_board_faults(server->board)->broken && !server->away;
        if (server->connected != connected || broke)
            continue; /* the host left, or the line, while it was written to */
        if (room && more_in(server))
            next = now_ns();
        if (wait_until(fds, next) < 0)
            return -1;
        if ((fds[WAIT_SIGNAL].revents & POLLIN) != 0 && take_signal(server, signal_fd))
            return 0;
        bool readable = (fds[WAIT_HOST].revents & (POLLIN | POLLERR)) != 0 || more_in(server);
        if (connected && readable && room)
            read_all(server);
    }
}

int eb_server_run(struct eb_server *server)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGUSR2);
    int signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signal_fd < 0)
        return -1;
    attach_endpoint(server);
    write_counters(server, now_ns());
    int result = serve(server, signal_fd);
    write_counters(server, now_ns());
    close(signal_fd);
    return result;
}
