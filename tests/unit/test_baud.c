/* The climb of baud=auto, the way back, and stepping down, on a board in this process. */
#include "board_line.h"

#include "esp/baud.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SIZE = 1 << 20 };

static const uint32_t RATES[] = {115200, 460800, 921600, 1500000, 2000000, 3000000};
enum { RATE_COUNT = sizeof(RATES) / sizeof(RATES[0]) };

/* How a board is set up; zeros are an ESP32 without faults that the line cannot reset. */
struct setup {
    const char *chip;
    bool rom, modem_lines, blank;
    const char *faults[2];
};

static void add_fault(struct board_line *board, const char *fault)
{
    struct eb_faults *faults = eb_board_faults(board->drive->board);
    assert_int_equal(eb_faults_add(faults, fault, board->drive->why, EB_WHY_CAP), 0);
}

/* Connected, its loader started, at 115200. */
static struct board_line *start(const struct setup *setup)
{
    struct eb_drive *drive = eb_drive_new(setup->chip ? setup->chip : "esp32", SIZE);
    assert_non_null(drive);
    struct board_line *board = board_line_switch_on(drive, !setup->rom);
    board_line_make_serial(board, setup->modem_lines);
    board->session.config.baud_auto = true;
    struct eb_nor *nor = eb_board_nor_to_fill(drive->board);
    for (uint32_t i = 0; i < SIZE && !setup->blank; i++)
        nor->bytes[i] = (uint8_t)(i * 2654435761U >> 13);
    for (int i = 0; i < 2 && setup->faults[i]; i++)
        add_fault(board, setup->faults[i]);
    assert_int_equal(board_line_start(board), EF_OK);
    return board;
}

static struct board_line *start_plain(void)
{
    static const struct setup PLAIN = {0};
    return start(&PLAIN);
}

static uint64_t seen(const struct board_line *board, enum ef_op op)
{
    return eb_board_counters(board->drive->board)->ops[op];
}

/* Both ends are at `baud`, the loader answers, and nothing was erased or written. */
static void expect_at(struct board_line *board, uint32_t baud)
{
    uint32_t value;
    assert_int_equal(board->line.baud, baud);
    assert_int_equal(eb_board_baud(board->drive->board), baud);
    assert_int_equal(board->session.rates.working, baud);
    assert_int_equal(ef_command_read_reg(&board->session.esp, 0x40001000, &value), EF_OK);
    assert_int_equal(eb_board_nor(board->drive->board)->erase_ops, 0);
    assert_int_equal(eb_board_nor(board->drive->board)->programs, 0);
}

static void settles_at(struct board_line *board, uint32_t baud)
{
    assert_int_equal(ef_baud_settle(&board->session), EF_OK);
    expect_at(board, baud);
}

static void climbs_to_the_top(void **state)
{
    (void)state;
    static const struct setup SETUPS[] = {
        {.chip = "esp32"},   {.chip = "esp32", .rom = true},   {.chip = "esp32", .blank = true},
        {.chip = "esp32c3"}, {.chip = "esp32c3", .rom = true}, {.chip = "esp8266"},
    };
    for (size_t i = 0; i < sizeof(SETUPS) / sizeof(SETUPS[0]); i++) {
        struct board_line *board = start(&SETUPS[i]);
        settles_at(board, 3000000);
        assert_int_equal(seen(board, EF_OP_CHANGE_BAUDRATE), RATE_COUNT - 1);
        board_line_free(board);
    }
}

/*
 * The worst and a mild kind, in each direction, above each rate: the climb ends right there. A
 * damaged CHANGE_BAUDRATE may set any rate at all, so there is a reset for the worst.
 */
static void ends_below_the_damage(void **state)
{
    (void)state;
    static const char *const KINDS[] = {"damage:out:%u:1000000", "damage:out:%u:500",
                                        "damage:in:%u:60000"};
    for (size_t kind = 0; kind < sizeof(KINDS) / sizeof(KINDS[0]); kind++) {
        for (int rate = 0; rate < RATE_COUNT - 1; rate++) {
            char fault[64];
            snprintf(fault, sizeof(fault), KINDS[kind], RATES[rate] + RATES[rate] / 30);
            struct setup setup = {
                .rom = (kind + (size_t)rate) % 2 != 0, .modem_lines = true, .faults = {fault}};
            struct board_line *board = start(&setup);
            settles_at(board, RATES[rate]);
            board_line_free(board);
        }
    }
}

/* A blank flash is no pattern to speak of: the digests show the damage. */
static void ends_below_the_damage_on_a_blank_flash(void **state)
{
    (void)state;
    static const struct setup SETUP = {
        .blank = true, .faults = {"damage:out:921600:2000", "damage:in:921600:2000"}};
    struct board_line *board = start(&SETUP);
    settles_at(board, 921600);
    board_line_free(board);
}

