/* rfc2217:// against a server in a thread, which behaves as it is told: well, badly, or hostile. */
#include "rfc2217_server.h"

#include "line/rfc2217.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    *state = room;
    if (!room)
        return -1;
    room->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (room->listener < 0 || bind(room->listener, (struct sockaddr *)&addr, len) != 0 ||
        listen(room->listener, 1) != 0 ||
        getsockname(room->listener, (struct sockaddr *)&addr, &len) != 0)
        return -1;
    snprintf(room->spec, sizeof(room->spec), "rfc2217://127.0.0.1:%u", ntohs(addr.sin_port));
    return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0; /* as the program does */
}

static enum ef_err open_line(struct room *room, const char *query)
{
    char spec[256];
    snprintf(spec, sizeof(spec), "%s%s", room->spec, query);
    assert_int_equal(pthread_create(&room->thread, NULL, run, room), 0);
    room->running = true;
    return ef_line_open(spec, 115200, NULL, &room->line);
}

/* The server has ended, and its notes can be read. */
static const char *events_after_close(struct room *room)
{
    ef_line_close(room->line);
    room->line = NULL;
    if (room->running)
        pthread_join(room->thread, NULL);
    room->running = false;
    return room->events;
}

static int room_close(void **state)
{
    struct room *room = *state;
    events_after_close(room);
    close(room->listener);
    free(room);
    return 0;
}

static void read_exactly(struct room *room, uint8_t *buf, size_t len)
{
    size_t got;
    for (size_t at = 0; at < len; at += got)
        assert_int_equal(ef_line_read(room->line, buf + at, len - at, ef_deadline_in(10000), &got),
                         EF_OK);
}

static void opens_and_sets_up(void **state)
{
    struct room *room = *state;
    assert_int_equal(open_line(room, ""), EF_OK);
    assert_string_equal(room->line->kind, "rfc2217");
    assert_true(room->line->one_by_one);
    assert_true(ef_line_has_modem_lines(room->line));
    assert_int_equal(room->line->baud, 115200);
    assert_string_equal(events_after_close(room),
                        "dont 1\nbaud 115200\nset 2\nset 3\nset 4\ncontrol 1\npurge 1\n");
}

/* Every byte there is, FF among them, and at every place of a buffer. */
static void bytes_pass_whole(struct room *room)
{
    uint8_t bytes[256];
    uint8_t back[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (uint8_t)(255 - i);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(ef_line_write(room->line, bytes, sizeof(bytes), ef_deadline_in(10000)),
                         EF_OK);
        read_exactly(room, back, sizeof(back));
        assert_memory_equal(back, bytes, sizeof(bytes));
        memset(bytes, 255, sizeof(bytes));
    }
    assert_int_equal(room->line->bytes_in, 3 * sizeof(bytes));
    assert_int_equal(room->line->bytes_out, 3 * sizeof(bytes));
    events_after_close(room);
    assert_int_equal(room->data_len, 3 * sizeof(bytes));
}

static void bytes_pass(void **state)
{
    struct room *room = *state;
    assert_int_equal(open_line(room, ""), EF_OK);
    bytes_pass_whole(room);
}

static void bytes_pass_in_pieces(void **state)
{
    struct room *room = *state;
    room->manners.talks_in_bytes = true;
    assert_int_equal(open_line(room, ""), EF_OK);
    bytes_pass_whole(room);
}

static void lines_and_baud_are_acknowledged(void **state)
{
    struct room *room = *state;
    room->manners.before_ack = "x";
    assert_int_equal(open_line(room, "?timeout=30&poll_modem"), EF_OK);
    assert_int_equal(ef_line_set_lines(room->line, true, false), EF_OK);
    assert_int_equal(ef_line_set_one_line(room->line, EF_RTS, true), EF_OK);
    assert_int_equal(ef_line_set_one_line(room->line, EF_DTR, false), EF_OK);
    assert_int_equal(ef_line_set_baud(room->line, 921600), EF_OK);
    assert_int_equal(room->line->baud, 921600);
    /* What came before the acknowledgements is there to be read. */
    uint8_t data[5];
    read_exactly(room, data, sizeof(data));
    assert_memory_equal(data, "xxxxx", 5);
    const char *events = events_after_close(room);
    assert_non_null(strstr(events, "control 8\ncontrol 12\ncontrol 11\ncontrol 9\nbaud 921600\n"));
}

