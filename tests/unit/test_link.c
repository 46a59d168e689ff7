/* Frames over a line that delivers as it likes, and never past the deadline. */
#include "script_line.h"

#include "espflashfs/link.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct room {
    struct script_line *script;
    struct ef_link link;
};

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    room->script = script_new();
    ef_link_init(&room->link, &room->script->line);
    return 0;
}

static int room_close(void **state)
{
    struct room *room = *state;
    free(room->script);
    free(room);
    return 0;
}

/* Far away, so that only an error of the line ends a wait. */
static ef_deadline later(void)
{
    return ef_deadline_in(3600000);
}

static void expect_frame(struct room *room, const char *payload)
{
    const uint8_t *frame = NULL;
    size_t len = 0;
    assert_int_equal(ef_link_receive(&room->link, later(), &frame, &len), EF_OK);
    assert_int_equal(len, strlen(payload));
    assert_memory_equal(frame, payload, len);
}

static enum ef_err receive(struct room *room)
{
    const uint8_t *frame;
    size_t len;
    return ef_link_receive(&room->link, later(), &frame, &len);
}

static void sends_one_frame(void **state)
{
    struct room *room = *state;
    static const uint8_t HEAD[] = {0x00, 0xC0};
    static const uint8_t BODY[] = {0xDB, 0x01};
    ef_deadline deadline = ef_deadline_in(1000);
    assert_int_equal(ef_link_send(&room->link, HEAD, 2, BODY, 2, deadline), EF_OK);
    assert_int_equal(room->script->sent_len, 8);
    assert_memory_equal(room->script->sent, "\xC0\x00\xDB\xDC\xDB\xDD\x01\xC0", 8);
    assert_int_equal(room->script->deadline, deadline);
    room->script->sent_len = 0;
    assert_int_equal(ef_link_send(&room->link, NULL, 0, BODY, 1, deadline), EF_OK);
    assert_memory_equal(room->script->sent, "\xC0\xDB\xDD\xC0", 4);
    assert_int_equal(room->script->sent_len, 4);
}

/* Sizes around the pieces that a frame goes out in; every byte escaped is the worst case. */
static void sends_any_size(void **state)
{
    struct room *room = *state;
    static const size_t LENS[] = {0, 1, 8, 1015, 1016, 1023, 1024, 1025, 2047, 2048, 0x4010};
    uint8_t *body = malloc(0x4010);
    uint8_t *wire = malloc(2 * 0x4020 + 2);
    for (size_t i = 0; i < sizeof(LENS) / sizeof(LENS[0]); i++) {
        for (int byte = 0; byte < 2; byte++) {
            memset(body, byte ? 0xC0 : 'x', 0x4010);
            room->script->sent_len = 0;
            for (size_t head = 0; head <= 16; head += 8) {
                room->script->sent_len = 0;
                assert_int_equal(ef_link_send(&room->link, body, head, body, LENS[i], later()),
                                 EF_OK);
                uint8_t whole[0x4020];
                memset(whole, body[0], sizeof(whole));
                size_t n = ef_slip_encode(wire, whole, head + LENS[i]);
                assert_int_equal(room->script->sent_len, n);
                assert_memory_equal(room->script->sent, wire, n);
            }
        }
    }
    free(body);
    free(wire);
}

static void sending_fails(void **state)
{
    struct room *room = *state;
    uint8_t body[5000] = {0};
    room->script->write_err = EF_GONE;
    assert_int_equal(ef_link_send(&room->link, body, 8, body, 5000, later()), EF_GONE);
    room->script->write_err = EF_TIMEOUT;
    assert_int_equal(ef_link_send(&room->link, body, 8, NULL, 0, later()), EF_TIMEOUT);
}

static void partial_reads(void **state)
{
    struct room *room = *state;
    static const char WIRE[] = "\xC0one\xC0\xC0two\xC0";
    for (size_t i = 0; i < sizeof(WIRE) - 1; i++)
        script_bytes(room->script, WIRE + i, 1);
    expect_frame(room, "one");
    expect_frame(room, "two");
    assert_int_equal(receive(room), EF_TIMEOUT);
}

static void several_frames_in_one_read(void **state)
{
    struct room *room = *state;
    script_bytes(room->script,
                 "\xC0one\xC0\xC0two\xC0three\xC0\xC0"
                 "fo",
                 19);
    script_bytes(room->script, "ur\xC0", 3);
    expect_frame(room, "one");
    expect_frame(room, "two");
    expect_frame(room, "three");
    assert_int_equal(room->script->reads, 1);
    expect_frame(room, "four");
}

