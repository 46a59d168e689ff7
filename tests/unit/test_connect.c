/*
 * Connecting to simulated boards behind reset circuits, and leaving them. The board's time is
 * made up: the waits of a sequence pass for it as well, and where nothing is to be read, it
 * is at once as late as the reader would have waited.
 */
#include "drive.h"

#include "esp/connect_steps.h"

#include "espflashfs/reset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { FLASH_SIZE = 256 * 1024, LARGE_CAP_MS = 200, NS_PER_MS = 1000000 };

struct room {
    struct ef_line line; /* first: the line's functions get this address */
    struct eb_drive *drive;
    struct ef_session session;
    struct ef_log log;
    char log_path[32];
    char text[0x8000];
    int64_t last_ms;   /* the real time up to which the board's has passed */
    bool lines[2];     /* DTR, RTS */
    bool deaf;         /* what is sent does not arrive */
    uint64_t changes;  /* of the modem lines */
    uint64_t gone_at;  /* this change, counted from 1, finds the device gone */
    uint64_t press_at; /* after so many bytes sent, fingers hold BOOT and tap RESET */
};

/* The board's time, up to now. */
static void pass(struct room *room)
{
    int64_t now_ms = ef_clock_now_ms();
    eb_drive_wait(room->drive, (unsigned)(now_ms - room->last_ms));
    room->last_ms = now_ms;
}

static enum ef_err room_read(struct ef_line *line, uint8_t *buf, size_t cap, ef_deadline deadline,
                             size_t *got)
{
    struct room *room = (struct room *)line;
    struct eb_drive *drive = room->drive;
    pass(room);
    if (drive->out_pos == drive->out_len)
        eb_drive_wait(drive, (unsigned)ef_deadline_left_ms(deadline));
    size_t left = drive->out_len - drive->out_pos;
    if (left == 0)
        return EF_TIMEOUT;
    *got = left < cap ? left : cap;
    memcpy(buf, drive->out + drive->out_pos, *got);
    drive->out_pos += *got;
    /* Heard by nobody: at another baud there is noise at best. */
    if (line->baud != eb_board_baud(drive->board))
        memset(buf, 0xF0, *got);
    return EF_OK;
}

static enum ef_err room_write(struct ef_line *line, const uint8_t *buf, size_t len,
                              ef_deadline deadline)
{
    struct room *room = (struct room *)line;
    (void)deadline;
    pass(room);
    if (line->bytes_out < room->press_at && line->bytes_out + len >= room->press_at)
        eb_board_press_buttons(room->drive->board, room->drive->now_ns);
    if (!room->deaf && line->baud == eb_board_baud(room->drive->board))
        eb_drive_bytes(room->drive, buf, len);
    return EF_OK;
}

static enum ef_err room_set_baud(struct ef_line *line, uint32_t baud)
{
    (void)line;
    (void)baud;
    return EF_OK;
}

static enum ef_err change(struct room *room, bool dtr, bool rts)
{
    room->lines[EF_DTR] = dtr;
    room->lines[EF_RTS] = rts;
    pass(room);
    if (++room->changes == room->gone_at)
        return EF_GONE;
    eb_drive_lines(room->drive, dtr, rts, 0);
    return EF_OK;
}

static enum ef_err room_set_lines(struct ef_line *line, bool dtr, bool rts)
{
    return change((struct room *)line, dtr, rts);
}

static enum ef_err room_set_one_line(struct ef_line *line, enum ef_modem_line which, bool on)
{
    struct room *room = (struct room *)line;
    bool dtr = which == EF_DTR ? on : room->lines[EF_DTR];
    return change(room, dtr, which == EF_RTS ? on : room->lines[EF_RTS]);
}

static const struct ef_line_ops MODEM_OPS = {.read = room_read,
                                             .write = room_write,
                                             .set_baud = room_set_baud,
                                             .set_lines = room_set_lines,
                                             .set_one_line = room_set_one_line};
static const struct ef_line_ops PLAIN_OPS = {
    .read = room_read, .write = room_write, .set_baud = room_set_baud};

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    strcpy(room->log_path, "/tmp/ef-connect.XXXXXX");
    close(mkstemp(room->log_path));
    ef_log_init(&room->log, "test", EF_LOG_DEBUG);
    room->log.to_stderr = false;
    return ef_log_open_file(&room->log, room->log_path);
}

static int room_close(void **state)
{
    struct room *room = *state;
    eb_drive_free(room->drive);
    ef_log_free(&room->log);
    unlink(room->log_path);
    free(room);
    return 0;
}