/* Nothing gets through in either direction: only a reset brings the board back. */
static void a_lost_board_is_reset(void **state)
{
    (void)state;
    for (int rom = 0; rom < 2; rom++) {
        struct setup setup = {.rom = rom != 0,
                              .modem_lines = true,
                              .faults = {"damage:out:460800:1000000", "damage:in:460800:1000000"}};
        struct board_line *board = start(&setup);
        settles_at(board, 460800);
        assert_int_equal(board->session.esp.stub, !rom);
        assert_int_equal(seen(board, EF_OP_MEM_END), rom ? 0 : 2);
        board_line_free(board);
    }
}

static void a_lost_board_without_reset_is_a_failure(void **state)
{
    (void)state;
    static const struct setup SETUP = {
        .faults = {"damage:out:460800:1000000", "damage:in:460800:1000000"}};
    struct board_line *board = start(&SETUP);
    assert_int_equal(ef_baud_settle(&board->session), EF_TIMEOUT);
    board_line_free(board);
}

static void ends_where_the_port_does(void **state)
{
    (void)state;
    struct board_line *board = start_plain();
    board->max_baud = 1000000;
    settles_at(board, 921600);
    assert_int_equal(seen(board, EF_OP_CHANGE_BAUDRATE), 2); /* the chip was not even asked */
    board_line_free(board);
}

static void ends_where_the_chip_refuses(void **state)
{
    (void)state;
    static const struct setup SETUP = {.faults = {"reject-op:0x0f:3", "reject-op:0x0f:4"}};
    struct board_line *board = start(&SETUP);
    settles_at(board, 921600);
    board_line_free(board);
}

static void a_stub_that_cannot_be_replaced_is_left_alone(void **state)
{
    (void)state;
    struct board_line *board = start_plain();
    ef_stub_free(&board->session.stub);
    settles_at(board, 115200);
    assert_int_equal(seen(board, EF_OP_CHANGE_BAUDRATE), 0);
    board_line_free(board);
}

static void lines_without_a_rate(void **state)
{
    (void)state;
    struct board_line *board = start_plain();
    struct ef_session *s = &board->session;
    s->wire = EF_WIRE_USB_JTAG;
    assert_false(ef_session_has_baud(s));
    assert_int_equal(ef_baud_settle(s), EF_OK);
    assert_false(ef_baud_can_slow_down(s));
    s->wire = EF_WIRE_UART;
    board->line.baud = 0;
    assert_false(ef_session_has_baud(s));
    assert_int_equal(ef_baud_settle(s), EF_OK);
    /* No digest would tell what a higher rate does to a write. */
    board->line.baud = EF_ROM_BAUD;
    s->guard.secure_download = true;
    assert_int_equal(ef_baud_settle(s), EF_OK);
    assert_int_equal(board->line.baud, EF_ROM_BAUD);
    assert_int_equal(seen(board, EF_OP_CHANGE_BAUDRATE), 0);
    board_line_free(board);
}

static void a_given_rate_is_obeyed(void **state)
{
    (void)state;
    static const struct setup SETUP = {.faults = {"damage:out:921600:1000000"}};
    struct board_line *board = start(&SETUP);
    board->session.config.baud_auto = false;
    board->session.config.baud = 921600;
    settles_at(board, 921600);
    assert_int_equal(seen(board, EF_OP_CHANGE_BAUDRATE), 1);
    board->session.loader_ready = true;
    for (int i = 0; i < 9; i++)
        assert_int_equal(ef_session_recover(&board->session), EF_OK);
    expect_at(board, 921600);
    assert_true(board->session.rates.advised);
    /* One that fails is an error, and the board is left where it was. */
    board->session.config.baud = 1500000;
    assert_int_not_equal(ef_baud_settle(&board->session), EF_OK);
    expect_at(board, 921600);
    board_line_free(board);
}

static struct board_line *working(bool rom, bool modem_lines)
{
    struct setup setup = {.rom = rom, .modem_lines = modem_lines};
    struct board_line *board = start(&setup);
    settles_at(board, 3000000);
    board->session.loader_ready = true;
    return board;
}

static void steps_down_at_the_third_failure(void **state)
{
    (void)state;
    for (int rom = 0; rom < 2; rom++) {
        struct board_line *board = working(rom != 0, false);
        for (unsigned rate = RATE_COUNT - 1; rate > 0; rate--) {
            for (int i = 0; i < 3; i++) {
                assert_int_equal(board->line.baud, RATES[rate]);
                assert_int_equal(ef_session_recover(&board->session), EF_OK);
            }
            expect_at(board, RATES[rate - 1]);
            assert_int_equal(board->session.rates.slowdowns, RATE_COUNT - rate);
        }
        for (int i = 0; i < 9; i++)
            assert_int_equal(ef_session_recover(&board->session), EF_OK);
        expect_at(board, 115200);
        board_line_free(board);
    }
}

/* What comes through clean in between pays failures off. */
static void rare_failures_are_borne(void **state)
{
    (void)state;
    struct board_line *board = working(false, false);
    for (int i = 0; i < 40; i++) {
        board->line.bytes_in += 600000;
        assert_int_equal(ef_session_recover(&board->session), EF_OK);
    }
    expect_at(board, 3000000);
    for (int i = 0; i < 6 && board->line.baud == 3000000; i++) {
        board->line.bytes_in += 100000;
        assert_int_equal(ef_session_recover(&board->session), EF_OK);
    }
    expect_at(board, 2000000);
    board_line_free(board);
}

