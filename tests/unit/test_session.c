/* A session, opened over a real socket to a simulated board served by a thread. */
#include "session_room.h"

static void opens_with_a_stub(struct room *room, const char *chip)
{
    start_board(room, chip, false);
    expect_open(room, chip, true);
    assert_string_equal(room->session.stub.path, room->stub);
    ef_session_close(&room->session);
    assert_null(room->session.line);
    stop_serving(room);
    /* But for the question that older ROMs do not know, nothing was refused. */
    assert_true(eb_drive_rejects(room->drive) <= 1);
}

static void opens_esp8266(void **state)
{
    opens_with_a_stub(*state, "esp8266");
}

static void opens_esp32(void **state)
{
    opens_with_a_stub(*state, "esp32");
}

static void opens_esp32c3(void **state)
{
    opens_with_a_stub(*state, "esp32c3");
}

static void opens_the_rom(void **state)
{
    struct room *room = *state;
    start_board(room, "esp32c3", false);
    room->config.stub = "rom";
    expect_open(room, "esp32c3", false);
}

/* A stub that a program before us left running is used as it is. */
static void finds_a_stub_running(void **state)
{
    struct room *room = *state;
    start_board(room, "esp32", false);
    expect_open(room, "esp32", true);
    ef_session_close(&room->session);
    expect_open(room, "esp32", true);
    ef_session_close(&room->session);
    stop_serving(room);
    assert_int_equal(eb_board_counters(room->drive->board)->ops[EF_OP_MEM_END], 1);
}

static void a_running_stub_is_no_rom(void **state)
{
    struct room *room = *state;
    start_board(room, "esp32", false);
    expect_open(room, "esp32", true);
    ef_session_close(&room->session);
    room->config.stub = "rom";
    assert_int_equal(open_session(room), EF_UNSUPPORTED);
    assert_null(room->session.line);
    assert_non_null(strstr(log_text(room), "reset the board"));
}

static void the_esp8266_rom_offers_no_flash(void **state)
{
    struct room *room = *state;
    start_board(room, "esp8266", false);
    room->config.stub = "rom";
    assert_int_equal(open_session(room), EF_OK);
    assert_non_null(room->session.no_flash_why);
    ef_session_close(&room->session);
    stop_serving(room);
    const struct eb_counters *seen = eb_board_counters(room->drive->board);
    assert_int_equal(seen->ops[EF_OP_FLASH_DATA] + seen->ops[EF_OP_FLASH_DEFL_BEGIN], 0);
    assert_int_equal(eb_board_nor(room->drive->board)->sector_erases, 0);
}

static void another_chip_than_asked_for(void **state)
{
    struct room *room = *state;
    start_board(room, "esp32", false);
    room->config.chip = "esp32c3";
    assert_int_equal(open_session(room), EF_UNSUPPORTED);
    assert_null(room->session.line);
    assert_non_null(strstr(log_text(room), "chip=esp32c3"));
    room->config.chip = "ESP-32";
    expect_open(room, "esp32", true);
}

static void no_stub_where_told(void **state)
{
    struct room *room = *state;
    start_board(room, "esp32", false);
    room->config.stub = "/nonexistent/stub.json";
    assert_int_equal(open_session(room), EF_MISSING);
    assert_non_null(strstr(log_text(room), "/nonexistent/stub.json"));
}

static void sizes(void **state)
{
    struct room *room = *state;
    start_board(room, "esp32", false);
    room->config.size = 1 << 20;
    assert_int_equal(open_session(room), EF_OK);
    assert_int_equal(room->session.flash_size, 1 << 20);
    ef_session_close(&room->session);
    room->config.size = 4097;
    assert_int_equal(open_session(room), EF_UNSUPPORTED);
    room->config.size = 32 << 20;
    assert_int_equal(open_session(room), EF_UNSUPPORTED);
}

static void firmware_is_told_from_silence(void **state)
{
    struct room *room = *state;
    start_board(room, "esp32", true);
    assert_int_equal(open_session(room), EF_TIMEOUT);
    assert_null(room->session.line);
    assert_non_null(strstr(log_text(room), "hold BOOT"));
}

