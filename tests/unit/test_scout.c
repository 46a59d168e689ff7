/* What a sequential reader is given without a byte of it crossing, and that it is right. */
#include "as_cp.h"

#include "cache/cache_private.h"

#include "espflashfs/cache.h"
#include "espflashfs/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MIB = 1024 * 1024, SIZE = 4 * MIB, PIECE = 128 * 1024 };

struct room {
    struct mem *mem;
    struct ef_worker *worker;
    struct ef_cache *cache;
    uint8_t buf[SIZE];
};

/* A flash that is to be filled before `enter`. */
static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    room->mem = mem_new(SIZE);
    return 0;
}

static void leave(struct room *room)
{
    as_cp_end(&room->worker, &room->cache);
}

static void enter_with(struct room *room, bool read_digested)
{
    leave(room);
    assert_int_equal(as_cp_start(room->mem, read_digested, &room->worker, &room->cache), EF_OK);
}

static void enter(struct room *room)
{
    enter_with(room, true);
}

static int room_close(void **state)
{
    struct room *room = *state;
    mem_release(room->mem);
    leave(room);
    mem_free(room->mem);
    free(room);
    return 0;
}

static enum ef_err backup(struct room *room)
{
    return as_cp_read(room->cache, room->buf, SIZE);
}

static void assert_right(struct room *room)
{
    assert_int_equal(backup(room), EF_OK);
    assert_memory_equal(room->buf, room->mem->bytes, SIZE);
}

static uint64_t digested(struct room *room)
{
    uint64_t bytes = 0;
    assert_true(room->mem->calls < MEM_TRACE);
    for (size_t i = 0; i < room->mem->calls; i++)
        if (room->mem->call[i].op == MEM_DIGEST)
            bytes += room->mem->call[i].len;
    return bytes;
}

static void blank(struct room *room, uint32_t from, uint32_t end)
{
    memset(room->mem->bytes + from, 0xFF, end - from);
}

/* A 50th of the bytes at most: a digest of all takes the chip an 11th of the wire's time. */
static void random_flash_costs_samples(void **state)
{
    struct room *room = *state;
    enter(room);
    assert_right(room);
    assert_int_equal(room->mem->bytes_read, SIZE);
    assert_true(digested(room) <= SIZE / 50 + 2 * PIECE);
}

static void blank_flash_does_not_cross(void **state)
{
    struct room *room = *state;
    blank(room, 0, SIZE);
    enter(room);
    assert_right(room);
    assert_int_equal(room->mem->bytes_read, 0);
    assert_true(digested(room) <= 2 * SIZE + SIZE / 10);
}

static void what_lies_before_blank_flash_tells_of_it(void **state)
{
    struct room *room = *state;
    blank(room, MIB + EF_BLOCK, 2 * MIB);
    enter(room);
    assert_right(room);
    assert_int_equal(room->mem->bytes_read, SIZE - MIB + EF_BLOCK);
    /* once, and the half piece before it: not twice */
    assert_true(digested(room) <= MIB + SIZE / 16);
}

static void blank_parts_of_blocks(void **state)
{
    struct room *room = *state;
    blank(room, 0, 0x8000);
    blank(room, 0xC000, 0x10000);
    blank(room, MIB, SIZE);
    room->mem->bytes[2 * MIB + 5] = 0;
    enter(room);
    assert_right(room);
    /* the odd byte costs its block */
    assert_true(room->mem->bytes_read <= MIB - 0xC000 + EF_BLOCK);
    assert_true(digested(room) <= 3 * SIZE);
}

static void a_second_slot(void **state)
{
    struct room *room = *state;
    blank(room, MIB + EF_BLOCK, 2 * MIB + EF_BLOCK);
    memcpy(room->mem->bytes + 2 * MIB + EF_BLOCK, room->mem->bytes + EF_BLOCK, MIB);
    blank(room, 3 * MIB + EF_BLOCK, SIZE);
    enter(room);
    assert_right(room);
    assert_true(room->mem->bytes_read <= MIB + EF_BLOCK + 0x4000);
    assert_true(digested(room) <= 3 * SIZE);
}

/* They begin alike, and are not: each is asked about in vain, and read. */
static void slots_that_begin_alike(void **state)
{
    struct room *room = *state;
    for (uint32_t at = 2 * MIB; at < SIZE; at += PIECE)
        memcpy(room->mem->bytes + at, room->mem->bytes + at - 2 * MIB, EF_SECTOR);
    enter(room);
    assert_right(room);
    assert_int_equal(room->mem->bytes_read, SIZE);
}

/* What is written or erased meanwhile counts, not what was found out before. */
static void changed_before_it_is_reached(void **state)
{
    struct room *room = *state;
    struct ef_patience forever = {0};
    blank(room, 2 * MIB, SIZE);
    enter(room);
    assert_int_equal(ef_cache_read_on(room->cache, 0, EF_BLOCK, 0, room->buf, forever), EF_OK);
    for (uint32_t at = 2 * MIB; at < SIZE; at += 3 * EF_BLOCK)
        assert_int_equal(ef_cache_write(room->cache, at + 77, 5000, room->buf, forever), EF_OK);
    assert_int_equal(ef_cache_flush(room->cache, forever), EF_OK);
    assert_int_equal(ef_cache_erase(room->cache, MIB, PIECE, forever), EF_OK);
    assert_right(room);
}

static void a_question_in_vain_fails_the_reader(void **state)
{
    struct room *room = *state;
    enter(room);
    mem_fail(room->mem, MEM_DIGEST, 1000, EF_GONE);
    assert_int_equal(backup(room), EF_GONE);
    mem_fail(room->mem, MEM_DIGEST, 0, EF_OK);
    assert_right(room);
}

