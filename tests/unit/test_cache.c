/* The cache (and its pthreads): reads, writes, what a flush touches and what it does not. */
#include "cache_room.h"

#include "cache/cache_private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void reads_any_range(void **state)
{
    struct cache_room *room = *state;
    static const uint32_t EDGES[] = {0,
                                     1,
                                     EF_SECTOR - 1,
                                     EF_SECTOR,
                                     EF_SECTOR + 1,
                                     EF_BLOCK - 1,
                                     EF_BLOCK + 1,
                                     ROOM_SIZE - EF_SECTOR - 1,
                                     ROOM_SIZE - 1,
                                     ROOM_SIZE};
    for (size_t i = 0; i < sizeof(EDGES) / sizeof(EDGES[0]); i++) {
        for (size_t k = i; k < sizeof(EDGES) / sizeof(EDGES[0]); k++) {
            uint32_t len = EDGES[k] - EDGES[i];
            assert_int_equal(room_read(room, EDGES[i], len), EF_OK);
            assert_memory_equal(room->buf, room->model + EDGES[i], len);
            if (len < ROOM_SIZE)
                assert_int_equal(room->buf[len], 0x77);
        }
    }
    /* All of it came once. */
    assert_int_equal(room->mem->bytes_read, ROOM_SIZE);
    assert_int_equal(ef_cache_state(room->cache).known_sectors, ROOM_SECTORS);
}

static bool is_later(struct timespec a, struct timespec b)
{
    return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

static void set_age(struct cache_room *room, time_t s, long ns)
{
    pthread_mutex_lock(&room->cache->lock);
    room->cache->modified = (struct timespec){.tv_sec = s, .tv_nsec = ns};
    pthread_mutex_unlock(&room->cache->lock);
}

/* The kernel keeps its pages for as long as the time is the same. */
static void each_change_is_later_than_the_last(void **state)
{
    struct cache_room *room = *state;
    struct timespec last = ef_cache_state(room->cache).changed;
    for (uint32_t i = 0; i < 1000; i++) {
        ef_cache_renew(room->cache);
        struct timespec now = ef_cache_state(room->cache).changed;
        assert_true(is_later(now, last));
        last = now;
    }
    /* The clock is set back by an hour. */
    time_t ahead = last.tv_sec + 3600;
    set_age(room, ahead, 999999998);
    assert_int_equal(room_write(room, 0, EF_SECTOR, 1), EF_OK);
    assert_int_equal(ef_cache_state(room->cache).changed.tv_sec, ahead);
    assert_int_equal(ef_cache_state(room->cache).changed.tv_nsec, 999999999);
    assert_int_equal(room_erase(room, 0, EF_SECTOR), EF_OK);
    assert_int_equal(ef_cache_state(room->cache).changed.tv_sec, ahead + 1);
    assert_int_equal(ef_cache_state(room->cache).changed.tv_nsec, 0);
    /* It goes on from where it is once that is later. */
    set_age(room, 1, 0);
    ef_cache_renew(room->cache);
    assert_true(ef_cache_state(room->cache).changed.tv_sec > 1000000);
}

static void past_the_end(void **state)
{
    struct cache_room *room = *state;
    uint8_t byte = 1;
    struct ef_cache *c = room->cache;
    assert_int_equal(ef_cache_read(c, ROOM_SIZE, 1, &byte, patient()), EF_INVALID);
    assert_int_equal(ef_cache_read(c, ROOM_SIZE - 1, 2, &byte, patient()), EF_INVALID);
    assert_int_equal(ef_cache_read(c, UINT64_MAX, 1, &byte, patient()), EF_INVALID);
    assert_int_equal(ef_cache_write(c, ROOM_SIZE, 1, &byte, patient()), EF_INVALID);
    assert_int_equal(ef_cache_write(c, ROOM_SIZE - 1, 2, &byte, patient()), EF_INVALID);
    assert_int_equal(ef_cache_write(c, UINT64_MAX, 2, &byte, patient()), EF_INVALID);
    assert_int_equal(room->mem->calls, 0);
    assert_int_equal(room_dirty(room), 0);
}

static void whole_sectors_are_not_read(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_write(room, EF_SECTOR, 2 * EF_SECTOR, 5), EF_OK);
    assert_int_equal(room_dirty(room), 2);
    assert_int_equal(room->mem->calls, 0);
    assert_int_equal(room_read(room, EF_SECTOR, 2 * EF_SECTOR), EF_OK);
    assert_memory_equal(room->buf, room->model + EF_SECTOR, 2 * EF_SECTOR);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room->mem->count[MEM_READ], 0);
    assert_int_equal(room->mem->count[MEM_WRITE], 1);
    assert_int_equal(room->mem->sectors_written, 2);
    assert_int_equal(room_dirty(room), 0);
    assert_true(room_settled(room));
}