static void nobody_listens(void **state)
{
    struct room *room = *state;
    close(room->listener);
    room->listener = -1;
    assert_int_equal(open_session(room), EF_GONE);
    ef_session_close(&room->session); /* harmless */
}

/* A device that left in the climb, and did not come back: the stub's file was read by then. */
static void closes_without_a_line(void **state)
{
    struct room *room = *state;
    room->session.line = NULL;
    room->session.stub.text = malloc(16);
    room->session.stub.data = malloc(16);
    ef_session_close(&room->session);
    assert_null(room->session.stub.text);
    assert_null(room->session.stub.data);
}

static void nobody_is_asked_at_work(void **state)
{
    struct room *room = *state;
    start_board(room, "esp32", false);
    room->config.ask = true;
    expect_open(room, "esp32", true);
    assert_false(room->session.config.ask);
}

static void recovers(void **state)
{
    struct room *room = *state;
    start_board(room, "esp32", false);
    expect_open(room, "esp32", true);
    uint32_t value;
    static const uint8_t HALF[] = {0xC0, 0x00, 0x0A, 0x04};
    assert_int_equal(ef_line_write(room->session.line, HALF, sizeof(HALF), ef_deadline_in(1000)),
                     EF_OK);
    assert_int_equal(ef_session_recover(&room->session), EF_OK);
    assert_true(room->session.esp.stub);
    assert_int_equal(ef_command_read_reg(&room->session.esp, 0x40001000, &value), EF_OK);
    assert_int_equal(value, room->session.chip->magic);
}

/* Whatever step of opening a hang-up ends, it is said why nothing is mounted. */
static void every_failure_is_explained(struct room *room, const char *chip, const char *stub)
{
    enum { STEP = 23, BYTES_MAX = 10000 };
    enum ef_err err = EF_GONE;
    room->log.level = EF_LOG_ERROR;
    room->config.stub = stub;
    for (room->hang_up_at = STEP; err != EF_OK; room->hang_up_at += STEP) {
        assert_true(room->hang_up_at < BYTES_MAX);
        assert_int_equal(truncate(room->log_path, 0), 0);
        start_board(room, chip, false);
        err = open_session(room);
        ef_session_close(&room->session);
        stop_serving(room);
        close(room->listener);
        eb_drive_free(room->drive);
        room->drive = NULL;
        assert_true(open_listener(room));
        if (err != EF_OK && log_text(room)[0] == '\0')
            fail_msg("%s: nothing is said of a hang-up after %zu bytes", chip, room->hang_up_at);
    }
    room->hang_up_at = 0;
}

static void failures_are_explained(void **state)
{
    struct room *room = *state;
    every_failure_is_explained(room, "esp32", "rom");
    every_failure_is_explained(room, "esp32c3", room->stub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(opens_esp8266, room_open, room_close),
        cmocka_unit_test_setup_teardown(opens_esp32, room_open, room_close),
        cmocka_unit_test_setup_teardown(opens_esp32c3, room_open, room_close),
        cmocka_unit_test_setup_teardown(opens_the_rom, room_open, room_close),
        cmocka_unit_test_setup_teardown(finds_a_stub_running, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_running_stub_is_no_rom, room_open, room_close),
        cmocka_unit_test_setup_teardown(the_esp8266_rom_offers_no_flash, room_open, room_close),
        cmocka_unit_test_setup_teardown(another_chip_than_asked_for, room_open, room_close),
        cmocka_unit_test_setup_teardown(no_stub_where_told, room_open, room_close),
        cmocka_unit_test_setup_teardown(sizes, room_open, room_close),
        cmocka_unit_test_setup_teardown(firmware_is_told_from_silence, room_open, room_close),
        cmocka_unit_test_setup_teardown(failures_are_explained, room_open, room_close),
        cmocka_unit_test_setup_teardown(nobody_listens, room_open, room_close),
        cmocka_unit_test_setup_teardown(closes_without_a_line, room_open, room_close),
        cmocka_unit_test_setup_teardown(nobody_is_asked_at_work, room_open, room_close),
        cmocka_unit_test_setup_teardown(recovers, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
