/* A cache that may hold less than the flash: what goes, what stays, and that all stays right. */
#include "cache_room.h"

#include "cache/cache_private.h"

#include "espflashfs/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

enum { LIMIT = ROOM_SIZE / 4, LIMIT_SECTORS = LIMIT / EF_SECTOR };

static int room_open_limited(void **state)
{
    if (cache_room_open_proven(state) != 0)
        return -1;
    struct cache_room *room = *state;
    ef_cache_limit(room->cache, LIMIT);
    return 0;
}

static uint32_t held(struct cache_room *room)
{
    return ef_cache_state(room->cache).known_sectors;
}

static void assert_reads(struct cache_room *room, uint32_t addr, uint32_t len)
{
    assert_int_equal(room_read(room, addr, len), EF_OK);
    assert_memory_equal(room->buf, room->model + addr, len);
}

static void no_more_than_the_limit_is_held(void **state)
{
    struct cache_room *room = *state;
    for (int round = 0; round < 2; round++) {
        for (uint32_t at = 0; at < ROOM_SIZE; at += EF_BLOCK) {
            assert_reads(room, at, EF_BLOCK);
            assert_true(held(room) <= LIMIT_SECTORS + EF_RUN_SECTORS);
        }
    }
    /* Twice round a flash that does not fit is read twice. */
    assert_int_equal(room->mem->bytes_read, 2 * ROOM_SIZE);
}

static void memory_is_given_back(void **state)
{
    struct cache_room *room = *state;
    unsigned char resident[ROOM_SIZE / 4096];
    size_t pages = 0;
    for (uint32_t at = 0; at < ROOM_SIZE; at += EF_BLOCK)
        assert_reads(room, at, EF_BLOCK);
    assert_int_equal(mincore(room->cache->data, ROOM_SIZE, resident), 0);
    for (size_t i = 0; i < sizeof(resident); i++)
        pages += resident[i] & 1;
    assert_true(pages <= LIMIT_SECTORS + EF_RUN_SECTORS);
}

static void what_is_used_stays(void **state)
{
    struct cache_room *room = *state;
    assert_reads(room, 0, EF_BLOCK);
    for (uint32_t at = EF_BLOCK; at < ROOM_SIZE; at += EF_BLOCK) {
        assert_reads(room, at, EF_BLOCK);
        assert_reads(room, 100, 10);
    }
    /* The hand's first round finds all in use, and takes one of them. */
    assert_true(room->mem->bytes_read <= ROOM_SIZE + EF_SECTOR);
}

static void without_a_limit_all_stays(void **state)
{
    struct cache_room *room = *state;
    ef_cache_limit(room->cache, UINT64_MAX);
    for (int round = 0; round < 2; round++)
        assert_reads(room, 0, ROOM_SIZE);
    assert_int_equal(held(room), ROOM_SECTORS);
    assert_int_equal(room->mem->bytes_read, ROOM_SIZE);
}

/* Unwritten data outlives any reading beside it. */
static void what_is_dirty_stays(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_write(room, 5 * EF_SECTOR, EF_SECTOR, 1), EF_OK);
    assert_int_equal(room_write(room, 9 * EF_SECTOR + 7, 100, 2), EF_OK);
    for (uint32_t at = EF_BLOCK; at < ROOM_SIZE; at += EF_BLOCK)
        assert_reads(room, at, EF_BLOCK);
    assert_int_equal(room_dirty(room), 2);
    assert_reads(room, 5 * EF_SECTOR, EF_SECTOR);
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
}

