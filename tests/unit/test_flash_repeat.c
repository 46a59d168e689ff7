/* Flash that holds less than its id tells is found, whatever lies in it, and others are not. */
#include "board_line.h"

#include "espflashfs/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { KIB = 1024, MIB = 1024 * KIB };

struct room {
    struct board_line *board;
    bool give_size;
};

static int room_open(void **state)
{
    *state = calloc(1, sizeof(struct room));
    return *state ? 0 : -1;
}

static int room_close(void **state)
{
    struct room *room = *state;
    if (room->board)
        board_line_free(room->board);
    free(room);
    return 0;
}

static uint8_t *chip_bytes(struct room *room)
{
    return eb_board_nor_to_fill(room->board->drive->board)->bytes;
}

static void pattern(uint8_t *bytes, uint32_t len, uint32_t seed)
{
    for (uint32_t k = 0; k < len; k++) {
        seed = seed * 1664525U + 1013904223U;
        bytes[k] = (uint8_t)(seed >> 24);
    }
}

/* A chip of `real` bytes whose id tells `claim`. */
static void make_board(struct room *room, bool stub, uint32_t real, uint32_t claim)
{
    if (room->board)
        board_line_free(room->board);
    uint32_t exponent = 0;
    while ((UINT32_C(1) << exponent) < claim)
        exponent++;
    room->board = board_line_new_with_id("esp32", real, stub, exponent << 16 | 0x40C8);
    room->board->session.config.size = room->give_size ? claim : 0;
}

static uint64_t digests(struct room *room)
{
    return eb_board_counters(room->board->drive->board)->ops[EF_OP_SPI_FLASH_MD5];
}

static void expect(struct room *room, uint32_t size, bool repeats)
{
    assert_int_equal(board_line_start(room->board), EF_OK);
    const struct ef_session *s = &room->board->session;
    assert_int_equal(s->flash_size, size);
    assert_int_equal(s->flash_repeats, repeats);
    assert_int_equal(s->size_is_chip, s->flash_size == s->flash_size_by_id);
    assert_int_equal(eb_drive_rejects(room->board->drive), 0);
}

static void undersized(void **state)
{
    struct room *room = *state;
    static const struct {
        uint32_t real, claim;
    } CHIPS[] = {{2 * MIB, 4 * MIB}, {1 * MIB, 4 * MIB}, {512 * KIB, 16 * MIB}, {256 * KIB, MIB}};
    for (int stub = 0; stub < 2; stub++) {
        for (size_t i = 0; i < sizeof(CHIPS) / sizeof(CHIPS[0]); i++) {
            make_board(room, stub, CHIPS[i].real, CHIPS[i].claim);
            pattern(chip_bytes(room), CHIPS[i].real, 5);
            expect(room, CHIPS[i].real, true);
            assert_int_equal(room->board->session.flash_size_by_id, CHIPS[i].claim);
        }
    }
}

/* One sector in a blank chip is enough, wherever a sample looks. */
static void undersized_and_nearly_blank(void **state)
{
    struct room *room = *state;
    static const uint32_t AT[] = {0x1000, 0x8000, 0x10000, MIB, 2 * MIB - 0x40000};
    for (size_t i = 0; i < sizeof(AT) / sizeof(AT[0]); i++) {
        make_board(room, true, 2 * MIB, 4 * MIB);
        pattern(chip_bytes(room) + AT[i], 0x1000, 6);
        expect(room, 2 * MIB, true);
    }
}

/* The usual chip costs two digests of 16 KiB. */
static void honest(void **state)
{
    struct room *room = *state;
    for (int stub = 0; stub < 2; stub++) {
        make_board(room, stub, 4 * MIB, 4 * MIB);
        pattern(chip_bytes(room), MIB, 7);
        expect(room, 4 * MIB, false);
        assert_int_equal(digests(room), 2);
    }
}

