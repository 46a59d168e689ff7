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
    assert_in_range(bytes_digested(room), EF_STRETCH_SECTORS * 64,
                    EF_STRETCH_SECTORS * 64 + 5 * 64);
    assert_true(room_settled(room));
}

/* Of a stretch of data nothing is put down before all of it was asked about; then comes what is
 * to be blank, and then what lies behind that. */
static void asks_then_writes(void **state)
{
    struct cache_room *room = *state;
    static const struct mem_call WANTED[] = {
        {MEM_WRITE, ADDR + 3 * EF_SECTOR, EF_SECTOR},
        {MEM_ERASE, ADDR + EF_BLOCK, EF_BLOCK},
        {MEM_WRITE, ADDR + 3 * EF_BLOCK + 9 * EF_SECTOR, EF_SECTOR}};
    const struct mem *mem = room->mem;
    room->model[ADDR + 3 * EF_SECTOR + 1000] ^= 1;
    room->model[ADDR + 3 * EF_BLOCK + 9 * EF_SECTOR + 1000] ^= 1;
    memset(room->model + ADDR + EF_BLOCK, 0xFF, EF_BLOCK);
    assert_int_equal(write_whole_stretch(room), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    size_t found = 0;
    uint32_t asked_from = ADDR;
    for (size_t i = 0; i < mem->calls; i++) {
        if (mem->call[i].op == MEM_DIGEST) {
            /* A glimpse may be of any place. */
            assert_true(mem->call[i].len < EF_SECTOR || mem->call[i].addr >= asked_from);
            continue;
        }
        assert_true(found < sizeof(WANTED) / sizeof(WANTED[0]));
        assert_memory_equal(&mem->call[i], &WANTED[found], sizeof(WANTED[0]));
        asked_from = WANTED[found].addr / EF_BLOCK * EF_BLOCK + EF_BLOCK - EF_SECTOR;
        found++;
    }
    assert_int_equal(found, sizeof(WANTED) / sizeof(WANTED[0]));
    assert_true(room_settled(room));
}

/* Data, and a long blank stretch behind it: said once, with the data's last sector. */
static void a_blank_yes_is_said_once(void **state)
{
    struct cache_room *room = *state;
    enum { BLANK = ROOM_SIZE - ADDR - EF_BLOCK };
    memset(room->mem->bytes + ADDR + EF_BLOCK, 0xFF, BLANK);
    memset(room->model + ADDR + EF_BLOCK, 0xFF, BLANK);
    mem_pattern(room->model + ADDR, EF_BLOCK, 5);
    mem_hold(room->mem, MEM_WRITE);
    assert_int_equal(ef_cache_write(room->cache, ADDR, EF_BLOCK, room->model + ADDR, patient()),
                     EF_OK);
    mem_await_held(room->mem);
    /* More than the window holds of data. */
    assert_true(BLANK / EF_SECTOR > EF_WINDOW_SECTORS);
    assert_int_equal(ef_cache_write(room->cache, ADDR + EF_BLOCK, BLANK,
                                    room->model + ADDR + EF_BLOCK, patient()),
                     EF_OK);
    mem_release(room->mem);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room->mem->count[MEM_WRITE], 1);
    assert_int_equal(room->mem->count[MEM_ERASE], 0);
    unsigned long_ones = 0;
    for (size_t i = 0; i < room->mem->calls; i++) {
        const struct mem_call *call = &room->mem->call[i];
        long_ones += call->op == MEM_DIGEST && call->len == BLANK + EF_SECTOR &&
                     call->addr == ADDR + EF_BLOCK - EF_SECTOR;
        assert_true(call->op != MEM_DIGEST || call->len < EF_SECTOR || long_ones == 1);
    }
    assert_int_equal(long_ones, 1);
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

/* Likewise of a blank stretch, or of one and the known sector before it, from `from` on. */
static void lay_blank_trap(struct cache_room *room, uint32_t from, uint32_t len, uint32_t bit)
{
    uint8_t *chip = room->mem->bytes;
    uint32_t end = ADDR + len;
    uint32_t other = from ^ UINT32_C(1) << bit;
    mem_pattern(chip, ROOM_SIZE, bit + 1);
    memset(chip + ADDR, 0xFF, len);
    memcpy(room->model + from, chip + from, end - from);
    memmove(chip + other, room->model + from, end - from);
    /* The last byte that is ours alone, or the first. */
    bool ends_before = other < from || other >= end;
    chip[ends_before ? end - 1 : other - 1] = 0;
    memcpy(room->model, chip, ADDR);
    memcpy(room->model + end, chip + end, ROOM_SIZE - end);
}

enum trap { DATA, UNIFORM, BLANK, BLANK_BEHIND, TRAPS };

static uint32_t asked_from(enum trap trap)
{
    return trap == BLANK_BEHIND ? ADDR - EF_SECTOR : ADDR;
}

static void lay(struct cache_room *room, enum trap trap, uint32_t len, uint32_t bit)
{
    if (trap == DATA || trap == UNIFORM)
        lay_trap(room, len, bit, trap == UNIFORM);
    else
        lay_blank_trap(room, asked_from(trap), len, bit);
    new_cache(room);
    /* So that the sector before it is known. */
    if (trap == BLANK_BEHIND)
        assert_int_equal(room_read(room, ADDR - EF_SECTOR, EF_SECTOR), EF_OK);
}

/* True if a request was damaged; every one in turn. */
static bool falls_for(struct cache_room *room, enum trap trap, uint32_t len, uint32_t bit,
                      unsigned after)
{
    int64_t step = INT64_C(1) << bit;
    bool set = (asked_from(trap) & (uint32_t)step) != 0;
    lay(room, trap, len, bit);
    mem_set_fault(room->mem, MEM_DIGEST,
                  (struct mem_fault){.after = after, .times = 1, .shift = set ? -step : step});
    assert_int_equal(ef_cache_write(room->cache, ADDR, len, room->model + ADDR, patient()), EF_OK);
    enum ef_err err = room_flush(room);
    bool damaged = mem_count(room->mem, MEM_DIGEST) > after;
    mem_set_fault(room->mem, MEM_DIGEST, (struct mem_fault){0});
    if (err != EF_OK) {
        /* Of what lies behind an erase: that is then said to be in doubt. */
        assert_true(err == EF_REJECTED || err == EF_VERIFY);
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
            for (enum trap trap = 0; trap < TRAPS; trap++) {
                unsigned after = 0;
                while (falls_for(room, trap, LENS[l], BITS[b], after))
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
        cmocka_unit_test_setup_teardown(a_blank_yes_is_said_once, cache_room_open,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(no_false_yes, cache_room_open_proven, cache_room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
