/*
 * Reads proven by prints: right bytes pass at the price of a few small digests; bytes from
 * another place, whatever bit of the address was flipped and however alike the places are, do
 * not.
 */
#include "mem_flash.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SIZE = 16 * EF_BLOCK };

struct room {
    struct mem *mem;
    struct ef_flash *flash;
    uint8_t *buf;
    uint8_t *seen;
    uint32_t wrong;
};

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    room->mem = mem_new(SIZE);
    struct ef_flash *bottom = mem_flash_new(room->mem);
    bottom->read_digested = true;
    room->flash = ef_flash_verify_new(bottom);
    room->buf = malloc(EF_BLOCK);
    room->seen = calloc(1, SIZE);
    return room->flash && room->buf && room->seen ? 0 : -1;
}

static int room_close(void **state)
{
    struct room *room = *state;
    ef_flash_free(room->flash);
    mem_free(room->mem);
    free(room->buf);
    free(room->seen);
    free(room);
    return 0;
}

static enum ef_err take_piece(void *user, uint32_t addr, const uint8_t *bytes, uint32_t len)
{
    struct room *room = user;
    memcpy(room->seen + addr, bytes, len);
    room->wrong += memcmp(bytes, room->mem->bytes + addr, len) != 0;
    return EF_OK;
}

static enum ef_err stream(struct room *room, uint32_t addr, uint32_t len)
{
    struct ef_read r = {.addr = addr,
                        .len = len,
                        .buf = room->buf,
                        .rolling = true,
                        .piece = take_piece,
                        .user = room};
    room->wrong = 0;
    return ef_flash_read(room->flash, &r);
}

static unsigned digested_bytes(struct room *room)
{
    unsigned n = 0;
    for (size_t i = 0; i < room->mem->calls; i++)
        n += room->mem->call[i].op == MEM_DIGEST ? room->mem->call[i].len : 0;
    return n;
}

static void right_bytes_are_cheap(void **state)
{
    struct room *room = *state;
    assert_int_equal(stream(room, 0, SIZE), EF_OK);
    assert_memory_equal(room->seen, room->mem->bytes, SIZE);
    assert_int_equal(mem_count(room->mem, MEM_READ), 1);
    assert_int_equal(digested_bytes(room), SIZE / EF_BLOCK * EF_SECTOR);
    mem_reset_counts(room->mem);
    assert_int_equal(stream(room, 0, SIZE), EF_OK);
    assert_int_equal(mem_count(room->mem, MEM_DIGEST), 0);
}

/* Each bit of the address of the third piece's place: never wrong bytes and a yes. */
static void flipped_addresses(void **state)
{
    struct room *room = *state;
    assert_int_equal(stream(room, 0, SIZE), EF_OK);
    for (uint32_t bit = 1; bit < SIZE; bit <<= 1) {
        for (uint32_t piece = 0; piece < SIZE / EF_BLOCK; piece++) {
            uint32_t addr = piece * EF_BLOCK;
            int64_t shift = (int64_t)(addr ^ bit) - addr;
            if ((int64_t)addr + shift + 4 * EF_BLOCK > SIZE || addr + 4 * EF_BLOCK > SIZE)
                continue;
            mem_set_fault(room->mem, MEM_READ, (struct mem_fault){.times = 1, .shift = shift});
            enum ef_err err = stream(room, addr, 4 * EF_BLOCK);
            assert_int_equal(err, EF_VERIFY);
            assert_int_equal(room->wrong, 0);
            assert_int_equal(stream(room, addr, 4 * EF_BLOCK), EF_OK);
        }
    }
}

