/* A board that left in the middle of work, and what is there instead when it is looked for. */
#include "session_room.h"

#include "esp/connect_steps.h"

/* The line and the port are gone; the board is as it was, with its power, unless it is changed. */
static void leave(struct room *room)
{
    ef_connect_close_line(&room->session);
    stop_serving(room);
    close(room->listener);
}

static void plug_in(struct room *room, const char *chip)
{
    eb_drive_free(room->drive);
    choose_board(room, chip, false);
}

static void be_there(struct room *room)
{
    assert_true(open_listener(room));
    switch_on(room);
}

static enum ef_err look(struct room *room)
{
    return ef_session_return(&room->session, NULL, NULL);
}

static uint64_t seen(struct room *room, enum ef_op op)
{
    return eb_board_counters(room->drive->board)->ops[op];
}

static void expect_at_work(struct room *room, unsigned absences)
{
    uint32_t value;
    assert_int_equal(look(room), EF_OK);
    assert_true(room->session.loader_ready);
    assert_int_equal(room->session.esp.stub, room->session.with_stub);
    assert_int_equal(room->session.absences, absences);
    assert_int_equal(ef_command_read_reg(&room->session.esp, 0x40001000, &value), EF_OK);
}

static void a_board_with_power_anew(void **state)
{
    struct room *room = *state;
    const char *const stubs[] = {room->stub, "rom"};
    for (size_t i = 0; i < 2; i++) {
        room->config.stub = stubs[i];
        start_board(room, "esp32", false);
        expect_open(room, "esp32", i == 0);
        leave(room);
        for (int looks = 0; looks < 3; looks++)
            assert_int_equal(look(room), EF_GONE);
        assert_null(room->session.line);
        plug_in(room, "esp32");
        be_there(room);
        expect_at_work(room, 1);
        assert_int_equal(seen(room, EF_OP_MEM_END), i == 0);
        ef_session_close(&room->session);
        stop_serving(room);
        close(room->listener);
        eb_drive_free(room->drive);
        room->drive = NULL;
        assert_true(open_listener(room));
    }
}

/* Its stub still runs. */
static void a_line_that_had_hung_up(void **state)
{
    struct room *room = *state;
    start_board(room, "esp32c3", false);
    expect_open(room, "esp32c3", true);
    leave(room);
    assert_true(open_listener(room));
    start_serving(room);
    expect_at_work(room, 1);
    assert_int_equal(seen(room, EF_OP_MEM_END), 1);
}

static unsigned times_told(struct room *room, const char *what)
{
    unsigned n = 0;
    for (const char *at = log_text(room); (at = strstr(at, what)) != NULL; at++)
        n++;
    return n;
}

/* Refused however often it is looked at, and told of once. The right one comes after it. */
static void refused(struct room *room, const char *what, bool loaded)
{
    be_there(room);
    for (int looks = 0; looks < 2; looks++)
        assert_int_equal(look(room), EF_FOREIGN);
    assert_int_equal(times_told(room, what), 1);
    assert_null(room->session.line);
    assert_int_equal(seen(room, EF_OP_MEM_END) > 0, loaded);
    leave(room);
    plug_in(room, "esp32");
    be_there(room);
    expect_at_work(room, 1);
}

static void begin_and_leave(struct room *room, const char *next_chip)
{
    start_board(room, "esp32", false);
    expect_open(room, "esp32", true);
    leave(room);
    plug_in(room, next_chip);
}

static void another_mac(void **state)
{
    struct room *room = *state;
    begin_and_leave(room, "esp32");
    room->drive->config.has_mac = true;
    memcpy(room->drive->config.mac, "\x24\x6f\x28\x01\x02\x03", 6);
    refused(room, "another board answers, MAC 24:6f:28:01:02:03", false);
}

static void another_chip(void **state)
{
    struct room *room = *state;
    begin_and_leave(room, "esp32c3");
    refused(room, "another board answers, ESP32-C3", false);
}

static void another_flash(void **state)
{
    struct room *room = *state;
    begin_and_leave(room, "esp32");
    room->drive->config.has_flash_id = true;
    room->drive->config.flash_id = 0x1640EF;
    refused(room, "another flash, id 1640ef", true);
}

static bool stops_soon(void *user)
{
    unsigned *left = user;
    return (*left)-- == 0;
}

/* Something is there, and does not answer. */
static void a_look_is_called_off(void **state)
{
    struct room *room = *state;
    unsigned left = 2;
    start_board(room, "esp32", false);
    expect_open(room, "esp32", true);
    leave(room);
    eb_drive_free(room->drive);
    choose_board(room, "esp32", true);
    be_there(room);
    assert_int_equal(look(room), EF_TIMEOUT);
    assert_int_equal(ef_session_return(&room->session, stops_soon, &left), EF_INTERRUPTED);
    assert_int_equal(room->session.absences, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_board_with_power_anew, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_line_that_had_hung_up, room_open, room_close),
        cmocka_unit_test_setup_teardown(another_mac, room_open, room_close),
        cmocka_unit_test_setup_teardown(another_chip, room_open, room_close),
        cmocka_unit_test_setup_teardown(another_flash, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_look_is_called_off, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