static void deadlines_and_errors_pass(void **state)
{
    struct room *room = *state;
    const uint8_t *frame;
    size_t len;
    ef_deadline deadline = ef_deadline_in(777000);
    assert_int_equal(ef_link_receive(&room->link, deadline, &frame, &len), EF_TIMEOUT);
    assert_int_equal(room->script->deadline, deadline);
    assert_int_equal(ef_link_wait_begin(&room->link, deadline + 1), EF_TIMEOUT);
    assert_int_equal(room->script->deadline, deadline + 1);
    script_error(room->script, EF_GONE);
    script_error(room->script, EF_GONE);
    assert_int_equal(receive(room), EF_GONE);
    assert_int_equal(ef_link_wait_begin(&room->link, later()), EF_GONE);
}

/* A timeout in the middle of a frame loses nothing of it. */
static void a_frame_over_a_timeout(void **state)
{
    struct room *room = *state;
    script_bytes(room->script, "\xC0on", 3);
    script_error(room->script, EF_TIMEOUT);
    script_bytes(room->script, "e\xC0", 2);
    assert_int_equal(receive(room), EF_TIMEOUT);
    expect_frame(room, "one");
}

static void damaged_frames(void **state)
{
    struct room *room = *state;
    script_bytes(room->script,
                 "\xC0"
                 "a\xDBz\xC0\xC0good\xC0",
                 11);
    assert_int_equal(receive(room), EF_FRAMING);
    expect_frame(room, "good");
    uint8_t *big = malloc(EF_LINK_FRAME_MAX + 1);
    memset(big, 'b', EF_LINK_FRAME_MAX + 1);
    script_frame(room->script, big, EF_LINK_FRAME_MAX);
    script_frame(room->script, big, EF_LINK_FRAME_MAX + 1);
    script_frame(room->script, "fine", 4);
    const uint8_t *frame;
    size_t len;
    assert_int_equal(ef_link_receive(&room->link, later(), &frame, &len), EF_OK);
    assert_int_equal(len, EF_LINK_FRAME_MAX);
    assert_memory_equal(frame, big, len);
    free(big);
    assert_int_equal(receive(room), EF_FRAMING);
    expect_frame(room, "fine");
}

static void waits_for_a_beginning(void **state)
{
    struct room *room = *state;
    script_bytes(room->script, "noise", 5);
    script_bytes(room->script, "\xC0\xC0", 2);
    script_error(room->script, EF_TIMEOUT); /* ENDs alone are no beginning */
    script_bytes(room->script, "o", 1);
    script_bytes(room->script, "ne\xC0", 3);
    assert_int_equal(ef_link_wait_begin(&room->link, later()), EF_TIMEOUT);
    assert_int_equal(ef_link_wait_begin(&room->link, later()), EF_OK);
    assert_int_equal(room->script->reads, 4);
    /* Nothing was consumed, and the same beginning is there however often one asks. */
    assert_int_equal(ef_link_wait_begin(&room->link, later()), EF_OK);
    assert_int_equal(room->script->reads, 4);
    expect_frame(room, "one");
    assert_int_equal(ef_link_wait_begin(&room->link, later()), EF_TIMEOUT);
}

static void a_beginning_that_is_whole(void **state)
{
    struct room *room = *state;
    script_bytes(room->script, "\xC0one\xC0\xC0t", 7);
    script_bytes(room->script, "wo\xC0", 3);
    assert_int_equal(ef_link_wait_begin(&room->link, later()), EF_OK);
    assert_int_equal(ef_link_wait_begin(&room->link, later()), EF_OK);
    expect_frame(room, "one");
    assert_int_equal(ef_link_wait_begin(&room->link, later()), EF_OK);
    assert_int_equal(room->script->reads, 1);
    expect_frame(room, "two");
    script_bytes(room->script, "\xC0\xDBx\xC0", 4);
    /* Its first byte is not told before the escape is whole. */
    enum ef_err err = ef_link_wait_begin(&room->link, later());
    assert_int_equal(err, EF_FRAMING);
}

