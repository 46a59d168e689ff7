/*
 * What is asked before a write (with the cache's pthreads): what it costs, and that one damaged
 * request never keeps a sector from being written.
 */
#include "cache_room.h"

#include "cache/cache_private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ADDR = EF_STRETCH_SECTORS * EF_SECTOR, LEN = ADDR, GLIMPSES_MAX = 40 * 64 };

static uint64_t bytes_digested(struct cache_room *room)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < room->mem->calls; i++)
        sum += room->mem->call[i].op == MEM_DIGEST ? room->mem->call[i].len : 0;
    return sum;
}

static void new_cache(struct cache_room *room)
{
    ef_cache_free(room->cache);
    assert_int_equal(ef_cache_new(room->worker, ROOM_SIZE, NULL, &room->cache), EF_OK);
    mem_reset_counts(room->mem);
}

/* In one call, within which the flusher does not get a turn: it finds all of it at once. */
static enum ef_err write_whole_stretch(struct cache_room *room)
{
    return ef_cache_write(room->cache, ADDR, LEN, room->model + ADDR, patient());
}

static void a_long_yes_is_said_once(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(write_whole_stretch(room), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room_dirty(room), 0);
    assert_int_equal(room->mem->count[MEM_WRITE] + room->mem->count[MEM_ERASE], 0);
    assert_in_range(bytes_digested(room), LEN, LEN + GLIMPSES_MAX);
}

static void of_two_alike_it_is_said_twice(void **state)
{
    struct cache_room *room = *state;
    memcpy(room->mem->bytes, room->mem->bytes + ADDR, LEN);
    assert_int_equal(write_whole_stretch(room), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room->mem->count[MEM_WRITE] + room->mem->count[MEM_ERASE], 0);
    assert_in_range(bytes_digested(room), 2 * LEN, 2 * LEN + GLIMPSES_MAX);
}

/* What is all new costs glimpses. */
static void a_no_is_cheap(void **state)
{
    struct cache_room *room = *state;
    mem_pattern(room->model + ADDR, LEN, 77);
    assert_int_equal(write_whole_stretch(room), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room->mem->sectors_written, EF_STRETCH_SECTORS);
    assert_in_range(bytes_digested(room), EF_STRETCH_SECTORS * 64, EF_STRETCH_SECTORS * 64 + 128);
    assert_true(room_settled(room));
}

/* Nothing is put down before all of a stretch was asked about, and each sector once. */
static void asks_then_writes(void **state)
{
    struct cache_room *room = *state;
    room->model[ADDR + 3 * EF_BLOCK + 9 * EF_SECTOR + 1000] ^= 1;
    memset(room->model + ADDR + EF_BLOCK, 0xFF, EF_BLOCK);
    assert_int_equal(write_whole_stretch(room), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    const struct mem *mem = room->mem;
    assert_int_equal(mem->call[mem->calls - 2].op, MEM_ERASE);
    assert_int_equal(mem->call[mem->calls - 2].addr, ADDR + EF_BLOCK);
    assert_int_equal(mem->call[mem->calls - 2].len, EF_BLOCK);
    assert_int_equal(mem->call[mem->calls - 1].op, MEM_WRITE);
    assert_int_equal(mem->call[mem->calls - 1].addr, ADDR + 3 * EF_BLOCK + 9 * EF_SECTOR);
    assert_int_equal(mem->call[mem->calls - 1].len, EF_SECTOR);
    for (size_t i = 0; i + 2 < mem->calls; i++)
        assert_int_equal(mem->call[i].op, MEM_DIGEST);
    assert_true(room_settled(room));
}

/* What is wanted lies where one flipped bit of the address leads to, and not where it is to be. */
static void lay_trap(struct cache_room *room, uint32_t len, uint32_t bit, bool uniform)
{
    uint8_t *chip = room->mem->bytes;
    uint32_t step = UINT32_C(1) << bit;
    uint32_t other = ADDR ^ step;
    mem_pattern(chip, ROOM_SIZE, bit + 1);
    mem_pattern(room->model + ADDR, len, 1000);
    if (uniform)
        memset(room->model + ADDR, 0x55, len);
    memcpy(chip + ADDR, room->model + ADDR, len);
    memcpy(chip + other, room->model + ADDR, len);
    if (other < ADDR || step >= len)
        chip[ADDR + len / 2] ^= 1;
    else
        chip[ADDR + step - 1] ^= 1;
    memcpy(room->model, chip, ADDR);
    memcpy(room->model + ADDR + len, chip + ADDR + len, ROOM_SIZE - ADDR - len);
}

/* True if a request was damaged; every one in turn. */
static bool falls_for(struct cache_room *room, uint32_t len, uint32_t bit, bool uniform,
                      unsigned after)
{
    int64_t step = INT64_C(1) << bit;
    lay_trap(room, len, bit, uniform);
    new_cache(room);
    mem_set_fault(room->mem, MEM_DIGEST,
                  (struct mem_fault){
                      .after = after, .times = 1, .shift = (ADDR & (uint32_t)step) ? -step : step});
    assert_int_equal(ef_cache_write(room->cache, ADDR, len, room->model + ADDR, patient()), EF_OK);
    enum ef_err err = room_flush(room);
    bool damaged = mem_count(room->mem, MEM_DIGEST) > after;
    mem_set_fault(room->mem, MEM_DIGEST, (struct mem_fault){0});
    if (err != EF_OK) {
        assert_int_equal(err, EF_REJECTED);
        assert_int_equal(room_flush(room), EF_OK);
    }
    assert_int_equal(room_dirty(room), 0);
    assert_true(room_settled(room));
    return damaged;
}

static void no_false_yes(void **state)
{
    struct cache_room *room = *state;
    static const uint32_t LENS[] = {EF_SECTOR, EF_BLOCK, LEN};
    static const uint32_t BITS[] = {0, 2, 5, 6, 8, 11, 12, 15, 17, 18, 19};
    for (size_t l = 0; l < sizeof(LENS) / sizeof(LENS[0]); l++)
        for (size_t b = 0; b < sizeof(BITS) / sizeof(BITS[0]); b++)
            for (int uniform = 0; uniform < 2; uniform++) {
                unsigned after = 0;
                while (falls_for(room, LENS[l], BITS[b], uniform, after))
                    after += after < 30 ? 1 : 7;
                assert_true(after > 0);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_long_yes_is_said_once, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(of_two_alike_it_is_said_twice, cache_room_open,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(a_no_is_cheap, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(asks_then_writes, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(no_false_yes, cache_room_open, cache_room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
