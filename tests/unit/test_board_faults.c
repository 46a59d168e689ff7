/* Faults that depend on the baud, and their spelling. */
#include "drive.h"

#include "espflashfs/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { FLASH_SIZE = 256 * 1024, BYTES = 100000 };

static struct eb_faults faults_of(const char *spec)
{
    struct eb_faults faults;
    char why[EB_WHY_CAP];
    eb_faults_init(&faults, 7);
    assert_int_equal(eb_faults_add(&faults, spec, why, sizeof(why)), 0);
    return faults;
}

/* How many of BYTES zeros come out as something else; each by one bit. */
static unsigned damaged(struct eb_faults *faults, enum eb_direction direction, uint32_t baud)
{
    unsigned count = 0;
    faults->baud = baud;
    for (int i = 0; i < BYTES; i++) {
        struct eb_fault_effect effect = eb_faults_byte(faults, direction, 0);
        assert_int_equal(effect.len, 1);
        assert_int_equal(effect.bytes[0] & (effect.bytes[0] - 1), 0);
        count += effect.bytes[0] != 0;
    }
    return count;
}

static void damage_depends_on_the_baud(void **state)
{
    (void)state;
    struct eb_faults faults = faults_of("damage:out:460800:10000");
    assert_int_equal(damaged(&faults, EB_OUT, 115200), 0);
    assert_int_equal(damaged(&faults, EB_OUT, 460800), 0);
    unsigned count = damaged(&faults, EB_OUT, 921600);
    assert_in_range(count, BYTES / 100 / 2, BYTES / 100 * 2);
    assert_int_equal(faults.damaged, count);
    assert_int_equal(damaged(&faults, EB_IN, 921600), 0);
    assert_int_equal(damaged(&faults, EB_OUT, 460800), 0);
}

static void damage_begins_at_a_byte(void **state)
{
    (void)state;
    struct eb_faults faults = faults_of("damage:in:115200:1000000:100000");
    assert_int_equal(damaged(&faults, EB_IN, 921600), 0);
    assert_int_equal(damaged(&faults, EB_IN, 921600), BYTES);
    assert_int_equal(damaged(&faults, EB_IN, 115200), 0);
}

static void wrong_spellings(void **state)
{
    (void)state;
    static const char *const WRONG[] = {"damage",
                                        "damage:out",
                                        "damage:out:460800",
                                        "damage:460800:10",
                                        "damage:up:460800:10",
                                        "damage:out:460800:10:20:30",
                                        "damage:out:460800:-1",
                                        "power",
                                        "power:in:7",
                                        "reboot",
                                        "reboot:in:1",
                                        "hang-up:3",
                                        "hang-up:out:3:4",
                                        "unplug:out:3"};
    struct eb_faults faults;
    char why[EB_WHY_CAP];
    eb_faults_init(&faults, 1);
    for (size_t i = 0; i < sizeof(WRONG) / sizeof(WRONG[0]); i++)
        assert_int_equal(eb_faults_add(&faults, WRONG[i], why, sizeof(why)), -1);
    assert_int_equal(faults.count, 0);
}

/* The board tells the faults its baud, and counts what they did. */
static void a_board_is_damaged_above_the_limit(void **state)
{
    (void)state;
    static const uint32_t BAUD[2] = {921600, 0};
    static const uint32_t MAGIC_ADDR = 0x40001000;
    struct eb_drive *drive = eb_drive_new("esp32", FLASH_SIZE);
    char why[EB_WHY_CAP];
    assert_non_null(drive);
    assert_int_equal(
        eb_faults_add(&drive->config.faults, "damage:out:460800:1000000", why, sizeof(why)), 0);
    assert_true(eb_drive_start(drive));
    assert_true(eb_drive_words(drive, EF_OP_READ_REG, 1, &MAGIC_ADDR));
    assert_true(eb_drive_words(drive, EF_OP_CHANGE_BAUDRATE, 2, BAUD));
    assert_int_equal(eb_board_counters(drive->board)->damaged, 0);
    assert_false(eb_drive_words(drive, EF_OP_READ_REG, 1, &MAGIC_ADDR));
    assert_true(eb_board_counters(drive->board)->damaged >= 10);
    eb_drive_free(drive);
}

/* It takes the request, tears what it was at, and is gone. */
static void a_board_without_power_says_nothing(void **state)
{
    (void)state;
    static const uint32_t REGION[2] = {0, EB_NOR_SECTOR};
    struct eb_drive *drive = eb_drive_new("esp32", FLASH_SIZE);
    char why[EB_WHY_CAP];
    assert_non_null(drive);
    assert_int_equal(eb_faults_add(&drive->config.faults, "power:2", why, sizeof(why)), 0);
    assert_true(eb_drive_start(drive));
    assert_true(eb_drive_start_stub(drive));
    assert_true(eb_drive_words(drive, EF_OP_ERASE_REGION, 2, REGION));
    assert_false(eb_board_powerless(drive->board));
    assert_false(eb_drive_words(drive, EF_OP_ERASE_REGION, 2, REGION));
    assert_true(eb_board_powerless(drive->board));
    assert_false(eb_drive_words(drive, EF_OP_ERASE_REGION, 2, REGION));
    assert_int_equal(eb_board_nor(drive->board)->erase_ops, 2);
    eb_drive_free(drive);
}