static void parts_are_read_first(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_write(room, 3 * EF_SECTOR + 100, 10, 5), EF_OK);
    assert_int_equal(room->mem->calls, 0);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room->mem->call[0].op, MEM_READ);
    assert_int_equal(room->mem->call[0].addr, 3 * EF_SECTOR);
    assert_int_equal(room->mem->call[0].len, EF_SECTOR);
    assert_int_equal(room->mem->sectors_written, 1);
    assert_true(room_settled(room));
}

static void parts_that_join(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_write(room, 2048, 2048, 1), EF_OK);
    assert_int_equal(room_write(room, 1000, 1100, 2), EF_OK);
    assert_int_equal(room_write(room, 0, 1000, 3), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room->mem->count[MEM_READ], 0);
    assert_true(room_settled(room));
}

static void parts_that_do_not(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_write(room, 0, 10, 1), EF_OK);
    assert_int_equal(room_write(room, 4000, 10, 2), EF_OK);
    assert_int_equal(room_write(room, 2000, 10, 3), EF_OK);
    assert_int_equal(room_read(room, 0, EF_SECTOR), EF_OK);
    assert_memory_equal(room->buf, room->model, EF_SECTOR);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room->mem->bytes_read, EF_SECTOR);
    assert_true(room_settled(room));
}

static void equal_sectors_are_untouched(void **state)
{
    struct cache_room *room = *state;
    for (int read_before = 0; read_before < 2; read_before++) {
        assert_int_equal(ef_cache_write(room->cache, 0, 10 * EF_SECTOR, room->model, patient()),
                         EF_OK);
        assert_int_equal(room_flush(room), EF_OK);
        assert_int_equal(room->mem->count[MEM_WRITE] + room->mem->count[MEM_ERASE], 0);
        /* The ends' looks, a yes, and the looks of the places that one flipped bit leads to. */
        assert_int_equal(room->mem->count[MEM_DIGEST], 2 + 1 + 20);
    }
    assert_int_equal(room_dirty(room), 0);
}

static void one_sector_differs(void **state)
{
    struct cache_room *room = *state;
    room->model[7 * EF_SECTOR + 9] ^= 1;
    assert_int_equal(ef_cache_write(room->cache, 0, 15 * EF_SECTOR, room->model, patient()), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room->mem->count[MEM_WRITE], 1);
    assert_int_equal(mem_touched(room->mem, MEM_WRITE, 7 * EF_SECTOR, EF_SECTOR), 1);
    assert_int_equal(room->mem->sectors_written, 1);
    assert_int_equal(room->mem->count[MEM_ERASE], 0);
    assert_true(room_settled(room));
}

static void put_back_is_no_write(void **state)
{
    struct cache_room *room = *state;
    uint8_t was = room->model[50];
    assert_int_equal(room_read(room, 0, 1), EF_OK);
    assert_int_equal(room_fill(room, 50, 1, (uint8_t)~was), EF_OK);
    assert_int_equal(room_fill(room, 50, 1, was), EF_OK);
    assert_int_equal(room_dirty(room), 1);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room_dirty(room), 0);
    assert_int_equal(room->mem->count[MEM_WRITE] + room->mem->count[MEM_DIGEST], 0);
}

static void blank_sectors_are_only_erased(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_fill(room, EF_SECTOR, 3 * EF_SECTOR, 0xFF), EF_OK);
    assert_int_equal(room_write(room, 4 * EF_SECTOR, EF_SECTOR, 3), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room->mem->count[MEM_ERASE], 1);
    assert_int_equal(room->mem->sectors_erased, 3);
    assert_int_equal(room->mem->sectors_written, 1);
    assert_true(room_settled(room));
    /* And those that are blank already not even that. */
    assert_int_equal(room_fill(room, EF_SECTOR, 3 * EF_SECTOR, 0xFF), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room->mem->count[MEM_ERASE], 1);
}

