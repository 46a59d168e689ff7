/* Stub and ROM as a flash, against the simulated boards in this process. */
#include "board_line.h"

#include "espflashfs/bytes.h"
#include "espflashfs/flash.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SIZE = 1 << 20 };

struct room {
    struct board_line *board;
    struct ef_flash *flash;
    uint8_t model[SIZE], buf[SIZE];
    uint32_t piece_at;
    uint32_t digested; /* up to there the chip's digests have come */
    unsigned asked, stop_after;
};

static const struct {
    const char *chip;
    bool stub;
} LOADERS[] = {
    {"esp8266", true}, {"esp32", true}, {"esp32", false}, {"esp32c3", true}, {"esp32c3", false}};

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

/* Starts loader `i` on a board whose flash holds a pattern. */
static void enter(struct room *room, int i)
{
    leave(room);
    room->board = board_line_new(LOADERS[i].chip, SIZE, LOADERS[i].stub);
    uint32_t x = 7;
    for (uint32_t k = 0; k < SIZE; k++) {
        x = x * 1664525U + 1013904223U;
        room->model[k] = (uint8_t)(x >> 24);
    }
    memcpy(chip_bytes(room), room->model, SIZE);
    assert_int_equal(board_line_start(room->board), EF_OK);
    struct ef_session *s = &room->board->session;
    assert_int_equal(s->esp.stub, LOADERS[i].stub);
    room->flash = LOADERS[i].stub ? ef_flash_stub_new(s) : ef_flash_rom_new(s);
    assert_non_null(room->flash);
    assert_int_equal(room->flash->size, SIZE);
}

static int room_open(void **state)
{
    *state = calloc(1, sizeof(struct room));
    return *state ? 0 : -1;
}

static int room_close(void **state)
{
    leave(*state);
    free(*state);
    return 0;
}

/* The chip holds the model, and refused nothing on the way. */
static void expect_model(struct room *room)
{
    assert_memory_equal(chip_bytes(room), room->model, SIZE);
    assert_int_equal(eb_drive_rejects(room->board->drive), 0);
}

static void reads(void **state)
{
    struct room *room = *state;
    static const struct {
        uint32_t addr, len;
    } RANGES[] = {{0, 1},           {0, SIZE}, {SIZE - 1, 1},
                  {0x1001, 0x0FFF}, {63, 2},   {0xFFFF, 0x10002},
                  {0, 64},          {5, 65},   {0x10000, 0x1000}};
    for (int i = 0; i < LOADER_COUNT; i++) {
        enter(room, i);
        for (size_t k = 0; k < sizeof(RANGES) / sizeof(RANGES[0]); k++) {
            struct ef_read r = {.addr = RANGES[k].addr, .len = RANGES[k].len, .buf = room->buf};
            assert_int_equal(ef_flash_read(room->flash, &r), EF_OK);
            assert_int_equal(r.done, r.len);
            assert_memory_equal(room->buf, room->model + r.addr, r.len);
        }
        expect_model(room);
    }
}

/* The front is digested while a late block is on its way, once no erase can be under way. */
static void the_front_of_a_long_write(void **state)
{
    struct room *room = *state;
    enum { LEN = 4 * EF_BLOCK, FRONT = LEN - 0x8000 };
    for (int i = 0; i < LOADER_COUNT; i++) {
        enter(room, i);
        uint32_t x = 11;
        for (uint32_t k = EF_BLOCK; k < EF_BLOCK + LEN; k++) {
            x = x * 1664525U + 1013904223U;
            room->model[k] = (uint8_t)(x >> 24);
        }
        const uint8_t *bytes = room->model + EF_BLOCK;
        assert_int_equal(ef_flash_write(room->flash, EF_BLOCK, LEN, bytes), EF_OK);
        expect_model(room);
        const struct ef_digest *front = ef_flash_front(room->flash);
        assert_int_equal(front->len, LOADERS[i].stub ? FRONT : 0);
        if (front->len) {
            uint8_t md5[EF_DIGEST_BYTES];
            ef_digest_bytes(bytes, front->len, md5);
            assert_int_equal(front->addr, EF_BLOCK);
            assert_memory_equal(front->md5, md5, EF_DIGEST_BYTES);
        }
        /* Not where it ends in the middle of a block, whose sectors are erased up to the end. */
        assert_int_equal(ef_flash_write(room->flash, EF_BLOCK, LEN - EF_SECTOR, bytes), EF_OK);
        assert_int_equal(front->len, 0);
        expect_model(room);
    }
}