static void noise_is_kept(void **state)
{
    struct room *room = *state;
    char log[600];
    for (size_t i = 0; i < sizeof(log); i++)
        log[i] = (char)('a' + i % 26);
    script_bytes(room->script, "ets Jun  8 2016\r\n", 17);
    script_bytes(room->script, "\xC0x\xC0", 3);
    expect_frame(room, "x");
    assert_string_equal(room->link.noise, "ets Jun  8 2016\r\n");
    ef_link_init(&room->link, &room->script->line);
    for (size_t i = 0; i < sizeof(log); i += 100)
        script_bytes(room->script, log + i, 100);
    assert_int_equal(receive(room), EF_TIMEOUT);
    assert_int_equal(room->link.noise_len, EF_LINK_NOISE_MAX);
    assert_memory_equal(room->link.noise, log + 600 - EF_LINK_NOISE_MAX, EF_LINK_NOISE_MAX);
    assert_int_equal(room->link.noise[EF_LINK_NOISE_MAX], '\0');
    ef_link_init(&room->link, &room->script->line);
    script_bytes(room->script, log, sizeof(log)); /* more than is kept, in one go */
    assert_int_equal(receive(room), EF_TIMEOUT);
    assert_memory_equal(room->link.noise, log + 600 - EF_LINK_NOISE_MAX, EF_LINK_NOISE_MAX);
}

/* A line that never falls silent ends at the deadline all the same, whatever it babbles. */
static void babble(void **state)
{
    struct room *room = *state;
    static const struct {
        const char *bytes;
        bool in_frame;
    } BABBLE[] = {{"noise", false},
                  {"\xC0", false},
                  {"\xC0\xC0\xC0", false},
                  {"endless", true},
                  {"\xDB", true}};
    for (size_t i = 0; i < sizeof(BABBLE) / sizeof(BABBLE[0]); i++) {
        const uint8_t *frame;
        size_t len;
        ef_link_init(&room->link, &room->script->line);
        if (BABBLE[i].in_frame)
            script_bytes(room->script, "\xC0", 1);
        room->script->babble = (const uint8_t *)BABBLE[i].bytes;
        room->script->babble_len = strlen(BABBLE[i].bytes);
        assert_int_equal(ef_link_receive(&room->link, ef_deadline_in(5), &frame, &len), EF_TIMEOUT);
    }
    ef_link_init(&room->link, &room->script->line);
    room->script->babble = (const uint8_t *)"noise";
    room->script->babble_len = 5;
    assert_int_equal(ef_link_wait_begin(&room->link, ef_deadline_in(5)), EF_TIMEOUT);
    assert_int_equal(ef_link_resync(&room->link, 1), EF_OK);
}

static void resync_forgets(void **state)
{
    struct room *room = *state;
    script_bytes(room->script,
                 "\xC0half\xC0\xC0"
                 "a fra",
                 12);
    assert_int_equal(ef_link_wait_begin(&room->link, later()), EF_OK); /* "half" is ready */
    script_bytes(room->script, "me\xC0", 3);
    script_bytes(room->script, "\xC0old\xC0", 5);
    script_error(room->script, EF_TIMEOUT);
    assert_int_equal(ef_link_resync(&room->link, 10), EF_OK);
    script_bytes(room->script, "\xC0new\xC0", 5);
    expect_frame(room, "new");
    script_error(room->script, EF_GONE);
    assert_int_equal(ef_link_resync(&room->link, 10), EF_GONE);
}

/* Twice the bytes, ten bits each: never less than they take. */
static void wire_time(void **state)
{
    struct room *room = *state;
    room->script->line.baud = 115200;
    assert_int_equal(ef_link_wire_ms(&room->link, 0), 0);
    assert_int_equal(ef_link_wire_ms(&room->link, 11520), 2000);
    room->script->line.baud = 0;
    assert_int_equal(ef_link_wire_ms(&room->link, 11520), 2000);
    room->script->line.baud = 1200;
    assert_int_equal(ef_link_wire_ms(&room->link, 0x4010), 273333);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sends_one_frame, room_open, room_close),
        cmocka_unit_test_setup_teardown(sends_any_size, room_open, room_close),
        cmocka_unit_test_setup_teardown(sending_fails, room_open, room_close),
        cmocka_unit_test_setup_teardown(partial_reads, room_open, room_close),
        cmocka_unit_test_setup_teardown(several_frames_in_one_read, room_open, room_close),
        cmocka_unit_test_setup_teardown(deadlines_and_errors_pass, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_frame_over_a_timeout, room_open, room_close),
        cmocka_unit_test_setup_teardown(damaged_frames, room_open, room_close),
        cmocka_unit_test_setup_teardown(waits_for_a_beginning, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_beginning_that_is_whole, room_open, room_close),
        cmocka_unit_test_setup_teardown(noise_is_kept, room_open, room_close),
        cmocka_unit_test_setup_teardown(babble, room_open, room_close),
        cmocka_unit_test_setup_teardown(resync_forgets, room_open, room_close),
        cmocka_unit_test_setup_teardown(wire_time, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