/* Of chips that hold the same all over nothing can be told; the search ends. */
static void all_alike(void **state)
{
    struct room *room = *state;
    static const uint8_t FILL[] = {0xFF, 0x00, 0x5A};
    for (size_t i = 0; i < sizeof(FILL); i++) {
        for (uint32_t real = 2 * MIB; real <= 4 * MIB; real *= 2) {
            make_board(room, true, real, 4 * MIB);
            memset(chip_bytes(room), FILL[i], real);
            expect(room, 4 * MIB, false);
            assert_true(digests(room) <= 20);
        }
    }
}

/* Each sample is repeated, but not all: an update kept in both halves is no fake. */
static void alike_but_for_a_byte(void **state)
{
    struct room *room = *state;
    make_board(room, true, 4 * MIB, 4 * MIB);
    uint8_t *bytes = chip_bytes(room);
    pattern(bytes, 2 * MIB, 8);
    memcpy(bytes + 2 * MIB, bytes, 2 * MIB);
    bytes[3 * MIB + 0x7000] ^= 1;
    expect(room, 4 * MIB, false);
    assert_true(digests(room) > 4);
}

/* size= wins, and what will go wrong is said. */
static void a_given_size_wins(void **state)
{
    struct room *room = *state;
    room->give_size = true;
    make_board(room, true, 2 * MIB, 4 * MIB);
    pattern(chip_bytes(room), 2 * MIB, 9);
    expect(room, 4 * MIB, true);
    room->give_size = false;
    make_board(room, true, 2 * MIB, 4 * MIB);
    pattern(chip_bytes(room), 2 * MIB, 9);
    room->board->session.config.size = 2 * MIB;
    expect(room, 2 * MIB, false);
    make_board(room, true, 2 * MIB, 4 * MIB);
    pattern(chip_bytes(room), 2 * MIB, 9);
    room->board->session.config.size = 3 * MIB;
    expect(room, 3 * MIB, true);
}

/* The same contents twice look alike on an honest chip: the size that the log tells gives all. */
static void filled_twice(void **state)
{
    struct room *room = *state;
    for (int given = 0; given < 2; given++) {
        room->give_size = given;
        make_board(room, true, 4 * MIB, 4 * MIB);
        pattern(chip_bytes(room), 2 * MIB, 11);
        memcpy(chip_bytes(room) + 2 * MIB, chip_bytes(room), 2 * MIB);
        expect(room, given ? 4 * MIB : 2 * MIB, true);
    }
}

/* A lost reply is asked for again; a loader without digests does not keep the board away. */
static void damaged_digests(void **state)
{
    struct room *room = *state;
    char why[EB_WHY_CAP];
    make_board(room, true, 2 * MIB, 4 * MIB);
    pattern(chip_bytes(room), 2 * MIB, 10);
    struct eb_faults *faults = eb_board_faults(room->board->drive->board);
    assert_int_equal(eb_faults_add(faults, "reject-op:0x13:1", why, sizeof(why)), 0);
    assert_int_equal(board_line_start(room->board), EF_OK);
    assert_int_equal(room->board->session.flash_size, 2 * MIB);
    make_board(room, true, 2 * MIB, 4 * MIB);
    faults = eb_board_faults(room->board->drive->board);
    for (int i = 1; i <= 3; i++) {
        char spec[32];
        snprintf(spec, sizeof(spec), "reject-op:0x13:%d", i);
        assert_int_equal(eb_faults_add(faults, spec, why, sizeof(why)), 0);
    }
    assert_int_equal(board_line_start(room->board), EF_OK);
    assert_int_equal(room->board->session.flash_size, 4 * MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(undersized, room_open, room_close),
        cmocka_unit_test_setup_teardown(undersized_and_nearly_blank, room_open, room_close),
        cmocka_unit_test_setup_teardown(honest, room_open, room_close),
        cmocka_unit_test_setup_teardown(all_alike, room_open, room_close),
        cmocka_unit_test_setup_teardown(alike_but_for_a_byte, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_given_size_wins, room_open, room_close),
        cmocka_unit_test_setup_teardown(filled_twice, room_open, room_close),
        cmocka_unit_test_setup_teardown(damaged_digests, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