static void transfers_end_where_blocks_do(void **state)
{
    struct cache_room *room = *state;
    enum { END = EF_TRANSFER_SECTORS * EF_SECTOR };
    assert_int_equal(room_write(room, END - 4 * EF_SECTOR, 8 * EF_SECTOR, 3), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room->mem->count[MEM_WRITE], 2);
    assert_int_equal(mem_touched(room->mem, MEM_WRITE, 0, END), 1);
    assert_true(room_settled(room));
}

static void nothing_dirty_nothing_done(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room->mem->calls, 0);
    assert_int_equal(room_write(room, 0, EF_SECTOR, 4), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    size_t calls = room->mem->calls;
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room->mem->calls, calls);
}

static void a_failed_flush_keeps_what_is_dirty(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_write(room, 100, 3 * EF_SECTOR, 4), EF_OK);
    mem_fail(room->mem, MEM_WRITE, 1, EF_GONE);
    assert_int_equal(room_flush(room), EF_GONE);
    struct ef_cache_state now = ef_cache_state(room->cache);
    assert_int_equal(now.dirty_sectors, 4);
    assert_int_equal(now.flush_err, EF_GONE);
    assert_int_equal(room_read(room, 0, 5 * EF_SECTOR), EF_OK);
    assert_memory_equal(room->buf, room->model, 5 * EF_SECTOR);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(ef_cache_state(room->cache).flush_err, EF_OK);
    assert_int_equal(room_dirty(room), 0);
    assert_true(room_settled(room));
}

/* Fails at step 1, 2, 3 ... until the flush gets through; each time the next one heals. */
static void fails_at_every_step(void **state)
{
    struct cache_room *room = *state;
    static const enum mem_op OPS[] = {MEM_READ, MEM_DIGEST, MEM_WRITE, MEM_ERASE};
    for (size_t o = 0; o < sizeof(OPS) / sizeof(OPS[0]); o++) {
        unsigned failures = 0;
        for (unsigned after = 0;; after++) {
            uint32_t seed = (uint32_t)o * 100 + after;
            ef_cache_free(room->cache);
            assert_int_equal(ef_cache_new(room->worker, ROOM_SIZE, NULL, &room->cache), EF_OK);
            mem_pattern(room->mem->bytes + 4 * EF_SECTOR, EF_SECTOR, seed); /* not blank */
            uint8_t before[EF_BLOCK];
            memcpy(before, room->mem->bytes + 2 * EF_BLOCK, EF_BLOCK);
            assert_int_equal(room_write(room, 10, 2 * EF_SECTOR, seed), EF_OK);
            assert_int_equal(room_fill(room, 4 * EF_SECTOR, EF_SECTOR, 0xFF), EF_OK);
            assert_int_equal(room_write(room, 5 * EF_SECTOR, EF_SECTOR, seed), EF_OK);
            assert_int_equal(room_write(room, EF_BLOCK - 5, 10, seed), EF_OK);
            mem_set_fault(
                room->mem, OPS[o],
                (struct mem_fault){
                    .after = after, .times = 1, .err = EF_TIMEOUT, .act = after % 2 == 1});
            enum ef_err err = room_flush(room);
            assert_true(err == EF_OK || err == EF_TIMEOUT);
            assert_memory_equal(room->mem->bytes + 2 * EF_BLOCK, before, EF_BLOCK);
            mem_set_fault(room->mem, OPS[o], (struct mem_fault){0});
            assert_int_equal(room_flush(room), EF_OK);
            assert_true(room_settled(room));
            if (err == EF_OK)
                break;
            failures++;
        }
        assert_true(failures >= 1);
    }
}

static void the_window_is_bounded(void **state)
{
    struct cache_room *room = *state;
    mem_hold(room->mem, MEM_WRITE);
    atomic_store(&room->impatient, true);
    mem_pattern(room->model, ROOM_SIZE, 9);
    assert_int_equal(
        ef_cache_write(room->cache, 0, ROOM_SIZE, room->model, patient_until_told(room)),
        EF_INTERRUPTED);
    assert_int_equal(room_dirty(room), EF_WINDOW_SECTORS);
    /* What is dirty already may be written again without waiting. */
    assert_int_equal(ef_cache_write(room->cache, 0, EF_WINDOW_SECTORS * EF_SECTOR, room->model,
                                    patient_until_told(room)),
                     EF_OK);
    mem_release(room->mem);
    assert_int_equal(room_write(room, 0, ROOM_SIZE, 10), EF_OK);
    assert_true(room_dirty(room) <= EF_WINDOW_SECTORS);
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
}