/* A board in its firmware, on a bridge of CP210x's kind; tests change what they want. */
static void plug(struct room *room, const char *chip, enum eb_circuit circuit, unsigned en_delay_ms)
{
    room->drive = eb_drive_new(chip, FLASH_SIZE);
    assert_non_null(room->drive);
    room->drive->config.circuit = circuit;
    room->drive->config.en_delay_ns = (int64_t)en_delay_ms * NS_PER_MS;
    room->drive->config.firmware = true;
    assert_true(eb_drive_start(room->drive));
    eb_board_connected(room->drive->board, 0);
    room->last_ms = ef_clock_now_ms();
    room->line = (struct ef_line){.ops = &MODEM_OPS,
                                  .name = "room",
                                  .kind = "serial",
                                  .baud = EF_ROM_BAUD,
                                  .usb_vid = 0x10C4,
                                  .usb_pid = 0xEA60};
    struct ef_session *s = &room->session;
    s->line = &room->line;
    s->log = &room->log;
    ef_link_init(&s->link, s->line);
    s->esp = (struct ef_esp){.link = &s->link, .log = &room->log, .rom_status = 2};
    s->config = (struct ef_session_config){.port = "room", .baud = 460800, .stub = "rom"};
}

/* The same, without modem lines, in its boot loader. */
static void plug_loader(struct room *room, const char *chip, bool stub)
{
    plug(room, chip, EB_CIRCUIT_NONE, 10);
    eb_board_press_buttons(room->drive->board, room->drive->now_ns);
    eb_drive_wait(room->drive, 500);
    assert_int_equal(eb_board_mode(room->drive->board), EB_MODE_ROM);
    room->drive->out_pos = room->drive->out_len;
    if (stub)
        assert_true(eb_drive_start_stub(room->drive));
    room->line.ops = &PLAIN_OPS;
}

static const char *log_text(struct room *room)
{
    FILE *file = fopen(room->log_path, "r");
    assert_non_null(file);
    room->text[fread(room->text, 1, sizeof(room->text) - 1, file)] = '\0';
    fclose(file);
    return room->text;
}

static void expect_said(struct room *room, const char *words)
{
    if (!strstr(log_text(room), words))
        fail_msg("no '%s' in: %s", words, room->text);
}

static unsigned boots(struct room *room, const char *into)
{
    char prefix[64];
    snprintf(prefix, sizeof(prefix), "RESET into %s", into);
    return eb_drive_logged(room->drive, prefix);
}

static void expect_loader(struct room *room, unsigned wrong_resets)
{
    assert_int_equal(ef_connect(&room->session), EF_OK);
    assert_int_equal(eb_board_mode(room->drive->board), EB_MODE_ROM);
    assert_false(room->session.esp.stub);
    room->session.chip = ef_chip_by_option(room->drive->config.chip->option);
    assert_int_equal(boots(room, "download"), 1);
    assert_int_equal(boots(room, "firmware"), wrong_resets);
}

static void auto_reset(void **state)
{
    struct room *room = *state;
    plug(room, "esp32", EB_CIRCUIT_AUTO_RESET, 10);
    expect_loader(room, 0);
    expect_said(room, "attempt 1: both lines at once");
}

static void auto_reset_one_by_one(void **state)
{
    struct room *room = *state;
    plug(room, "esp8266", EB_CIRCUIT_AUTO_RESET, 10);
    room->line.one_by_one = true;
    expect_loader(room, 0);
    expect_said(room, "attempt 1: classic");
}

/* The short wait lets IO0 go before the chip looks at it. */
static void large_capacitor(void **state)
{
    struct room *room = *state;
    plug(room, "esp32", EB_CIRCUIT_AUTO_RESET, LARGE_CAP_MS);
    expect_loader(room, 1);
    expect_said(room, "attempt 2: both lines at once, long");
}

static void usb_jtag(void **state)
{
    struct room *room = *state;
    plug(room, "esp32c3", EB_CIRCUIT_USB_JTAG, 10);
    room->line.usb_vid = 0x303A;
    room->line.usb_pid = 0x1001;
    expect_loader(room, 0);
}

/* A classic sequence on it starts the firmware, and does no harm. */
static void usb_jtag_over_a_network(void **state)
{
    struct room *room = *state;
    plug(room, "esp32c3", EB_CIRCUIT_USB_JTAG, 10);
    room->line.usb_vid = room->line.usb_pid = 0;
    room->line.kind = "rfc2217";
    room->line.one_by_one = true;
    expect_loader(room, 1);
    expect_said(room, "attempt 2: USB-Serial-JTAG");
}

static void usb_reset_behind_a_bridge(void **state)
{
    struct room *room = *state;
    plug(room, "esp32c3", EB_CIRCUIT_USB_JTAG, 10);
    room->session.config.before = EF_BEFORE_USB_RESET;
    expect_loader(room, 0);
}

