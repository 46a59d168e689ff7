/* Lines over real descriptors: a socket on the loopback, and a pseudo terminal. */
#include "espflashfs/line.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

struct room {
    int listener, peer; /* the far end */
    char spec[300];
    struct ef_line *line;
    uint8_t buf[1 << 16];
};

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    room->listener = room->peer = -1;
    return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0; /* as the program does */
}

static void hang_up(struct room *room)
{
    if (room->peer >= 0)
        close(room->peer);
    room->peer = -1;
}

static int room_close(void **state)
{
    struct room *room = *state;
    ef_line_close(room->line);
    hang_up(room);
    if (room->listener >= 0)
        close(room->listener);
    free(room);
    return 0;
}

static ef_deadline later(void)
{
    return ef_deadline_in(10000);
}

/* Listens on a free port of the loopback; false without that kind of address. */
static bool listen_on(struct room *room, int family)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr *addr = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    socklen_t len = family == AF_INET ? sizeof(v4) : sizeof(v6);
    room->listener = socket(family, SOCK_STREAM, 0);
    if (room->listener < 0 || bind(room->listener, addr, len) != 0 ||
        listen(room->listener, 4) != 0 || getsockname(room->listener, addr, &len) != 0)
        return false;
    if (family == AF_INET)
        snprintf(room->spec, sizeof(room->spec), "socket://127.0.0.1:%u", ntohs(v4.sin_port));
    else
        snprintf(room->spec, sizeof(room->spec), "socket://[::1]:%u", ntohs(v6.sin6_port));
    return true;
}

static void connect_line(struct room *room)
{
    assert_int_equal(ef_line_open(room->spec, 115200, NULL, &room->line), EF_OK);
    room->peer = accept(room->listener, NULL, NULL);
    assert_true(room->peer >= 0);
}

/* Bytes there and back, read in as many pieces as they come. */
static void exchange(struct room *room)
{
    size_t got = 0;
    assert_int_equal(ef_line_write(room->line, (const uint8_t *)"to board", 8, later()), EF_OK);
    assert_int_equal(recv(room->peer, room->buf, 8, MSG_WAITALL), 8);
    assert_memory_equal(room->buf, "to board", 8);
    assert_int_equal(write(room->peer, "to host", 7), 7);
    for (size_t at = 0; at < 7; at += got)
        assert_int_equal(ef_line_read(room->line, room->buf + at, 7 - at, later(), &got), EF_OK);
    assert_memory_equal(room->buf, "to host", 7);
    assert_int_equal(room->line->bytes_in, 7);
    assert_int_equal(room->line->bytes_out, 8);
}

static void socket_exchange(void **state)
{
    struct room *room = *state;
    assert_true(listen_on(room, AF_INET));
    connect_line(room);
    exchange(room);
    assert_string_equal(room->line->name, room->spec);
    assert_string_equal(room->line->kind, "socket");
    /* The far end owns the baud, and there are no modem lines. */
    assert_int_equal(room->line->baud, 0);
    assert_int_equal(ef_line_set_baud(room->line, 9600), EF_UNSUPPORTED);
    assert_int_equal(ef_line_set_lines(room->line, true, true), EF_UNSUPPORTED);
    assert_false(ef_line_has_modem_lines(room->line));
}

static void socket_v6(void **state)
{
    struct room *room = *state;
    if (!listen_on(room, AF_INET6))
        skip();
    connect_line(room);
    exchange(room);
}

static void socket_silence(void **state)
{
    struct room *room = *state;
    size_t got = 7;
    assert_true(listen_on(room, AF_INET));
    connect_line(room);
    assert_int_equal(ef_line_read(room->line, room->buf, 8, ef_deadline_in(0), &got), EF_TIMEOUT);
    assert_int_equal(got, 0);
    assert_int_equal(ef_line_read(room->line, room->buf, 8, ef_deadline_in(5), &got), EF_TIMEOUT);
    /* Nobody reads at the far end: a write ends, too. */
    enum ef_err err = EF_OK;
    for (int i = 0; i < 10000 && err == EF_OK; i++)
        err = ef_line_write(room->line, room->buf, sizeof(room->buf), ef_deadline_in(5));
    assert_int_equal(err, EF_TIMEOUT);
}

