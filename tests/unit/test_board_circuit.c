/* Modem lines, buttons and what the simulated board boots into, in made-up time. */
#include "drive.h"

#include "espflashfs/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FLASH_SIZE = 256 * 1024, SMALL_CAP_MS = 10, LARGE_CAP_MS = 200, SPI_PARAMS_WORDS = 6 };

static const uint32_t MAGIC_ADDR = 0x40001000;

static struct eb_drive *new_drive(const char *chip, enum eb_circuit circuit, unsigned en_delay_ms,
                                  bool firmware)
{
    struct eb_drive *drive = eb_drive_new(chip, FLASH_SIZE);
    assert_non_null(drive);
    drive->config.circuit = circuit;
    drive->config.en_delay_ns = (int64_t)en_delay_ms * 1000000;
    drive->config.firmware = firmware;
    assert_true(eb_drive_start(drive));
    return drive;
}

/* The bytes sent since the last look, as text. */
static const char *said(struct eb_drive *drive)
{
    assert_true(drive->out_len < EB_DRIVE_OUT_CAP);
    drive->out[drive->out_len] = '\0';
    const char *text = (const char *)drive->out + drive->out_pos;
    drive->out_pos = drive->out_len;
    return text;
}

static void classic(struct eb_drive *drive, unsigned gap_ms, unsigned last_wait_ms)
{
    eb_drive_lines(drive, false, false, gap_ms);
    eb_drive_lines(drive, false, true, 100);
    eb_drive_lines(drive, true, true, gap_ms);
    eb_drive_lines(drive, true, false, last_wait_ms);
    eb_drive_lines(drive, false, false, 0);
}

static void at_once(struct eb_drive *drive, unsigned last_wait_ms)
{
    eb_drive_lines(drive, false, false, 0);
    eb_drive_lines(drive, true, true, 0);
    eb_drive_lines(drive, false, true, 100);
    eb_drive_lines(drive, true, false, last_wait_ms);
    eb_drive_lines(drive, false, false, 0);
}

static void expect(struct eb_drive *drive, enum eb_mode mode)
{
    eb_drive_wait(drive, 1000);
    assert_int_equal(eb_board_mode(drive->board), mode);
}

static void expect_answers(struct eb_drive *drive)
{
    said(drive);
    assert_true(eb_drive_words(drive, EF_OP_READ_REG, 1, &MAGIC_ADDR));
    assert_int_equal(eb_drive_status(drive, 0), 0);
}

static void classic_enters_download(void **state)
{
    (void)state;
    struct eb_drive *drive = new_drive("esp32", EB_CIRCUIT_AUTO_RESET, SMALL_CAP_MS, true);
    classic(drive, 1, 50);
    assert_non_null(strstr(said(drive), "waiting for download\r\n"));
    expect(drive, EB_MODE_ROM);
    assert_int_equal(eb_drive_logged(drive, "RESET into download mode"), 1);
    assert_int_equal(eb_drive_logged(drive, "RESET into firmware"), 0);
    expect_answers(drive);
    eb_drive_free(drive);
}

static void at_once_enters_download(void **state)
{
    (void)state;
    struct eb_drive *drive = new_drive("esp8266", EB_CIRCUIT_AUTO_RESET, SMALL_CAP_MS, true);
    at_once(drive, 50);
    expect(drive, EB_MODE_ROM);
    expect_answers(drive);
    eb_drive_free(drive);
}

/* Between DTR and RTS both are asserted, neither EN nor IO0 is low: without a capacitor the chip
 * boots its firmware there, one after the other; both at once it does not. */
static void one_by_one_needs_a_capacitor(void **state)
{
    (void)state;
    struct eb_drive *drive = new_drive("esp32", EB_CIRCUIT_AUTO_RESET, 0, true);
    classic(drive, 1, 50);
    expect(drive, EB_MODE_FIRMWARE);
    assert_int_equal(eb_drive_logged(drive, "RESET into firmware"), 1);
    at_once(drive, 50);
    expect(drive, EB_MODE_ROM);
    eb_drive_free(drive);
}

static void a_large_capacitor_needs_the_long_wait(void **state)
{
    (void)state;
    struct eb_drive *drive = new_drive("esp32", EB_CIRCUIT_AUTO_RESET, LARGE_CAP_MS, true);
    classic(drive, 1, 50);
    expect(drive, EB_MODE_FIRMWARE);
    at_once(drive, 50);
    expect(drive, EB_MODE_FIRMWARE);
    classic(drive, 1, 550);
    expect(drive, EB_MODE_ROM);
    at_once(drive, 550);
    expect(drive, EB_MODE_ROM);
    assert_int_equal(eb_drive_logged(drive, "RESET into firmware"), 2);
    assert_int_equal(eb_drive_logged(drive, "RESET into download mode"), 2);
    eb_drive_free(drive);
}