static void custom_sequence(void **state)
{
    struct room *room = *state;
    plug(room, "esp32", EB_CIRCUIT_AUTO_RESET, LARGE_CAP_MS);
    room->session.config.reset_sequence = "U0,1|W0.05|U1,0|W0.25|U0,0";
    expect_loader(room, 0);
}

static void wrong_custom_sequence(void **state)
{
    struct room *room = *state;
    plug(room, "esp32", EB_CIRCUIT_AUTO_RESET, 10);
    room->session.config.reset_sequence = "D0|R0";
    assert_int_equal(ef_connect(&room->session), EF_TIMEOUT);
    assert_int_equal(boots(room, ""), 0);
    assert_int_equal(eb_board_mode(room->drive->board), EB_MODE_FIRMWARE);
    expect_said(room, "runs its firmware and was not reset into its boot loader");
}

/* IO0 does not follow: each reset starts the firmware, and the boot log says with which straps. */
static void io0_stays_high(void **state)
{
    struct room *room = *state;
    plug(room, "esp32", EB_CIRCUIT_AUTO_RESET, 10);
    room->session.config.reset_sequence = "D0|R1|W0.02|R0|W0.05";
    assert_int_equal(ef_connect(&room->session), EF_TIMEOUT);
    assert_int_equal(boots(room, "firmware"), EF_RESET_ATTEMPTS);
    expect_said(room, "it started with boot:0x13, so GPIO0");
}

static void nobody_is_asked_without_a_terminal(void **state)
{
    struct room *room = *state;
    plug(room, "esp32", EB_CIRCUIT_NONE, 10);
    assert_int_equal(ef_connect(&room->session), EF_TIMEOUT);
    assert_null(strstr(log_text(room), "tap RESET (or plug it in)"));
    expect_said(room, "hold BOOT (GPIO0 low), tap RESET, and try again");
}

/* Goes on by itself once the chip answers. */
static void a_person_is_asked(void **state)
{
    enum { SYNC_BYTES = 46, TRIES_BEFORE = EF_RESET_ATTEMPTS * 5, TRIES_ASKING = 10 };
    struct room *room = *state;
    plug(room, "esp32", EB_CIRCUIT_NONE, 10);
    room->session.config.ask = true;
    room->press_at = (TRIES_BEFORE + TRIES_ASKING) * SYNC_BYTES;
    assert_int_equal(ef_connect(&room->session), EF_OK);
    assert_int_equal(eb_board_mode(room->drive->board), EB_MODE_ROM);
    assert_int_equal(boots(room, "download"), 1);
    expect_said(room, "hold BOOT (GPIO0 to GND), tap RESET (or plug it in), release BOOT");
    expect_said(room, "the board's boot loader answers");
}

static void a_running_stub_at_another_baud(void **state)
{
    static const uint32_t BAUDS[] = {115200, 460800, 921600, 1500000, 3000000};
    struct room *room = *state;
    for (size_t i = 0; i < sizeof(BAUDS) / sizeof(BAUDS[0]); i++) {
        eb_drive_free(room->drive);
        plug_loader(room, "esp32", true);
        const uint32_t words[] = {BAUDS[i], 115200};
        assert_true(eb_drive_words(room->drive, EF_OP_CHANGE_BAUDRATE, 2, words));
        room->drive->out_pos = room->drive->out_len;
        assert_int_equal(eb_board_baud(room->drive->board), BAUDS[i]);
        assert_int_equal(ef_connect(&room->session), EF_OK);
        assert_int_equal(room->line.baud, BAUDS[i]);
        assert_true(room->session.esp.stub);
    }
}

/* Who answers is told without SYNC, and nothing is changed by that. */
static void no_sync(void **state)
{
    static const char *const CHIPS[] = {"esp8266", "esp32", "esp32c3"};
    struct room *room = *state;
    for (size_t i = 0; i < 2 * sizeof(CHIPS) / sizeof(CHIPS[0]); i++) {
        bool stub = i % 2 == 1;
        eb_drive_free(room->drive);
        plug_loader(room, CHIPS[i / 2], stub);
        uint64_t before = eb_board_counters(room->drive->board)->ops[EF_OP_SYNC];
        room->session.config.before = EF_BEFORE_NO_RESET_NO_SYNC;
        room->session.esp.no_sync = true;
        room->session.esp.stub = !stub;
        assert_int_equal(ef_connect(&room->session), EF_OK);
        assert_int_equal(room->session.esp.stub, stub);
        struct ef_session *s = &room->session;
        assert_int_equal(ef_chip_detect(&s->esp, &s->chip, &s->security), EF_OK);
        assert_string_equal(s->chip->option, CHIPS[i / 2]);
        assert_int_equal(eb_board_counters(room->drive->board)->ops[EF_OP_SYNC], before);
    }
}