/* What came before the hang-up is still delivered. */
static void socket_hang_up(void **state)
{
    struct room *room = *state;
    size_t got;
    assert_true(listen_on(room, AF_INET));
    connect_line(room);
    assert_int_equal(write(room->peer, "last words", 10), 10);
    hang_up(room);
    assert_int_equal(ef_line_read(room->line, room->buf, 5, later(), &got), EF_OK);
    assert_memory_equal(room->buf, "last ", got);
    while (ef_line_read(room->line, room->buf, 5, later(), &got) == EF_OK)
        continue;
    assert_int_equal(room->line->bytes_in, 10);
    assert_int_equal(ef_line_read(room->line, room->buf, 5, later(), &got), EF_GONE);
    assert_int_equal(ef_line_drain(room->line, 1), EF_GONE);
    enum ef_err err = EF_OK;
    for (int i = 0; i < 10000 && err == EF_OK; i++)
        err = ef_line_write(room->line, room->buf, 100, later());
    assert_int_equal(err, EF_GONE);
}

static void socket_drain(void **state)
{
    struct room *room = *state;
    size_t got;
    assert_true(listen_on(room, AF_INET));
    connect_line(room);
    assert_int_equal(write(room->peer, room->buf, 5000), 5000);
    assert_int_equal(ef_line_drain(room->line, 50), EF_OK);
    assert_int_equal(room->line->bytes_in, 5000);
    assert_int_equal(ef_line_read(room->line, room->buf, 5, ef_deadline_in(0), &got), EF_TIMEOUT);
}

static void socket_refused(void **state)
{
    struct room *room = *state;
    assert_true(listen_on(room, AF_INET));
    close(room->listener); /* the port was ours a moment ago: nobody listens there */
    room->listener = -1;
    assert_int_equal(ef_line_open(room->spec, 115200, NULL, &room->line), EF_GONE);
    assert_null(room->line);
}

static void bad_spelling(void **state)
{
    struct room *room = *state;
    static const char *const SPECS[] = {
        "socket://",        "socket://host",     "socket://host:",
        "socket://:80",     "socket://host:x",   "socket://host:1x",
        "socket://host: 1", "socket://host:-1",  "socket://[::1]",
        "socket://[]:80",   "socket://host:80/", "socket://host:0",
        "socket://h:65536", "socket://h:99999",  "socket://h:1234567890123456",
        "telnet://host:80", "http://host:80",    "://",
        "SOCKET://host:80", "rfc2217//host:80/", "/etc/passwd",
        "/dev/null",
    };
    for (size_t i = 0; i < sizeof(SPECS) / sizeof(SPECS[0]); i++) {
        enum ef_err err = ef_line_open(SPECS[i], 115200, NULL, &room->line);
        /* The third from the end is no URL, but a path that does not exist. */
        bool path = strcmp(SPECS[i], "rfc2217//host:80/") == 0;
        assert_int_equal(err, path ? EF_MISSING : EF_INVALID);
        assert_null(room->line);
    }
    char spec[400] = "socket://";
    memset(spec + 9, 'h', sizeof(spec) - 10);
    memcpy(spec + sizeof(spec) - 4, ":80", 4);
    assert_int_equal(ef_line_open(spec, 115200, NULL, &room->line), EF_INVALID);
    assert_int_equal(ef_line_open("/dev/no-such-port", 115200, NULL, &room->line), EF_MISSING);
}

/* The master's end of a new pty; its name is the spec. */
static void make_pty(struct room *room)
{
    room->peer = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(room->peer >= 0);
    assert_int_equal(grantpt(room->peer) | unlockpt(room->peer), 0);
    assert_int_equal(ptsname_r(room->peer, room->spec, sizeof(room->spec)), 0);
}

static void open_pty(struct room *room)
{
    make_pty(room);
    assert_int_equal(ef_line_open(room->spec, 115200, NULL, &room->line), EF_OK);
}

static speed_t speed(struct room *room)
{
    struct termios tio;
    assert_int_equal(tcgetattr(room->peer, &tio), 0);
    assert_int_equal(cfgetispeed(&tio), cfgetospeed(&tio));
    return cfgetospeed(&tio);
}