static void a_random_reader_does_not_wait(void **state)
{
    struct room *room = *state;
    struct ef_patience forever = {0};
    blank(room, 0, SIZE);
    enter(room);
    mem_hold_after(room->mem, MEM_DIGEST, 40);
    ef_cache_read_ahead(room->cache, 0, SIZE);
    mem_await_held(room->mem);
    mem_release(room->mem);
    assert_int_equal(ef_cache_read(room->cache, SIZE - 5, 5, room->buf, forever), EF_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(room->buf[i], 0xFF);
    assert_right(room);
}

/*
 * Each digest in turn is that of a place one flipped bit away, of a flash in which such places
 * often hold the same. (A flip that leaves the flash is refused by the chip, and no fault.)
 */
static void flip_each_digest(struct room *room)
{
    enter(room);
    assert_right(room);
    unsigned count = mem_count(room->mem, MEM_DIGEST);
    struct mem_call *call = calloc(MEM_TRACE, sizeof(*call));
    assert_non_null(call);
    size_t calls = room->mem->calls;
    memcpy(call, room->mem->call, calls * sizeof(*call));
    unsigned nth = 0;
    for (size_t i = 0; i < calls; i++) {
        if (call[i].op != MEM_DIGEST)
            continue;
        for (uint32_t bit = 1U << 14; bit < SIZE; bit <<= 1) {
            uint32_t there = call[i].addr ^ bit;
            if (there > SIZE - call[i].len)
                continue;
            enter(room);
            mem_set_fault(room->mem, MEM_DIGEST,
                          (struct mem_fault){.after = nth,
                                             .times = 1,
                                             .shift = (int64_t)there - (int64_t)call[i].addr});
            assert_right(room);
        }
        nth++;
    }
    assert_int_equal(nth, count);
    free(call);
}

static void flips_where_most_is_blank(void **state)
{
    struct room *room = *state;
    blank(room, 3 * PIECE + EF_BLOCK, SIZE);
    mem_pattern(room->mem->bytes + 2 * MIB + PIECE, PIECE, 3);
    mem_pattern(room->mem->bytes + 3 * MIB + 0x4000, EF_SECTOR, 4);
    flip_each_digest(room);
}

static void flips_where_slots_are_alike(void **state)
{
    struct room *room = *state;
    blank(room, MIB, SIZE);
    memcpy(room->mem->bytes + MIB, room->mem->bytes, 3 * PIECE);
    memcpy(room->mem->bytes + 2 * MIB, room->mem->bytes, 3 * PIECE);
    memset(room->mem->bytes + 2 * MIB + 2 * PIECE + EF_BLOCK, 0x11, EF_SECTOR);
    flip_each_digest(room);
}

static void await_fetch(struct room *room, uint32_t s)
{
    struct ef_cache *c = room->cache;
    pthread_mutex_lock(&c->lock);
    while (!c->sector[s].fetching)
        ef_cache_wait(c, (struct ef_patience){0});
    pthread_mutex_unlock(&c->lock);
}

static void *read_here_and_there(void *arg)
{
    struct room *room = arg;
    ef_deadline give_up = ef_deadline_in(30000);
    struct ef_patience patience = {.interrupted = as_cp_is_late, .user = &give_up};
    ef_cache_read(room->cache, 20 * EF_BLOCK, 4 * EF_BLOCK, room->buf, patience);
    return NULL;
}

/*
 * What is expected of a place that a stream may come to as well, where room is made before the
 * chip has answered.
 */
static void what_is_expected_is_not_forgotten(void **state)
{
    enum { HERE = 3 * EF_BLOCK, THERE = 40 * EF_BLOCK };
    struct room *room = *state;
    pthread_t reader;
    memcpy(room->mem->bytes + THERE, room->mem->bytes + HERE, PIECE);
    enter_with(room, false);
    ef_cache_limit(room->cache, 8 * EF_BLOCK);
    mem_hold_after(room->mem, MEM_READ, 3);
    ef_cache_read_ahead(room->cache, 0, MIB);
    mem_await_held(room->mem);
    ef_cache_read_ahead(room->cache, THERE, EF_BLOCK);
    assert_int_equal(pthread_create(&reader, NULL, read_here_and_there, room), 0);
    await_fetch(room, 20 * EF_RUN_SECTORS);
    mem_release(room->mem);
    pthread_join(reader, NULL);
    ef_deadline give_up = ef_deadline_in(30000);
    struct ef_patience patience = {.interrupted = as_cp_is_late, .user = &give_up};
    assert_int_equal(ef_cache_read_on(room->cache, THERE, EF_BLOCK, 0, room->buf, patience), EF_OK);
    assert_memory_equal(room->buf, room->mem->bytes + THERE, EF_BLOCK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_flash_costs_samples, room_open, room_close),
        cmocka_unit_test_setup_teardown(what_is_expected_is_not_forgotten, room_open, room_close),
        cmocka_unit_test_setup_teardown(blank_flash_does_not_cross, room_open, room_close),
        cmocka_unit_test_setup_teardown(what_lies_before_blank_flash_tells_of_it, room_open,
                                        room_close),
        cmocka_unit_test_setup_teardown(blank_parts_of_blocks, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_second_slot, room_open, room_close),
        cmocka_unit_test_setup_teardown(slots_that_begin_alike, room_open, room_close),
        cmocka_unit_test_setup_teardown(changed_before_it_is_reached, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_question_in_vain_fails_the_reader, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_random_reader_does_not_wait, room_open, room_close),
        cmocka_unit_test_setup_teardown(flips_where_most_is_blank, room_open, room_close),
        cmocka_unit_test_setup_teardown(flips_where_slots_are_alike, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