static void a_sector_that_went_is_known_by_its_digest(void **state)
{
    struct cache_room *room = *state;
    assert_reads(room, 0, EF_BLOCK);
    for (uint32_t at = EF_BLOCK; at < ROOM_SIZE; at += EF_BLOCK)
        assert_reads(room, at, EF_BLOCK);
    assert_false(room->cache->sector[0].have);
    assert_true(room->cache->sector[0].known);
    /* So it is not written if it is given the same again. */
    mem_reset_counts(room->mem);
    assert_int_equal(ef_cache_write(room->cache, 0, EF_BLOCK, room->model, patient()), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(mem_count(room->mem, MEM_WRITE), 0);
    assert_int_equal(mem_count(room->mem, MEM_DIGEST), 0);
}

/* A damaged write hit what is no more held: given its old contents again, it is written. */
static void what_went_and_was_hit_is_written_again(void **state)
{
    struct cache_room *room = *state;
    for (uint32_t at = 0; at < ROOM_SIZE; at += EF_BLOCK)
        assert_reads(room, at, EF_BLOCK);
    assert_true(room->cache->sector[0].known && !room->cache->sector[0].have);
    assert_int_equal(room_write(room, ROOM_SIZE - EF_BLOCK, EF_SECTOR, 3), EF_OK);
    mem_set_fault(room->mem, MEM_WRITE,
                  (struct mem_fault){.times = 1, .shift = EF_BLOCK - ROOM_SIZE});
    assert_int_equal(room_flush(room), EF_VERIFY);
    assert_false(room_settled(room));
    assert_int_equal(ef_cache_write(room->cache, 0, EF_SECTOR, room->model, patient()), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
}

static void await_fetch(struct cache_room *room, uint32_t s)
{
    struct ef_cache *c = room->cache;
    pthread_mutex_lock(&c->lock);
    while (!c->sector[s].fetching)
        ef_cache_wait(c, patient());
    pthread_mutex_unlock(&c->lock);
}

static void *read_much(void *arg)
{
    struct cache_room *room = arg;
    /* What it gets is not the point, and `thread_err` is the flush's. */
    (void)room_read(room, 0, ROOM_SIZE - 4 * EF_BLOCK);
    return NULL;
}

/* Digests that pass before the check: two that fail the first attempt, one that ends the second. */
enum { WRITE_PROOFS = 3 };

/* What was hit is not forgotten by a reader's work before the check has come to it. */
static void what_was_hit_stays_until_it_heals(void **state)
{
    struct cache_room *room = *state;
    uint32_t hit = ROOM_SIZE - 2 * EF_BLOCK;
    for (uint32_t at = ROOM_SIZE - 4 * EF_BLOCK; at < ROOM_SIZE; at += EF_BLOCK)
        assert_reads(room, at, EF_BLOCK);
    assert_int_equal(room_write(room, ROOM_SIZE - EF_BLOCK, EF_SECTOR, 3), EF_OK);
    mem_set_fault(room->mem, MEM_WRITE, (struct mem_fault){.times = 1, .shift = -EF_BLOCK});
    mem_hold_after(room->mem, MEM_DIGEST, WRITE_PROOFS);
    room_start(room, room_flush_main);
    mem_await_held(room->mem);
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_much, room), 0);
    await_fetch(room, 0);
    mem_release(room->mem);
    pthread_join(reader, NULL);
    room_join(room);
    assert_memory_equal(room->mem->bytes + hit, room->model + hit, EF_SECTOR);
}

static void *read_third_block(void *arg)
{
    struct cache_room *room = arg;
    room_read(room, 2 * EF_BLOCK, EF_SECTOR);
    return NULL;
}

/* ... nor does a reader who comes to it before the check make it count as right. */
static void what_went_and_was_hit_is_told(void **state)
{
    struct cache_room *room = *state;
    for (uint32_t at = 0; at < ROOM_SIZE; at += EF_BLOCK)
        assert_reads(room, at, EF_BLOCK);
    assert_int_equal(room_write(room, ROOM_SIZE - EF_BLOCK, EF_SECTOR, 3), EF_OK);
    mem_set_fault(room->mem, MEM_WRITE,
                  (struct mem_fault){.times = 1, .shift = 3 * EF_BLOCK - ROOM_SIZE});
    mem_hold_after(room->mem, MEM_DIGEST, WRITE_PROOFS);
    room_start(room, room_flush_main);
    mem_await_held(room->mem);
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_third_block, room), 0);
    await_fetch(room, 2 * EF_RUN_SECTORS);
    mem_release(room->mem);
    pthread_join(reader, NULL);
    assert_int_equal(room_join(room), EF_VERIFY);
}

static void anything_at_once_stays_right(void **state)
{
    struct cache_room *room = *state;
    uint32_t seed = 20261125;
    for (int i = 0; i < 400; i++) {
        uint32_t addr = mem_random(&seed) % ROOM_SIZE;
        uint32_t len = 1 + mem_random(&seed) % (2 * EF_BLOCK);
        len = ef_min_u32(len, ROOM_SIZE - addr);
        switch (mem_random(&seed) % 5) {
        case 0:
            assert_int_equal(room_write(room, addr, len, seed), EF_OK);
            break;
        case 1:
            addr = ef_align_down(addr, EF_SECTOR);
            memset(room->model + addr, 0xFF, EF_SECTOR);
            assert_int_equal(room_erase(room, addr, EF_SECTOR), EF_OK);
            break;
        case 2:
            ef_cache_read_ahead(room->cache, addr, len);
            break;
        default:
            assert_reads(room, addr, len);
        }
    }
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
    assert_true(held(room) <= LIMIT_SECTORS + 2 * EF_RUN_SECTORS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, room_open_limited, cache_room_close)
    const struct CMUnitTest tests[] = {
        TEST(no_more_than_the_limit_is_held),
        TEST(memory_is_given_back),
        TEST(what_is_used_stays),
        TEST(without_a_limit_all_stays),
        TEST(what_is_dirty_stays),
        TEST(a_sector_that_went_is_known_by_its_digest),
        TEST(what_went_and_was_hit_is_written_again),
        TEST(what_was_hit_stays_until_it_heals),
        TEST(what_went_and_was_hit_is_told),
        TEST(anything_at_once_stays_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