/* What the board had sent before a purge is never read behind it. */
static void a_purge_is_in_step(void **state)
{
    struct room *room = *state;
    room->manners.before_ack = "old";
    assert_int_equal(open_line(room, ""), EF_OK);
    assert_int_equal(ef_line_set_one_line(room->line, EF_RTS, true), EF_OK);
    assert_int_equal(ef_line_drain(room->line, 0), EF_OK);
    uint8_t data[3];
    assert_int_equal(ef_line_write(room->line, (const uint8_t *)"new", 3, ef_deadline_in(10000)),
                     EF_OK);
    read_exactly(room, data, sizeof(data));
    assert_memory_equal(data, "new", 3);
}

static void a_server_without_purge(void **state)
{
    struct room *room = *state;
    room->manners.no_purge_ack = true;
    assert_int_equal(open_line(room, "?timeout=0.2"), EF_OK);
    assert_int_equal(ef_line_drain(room->line, 0), EF_OK);
    const char *events = events_after_close(room);
    assert_null(strstr(strstr(events, "purge") + 1, "purge")); /* asked once */
}

static void ign_set_control_waits_for_nothing(void **state)
{
    struct room *room = *state;
    room->manners.no_control_ack = true;
    assert_int_equal(open_line(room, "?ign_set_control&timeout=60"), EF_OK);
    for (int i = 0; i < 100; i++)
        assert_int_equal(ef_line_set_lines(room->line, i % 2 == 0, false), EF_OK);
    assert_non_null(strstr(events_after_close(room), "control 9\ncontrol 12\n"));
}

/* Found out, it is as if ign_set_control had been given. */
static void lines_that_are_never_acknowledged(void **state)
{
    struct room *room = *state;
    room->manners.no_control_ack = true;
    assert_int_equal(open_line(room, "?timeout=0.2"), EF_OK);
    assert_int_equal(ef_line_set_one_line(room->line, EF_DTR, true), EF_OK);
    assert_true(((struct ef_rfc2217 *)room->line)->options.ign_set_control);
    assert_int_equal(ef_line_set_one_line(room->line, EF_DTR, false), EF_OK);
}

static void lines_that_cannot_be_set(void **state)
{
    struct room *room = *state;
    room->manners.lines_stay_off = true;
    assert_int_equal(open_line(room, ""), EF_OK);
    assert_int_equal(ef_line_set_lines(room->line, false, false), EF_OK);
    assert_int_equal(ef_line_set_one_line(room->line, EF_DTR, true), EF_UNSUPPORTED);
    assert_int_equal(ef_line_set_lines(room->line, false, false), EF_UNSUPPORTED);
}

static void a_baud_that_cannot_be_set(void **state)
{
    struct room *room = *state;
    room->manners.baud_max = 460800;
    assert_int_equal(open_line(room, ""), EF_OK);
    assert_int_equal(ef_line_set_baud(room->line, 460800), EF_OK);
    assert_int_equal(ef_line_set_baud(room->line, 921600), EF_UNSUPPORTED);
    assert_int_equal(room->line->baud, 460800);
    assert_non_null(strstr(events_after_close(room), "baud 921600\nbaud 460800\n"));
}

static void a_port_that_cannot_be_set_up(void **state)
{
    struct room *room = *state;
    room->manners.baud_max = 9600;
    assert_int_equal(open_line(room, ""), EF_UNSUPPORTED);
}

static void no_binary_mode(void **state)
{
    struct room *room = *state;
    room->manners.refuses_binary = true;
    assert_int_equal(open_line(room, ""), EF_OK);
}

static void telnet_without_com_port(void **state)
{
    struct room *room = *state;
    room->manners.refuses_com_port = true;
    assert_int_equal(open_line(room, ""), EF_UNSUPPORTED);
}

static void no_telnet(void **state)
{
    struct room *room = *state;
    room->manners.silent = true;
    assert_int_equal(open_line(room, "?timeout=0.2"), EF_TIMEOUT);
}

static void a_server_that_hangs_up(void **state)
{
    struct room *room = *state;
    room->manners.says = "Port already in use\r\n";
    assert_int_equal(open_line(room, ""), EF_GONE);
}