/* Places that begin alike and go on otherwise: a digest of all of each decides. */
static void places_that_begin_alike(void **state)
{
    struct room *room = *state;
    uint8_t *bytes = room->mem->bytes;
    memcpy(bytes + 8 * EF_BLOCK, bytes, EF_SECTOR);                    /* another piece */
    memcpy(bytes + EF_BLOCK + EF_SECTOR, bytes + EF_BLOCK, EF_SECTOR); /* a sector on */
    memset(bytes + 2 * EF_BLOCK, 0xFF, EF_SECTOR + 64);                /* a blank beginning */
    for (uint32_t i = 0; i < 2 * EF_SECTOR; i++)
        bytes[3 * EF_BLOCK + i] = (uint8_t)(i % 256); /* a period */
    static const struct {
        uint32_t piece, bit;
    } CASES[] = {{0, 8 * EF_BLOCK}, {8, 8 * EF_BLOCK}, {1, EF_SECTOR}, {2, 1},
                 {2, 32},           {3, 256},          {3, 1024}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        uint32_t addr = CASES[i].piece * EF_BLOCK;
        int64_t shift = (int64_t)(addr ^ CASES[i].bit) - addr;
        assert_int_equal(stream(room, addr, 4 * EF_BLOCK), EF_OK);
        assert_int_equal(room->wrong, 0);
        mem_set_fault(room->mem, MEM_READ, (struct mem_fault){.times = 1, .shift = shift});
        enum ef_err err = stream(room, addr, 4 * EF_BLOCK);
        assert_int_equal(room->wrong, 0);
        assert_true(err == EF_VERIFY || err == EF_OK);
        mem_set_fault(room->mem, MEM_READ, (struct mem_fault){0});
    }
}

static void what_changes_is_asked_for_anew(void **state)
{
    struct room *room = *state;
    assert_int_equal(stream(room, 0, SIZE), EF_OK);
    memset(room->buf, 0x5A, EF_SECTOR);
    assert_int_equal(ef_flash_write(room->flash, 5 * EF_BLOCK, EF_SECTOR, room->buf), EF_OK);
    assert_int_equal(ef_flash_erase(room->flash, 9 * EF_BLOCK, EF_BLOCK), EF_OK);
    assert_int_equal(stream(room, 0, SIZE), EF_OK);
    assert_memory_equal(room->seen, room->mem->bytes, SIZE);
}

static bool stop_at_once(void *user)
{
    (void)user;
    return true;
}

static void stops_between_prints(void **state)
{
    struct room *room = *state;
    struct ef_read r = {.len = SIZE, .buf = room->buf, .rolling = true, .stop = stop_at_once};
    assert_int_equal(ef_flash_read(room->flash, &r), EF_INTERRUPTED);
    assert_int_equal(mem_count(room->mem, MEM_DIGEST), 0);
}

static void failing_digests(void **state)
{
    struct room *room = *state;
    mem_set_fault(room->mem, MEM_DIGEST,
                  (struct mem_fault){.after = 5, .times = 1, .err = EF_TIMEOUT});
    assert_int_equal(stream(room, 0, SIZE), EF_TIMEOUT);
    assert_int_equal(stream(room, 0, SIZE), EF_OK);
    assert_int_equal(room->wrong, 0);
}

/* A print that was itself got from elsewhere: noticed, and asked for again. */
static void a_wrong_print(void **state)
{
    struct room *room = *state;
    mem_set_fault(room->mem, MEM_DIGEST,
                  (struct mem_fault){.after = 3, .times = 1, .shift = EF_SECTOR});
    assert_int_equal(stream(room, 0, SIZE), EF_VERIFY);
    assert_int_equal(room->wrong, 0);
    assert_int_equal(stream(room, 0, SIZE), EF_OK);
    assert_memory_equal(room->seen, room->mem->bytes, SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(right_bytes_are_cheap, room_open, room_close),
        cmocka_unit_test_setup_teardown(flipped_addresses, room_open, room_close),
        cmocka_unit_test_setup_teardown(places_that_begin_alike, room_open, room_close),
        cmocka_unit_test_setup_teardown(what_changes_is_asked_for_anew, room_open, room_close),
        cmocka_unit_test_setup_teardown(stops_between_prints, room_open, room_close),
        cmocka_unit_test_setup_teardown(failing_digests, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_wrong_print, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
