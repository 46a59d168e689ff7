/* How a board is left: what is said to its loader, and what its modem lines see. */
#include "fake_loader.h"

#include "esp/session_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

struct room {
    struct fake_loader *fake;
    struct ef_line_ops ops;
    struct ef_session *session;
    struct ef_log log;
    char log_path[32];
    char text[0x4000];
};

static enum ef_err no_lines(struct ef_line *line, bool dtr, bool rts)
{
    (void)line;
    (void)dtr;
    (void)rts;
    fail_msg("modem lines were changed");
    return EF_OK;
}

static enum ef_err no_one_line(struct ef_line *line, enum ef_modem_line which, bool on)
{
    (void)which;
    return no_lines(line, on, on);
}

/* The reset over USB that this stands for takes the device off the bus at once. */
static enum ef_err leaves_with_lines(struct ef_line *line, enum ef_modem_line which, bool on)
{
    (void)which;
    (void)on;
    ((struct fake_loader *)line)->dead = true;
    return EF_GONE;
}

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    strcpy(room->log_path, "/tmp/ef-leave.XXXXXX");
    close(mkstemp(room->log_path));
    ef_log_init(&room->log, "test", EF_LOG_INFO);
    room->log.to_stderr = false;
    room->session = calloc(1, sizeof(*room->session));
    return room->session ? ef_log_open_file(&room->log, room->log_path) : -1;
}

static int room_close(void **state)
{
    struct room *room = *state;
    ef_log_free(&room->log);
    unlink(room->log_path);
    free(room->session);
    free(room->fake);
    free(room);
    return 0;
}

/* A session with a loader of `chip`, that ends as `after` says. */
static struct fake_loader *talk_to(struct room *room, const char *chip, bool stub,
                                   enum ef_after after)
{
    struct ef_session *s = room->session;
    free(room->fake);
    room->fake = fake_new(ef_chip_by_option(chip));
    room->fake->stub = stub;
    room->fake->takes_flash = true;
    room->ops = *room->fake->line.ops;
    room->ops.set_lines = no_lines;
    room->ops.set_one_line = no_one_line;
    room->fake->line.ops = &room->ops;
    memset(s, 0, sizeof(*s));
    s->config.port = "fake";
    s->config.after = after;
    s->log = &room->log;
    s->line = &room->fake->line;
    s->chip = ef_chip_by_option(chip);
    s->esp = room->fake->esp;
    s->esp.stub = stub;
    s->identity.registers_read = true;
    return room->fake;
}

static void expect_said(struct room *room, const char *words)
{
    FILE *file = fopen(room->log_path, "r");
    assert_non_null(file);
    room->text[fread(room->text, 1, sizeof(room->text) - 1, file)] = '\0';
    fclose(file);
    if (!strstr(room->text, words))
        fail_msg("no '%s' in: %s", words, room->text);
}

static void an_older_stub_goes_back_to_the_rom(void **state)
{
    struct room *room = *state;
    struct fake_loader *fake = talk_to(room, "esp32", true, EF_AFTER_NO_RESET);
    fake->reboots = true;
    ef_session_leave_board(room->session);
    assert_false(fake->stub);
    assert_int_equal(fake_op_seen(fake, EF_OP_FLASH_BEGIN), 1);
    assert_int_equal(fake_op_seen(fake, EF_OP_FLASH_END), 1);
    expect_said(room, "left with its ROM's loader");
}

static void a_newer_stub_stays(void **state)
{
    struct room *room = *state;
    struct fake_loader *fake = talk_to(room, "esp32c3", true, EF_AFTER_NO_RESET);
    ef_session_leave_board(room->session);
    assert_true(fake->stub);
    expect_said(room, "stub running: this one cannot go back to the ROM");
}

/* FLASH_END would start the firmware: a ROM is told nothing. */
static void a_rom_is_left_alone(void **state)
{
    struct room *room = *state;
    struct fake_loader *fake = talk_to(room, "esp32", false, EF_AFTER_NO_RESET);
    ef_session_leave_board(room->session);
    assert_int_equal(fake->op_count, 0);
}

static void a_stub_is_left_running(void **state)
{
    struct room *room = *state;
    struct fake_loader *fake = talk_to(room, "esp32", true, EF_AFTER_NO_RESET_STUB);
    fake->reboots = true;
    ef_session_leave_board(room->session);
    assert_true(fake->stub);
    assert_int_equal(fake->op_count, 0);
}

/* Firmware that went to its loader by itself: the flag goes, and the watchdog resets. */
static void over_usb_otg(void **state)
{
    static const uint32_t OPTION = 0x6000812C, WATCHDOG = 0x60008098, ANYTHING = 0x120;
    struct room *room = *state;
    struct fake_loader *fake = talk_to(room, "esp32s3", true, EF_AFTER_HARD_RESET);
    room->session->wire = EF_WIRE_USB_OTG;
    fake_set(fake, OPTION, ANYTHING | 1);
    ef_session_leave_board(room->session);
    assert_int_equal(fake_get(fake, OPTION), ANYTHING);
    assert_int_equal(fake_get(fake, WATCHDOG), 0xD0000102);
    assert_int_equal(fake_get(fake, WATCHDOG + 4), 2000);
    assert_int_equal(fake_get(fake, 0x600080B0), 0x50D83AA1);
    expect_said(room, "the board was reset and runs its firmware");
}

/* No flag, no watchdog: what is not set is not written, and RTS resets. */
static void over_usb_jtag(void **state)
{
    struct room *room = *state;
    struct fake_loader *fake = talk_to(room, "esp32s3", true, EF_AFTER_HARD_RESET);
    room->session->wire = EF_WIRE_USB_JTAG;
    room->ops.set_one_line = leaves_with_lines;
    ef_session_leave_board(room->session);
    assert_true(fake->dead);
    assert_int_equal(fake_op_seen(fake, EF_OP_WRITE_REG), 0);
    expect_said(room, "the board was reset and runs its firmware");
}

/* In Secure Download Mode no register is touched. */
static void in_secure_download_mode(void **state)
{
    struct room *room = *state;
    struct fake_loader *fake = talk_to(room, "esp32s3", false, EF_AFTER_HARD_RESET);
    room->session->wire = EF_WIRE_USB_OTG;
    room->session->identity.registers_read = false;
    room->ops.set_one_line = leaves_with_lines;
    ef_session_leave_board(room->session);
    assert_true(fake->dead);
    assert_int_equal(fake->op_count, 0);
}

#define ROOM(test) cmocka_unit_test_setup_teardown(test, room_open, room_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM(an_older_stub_goes_back_to_the_rom),
        ROOM(a_newer_stub_stays),
        ROOM(a_rom_is_left_alone),
        ROOM(a_stub_is_left_running),
        ROOM(over_usb_otg),
        ROOM(over_usb_jtag),
        ROOM(in_secure_download_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
