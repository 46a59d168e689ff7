/* The simulated board's RFC 2217 endpoint, and hosts that ask it wrong things. */
#include "endpoint.h"

#include "espflashfs/telnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { WAIT_MS = 10000 };

struct room {
    struct eb_endpoint endpoint;
    struct eb_event_log log;
    int host;
    char lines[256]; /* the modem lines' story */
};

static void take_lines(void *ctx, bool dtr, bool rts)
{
    struct room *room = ctx;
    size_t len = strlen(room->lines);
    snprintf(room->lines + len, sizeof(room->lines) - len, "%d%d ", dtr, rts);
}

static void wait_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
}

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char why[256];
    bool connected = false;
    *state = room;
    if (!room || eb_endpoint_open(&room->endpoint, "rfc2217:0", why, sizeof(why)) != 0)
        return -1;
    room->log.file = tmpfile();
    room->endpoint.log = &room->log;
    room->endpoint.on_lines = take_lines;
    room->endpoint.on_lines_ctx = room;
    addr.sin_port = htons((uint16_t)atoi(strchr(room->endpoint.name, ':') + 1));
    room->host = socket(AF_INET, SOCK_STREAM, 0);
    /* Little fits in between, and nothing is held back to be sent together. */
    int small = 4096;
    int on = 1;
    setsockopt(room->host, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    setsockopt(room->host, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(room->host, (struct sockaddr *)&addr, sizeof(addr)) != 0)
        return -1;
    wait_readable(room->endpoint.listen_fd);
    room->endpoint.kind->look(&room->endpoint, &connected);
    return connected ? 0 : -1;
}

static int room_close(void **state)
{
    struct room *room = *state;
    close(room->host);
    room->endpoint.kind->close(&room->endpoint);
    eb_event_log_close(&room->log);
    free(room);
    return 0;
}

/* What the host says, and the data that the board makes of it. */
static ssize_t say(struct room *room, const uint8_t *bytes, size_t len, uint8_t *data, size_t cap)
{
    assert_int_equal(send(room->host, bytes, len, 0), len);
    wait_readable(room->endpoint.fd);
    return room->endpoint.kind->read(&room->endpoint, data, cap);
}

#define SAY(room, data, ...)                                                                       \
    say(room, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), data,        \
        sizeof(data))

#define AGREE 255, 251, 44, 255, 251, 0

static unsigned rejects(struct room *room)
{
    char line[256];
    unsigned count = 0;
    fflush(room->log.file);
    rewind(room->log.file);
    while (fgets(line, sizeof(line), room->log.file))
        count += strncmp(line, "REJECT ", 7) == 0;
    fseek(room->log.file, 0, SEEK_END);
    return count;
}

static void lines_act_in_their_place(void **state)
{
    struct room *room = *state;
    uint8_t data[16];
    assert_int_equal(SAY(room, data, AGREE, 'a', 255, 250, 44, 5, 8, 255, 240, 'b', 255, 250, 44, 5,
                         11, 255, 240, 255, 250, 44, 5, 9, 255, 240, 255, 255),
                     1);
    assert_int_equal(data[0], 'a');
    assert_string_equal(room->lines, "");
    assert_true(room->endpoint.kind->more_in(&room->endpoint));
    assert_int_equal(room->endpoint.kind->read(&room->endpoint, data, sizeof(data)), 1);
    assert_int_equal(data[0], 'b');
    assert_string_equal(room->lines, "10 ");
    assert_int_equal(room->endpoint.kind->read(&room->endpoint, data, sizeof(data)), 1);
    assert_int_equal(data[0], 255);
    assert_string_equal(room->lines, "10 11 01 ");
    assert_int_equal(rejects(room), 0);
}

static void the_baud_is_the_hosts(void **state)
{
    struct room *room = *state;
    uint8_t data[16];
    const struct eb_endpoint_kind *kind = room->endpoint.kind;
    assert_int_equal(kind->host_baud(&room->endpoint), 9600);
    SAY(room, data, AGREE, 255, 250, 44, 1, 0, 14, 16, 0, 255, 240);
    assert_int_equal(kind->host_baud(&room->endpoint), 921600);
    SAY(room, data, 255, 250, 44, 1, 0, 0, 0, 0, 255, 240); /* a question */
    assert_int_equal(kind->host_baud(&room->endpoint), 921600);
    kind->hang_up(&room->endpoint);
    assert_int_equal(kind->host_baud(&room->endpoint), 9600);
}

static void what_is_wrong_is_refused(void **state)
{
    struct room *room = *state;
    uint8_t data[16];
    SAY(room, data, 255, 250, 44, 5, 8, 255, 240); /* before the option */
    assert_int_equal(rejects(room), 1);
    SAY(room, data, 'x', 'y'); /* before binary mode */
    assert_int_equal(rejects(room), 2);
    SAY(room, data, AGREE, 255, 250, 44, 1, 0, 14, 16, 255, 240); /* three bytes of baud */
    SAY(room, data, 255, 250, 44, 2, 7, 255, 240);                /* seven bits */
    SAY(room, data, 255, 250, 44, 3, 2, 255, 240);                /* parity */
    SAY(room, data, 255, 250, 44, 12, 4, 255, 240);               /* a purge of what? */
    SAY(room, data, 255, 250, 44, 5, 255, 240);                   /* no value */
    SAY(room, data, 255, 250, 44, 99, 1, 255, 240);               /* no command */
    SAY(room, data, 255, 250, 44, 255, 240);                      /* nothing */
    SAY(room, data, 255, 250, 44, 5, 255, 251, 1);                /* broken off */
    assert_int_equal(rejects(room), 10);
    assert_string_equal(room->lines, "");
    assert_int_equal(room->endpoint.kind->host_baud(&room->endpoint), 9600);
}

/* It asks without end, and takes no answer: cut off, rather than remembered without end. */
static void a_host_that_does_not_listen(void **state)
{
    static const uint8_t QUESTION[] = {255, 250, 44, 5, 7, 255, 240};
    struct room *room = *state;
    uint8_t data[16];
    int small = 4096;
    ssize_t n = 0;
    setsockopt(room->endpoint.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    SAY(room, data, AGREE);
    for (int i = 0; i < 100000 && n != -1; i++) {
        uint8_t many[100 * sizeof(QUESTION)];
        for (size_t j = 0; j < 100; j++)
            memcpy(many + j * sizeof(QUESTION), QUESTION, sizeof(QUESTION));
        n = say(room, many, sizeof(many), data, sizeof(data));
        if (n == -1 && errno == EAGAIN)
            n = 0;
    }
    assert_int_equal(n, -1);
    assert_int_equal(rejects(room), 1);
    assert_true(room->endpoint.kind->more_out(&room->endpoint));
}

#define IN_ROOM(test) cmocka_unit_test_setup_teardown(test, room_open, room_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOM(lines_act_in_their_place),
        IN_ROOM(the_baud_is_the_hosts),
        IN_ROOM(what_is_wrong_is_refused),
        IN_ROOM(a_host_that_does_not_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