/* The line goes bad while it works: a lower rate is reached however bad the one in force is. */
static void reaches_a_lower_rate_through_the_damage(void **state)
{
    (void)state;
    static const char *const FAULTS[] = {"damage:out:950000:1000000", "damage:in:950000:60000"};
    for (int i = 0; i < 4; i++) {
        struct board_line *board = working(i >= 2, true);
        add_fault(board, FAULTS[i % 2]);
        for (int n = 0; n < 30 && board->line.baud > 921600; n++)
            assert_int_equal(ef_session_recover(&board->session), EF_OK);
        assert_int_equal(board->session.esp.stub, i < 2);
        expect_at(board, 921600);
        board_line_free(board);
    }
}

/* A board that was reset is no damage: its loader is started again, at the rate it had. */
static void a_reset_is_no_damage(void **state)
{
    (void)state;
    struct board_line *board = working(false, true);
    board_line_set_lines(&board->line, false, true);
    board_line_set_lines(&board->line, true, false);
    board_line_set_lines(&board->line, false, false);
    board->drive->out_pos = board->drive->out_len;
    assert_int_equal(eb_board_mode(board->drive->board), EB_MODE_ROM);
    assert_int_equal(eb_board_baud(board->drive->board), EF_ROM_BAUD);
    assert_int_equal(ef_session_recover(&board->session), EF_OK);
    assert_true(board->session.esp.stub);
    assert_true(board->session.loader_ready);
    expect_at(board, 3000000);
    assert_int_equal(board->session.rates.slowdowns, 0);
    board_line_free(board);
}

/* Behind an adapter that stays: what was read and what is to be written is not this one's. */
static void another_board_is_refused(void **state)
{
    (void)state;
    for (int rom = 0; rom < 2; rom++) {
        struct board_line *board = working(rom, false);
        struct eb_drive *mounted = board->drive;
        struct eb_drive *other = eb_drive_new("esp32", SIZE);
        assert_non_null(other);
        other->config.has_mac = true;
        memcpy(other->config.mac, "\x24\x6f\x28\x01\x02\x03", 6);
        assert_true(eb_drive_start(other));
        board->drive = other;
        assert_int_equal(ef_session_recover(&board->session), EF_FOREIGN);
        assert_int_equal(seen(board, EF_OP_MEM_BEGIN), 0);
        assert_int_equal(seen(board, EF_OP_SPI_ATTACH), 0);
        assert_false(board->session.loader_ready);
        /* The first one, with power anew. */
        eb_drive_free(mounted);
        board->drive = eb_drive_new("esp32", SIZE);
        assert_non_null(board->drive);
        assert_true(eb_drive_start(board->drive));
        assert_int_equal(ef_session_recover(&board->session), EF_OK);
        assert_true(board->session.loader_ready);
        eb_drive_free(other);
        board_line_free(board);
    }
}

static void a_line_that_is_gone(void **state)
{
    (void)state;
    struct board_line *board = working(false, true);
    board->gone = true;
    for (int i = 0; i < 4; i++)
        assert_int_equal(ef_session_recover(&board->session), EF_GONE);
    assert_int_equal(ef_baud_search(&board->session, 2), EF_GONE);
    board_line_free(board);
    board = start_plain();
    board->gone = true;
    assert_int_equal(ef_baud_settle(&board->session), EF_GONE);
    board_line_free(board);
}

/* A driver that was killed leaves a stub at any of the rates. */
static void searches_all_rates(void **state)
{
    (void)state;
    for (int rate = 0; rate < RATE_COUNT; rate++) {
        struct board_line *board = working(false, false);
        assert_int_equal(ef_baud_change(&board->session, RATES[rate]), EF_OK);
        board->line.baud = EF_ROM_BAUD;
        assert_int_equal(ef_baud_search(&board->session, 6), EF_OK);
        assert_int_equal(board->line.baud, RATES[rate]);
        board_line_free(board);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(climbs_to_the_top),
        cmocka_unit_test(ends_below_the_damage),
        cmocka_unit_test(ends_below_the_damage_on_a_blank_flash),
        cmocka_unit_test(a_lost_board_is_reset),
        cmocka_unit_test(a_lost_board_without_reset_is_a_failure),
        cmocka_unit_test(ends_where_the_port_does),
        cmocka_unit_test(ends_where_the_chip_refuses),
        cmocka_unit_test(a_stub_that_cannot_be_replaced_is_left_alone),
        cmocka_unit_test(lines_without_a_rate),
        cmocka_unit_test(a_given_rate_is_obeyed),
        cmocka_unit_test(steps_down_at_the_third_failure),
        cmocka_unit_test(rare_failures_are_borne),
        cmocka_unit_test(reaches_a_lower_rate_through_the_damage),
        cmocka_unit_test(a_reset_is_no_damage),
        cmocka_unit_test(another_board_is_refused),
        cmocka_unit_test(a_line_that_is_gone),
        cmocka_unit_test(searches_all_rates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