static void rts_alone_runs_the_firmware(void **state)
{
    (void)state;
    struct eb_drive *drive = new_drive("esp32", EB_CIRCUIT_AUTO_RESET, SMALL_CAP_MS, false);
    eb_drive_lines(drive, false, true, 100);
    assert_int_equal(eb_board_mode(drive->board), EB_MODE_HELD);
    assert_string_equal(said(drive), "");
    eb_drive_lines(drive, false, false, 0);
    expect(drive, EB_MODE_FIRMWARE);
    const char *text = said(drive);
    assert_non_null(strstr(text, "SPI_FAST_FLASH_BOOT"));
    assert_non_null(strstr(text, "still here"));
    assert_false(eb_drive_words(drive, EF_OP_READ_REG, 1, &MAGIC_ADDR));
    eb_drive_free(drive);
}

static void dtr_alone_and_both_change_nothing(void **state)
{
    (void)state;
    struct eb_drive *drive = new_drive("esp32", EB_CIRCUIT_AUTO_RESET, SMALL_CAP_MS, false);
    eb_drive_lines(drive, true, false, 100);
    eb_drive_lines(drive, true, true, 100);
    eb_drive_lines(drive, true, false, 100);
    eb_drive_lines(drive, false, false, 100);
    expect(drive, EB_MODE_ROM);
    assert_int_equal(eb_drive_logged(drive, "RESET"), 0);
    assert_int_equal(eb_drive_logged(drive, "LINES DTR 1 RTS 0"), 2);
    eb_drive_free(drive);
}

/* A command sent while EN is low is lost; after the reset, so is all that the loader knew. */
static void a_reset_forgets(void **state)
{
    (void)state;
    static const uint32_t SIZE_4M[SPI_PARAMS_WORDS] = {0, 4 << 20, 0x10000, 0x1000, 0x100, 0xFFFF};
    static const uint32_t ATTACH[2] = {0, 0};
    static const uint32_t DEFL_BEGIN[4] = {0x400, 1, 0x400, 0};
    static const uint32_t BAUD[2] = {921600, 0};
    uint8_t block[0x400] = {0};
    struct eb_drive *drive = new_drive("esp32", EB_CIRCUIT_AUTO_RESET, SMALL_CAP_MS, false);
    assert_true(eb_drive_words(drive, EF_OP_SPI_ATTACH, 2, ATTACH));
    assert_true(eb_drive_words(drive, EF_OP_SPI_SET_PARAMS, SPI_PARAMS_WORDS, SIZE_4M));
    assert_true(eb_drive_words(drive, EF_OP_FLASH_BEGIN, 4, DEFL_BEGIN));
    assert_int_equal(eb_drive_status(drive, 0), 0);
    assert_true(eb_drive_words(drive, EF_OP_CHANGE_BAUDRATE, 2, BAUD));
    assert_int_equal(eb_board_baud(drive->board), 921600);

    eb_drive_lines(drive, false, true, 100);
    assert_false(eb_drive_words(drive, EF_OP_READ_REG, 1, &MAGIC_ADDR));
    eb_drive_lines(drive, true, false, 50);
    eb_drive_lines(drive, false, false, 0);
    expect(drive, EB_MODE_ROM);
    assert_int_equal(eb_board_baud(drive->board), 115200);
    said(drive);
    assert_true(eb_drive_data(drive, EF_OP_FLASH_DATA, 0, block, sizeof(block)));
    assert_int_not_equal(eb_drive_status(drive, 0), 0);
    assert_true(eb_drive_words(drive, EF_OP_FLASH_BEGIN, 4, DEFL_BEGIN));
    assert_int_not_equal(eb_drive_status(drive, 0), 0); /* not attached */
    eb_drive_free(drive);
}

static void a_reset_ends_the_stub(void **state)
{
    (void)state;
    struct eb_drive *drive = new_drive("esp32c3", EB_CIRCUIT_AUTO_RESET, SMALL_CAP_MS, false);
    assert_true(eb_drive_start_stub(drive));
    at_once(drive, 50);
    expect(drive, EB_MODE_ROM);
    expect_answers(drive);
    assert_true(eb_drive_start_stub(drive));
    eb_drive_free(drive);
}