static void no_sync_and_silence(void **state)
{
    struct room *room = *state;
    plug(room, "esp32", EB_CIRCUIT_NONE, 10);
    room->session.config.before = EF_BEFORE_NO_RESET_NO_SYNC;
    room->session.config.ask = true;
    room->session.esp.no_sync = true;
    assert_int_equal(ef_connect(&room->session), EF_TIMEOUT);
    assert_int_equal(eb_board_counters(room->drive->board)->ops[EF_OP_SYNC], 0);
    assert_int_equal(room->changes, 0);
    assert_null(strstr(log_text(room), "tap RESET (or plug it in)"));
}

static void left_in_its_firmware(void **state)
{
    struct room *room = *state;
    plug(room, "esp32", EB_CIRCUIT_AUTO_RESET, 10);
    expect_loader(room, 0);
    ef_session_leave_board(&room->session);
    pass(room);
    eb_drive_wait(room->drive, 100);
    assert_int_equal(eb_board_mode(room->drive->board), EB_MODE_FIRMWARE);
    expect_said(room, "the board was reset and runs its firmware");
}

/* What never answered was reset, but nobody knows whether that helped. */
static void left_without_an_answer(void **state)
{
    struct room *room = *state;
    plug(room, "esp32", EB_CIRCUIT_NONE, 10);
    ef_session_leave_board(&room->session);
    assert_int_equal(room->changes, 3);
    assert_null(strstr(log_text(room), "runs its firmware"));
    room->session.config.before = EF_BEFORE_NO_RESET;
    ef_session_leave_board(&room->session);
    assert_int_equal(room->changes, 3);
}

static void left_with_a_custom_hard_reset(void **state)
{
    struct room *room = *state;
    plug(room, "esp32", EB_CIRCUIT_AUTO_RESET, 10);
    expect_loader(room, 0);
    room->changes = 0;
    room->session.config.hard_reset_sequence = "U0,1|W0.01|U0,0";
    ef_session_leave_board(&room->session);
    assert_int_equal(room->changes, 2);
    eb_drive_wait(room->drive, 100);
    assert_int_equal(eb_board_mode(room->drive->board), EB_MODE_FIRMWARE);
}

/* Built-in USB may leave with the reset that was asked for. */
static void gone_in_the_hard_reset(void **state)
{
    struct room *room = *state;
    plug(room, "esp32c3", EB_CIRCUIT_USB_JTAG, 10);
    room->line.usb_vid = 0x303A;
    room->line.usb_pid = 0x1001;
    expect_loader(room, 0);
    room->gone_at = room->changes + 3;
    ef_session_leave_board(&room->session);
    expect_said(room, "the board was reset and runs its firmware");
}

/* A line of no kind that comes back: told as such, and nothing more is tried. */
static void gone_in_the_reset(void **state)
{
    struct room *room = *state;
    plug(room, "esp32", EB_CIRCUIT_AUTO_RESET, 10);
    room->line.kind = "room";
    room->gone_at = 3;
    assert_int_equal(ef_connect(&room->session), EF_GONE);
    assert_int_equal(room->changes, 3);
    expect_said(room, "closed from the other side");
}

/* The wire to it is broken: it says that it is ready, and hears nothing. */
static void deaf_board(void **state)
{
    struct room *room = *state;
    plug(room, "esp32", EB_CIRCUIT_AUTO_RESET, 10);
    room->deaf = true;
    assert_int_equal(ef_connect(&room->session), EF_TIMEOUT);
    expect_said(room, "does not hear what is sent: check the wire from TX here to RX there");
}

static void no_firmware(void **state)
{
    struct room *room = *state;
    plug(room, "esp32", EB_CIRCUIT_NONE, 10);
    struct ef_boot_report report = {.mode = "0x13", .no_firmware = true};
    ef_connect_explain(&room->session, EF_TIMEOUT, &report);
    expect_said(room, "its flash holds no firmware");
}

#define ROOM(test) cmocka_unit_test_setup_teardown(test, room_open, room_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM(auto_reset),
        ROOM(auto_reset_one_by_one),
        ROOM(large_capacitor),
        ROOM(usb_jtag),
        ROOM(usb_jtag_over_a_network),
        ROOM(usb_reset_behind_a_bridge),
        ROOM(custom_sequence),
        ROOM(wrong_custom_sequence),
        ROOM(io0_stays_high),
        ROOM(nobody_is_asked_without_a_terminal),
        ROOM(a_person_is_asked),
        ROOM(a_running_stub_at_another_baud),
        ROOM(no_sync),
        ROOM(no_sync_and_silence),
        ROOM(left_in_its_firmware),
        ROOM(left_without_an_answer),
        ROOM(left_with_a_custom_hard_reset),
        ROOM(gone_in_the_hard_reset),
        ROOM(gone_in_the_reset),
        ROOM(deaf_board),
        ROOM(no_firmware),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
