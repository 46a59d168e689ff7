/* The checks at every boundary of a flash stack, and digests of host bytes. */
#include "mem_flash.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SIZE = 4 * EF_BLOCK };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct room {
    struct mem *mem;
    struct ef_flash *layer[3]; /* bare, verify, retry */
    uint8_t buf[SIZE];
};

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    room->mem = mem_new(SIZE);
    room->layer[0] = mem_flash_new(room->mem);
    room->layer[1] = ef_flash_verify_new(room->layer[0]);
    room->layer[2] = ef_flash_retry_new(room->layer[1]);
    return 0;
}

static int room_close(void **state)
{
    struct room *room = *state;
    ef_flash_free(room->layer[2]);
    bool freed = room->mem->freed;
    mem_free(room->mem);
    free(room);
    return freed ? 0 : -1;
}

static void geometry(void **state)
{
    struct room *room = *state;
    for (size_t i = 0; i < COUNT(room->layer); i++) {
        assert_int_equal(room->layer[i]->size, SIZE);
        assert_int_equal(room->layer[i]->read_piece, EF_BLOCK);
    }
    assert_false(room->layer[0]->read_proven);
    assert_true(room->layer[1]->read_proven);
    assert_true(room->layer[2]->read_proven);
    assert_ptr_equal(room->layer[2]->below, room->layer[1]);
}

static void bad_ranges(void **state)
{
    struct room *room = *state;
    static const struct {
        uint32_t addr, len;
    } BAD[] = {{0, 0},
               {SIZE, 0},
               {SIZE, 1},
               {SIZE - 1, 2},
               {0, SIZE + 1},
               {UINT32_MAX, 1},
               {UINT32_MAX, 2},
               {1, UINT32_MAX},
               {0, UINT32_MAX},
               {0xFFFFF000, 0x1000},
               {0xFFFFF000, 0x2000},
               {SIZE - EF_SECTOR, 2 * EF_SECTOR}};
    for (size_t l = 0; l < COUNT(room->layer); l++) {
        for (size_t i = 0; i < COUNT(BAD); i++) {
            struct ef_read r = {
                .addr = BAD[i].addr, .len = BAD[i].len, .buf = room->buf, .done = 7};
            uint8_t md5[EF_DIGEST_BYTES];
            struct ef_flash *f = room->layer[l];
            assert_int_equal(ef_flash_read(f, &r), EF_INVALID);
            assert_int_equal(r.done, 0);
            assert_int_equal(ef_flash_write(f, r.addr, r.len, room->buf), EF_INVALID);
            assert_int_equal(ef_flash_erase(f, r.addr, r.len), EF_INVALID);
            assert_int_equal(ef_flash_digest(f, r.addr, r.len, md5), EF_INVALID);
        }
    }
    assert_int_equal(room->mem->calls, 0);
}

static void misaligned(void **state)
{
    struct room *room = *state;
    static const struct {
        uint32_t addr, len;
    } BAD[] = {{1, EF_SECTOR}, {0, EF_SECTOR - 1},         {0, EF_SECTOR + 1},
               {0x800, 0x800}, {EF_SECTOR / 2, EF_SECTOR}, {EF_SECTOR, 1},
               {SIZE - 1, 1}};
    for (size_t l = 0; l < COUNT(room->layer); l++) {
        for (size_t i = 0; i < COUNT(BAD); i++) {
            struct ef_flash *f = room->layer[l];
            assert_int_equal(ef_flash_write(f, BAD[i].addr, BAD[i].len, room->buf), EF_INVALID);
            assert_int_equal(ef_flash_erase(f, BAD[i].addr, BAD[i].len), EF_INVALID);
        }
    }
    assert_int_equal(room->mem->calls, 0);
}

/* Reads and digests take any range; writes and erases up to the last sector. */
static void good_ranges(void **state)
{
    struct room *room = *state;
    for (size_t l = 0; l < COUNT(room->layer); l++) {
        struct ef_flash *f = room->layer[l];
        struct ef_read r = {.addr = SIZE - 3, .len = 3, .buf = room->buf};
        assert_int_equal(ef_flash_read(f, &r), EF_OK);
        assert_int_equal(r.done, 3);
        assert_memory_equal(room->buf, room->mem->bytes + SIZE - 3, 3);
        uint8_t md5[EF_DIGEST_BYTES];
        uint8_t expected[EF_DIGEST_BYTES];
        assert_int_equal(ef_flash_digest(f, 1, SIZE - 2, md5), EF_OK);
        ef_digest_bytes(room->mem->bytes + 1, SIZE - 2, expected);
        assert_memory_equal(md5, expected, sizeof(md5));
        assert_int_equal(ef_flash_write(f, SIZE - EF_SECTOR, EF_SECTOR, room->buf), EF_OK);
        assert_memory_equal(room->mem->bytes + SIZE - EF_SECTOR, room->buf, EF_SECTOR);
        assert_int_equal(ef_flash_erase(f, 0, SIZE), EF_OK);
        mem_pattern(room->mem->bytes, SIZE, 9);
    }
}