static void without_a_circuit_only_buttons_work(void **state)
{
    (void)state;
    struct eb_drive *drive = new_drive("esp32", EB_CIRCUIT_NONE, SMALL_CAP_MS, true);
    classic(drive, 1, 550);
    at_once(drive, 550);
    expect(drive, EB_MODE_FIRMWARE);
    assert_int_equal(eb_drive_logged(drive, "RESET"), 0);
    eb_board_press_buttons(drive->board, drive->now_ns);
    assert_int_equal(eb_board_mode(drive->board), EB_MODE_HELD);
    expect(drive, EB_MODE_ROM);
    expect_answers(drive);
    eb_drive_free(drive);
}

static void a_button_lasts_for_one_reset(void **state)
{
    (void)state;
    struct eb_drive *drive = new_drive("esp32", EB_CIRCUIT_AUTO_RESET, SMALL_CAP_MS, true);
    eb_board_press_buttons(drive->board, drive->now_ns);
    expect(drive, EB_MODE_ROM);
    eb_drive_lines(drive, false, true, 100);
    eb_drive_lines(drive, false, false, 0);
    expect(drive, EB_MODE_FIRMWARE);
    eb_drive_free(drive);
}

static void usb_jtag_through_both_lines(struct eb_drive *drive)
{
    eb_drive_lines(drive, false, false, 100);
    eb_drive_lines(drive, true, false, 100);
    eb_drive_lines(drive, true, true, 0);
    eb_drive_lines(drive, false, true, 0);
    eb_drive_lines(drive, false, true, 100);
    eb_drive_lines(drive, false, false, 0);
}

static void usb_jtag_enters_download(void **state)
{
    (void)state;
    struct eb_drive *drive = new_drive("esp32c3", EB_CIRCUIT_USB_JTAG, 1, true);
    usb_jtag_through_both_lines(drive);
    expect(drive, EB_MODE_ROM);
    /* RTS was set twice, and resets once. */
    assert_int_equal(eb_drive_logged(drive, "RESET"), 1);
    expect_answers(drive);
    eb_drive_lines(drive, false, true, 200);
    eb_drive_lines(drive, false, false, 0);
    expect(drive, EB_MODE_FIRMWARE);
    eb_drive_free(drive);
}

/* Its flag is cleared where both lines are, and counts only as it is when RTS comes. */
static void usb_jtag_wrong_sequences(void **state)
{
    (void)state;
    struct eb_drive *drive = new_drive("esp32c3", EB_CIRCUIT_USB_JTAG, 1, true);
    classic(drive, 0, 50);
    expect(drive, EB_MODE_FIRMWARE);
    at_once(drive, 550);
    expect(drive, EB_MODE_FIRMWARE);
    eb_drive_lines(drive, true, false, 100);
    eb_drive_lines(drive, false, false, 0);
    eb_drive_lines(drive, false, true, 100);
    eb_drive_lines(drive, false, false, 0);
    expect(drive, EB_MODE_FIRMWARE);
    assert_int_equal(eb_drive_logged(drive, "RESET into firmware"), 3);
    assert_int_equal(eb_drive_logged(drive, "RESET into download mode"), 0);
    eb_drive_free(drive);
}

/* And its own sequence does not suit the two transistors: IO0 is high when EN rises. */
static void auto_reset_wants_no_usb_sequence(void **state)
{
    (void)state;
    struct eb_drive *drive = new_drive("esp32", EB_CIRCUIT_AUTO_RESET, SMALL_CAP_MS, true);
    usb_jtag_through_both_lines(drive);
    expect(drive, EB_MODE_FIRMWARE);
    eb_drive_free(drive);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classic_enters_download),
        cmocka_unit_test(at_once_enters_download),
        cmocka_unit_test(one_by_one_needs_a_capacitor),
        cmocka_unit_test(a_large_capacitor_needs_the_long_wait),
        cmocka_unit_test(rts_alone_runs_the_firmware),
        cmocka_unit_test(dtr_alone_and_both_change_nothing),
        cmocka_unit_test(a_reset_forgets),
        cmocka_unit_test(a_reset_ends_the_stub),
        cmocka_unit_test(without_a_circuit_only_buttons_work),
        cmocka_unit_test(a_button_lasts_for_one_reset),
        cmocka_unit_test(usb_jtag_enters_download),
        cmocka_unit_test(usb_jtag_wrong_sequences),
        cmocka_unit_test(auto_reset_wants_no_usb_sequence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
