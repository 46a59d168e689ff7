/*
 * Built-in USB that keeps a frame's last packet of 64 bytes back when the frame ends with it:
 * what is read is right all the same, and no read dies at the same place for ever.
 */
#include "board_line.h"

#include "espflashfs/flash.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SIZE = 1 << 18, ESCAPED = 0xC0, PLAIN = 0x11 };

struct room {
    struct board_line *board;
    struct ef_flash *flash;
    uint8_t model[SIZE], buf[SIZE];
};

static int room_open(void **state)
{
    *state = calloc(1, sizeof(struct room));
    return *state ? 0 : -1;
}

static void leave(struct room *room)
{
    ef_flash_free(room->flash);
    if (room->board)
        board_line_free(room->board);
}

static int room_close(void **state)
{
    leave(*state);
    free(*state);
    return 0;
}

/* The model holds `escapes` bytes that take two on the line in every `stride`. */
static void fill(struct room *room, uint32_t stride, uint32_t escapes)
{
    memset(room->model, PLAIN, SIZE);
    for (uint32_t at = 0; at < SIZE; at += stride)
        memset(room->model + at, ESCAPED, escapes);
}

static void enter(struct room *room, const char *chip, bool stub)
{
    leave(room);
    room->board = board_line_new(chip, SIZE, stub);
    room->board->usb.usb_hold = true;
    memcpy(eb_board_nor_to_fill(room->board->drive->board)->bytes, room->model, SIZE);
    assert_int_equal(board_line_start(room->board), EF_OK);
    struct ef_session *s = &room->board->session;
    s->wire = EF_WIRE_USB_JTAG;
    room->flash = ef_flash_retry_new(stub ? ef_flash_stub_new(s) : ef_flash_rom_new(s));
    assert_non_null(room->flash);
}

static uint64_t commands(struct room *room, enum ef_op op)
{
    return eb_board_counters(room->board->drive->board)->ops[op];
}

static void read_right(struct room *room, uint32_t addr, uint32_t len)
{
    struct ef_read r = {.addr = addr, .len = len, .buf = room->buf};
    memset(room->buf, 0, len);
    assert_int_equal(ef_flash_read(room->flash, &r), EF_OK);
    assert_memory_equal(room->buf, room->model + addr, len);
}

/* The line does what it is said to: a frame of 64 bytes is stuck, one of 63 or 65 is not. */
static void the_line(void **state)
{
    (void)state;
    static const uint8_t FRAMES[3][64] = {{ESCAPED}, {ESCAPED}, {ESCAPED}};
    for (size_t len = 61; len <= 63; len++) {
        struct eb_line_out line;
        uint8_t frame[130];
        uint8_t got[200];
        eb_line_out_init(&line, 0);
        line.usb_hold = true;
        size_t n = ef_slip_encode(frame, FRAMES[0] + 1, len);
        eb_line_out_put(&line, frame, n, 0, 0);
        size_t first = eb_line_out_take(&line, 0, got, sizeof(got));
        assert_int_equal(first, n == 64 ? 0 : n);
        assert_int_equal(eb_line_out_next_ns(&line), INT64_MAX);
        eb_line_out_put(&line, frame, n, 0, 0);
        size_t second = eb_line_out_take(&line, 0, got, sizeof(got));
        assert_int_equal(second, n);
        eb_line_out_free(&line);
    }
}

/* Every packet of flash ends with a full packet of USB: each is pushed on by the next. */
static void packets_are_pushed_on(void **state)
{
    struct room *room = *state;
    fill(room, 0x1000, 62); /* 4096 + 62 + 2 are 65 times 64 */
    enter(room, "esp32c3", true);
    read_right(room, 0, SIZE);
    assert_int_equal(commands(room, EF_OP_READ_FLASH), SIZE / EF_BLOCK);
    read_right(room, 0x1000, 0x1000);
    assert_int_equal(commands(room, EF_OP_READ_FLASH), SIZE / EF_BLOCK + 1);
    read_right(room, 0x100, 126);
    assert_int_equal(commands(room, EF_OP_READ_FLASH), SIZE / EF_BLOCK + 2);
}

/* A frame that is stuck as a whole is never seen: what is asked for next is cut otherwise. */
static void short_frames_are_cut_otherwise(void **state)
{
    struct room *room = *state;
    fill(room, SIZE, 0);
    enter(room, "esp32c3", true);
    read_right(room, 0x100, 62);
    assert_int_equal(commands(room, EF_OP_READ_FLASH), 2);
    read_right(room, 0x200, 61);
    assert_int_equal(commands(room, EF_OP_READ_FLASH), 3);
    read_right(room, 0x300, 62); /* and it is no habit */
    assert_int_equal(commands(room, EF_OP_READ_FLASH), 5);
}

/* A reply of the ROM with 50 escapes is 128 bytes: in the middle of the queue, and last. */
static void slow_reads(void **state)
{
    struct room *room = *state;
    static const uint32_t AT[] = {0, 0x80, 0x1000, 0x4000 - 64, SIZE - 64};
    fill(room, SIZE, 0);
    for (size_t i = 0; i < sizeof(AT) / sizeof(AT[0]); i++)
        memset(room->model + AT[i], ESCAPED, 50);
    enter(room, "esp32c3", false);
    uint64_t registers = commands(room, EF_OP_READ_REG);
    read_right(room, 0, SIZE);
    for (size_t i = 0; i < sizeof(AT) / sizeof(AT[0]); i++)
        read_right(room, AT[i], 64);
    /* Nothing was asked for twice, but what was last was nudged. */
    assert_int_equal(commands(room, EF_OP_READ_FLASH_SLOW), SIZE / 64 + sizeof(AT) / sizeof(AT[0]));
    assert_int_equal(commands(room, EF_OP_READ_REG) - registers, 1 + sizeof(AT) / sizeof(AT[0]));
    fill(room, 64, 50);
    enter(room, "esp32c3", false);
    read_right(room, 0, 0x4000);
    assert_int_equal(commands(room, EF_OP_READ_FLASH_SLOW), 0x4000 / 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_line, room_open, room_close),
        cmocka_unit_test_setup_teardown(packets_are_pushed_on, room_open, room_close),
        cmocka_unit_test_setup_teardown(short_frames_are_cut_otherwise, room_open, room_close),
        cmocka_unit_test_setup_teardown(slow_reads, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