static void pty_is_raw(void **state)
{
    struct room *room = *state;
    static const uint8_t BYTES[] = {0x00, 0x03, 0x04, 0x0A, 0x0D, 0x11, 0x13,
                                    0x1A, 0x1C, 0x7F, 0x80, 0xC0, 0xDB, 0xFF};
    open_pty(room);
    size_t got = 0;
    assert_int_equal(write(room->peer, BYTES, sizeof(BYTES)), sizeof(BYTES));
    for (size_t at = 0; at < sizeof(BYTES); at += got)
        assert_int_equal(ef_line_read(room->line, room->buf + at, 64, later(), &got), EF_OK);
    assert_memory_equal(room->buf, BYTES, sizeof(BYTES));
    assert_int_equal(ef_line_write(room->line, BYTES, sizeof(BYTES), later()), EF_OK);
    for (size_t at = 0; at < sizeof(BYTES);) {
        ssize_t n = read(room->peer, room->buf + at, 64);
        assert_true(n > 0);
        at += (size_t)n;
    }
    assert_memory_equal(room->buf, BYTES, sizeof(BYTES));
    assert_int_equal(ef_line_read(room->line, room->buf, 8, ef_deadline_in(5), &got), EF_TIMEOUT);
    assert_string_equal(room->line->kind, "tty");
}

static void pty_baud(void **state)
{
    struct room *room = *state;
    open_pty(room);
    assert_int_equal(speed(room), B115200);
    assert_int_equal(room->line->baud, 115200);
    assert_int_equal(ef_line_set_baud(room->line, 921600), EF_OK);
    assert_int_equal(speed(room), B921600);
    assert_int_equal(room->line->baud, 921600);
    assert_false(ef_line_has_modem_lines(room->line));
    assert_int_equal(ef_line_set_lines(room->line, true, false), EF_UNSUPPORTED);
}

static void pty_hang_up(void **state)
{
    struct room *room = *state;
    size_t got;
    open_pty(room);
    hang_up(room);
    assert_int_equal(ef_line_read(room->line, room->buf, 8, later(), &got), EF_GONE);
    assert_int_equal(ef_line_write(room->line, room->buf, 8, later()), EF_GONE);
    assert_int_equal(ef_line_drain(room->line, 1), EF_GONE);
}

static void pty_is_held_alone(void **state)
{
    struct room *room = *state;
    struct ef_line *second = NULL;
    open_pty(room);
    assert_int_equal(ef_line_open(room->spec, 115200, NULL, &second), EF_BUSY);
    assert_null(second);
    /* And free again once it is closed, although the far end stays open. */
    ef_line_close(room->line);
    room->line = NULL;
    assert_int_equal(ef_line_open(room->spec, 115200, NULL, &room->line), EF_OK);
}

/* Another process that holds the port by flock(2), as other serial programs do. */
static void pty_held_by_another(void **state)
{
    struct room *room = *state;
    int ready[2];
    make_pty(room);
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = open(room->spec, O_RDWR | O_NOCTTY);
        char ok = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 ? 'y' : 'n';
        if (write(ready[1], &ok, 1) == 1)
            pause();
        _exit(0);
    }
    char ok = 0;
    char path[] = "/tmp/ef-line-XXXXXX";
    close(mkstemp(path));
    struct ef_log log;
    ef_log_init(&log, "test", EF_LOG_INFO);
    log.to_stderr = false;
    assert_int_equal(ef_log_open_file(&log, path), 0);
    assert_int_equal(read(ready[0], &ok, 1), 1);
    enum ef_err err = ef_line_open(room->spec, 115200, &log, &room->line);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    ef_log_free(&log);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    room->buf[fread(room->buf, 1, sizeof(room->buf) - 1, file)] = '\0';
    fclose(file);
    unlink(path);
    close(ready[0]);
    close(ready[1]);
    assert_int_equal(ok, 'y');
    assert_int_equal(err, EF_BUSY);
    char who[64];
    snprintf(who, sizeof(who), "(process %ld)", (long)pid);
    assert_non_null(strstr((char *)room->buf, who));
    /* It is gone: the port is free. */
    assert_int_equal(ef_line_open(room->spec, 115200, NULL, &room->line), EF_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(socket_exchange, room_open, room_close),
        cmocka_unit_test_setup_teardown(socket_v6, room_open, room_close),
        cmocka_unit_test_setup_teardown(socket_silence, room_open, room_close),
        cmocka_unit_test_setup_teardown(socket_hang_up, room_open, room_close),
        cmocka_unit_test_setup_teardown(socket_drain, room_open, room_close),
        cmocka_unit_test_setup_teardown(socket_refused, room_open, room_close),
        cmocka_unit_test_setup_teardown(bad_spelling, room_open, room_close),
        cmocka_unit_test_setup_teardown(pty_is_raw, room_open, room_close),
        cmocka_unit_test_setup_teardown(pty_baud, room_open, room_close),
        cmocka_unit_test_setup_teardown(pty_hang_up, room_open, room_close),
        cmocka_unit_test_setup_teardown(pty_is_held_alone, room_open, room_close),
        cmocka_unit_test_setup_teardown(pty_held_by_another, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