/* Sectors go out behind the writer: all but the last window is on the chip before a flush. */
static void written_behind(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_write(room, 0, ROOM_SIZE, 10), EF_OK);
    pthread_mutex_lock(&room->mem->lock);
    unsigned long long written = room->mem->sectors_written;
    pthread_mutex_unlock(&room->mem->lock);
    assert_true(written + EF_WINDOW_SECTORS >= ROOM_SECTORS);
    assert_int_equal(mem_count(room->mem, MEM_READ), 0);
}

/* A window full of parts of sectors makes room, too. */
static void a_window_of_parts(void **state)
{
    struct cache_room *room = *state;
    for (uint32_t s = 0; s < ROOM_SECTORS; s++)
        assert_int_equal(room_write(room, s * EF_SECTOR + 7, 1, s + 1), EF_OK);
    assert_true(room_dirty(room) <= EF_WINDOW_SECTORS);
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
}

static void a_failed_write_behind(void **state)
{
    struct cache_room *room = *state;
    mem_fail(room->mem, MEM_WRITE, 1, EF_GONE);
    mem_pattern(room->model, ROOM_SIZE, 9);
    assert_int_equal(ef_cache_write(room->cache, 0, ROOM_SIZE, room->model, patient()), EF_GONE);
    assert_int_equal(room_dirty(room), EF_WINDOW_SECTORS);
    assert_int_equal(ef_cache_state(room->cache).flush_err, EF_GONE);
    /* It is said again until a flush succeeds. */
    assert_int_equal(ef_cache_write(room->cache, ROOM_SIZE - EF_SECTOR, 1, room->model, patient()),
                     EF_GONE);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room_write(room, 0, ROOM_SIZE, 10), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
}

static void written_while_a_flush_is_under_way(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_write(room, 0, EF_SECTOR, 1), EF_OK);
    mem_hold(room->mem, MEM_WRITE);
    room_start(room, room_flush_main);
    mem_await_held(room->mem);
    assert_int_equal(room_write(room, 100, 50, 2), EF_OK);
    assert_int_equal(room_read(room, 0, EF_SECTOR), EF_OK);
    assert_memory_equal(room->buf, room->model, EF_SECTOR);
    mem_release(room->mem);
    assert_int_equal(room_join(room), EF_OK);
    assert_int_equal(room_dirty(room), 1);
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
}

/* A flush that is asked for while one runs covers what was written before it was asked for. */
static void a_flush_behind_a_flush(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_write(room, EF_BLOCK, EF_SECTOR, 1), EF_OK);
    mem_hold(room->mem, MEM_WRITE);
    room_start(room, room_flush_main);
    mem_await_held(room->mem);
    assert_int_equal(room_write(room, 0, EF_SECTOR, 2), EF_OK);
    atomic_store(&room->impatient, true);
    assert_int_equal(ef_cache_flush(room->cache, patient_until_told(room)), EF_INTERRUPTED);
    atomic_store(&room->impatient, false);
    mem_release(room->mem);
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
    room_join(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_any_range, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(each_change_is_later_than_the_last, cache_room_open,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(past_the_end, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(whole_sectors_are_not_read, cache_room_open,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(parts_are_read_first, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(parts_that_join, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(parts_that_do_not, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(equal_sectors_are_untouched, cache_room_open,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(one_sector_differs, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(put_back_is_no_write, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(blank_sectors_are_only_erased, cache_room_open,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(transfers_end_where_blocks_do, cache_room_open,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(nothing_dirty_nothing_done, cache_room_open,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(a_failed_flush_keeps_what_is_dirty, cache_room_open,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(fails_at_every_step, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(the_window_is_bounded, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(written_behind, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(a_window_of_parts, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(a_failed_write_behind, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(written_while_a_flush_is_under_way, cache_room_open,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(a_flush_behind_a_flush, cache_room_open, cache_room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