static void a_broken_line_passes_nothing_more(void **state)
{
    (void)state;
    struct eb_faults faults = faults_of("unplug:out:3:250");
    for (int i = 0; i < 3; i++)
        assert_int_equal(eb_faults_byte(&faults, EB_OUT, 1).len, 1);
    assert_int_equal(eb_faults_byte(&faults, EB_IN, 1).len, 1);
    assert_false(faults.broken);
    assert_int_equal(eb_faults_byte(&faults, EB_OUT, 1).len, 0);
    assert_true(faults.broken);
    assert_true(faults.unplugged);
    assert_int_equal(faults.away_ms, 250);
    assert_int_equal(eb_faults_byte(&faults, EB_IN, 1).len, 0);
    assert_int_equal(eb_faults_byte(&faults, EB_OUT, 1).len, 0);
    faults.broken = false; /* it is mended, and breaks once only */
    assert_int_equal(eb_faults_byte(&faults, EB_IN, 1).len, 1);
    assert_int_equal(eb_faults_byte(&faults, EB_OUT, 1).len, 1);
    assert_int_equal(faults.seen[EB_OUT], 5);
}

static void a_hang_up_leaves_the_board_its_power(void **state)
{
    (void)state;
    struct eb_faults faults = faults_of("hang-up:in:0");
    assert_int_equal(eb_faults_byte(&faults, EB_IN, 1).len, 0);
    assert_true(faults.broken);
    assert_false(faults.unplugged);
}

/* The chip is at its ROM's baud again, and answers what comes after the lost command. */
static void a_reboot_loses_command_and_baud(void **state)
{
    (void)state;
    static const uint32_t BAUD[2] = {921600, 0};
    static const uint32_t MAGIC_ADDR = 0x40001000;
    struct eb_drive *drive = eb_drive_new("esp32", FLASH_SIZE);
    char why[EB_WHY_CAP];
    assert_non_null(drive);
    assert_int_equal(eb_faults_add(&drive->config.faults, "reboot:3", why, sizeof(why)), 0);
    assert_true(eb_drive_start(drive));
    assert_true(eb_drive_words(drive, EF_OP_CHANGE_BAUDRATE, 2, BAUD));
    assert_int_equal(eb_board_baud(drive->board), 921600);
    assert_true(eb_drive_words(drive, EF_OP_READ_REG, 1, &MAGIC_ADDR));
    assert_false(eb_drive_words(drive, EF_OP_READ_REG, 1, &MAGIC_ADDR));
    assert_int_equal(eb_board_mode(drive->board), EB_MODE_ROM);
    assert_int_equal(eb_board_baud(drive->board), 115200);
    assert_true(eb_drive_words(drive, EF_OP_READ_REG, 1, &MAGIC_ADDR));
    eb_drive_free(drive);
}

/* It says that it went over to another baud, and has not. */
static void a_lie_is_answered_and_not_done(void **state)
{
    (void)state;
    static const uint32_t BAUD[2] = {921600, 0};
    struct eb_drive *drive = eb_drive_new("esp32", FLASH_SIZE);
    char why[EB_WHY_CAP];
    assert_non_null(drive);
    assert_int_equal(eb_faults_add(&drive->config.faults, "lie:1", why, sizeof(why)), 0);
    assert_true(eb_drive_start(drive));
    for (uint32_t baud = 115200; baud <= 921600; baud += 806400) {
        assert_true(eb_drive_words(drive, EF_OP_CHANGE_BAUDRATE, 2, BAUD));
        assert_int_equal(eb_drive_status(drive, 0), 0);
        assert_int_equal(eb_board_baud(drive->board), baud);
    }
    eb_drive_free(drive);
}

/* Without power there is no answer; afterwards the board boots as it did at the start. */
static void a_board_that_is_plugged_in_boots(void **state)
{
    (void)state;
    static const uint32_t MAGIC_ADDR = 0x40001000;
    for (int firmware = 0; firmware < 2; firmware++) {
        struct eb_drive *drive = eb_drive_new("esp32", FLASH_SIZE);
        assert_non_null(drive);
        drive->config.firmware = firmware != 0;
        assert_true(eb_drive_start(drive));
        eb_board_set_power(drive->board, false, drive->now_ns);
        assert_false(eb_drive_words(drive, EF_OP_READ_REG, 1, &MAGIC_ADDR));
        assert_int_equal(eb_board_mode(drive->board), EB_MODE_HELD);
        eb_board_set_power(drive->board, true, drive->now_ns);
        eb_drive_wait(drive, 1000);
        assert_int_equal(eb_board_mode(drive->board), firmware ? EB_MODE_FIRMWARE : EB_MODE_ROM);
        eb_drive_free(drive);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damage_depends_on_the_baud),
        cmocka_unit_test(damage_begins_at_a_byte),
        cmocka_unit_test(wrong_spellings),
        cmocka_unit_test(a_board_is_damaged_above_the_limit),
        cmocka_unit_test(a_board_without_power_says_nothing),
        cmocka_unit_test(a_broken_line_passes_nothing_more),
        cmocka_unit_test(a_hang_up_leaves_the_board_its_power),
        cmocka_unit_test(a_reboot_loses_command_and_baud),
        cmocka_unit_test(a_lie_is_answered_and_not_done),
        cmocka_unit_test(a_board_that_is_plugged_in_boots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