static void writes(void **state)
{
    struct room *room = *state;
    for (int i = 0; i < LOADER_COUNT; i++) {
        enter(room, i);
        /* Random, all the same byte, blank, and random again: sizes that compress and do not. */
        memset(room->model + 5 * EF_SECTOR, 0x42, 7 * EF_SECTOR);
        memset(room->model + 12 * EF_SECTOR, 0xFF, 3 * EF_SECTOR);
        for (uint32_t k = 0; k < 5 * EF_SECTOR; k++)
            room->model[k] ^= 0x5A;
        assert_int_equal(ef_flash_write(room->flash, 0, EF_BLOCK, room->model), EF_OK);
        memset(room->model + SIZE - EF_SECTOR, 0x17, EF_SECTOR);
        assert_int_equal(ef_flash_write(room->flash, SIZE - EF_SECTOR, EF_SECTOR,
                                        room->model + SIZE - EF_SECTOR),
                         EF_OK);
        uint8_t md5[EF_DIGEST_BYTES];
        assert_int_equal(ef_flash_digest(room->flash, 0, 1, md5), EF_OK);
        expect_model(room);
    }
}

static void erases(void **state)
{
    struct room *room = *state;
    for (int i = 0; i < LOADER_COUNT; i++) {
        enter(room, i);
        assert_int_equal(ef_flash_erase(room->flash, 3 * EF_SECTOR, EF_SECTOR), EF_OK);
        memset(room->model + 3 * (size_t)EF_SECTOR, 0xFF, EF_SECTOR);
        expect_model(room);
        assert_int_equal(ef_flash_erase(room->flash, EF_BLOCK, 3 * EF_BLOCK), EF_OK);
        memset(room->model + EF_BLOCK, 0xFF, 3 * EF_BLOCK);
        expect_model(room);
        assert_int_equal(ef_flash_erase(room->flash, 0, SIZE), EF_OK);
        memset(room->model, 0xFF, SIZE);
        expect_model(room);
        /* The whole chip has a command of its own where a stub answers. */
        const struct eb_counters *seen = eb_board_counters(room->board->drive->board);
        assert_int_equal(seen->ops[EF_OP_ERASE_FLASH], LOADERS[i].stub);
    }
}

static void digests(void **state)
{
    struct room *room = *state;
    for (int i = 0; i < LOADER_COUNT; i++) {
        enter(room, i);
        uint8_t md5[EF_DIGEST_BYTES];
        uint8_t expected[EF_DIGEST_BYTES];
        assert_int_equal(ef_flash_digest(room->flash, 1, SIZE - 2, md5), EF_OK);
        ef_digest_bytes(room->model + 1, SIZE - 2, expected);
        assert_memory_equal(md5, expected, sizeof(md5));
        expect_model(room);
    }
}

/* The chip's digests of consecutive ranges, of bytes that are here and right. */
static void take_digest(void *user, const struct ef_digest *digest, const uint8_t *bytes)
{
    struct room *room = user;
    uint8_t expected[EF_DIGEST_BYTES];
    ef_digest_bytes(room->model + digest->addr, digest->len, expected);
    assert_memory_equal(digest->md5, expected, sizeof(expected));
    assert_memory_equal(bytes, room->model + digest->addr, digest->len);
    assert_int_equal(digest->addr, room->digested);
    room->digested += digest->len;
}

static uint64_t ops_seen(struct room *room, enum ef_op op)
{
    return eb_board_counters(room->board->drive->board)->ops[op];
}

/* A stub's short read brings one digest, a long one none; a ROM's reads are digested whole. */
static void digests_on_the_way(void **state)
{
    struct room *room = *state;
    static const struct {
        uint32_t addr, len;
        bool one; /* READ_FLASH is enough */
    } RANGES[] = {{0x3000, EF_SECTOR, true}, {0x1234, 99, true}, {0x7F00, 5 * EF_BLOCK, false}};
    for (int i = 0; i < LOADER_COUNT; i++) {
        enter(room, i);
        for (size_t k = 0; k < sizeof(RANGES) / sizeof(RANGES[0]); k++) {
            struct ef_read r = {.addr = RANGES[k].addr, .len = RANGES[k].len, .buf = room->buf};
            r.digest = take_digest;
            r.user = room;
            room->digested = r.addr;
            uint64_t md5s = ops_seen(room, EF_OP_SPI_FLASH_MD5);
            uint64_t reads = ops_seen(room, EF_OP_READ_FLASH);
            assert_int_equal(ef_flash_read(room->flash, &r), EF_OK);
            assert_memory_equal(room->buf, room->model + r.addr, r.len);
            bool all = RANGES[k].one || !LOADERS[i].stub;
            assert_int_equal(room->digested - r.addr, all ? r.len : 0);
            md5s = ops_seen(room, EF_OP_SPI_FLASH_MD5) - md5s;
            assert_true(LOADERS[i].stub ? md5s == RANGES[k].one : md5s > 0);
            if (LOADERS[i].stub && RANGES[k].one)
                assert_int_equal(ops_seen(room, EF_OP_READ_FLASH) - reads, 1);
        }
        expect_model(room);
    }
}

