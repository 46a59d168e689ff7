/*
 * Every bit of a request flipped, one run each: what is said to be done is done, and no
 * other sector changes without being counted as a stray. (A command's address and length
 * cross the line without a checksum.)
 */
#include "board_line.h"

#include "espflashfs/flash.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SIZE = 1 << 17, ADDR = 4 * EF_SECTOR, LEN = 2 * EF_SECTOR, REST = ADDR + LEN };

struct room {
    struct board_line *board;
    struct ef_flash *flash;
    uint8_t pattern[SIZE], model[SIZE], buf[SIZE];
    unsigned refused, strayed; /* runs in which this happened */
};

/* One stub stands for all: they differ in nothing that is asked of them here. */
static const struct {
    const char *chip;
    bool stub;
} LOADERS[] = {{"esp32", true}, {"esp32", false}, {"esp32c3", false}};

enum { LOADER_COUNT = sizeof(LOADERS) / sizeof(LOADERS[0]) };

static uint8_t *chip_bytes(struct room *room)
{
    return eb_board_nor_to_fill(room->board->drive->board)->bytes;
}

static void leave(struct room *room)
{
    ef_flash_free(room->flash);
    if (room->board)
        board_line_free(room->board);
    room->flash = NULL;
    room->board = NULL;
}

static void enter(struct room *room, int i)
{
    leave(room);
    room->board = board_line_new(LOADERS[i].chip, SIZE, LOADERS[i].stub);
    assert_int_equal(board_line_start(room->board), EF_OK);
    struct ef_session *s = &room->board->session;
    struct ef_flash *bottom = LOADERS[i].stub ? ef_flash_stub_new(s) : ef_flash_rom_new(s);
    room->flash = ef_flash_retry_new(ef_flash_verify_new(bottom));
    assert_non_null(room->flash);
}

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    uint32_t x = 3;
    for (uint32_t k = 0; k < SIZE; k++) {
        x = x * 1664525U + 1013904223U;
        room->pattern[k] = (uint8_t)(x >> 24);
    }
    return 0;
}

static int room_close(void **state)
{
    leave(*state);
    free(*state);
    return 0;
}

typedef enum ef_err (*operation)(struct room *room);

static enum ef_err write_some(struct room *room)
{
    memset(room->model + ADDR, 0x42, LEN);
    room->model[ADDR + 7] = 0x17;
    return ef_flash_write(room->flash, ADDR, LEN, room->model + ADDR);
}

static enum ef_err erase_some(struct room *room)
{
    memset(room->model + ADDR, 0xFF, LEN);
    return ef_flash_erase(room->flash, ADDR, LEN);
}

static enum ef_err read_some(struct room *room)
{
    struct ef_read r = {.addr = ADDR + 5, .len = LEN, .buf = room->buf};
    memset(room->buf, 0, LEN);
    enum ef_err err = ef_flash_read(room->flash, &r);
    bool right = r.done <= LEN && memcmp(room->buf, room->model + ADDR + 5, r.done) == 0;
    return right ? err : EF_INVALID; /* which nothing below answers here */
}

/* One run with bit `bit` of the `at`-th byte to come flipped; returns how many bytes went in. */
static uint64_t run(struct room *room, operation op, enum eb_direction direction, uint64_t at,
                    uint64_t bit)
{
    struct eb_faults *faults = eb_board_faults(room->board->drive->board);
    uint64_t before = faults->seen[direction];
    uint64_t strays = ef_flash_strays(room->flash);
    memcpy(chip_bytes(room), room->pattern, SIZE);
    memcpy(room->model, room->pattern, SIZE);
    faults->count = 1;
    faults->touches_bytes[direction] = true;
    faults->list[0] = (struct eb_fault){
        .kind = EB_FAULT_FLIP, .direction = direction, .index = before + at, .count = bit};
    enum ef_err err = op(room);
    faults->count = 0;
    faults->touches_bytes[direction] = false;
    assert_int_not_equal(err, EF_INVALID);
    bool strayed = ef_flash_strays(room->flash) != strays;
    /* What may have made an erase of a read is not believed, and cannot be healed. */
    room->refused += err != EF_OK && !(op == read_some && strayed);
    room->strayed += strayed;
    if (err == EF_OK)
        assert_memory_equal(chip_bytes(room) + ADDR, room->model + ADDR, LEN);
    if (!strayed) {
        assert_int_equal(memcmp(chip_bytes(room), room->pattern, ADDR), 0);
        assert_int_equal(memcmp(chip_bytes(room) + REST, room->pattern + REST, SIZE - REST), 0);
    }
    return faults->seen[direction] - before;
}