static void a_server_that_leaves(void **state)
{
    struct room *room = *state;
    uint8_t byte;
    size_t got;
    room->manners.leaves_at = 'q';
    assert_int_equal(open_line(room, ""), EF_OK);
    assert_int_equal(ef_line_write(room->line, (const uint8_t *)"q", 1, ef_deadline_in(10000)),
                     EF_OK);
    assert_int_equal(ef_line_read(room->line, &byte, 1, ef_deadline_in(10000), &got), EF_GONE);
    assert_int_equal(ef_line_set_baud(room->line, 9600), EF_GONE);
    assert_int_equal(ef_line_set_lines(room->line, true, true), EF_GONE);
    assert_int_equal(ef_line_drain(room->line, 0), EF_GONE);
}

static void expect_timeout_of_flood(struct room *room, const uint8_t *flood, size_t len)
{
    room->manners.flood = flood;
    room->manners.flood_len = len;
    assert_int_equal(open_line(room, "?timeout=0.2"), EF_TIMEOUT);
}

static void a_subnegotiation_without_end(void **state)
{
    static const uint8_t FLOOD[4096] = {0};
    struct room *room = *state;
    room->manners.opens_sub = true;
    expect_timeout_of_flood(room, FLOOD, sizeof(FLOOD));
}

static void subnegotiations_that_were_not_asked_for(void **state)
{
    static const uint8_t FLOOD[] = {255, 250, 44,  107, 0x30, 255, 240, 255, 250, 44,  255,
                                    240, 255, 250, 44,  101,  1,   255, 240, 255, 250, 44,
                                    105, 255, 250, 255, 250,  24,  1,   255, 240};
    expect_timeout_of_flood(*state, FLOOD, sizeof(FLOOD));
}

/* It asks without end, and reads no answer. */
static void requests_without_end(void **state)
{
    static const uint8_t FLOOD[] = {255, 253, 99, 255, 251, 98, 255, 254, 3, 255, 252, 1};
    expect_timeout_of_flood(*state, FLOOD, sizeof(FLOOD));
}

static void spellings(void **state)
{
    static const char *const WRONG[] = {"rfc2217://",
                                        "rfc2217://localhost",
                                        "rfc2217://localhost:0",
                                        "rfc2217://localhost:99999",
                                        "rfc2217://:4000",
                                        "rfc2217://localhost:4000?baud=9600",
                                        "rfc2217://localhost:4000?timeout",
                                        "rfc2217://localhost:4000?timeout=0",
                                        "rfc2217://localhost:4000?timeout=-1",
                                        "rfc2217://localhost:4000?timeout=1e9",
                                        "rfc2217://localhost:4000?timeout=1.2.3",
                                        "rfc2217://localhost:4000?timeout=nan",
                                        "rfc2217://localhost:4000?ign_set_control=1",
                                        "rfc2217://localhost:4000?poll_modem&&timeout=3",
                                        "socket://localhost:4000?ign_set_control"};
    struct ef_rfc2217_options options;
    char why[256];
    struct ef_line *line = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++)
        assert_int_equal(ef_line_open(WRONG[i], 115200, NULL, &line), EF_INVALID);
    assert_true(ef_rfc2217_parse_options(NULL, &options, why, sizeof(why)));
    assert_int_equal(options.timeout_ms, 3000);
    assert_false(options.ign_set_control);
    assert_true(ef_rfc2217_parse_options("timeout=2.5&logging=debug&ign_set_control", &options, why,
                                         sizeof(why)));
    assert_int_equal(options.timeout_ms, 2500);
    assert_true(options.ign_set_control);
}

#define IN_ROOM(test) cmocka_unit_test_setup_teardown(test, room_open, room_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ROOM(opens_and_sets_up),
        IN_ROOM(bytes_pass),
        IN_ROOM(bytes_pass_in_pieces),
        IN_ROOM(lines_and_baud_are_acknowledged),
        IN_ROOM(a_purge_is_in_step),
        IN_ROOM(a_server_without_purge),
        IN_ROOM(ign_set_control_waits_for_nothing),
        IN_ROOM(lines_that_are_never_acknowledged),
        IN_ROOM(lines_that_cannot_be_set),
        IN_ROOM(a_baud_that_cannot_be_set),
        IN_ROOM(a_port_that_cannot_be_set_up),
        IN_ROOM(no_binary_mode),
        IN_ROOM(telnet_without_com_port),
        IN_ROOM(no_telnet),
        IN_ROOM(a_server_that_hangs_up),
        IN_ROOM(a_server_that_leaves),
        IN_ROOM(a_subnegotiation_without_end),
        IN_ROOM(subnegotiations_that_were_not_asked_for),
        IN_ROOM(requests_without_end),
        cmocka_unit_test(spellings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