/* A chip that computes no digest: the read behind the request is taken back. */
static void a_refused_digest_on_the_way(void **state)
{
    struct room *room = *state;
    char why[EB_WHY_CAP];
    enter(room, 1);
    struct eb_faults *faults = eb_board_faults(room->board->drive->board);
    char next[32];
    snprintf(next, sizeof(next), "reject-op:0x13:%u",
             (unsigned)ops_seen(room, EF_OP_SPI_FLASH_MD5) + 1);
    assert_int_equal(eb_faults_add(faults, next, why, sizeof(why)), 0);
    struct ef_read r = {.addr = 0, .len = EF_SECTOR, .buf = room->buf};
    r.digest = take_digest;
    r.user = room;
    assert_int_equal(ef_flash_read(room->flash, &r), EF_REJECTED);
    assert_int_equal(ef_flash_read(room->flash, &r), EF_OK);
    assert_memory_equal(room->buf, room->model, EF_SECTOR);
}

static bool stop_later(void *user)
{
    struct room *room = user;
    return room->asked++ >= room->stop_after;
}

/* Whenever a read is told to stop, the next command finds the line in step. */
static void reads_cut_short(void **state)
{
    struct room *room = *state;
    for (int i = 0; i < LOADER_COUNT; i++) {
        enter(room, i);
        for (room->stop_after = 0; room->stop_after < 40; room->stop_after++) {
            struct ef_read r = {.addr = 0x300,
                                .len = 2 * EF_BLOCK,
                                .buf = room->buf,
                                .stop = stop_later,
                                .digest = room->stop_after % 2 ? take_digest : NULL,
                                .user = room};
            room->asked = 0;
            room->digested = r.addr;
            enum ef_err err = ef_flash_read(room->flash, &r);
            assert_true(err == EF_INTERRUPTED || (err == EF_OK && r.done == r.len));
            assert_memory_equal(room->buf, room->model + 0x300, r.done);
            uint8_t md5[EF_DIGEST_BYTES];
            uint8_t expected[EF_DIGEST_BYTES];
            assert_int_equal(ef_flash_digest(room->flash, 0, 100, md5), EF_OK);
            ef_digest_bytes(room->model, 100, expected);
            assert_memory_equal(md5, expected, sizeof(md5));
        }
        expect_model(room);
    }
}

/* How often a read of two sectors asks whether to stop: that is, how long its packets are. */
static unsigned asked_while_reading(struct room *room, bool (*shared)(void *user))
{
    struct ef_read r = {.addr = 0, .len = 2 * EF_SECTOR, .buf = room->buf, .stop = stop_later};
    r.shared = shared;
    r.user = room;
    room->asked = 0;
    room->stop_after = UINT32_MAX;
    assert_int_equal(ef_flash_read(room->flash, &r), EF_OK);
    assert_memory_equal(room->buf, room->model, r.len);
    return room->asked;
}

static bool say_shared(void *user)
{
    (void)user;
    return true;
}

static void shared_reads_ask_often(void **state)
{
    struct room *room = *state;
    for (int i = 0; i < LOADER_COUNT; i++) {
        enter(room, i);
        unsigned alone = asked_while_reading(room, NULL);
        unsigned shared = asked_while_reading(room, say_shared);
        assert_true(LOADERS[i].stub ? shared >= 3 * alone : shared == alone);
        expect_model(room);
    }
}

static void gone(void **state)
{
    struct room *room = *state;
    for (int i = 0; i < LOADER_COUNT; i++) {
        enter(room, i);
        room->board->gone = true;
        struct ef_read r = {.addr = 0, .len = EF_SECTOR, .buf = room->buf};
        uint8_t md5[EF_DIGEST_BYTES];
        assert_int_equal(ef_flash_read(room->flash, &r), EF_GONE);
        assert_int_equal(ef_flash_write(room->flash, 0, EF_SECTOR, room->buf), EF_GONE);
        assert_int_equal(ef_flash_erase(room->flash, 0, EF_SECTOR), EF_GONE);
        assert_int_equal(ef_flash_digest(room->flash, 0, EF_SECTOR, md5), EF_GONE);
        assert_int_equal(ef_flash_recover(room->flash), EF_GONE);
    }
}