static void flip_every_bit(struct room *room, operation op, enum eb_direction direction)
{
    for (int i = 0; i < LOADER_COUNT; i++) {
        enter(room, i);
        uint64_t total = run(room, op, direction, UINT64_MAX / 2, 0);
        assert_int_equal(room->refused + room->strayed, 0);
        /* A reply of raw flash contents is long: some of its bytes stand for the others. */
        uint64_t step = total > 1000 ? 37 : 1;
        for (uint64_t at = 0; at < total; at += at < 200 ? 1 : step)
            for (uint64_t bit = 0; bit < 8; bit++)
                run(room, op, direction, at, bit);
        /* One flipped bit is healed: nothing is refused for it. */
        assert_int_equal(room->refused, 0);
        room->strayed = 0;
    }
}

/* So many bytes from its end, a long write asks for the digest of its front; all ends in short
 * frames. */
static uint64_t long_step(uint64_t left)
{
    return left < 300 || (left > 16600 && left < 16900) ? 1 : 1499;
}

/*
 * All of the flash in one transfer, part of which is proven before its end: a flip in every so
 * many bytes, and in all that is sent between the last blocks.
 */
static void long_writes_in(void **state)
{
    struct room *room = *state;
    uint32_t x = 99;
    enter(room, 0);
    for (uint32_t k = 0; k < SIZE; k++) {
        x = x * 1664525U + 1013904223U;
        room->model[k] = (uint8_t)(x >> 24);
    }
    struct eb_faults *faults = eb_board_faults(room->board->drive->board);
    faults->touches_bytes[EB_IN] = true;
    uint64_t total = 0;
    for (uint64_t at = 0; total == 0 || at < total; at += total ? long_step(total - at) : 0) {
        uint64_t before = faults->seen[EB_IN];
        memcpy(chip_bytes(room), room->pattern, SIZE);
        faults->count = total > 0; /* the first run is a clean one, and tells how long they are */
        faults->list[0] = (struct eb_fault){
            .kind = EB_FAULT_FLIP, .direction = EB_IN, .index = before + at, .count = at % 8};
        assert_int_equal(ef_flash_write(room->flash, 0, SIZE, room->model), EF_OK);
        assert_memory_equal(chip_bytes(room), room->model, SIZE);
        if (total == 0) {
            total = faults->seen[EB_IN] - before;
            at = 0;
        }
    }
    faults->count = 0;
}

static void writes_in(void **state)
{
    flip_every_bit(*state, write_some, EB_IN);
}

static void erases_in(void **state)
{
    flip_every_bit(*state, erase_some, EB_IN);
}

static void reads_in(void **state)
{
    flip_every_bit(*state, read_some, EB_IN);
}

static void writes_out(void **state)
{
    flip_every_bit(*state, write_some, EB_OUT);
}

static void erases_out(void **state)
{
    flip_every_bit(*state, erase_some, EB_OUT);
}

static void reads_out(void **state)
{
    flip_every_bit(*state, read_some, EB_OUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(long_writes_in, room_open, room_close),
        cmocka_unit_test_setup_teardown(writes_in, room_open, room_close),
        cmocka_unit_test_setup_teardown(erases_in, room_open, room_close),
        cmocka_unit_test_setup_teardown(reads_in, room_open, room_close),
        cmocka_unit_test_setup_teardown(writes_out, room_open, room_close),
        cmocka_unit_test_setup_teardown(erases_out, room_open, room_close),
        cmocka_unit_test_setup_teardown(reads_out, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