static enum ef_err half_read(struct ef_flash *f, struct ef_read *r)
{
    r->done = r->len / (f->size == SIZE ? 2 : 1) + (f->size == SIZE ? 0 : 1);
    return EF_OK;
}

/* A layer that says yes to half a read, or tells of more than was asked, is not believed. */
static void yes_means_all(void **state)
{
    struct room *room = *state;
    static const struct ef_flash_ops OPS = {.read = half_read};
    struct ef_flash liar = {.ops = &OPS, .size = SIZE};
    struct ef_read r = {.addr = 0, .len = 64, .buf = room->buf};
    assert_int_equal(ef_flash_read(&liar, &r), EF_VERIFY);
    assert_int_equal(r.done, 0);
    liar.size = SIZE / 2;
    assert_int_equal(ef_flash_read(&liar, &r), EF_VERIFY);
    assert_int_equal(r.done, 0);
}

/* Every failure of the bottom reaches the caller with its code and changes nothing. */
static void codes_pass(void **state)
{
    struct room *room = *state;
    static const enum ef_err CODES[] = {EF_GONE,    EF_GUARDED, EF_INTERRUPTED, EF_NOMEM,
                                        EF_INVALID, EF_ACCESS,  EF_UNSUPPORTED};
    for (size_t i = 0; i < COUNT(CODES); i++) {
        for (enum mem_op op = MEM_READ; op < MEM_RECOVER; op++)
            mem_fail(room->mem, op, 100, CODES[i]);
        uint8_t md5[EF_DIGEST_BYTES];
        struct ef_flash *f = room->layer[2];
        struct ef_read r = {.addr = 0, .len = EF_SECTOR, .buf = room->buf};
        assert_int_equal(ef_flash_read(f, &r), CODES[i]);
        assert_int_equal(r.done, 0);
        assert_int_equal(ef_flash_write(f, 0, EF_SECTOR, room->buf), CODES[i]);
        assert_int_equal(ef_flash_erase(f, SIZE - EF_SECTOR, EF_SECTOR), CODES[i]);
        assert_int_equal(ef_flash_digest(f, 0, EF_SECTOR, md5), CODES[i]);
    }
    assert_int_equal(room->mem->count[MEM_RECOVER], 0);
    assert_int_equal(ef_flash_strays(room->layer[2]), 0);
}

static void recover_passes(void **state)
{
    struct room *room = *state;
    assert_int_equal(ef_flash_recover(room->layer[2]), EF_OK);
    mem_fail(room->mem, MEM_RECOVER, 1, EF_GONE);
    assert_int_equal(ef_flash_recover(room->layer[2]), EF_GONE);
    assert_int_equal(room->mem->count[MEM_RECOVER], 2);
}

static void strays_add_up(void **state)
{
    struct room *room = *state;
    room->layer[0]->strays = 1;
    room->layer[2]->strays = 3;
    assert_int_equal(ef_flash_strays(room->layer[2]), 4);
    assert_int_equal(ef_flash_strays(room->layer[0]), 1);
    assert_int_equal(ef_flash_strays(NULL), 0);
}

static void nothing_below(void **state)
{
    (void)state;
    assert_null(ef_flash_verify_new(NULL));
    assert_null(ef_flash_retry_new(NULL));
    ef_flash_free(NULL);
}

static void digests(void **state)
{
    struct room *room = *state;
    static const uint8_t ABC[] = {0x90, 0x01, 0x50, 0x98, 0x3C, 0xD2, 0x4F, 0xB0,
                                  0xD6, 0x96, 0x3F, 0x7D, 0x28, 0xE1, 0x7F, 0x72};
    uint8_t md5[EF_DIGEST_BYTES];
    uint8_t blank[EF_DIGEST_BYTES];
    ef_digest_bytes((const uint8_t *)"abc", 3, md5);
    assert_memory_equal(md5, ABC, sizeof(md5));
    static const uint32_t LENS[] = {1, EF_SECTOR - 1, EF_SECTOR, EF_SECTOR + 1, SIZE};
    memset(room->buf, 0xFF, SIZE);
    for (size_t i = 0; i < COUNT(LENS); i++) {
        ef_digest_bytes(room->buf, LENS[i], md5);
        ef_digest_blank(LENS[i], blank);
        assert_memory_equal(md5, blank, sizeof(md5));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(geometry, room_open, room_close),
        cmocka_unit_test_setup_teardown(bad_ranges, room_open, room_close),
        cmocka_unit_test_setup_teardown(misaligned, room_open, room_close),
        cmocka_unit_test_setup_teardown(good_ranges, room_open, room_close),
        cmocka_unit_test_setup_teardown(yes_means_all, room_open, room_close),
        cmocka_unit_test_setup_teardown(codes_pass, room_open, room_close),
        cmocka_unit_test_setup_teardown(recover_passes, room_open, room_close),
        cmocka_unit_test_setup_teardown(strays_add_up, room_open, room_close),
        cmocka_unit_test_setup_teardown(digests, room_open, room_close),
        cmocka_unit_test(nothing_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