/* A stub that refuses the end understood another write than was meant: it may have strayed. */
static void a_refused_end_is_a_failed_proof(void **state)
{
    struct room *room = *state;
    char why[EB_WHY_CAP];
    enter(room, 1);
    struct eb_faults *faults = eb_board_faults(room->board->drive->board);
    assert_int_equal(eb_faults_add(faults, "reject-op:0x12:1", why, sizeof(why)), 0);
    assert_int_equal(ef_flash_write(room->flash, 0, EF_SECTOR, room->buf), EF_VERIFY);
}

static enum ef_err count_piece(void *user, uint32_t addr, const uint8_t *bytes, uint32_t len)
{
    struct room *room = user;
    bool good = addr == room->piece_at && memcmp(bytes, room->model + addr, len) == 0;
    room->piece_at = good ? addr + len : UINT32_MAX;
    return EF_OK;
}

/* On a line that flips bits both ways, what is said to be read is right, and so is what is
 * said to be written; and failures end. */
static void flipped_bits(void **state)
{
    struct room *room = *state;
    for (int i = 0; i < LOADER_COUNT; i++) {
        enter(room, i);
        room->flash = ef_flash_retry_new(ef_flash_verify_new(room->flash));
        char why[EB_WHY_CAP];
        struct eb_faults *faults = eb_board_faults(room->board->drive->board);
        assert_int_equal(eb_faults_add(faults, "random-flip:out:20", why, sizeof(why)), 0);
        assert_int_equal(eb_faults_add(faults, "random-flip:in:20", why, sizeof(why)), 0);
        unsigned good = 0;
        for (uint32_t k = 0; k < 6; k++) {
            uint32_t addr = k * EF_BLOCK;
            struct ef_read r = {
                .addr = addr, .len = EF_BLOCK, .buf = room->buf, .piece = count_piece};
            r.user = room;
            room->piece_at = addr;
            good += ef_flash_read(room->flash, &r) == EF_OK;
            assert_int_equal(room->piece_at, addr + r.done);
            memset(room->buf, (int)k, 2 * EF_SECTOR);
            if (ef_flash_write(room->flash, addr, 2 * EF_SECTOR, room->buf) != EF_OK)
                continue;
            assert_memory_equal(chip_bytes(room) + addr, room->buf, 2 * EF_SECTOR);
            good++;
        }
        assert_true(good > 0);
    }
}

/* Packed, one block and any few bytes: all may be out before the last of these. */
static void writes_with_a_short_last_block(void **state)
{
    struct room *room = *state;
    enum { LEN = 8 * EF_SECTOR, OVERHEAD_MIN = 110, OVERHEAD_MAX = 160 };
    for (int i = 1; i < 3; i++) {
        enter(room, i);
        memcpy(room->buf, room->model, LEN);
        uint32_t block = LOADERS[i].stub ? 0x4000 : 0x400;
        for (uint32_t n = block - OVERHEAD_MAX; n < block - OVERHEAD_MIN; n++) {
            memset(room->model, 0xFF, LEN);
            memcpy(room->model, room->buf, n);
            assert_int_equal(ef_flash_write(room->flash, 0, LEN, room->model), EF_OK);
            expect_model(room);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads, room_open, room_close),
        cmocka_unit_test_setup_teardown(the_front_of_a_long_write, room_open, room_close),
        cmocka_unit_test_setup_teardown(writes, room_open, room_close),
        cmocka_unit_test_setup_teardown(erases, room_open, room_close),
        cmocka_unit_test_setup_teardown(digests, room_open, room_close),
        cmocka_unit_test_setup_teardown(reads_cut_short, room_open, room_close),
        cmocka_unit_test_setup_teardown(digests_on_the_way, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_refused_digest_on_the_way, room_open, room_close),
        cmocka_unit_test_setup_teardown(shared_reads_ask_often, room_open, room_close),
        cmocka_unit_test_setup_teardown(gone, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_refused_end_is_a_failed_proof, room_open, room_close),
        cmocka_unit_test_setup_teardown(flipped_bits, room_open, room_close),
        cmocka_unit_test_setup_teardown(writes_with_a_short_last_block, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
