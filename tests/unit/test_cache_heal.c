/*
 * A damaged command that hit other sectors: those that are known heal, the others are
 * reported, once. Over the real proving and repeating layers, with the cache's pthreads.
 */
#include "cache_room.h"

#include "cache/cache_private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void stray_write(struct cache_room *room, int64_t shift)
{
    mem_set_fault(room->mem, MEM_WRITE, (struct mem_fault){.times = 1, .shift = shift});
}

static void known_sectors_heal(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_read(room, 0, ROOM_SIZE), EF_OK);
    assert_int_equal(room_write(room, EF_SECTOR, 2 * EF_SECTOR, 3), EF_OK);
    stray_write(room, 5 * EF_BLOCK);
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
    assert_int_equal(room_dirty(room), 0);
    /* What was hit is written again, and nothing else. */
    assert_int_equal(room->mem->sectors_written, 2 + 2 + 2);
}

static void unknown_sectors_are_reported_once(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_write(room, 0, EF_SECTOR, 3), EF_OK);
    stray_write(room, 5 * EF_BLOCK);
    assert_int_equal(room_flush(room), EF_VERIFY);
    assert_memory_equal(room->mem->bytes, room->model, EF_SECTOR);
    assert_int_equal(room_dirty(room), 0);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room_write(room, 0, EF_SECTOR, 4), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
}

/* Sectors that were hit and wait to be written anyway. */
static void dirty_sectors_that_were_hit(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_read(room, 0, ROOM_SIZE), EF_OK);
    assert_int_equal(room_write(room, 0, EF_SECTOR, 3), EF_OK);
    assert_int_equal(
        ef_cache_write(room->cache, EF_BLOCK, EF_SECTOR, room->model + EF_BLOCK, patient()), EF_OK);
    stray_write(room, EF_BLOCK);
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
}

static void written_in_the_same_flush_before(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_read(room, 0, ROOM_SIZE), EF_OK);
    assert_int_equal(room_write(room, 0, EF_SECTOR, 3), EF_OK);
    assert_int_equal(room_write(room, EF_BLOCK, EF_SECTOR, 4), EF_OK);
    mem_set_fault(room->mem, MEM_WRITE,
                  (struct mem_fault){.after = 1, .times = 1, .shift = -EF_BLOCK});
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
}

static void an_erase_that_went_too_far(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_read(room, 0, ROOM_SIZE), EF_OK);
    mem_set_fault(room->mem, MEM_ERASE, (struct mem_fault){.times = 1, .extra = EF_SECTOR});
    assert_int_equal(room_erase(room, 0, EF_SECTOR), EF_OK);
    memset(room->model, 0xFF, EF_SECTOR);
    assert_true(room_settled(room));
}

static void an_erase_too_far_into_the_unknown(void **state)
{
    struct cache_room *room = *state;
    mem_set_fault(room->mem, MEM_ERASE, (struct mem_fault){.times = 1, .extra = EF_SECTOR});
    assert_int_equal(room_erase(room, 0, EF_SECTOR), EF_VERIFY);
    assert_int_equal(room_flush(room), EF_OK);
}

/* One that took so long that it timed out, which its repetition must not hide. */
static void an_erase_too_far_and_too_long(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_read(room, 0, ROOM_SIZE), EF_OK);
    mem_set_fault(
        room->mem, MEM_ERASE,
        (struct mem_fault){.times = 1, .err = EF_TIMEOUT, .act = true, .extra = 2 * EF_BLOCK});
    assert_int_equal(room_erase(room, 0, EF_SECTOR), EF_OK);
    memset(room->model, 0xFF, EF_SECTOR);
    assert_true(room_settled(room));
}

static void strays_behind_the_writer(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_read(room, 0, ROOM_SIZE), EF_OK);
    stray_write(room, 4 * EF_BLOCK);
    assert_int_equal(room_write(room, 0, ROOM_SIZE / 2, 3), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
}

/* A check that could not be finished is made up for by the next flush. */
static void a_check_that_fails(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_read(room, 0, ROOM_SIZE), EF_OK);
    mem_reset_counts(room->mem);
    assert_int_equal(room_write(room, 0, EF_SECTOR, 3), EF_OK);
    stray_write(room, 5 * EF_BLOCK);
    /* The digests of the two attempts to write, then the check's second. */
    mem_set_fault(room->mem, MEM_DIGEST,
                  (struct mem_fault){.after = 3, .times = 1, .err = EF_GONE});
    assert_int_equal(room_flush(room), EF_GONE);
    assert_false(room_settled(room));
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
}

/* Each write that heals strays itself: not called proven while the last was not looked into. */
static void a_line_that_strays_all_the_time(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_read(room, 0, ROOM_SIZE), EF_OK);
    for (uint32_t times = 1; times <= 6; times++) {
        assert_int_equal(room_write(room, 0, EF_SECTOR, times), EF_OK);
        mem_set_fault(room->mem, MEM_WRITE,
                      (struct mem_fault){.times = times, .gap = 1, .shift = EF_BLOCK});
        assert_int_equal(room_flush(room), times <= 3 ? EF_OK : EF_VERIFY);
        assert_true(times > 3 || room_settled(room));
        mem_set_fault(room->mem, MEM_WRITE, (struct mem_fault){0});
        assert_int_equal(room_flush(room), EF_OK);
        assert_true(room_settled(room));
    }
}

/* Digests that pass before the check: two that fail the first attempt, one that ends the second. */
enum { WRITE_PROOFS = 3 };

/*
 * Sector `addr` was hit; while the check stands at its first digest somebody writes there
 * what was there before: it must be written, although it is what the cache knew.
 */
static void rewrite_during_check(struct cache_room *room, uint32_t addr)
{
    assert_int_equal(room_read(room, 0, ROOM_SIZE), EF_OK);
    mem_reset_counts(room->mem);
    assert_int_equal(room_write(room, 7 * EF_BLOCK, EF_SECTOR, 3), EF_OK);
    stray_write(room, (int64_t)addr - 7 * EF_BLOCK);
    mem_hold_after(room->mem, MEM_DIGEST, WRITE_PROOFS);
    room_start(room, room_flush_main);
    mem_await_held(room->mem);
    assert_int_equal(ef_cache_write(room->cache, addr, EF_SECTOR, room->model + addr, patient()),
                     EF_OK);
    mem_release(room->mem);
    assert_int_equal(room_join(room), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
}

static void written_again_in_the_run_that_is_checked(void **state)
{
    rewrite_during_check(*state, 5 * EF_SECTOR);
}

static void written_again_before_it_is_checked(void **state)
{
    rewrite_during_check(*state, 2 * EF_BLOCK + 5 * EF_SECTOR);
}

/* A flush that comes while the check after a write-behind runs waits for its outcome. */
static void a_flush_during_a_check(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_read(room, 0, ROOM_SIZE), EF_OK);
    mem_reset_counts(room->mem);
    stray_write(room, 4 * EF_BLOCK);
    mem_hold_after(room->mem, MEM_DIGEST, WRITE_PROOFS);
    assert_int_equal(room_write(room, 0, EF_BLOCK, 3), EF_OK);
    mem_await_held(room->mem);
    assert_int_equal(room_dirty(room), 0);
    atomic_store(&room->impatient, true);
    assert_int_equal(ef_cache_flush(room->cache, patient_until_told(room)), EF_INTERRUPTED);
    mem_release(room->mem);
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(known_sectors_heal, cache_room_open_proven,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(unknown_sectors_are_reported_once, cache_room_open_proven,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(dirty_sectors_that_were_hit, cache_room_open_proven,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(written_in_the_same_flush_before, cache_room_open_proven,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(an_erase_that_went_too_far, cache_room_open_proven,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(an_erase_too_far_into_the_unknown, cache_room_open_proven,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(an_erase_too_far_and_too_long, cache_room_open_proven,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(strays_behind_the_writer, cache_room_open_proven,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(a_check_that_fails, cache_room_open_proven,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(a_line_that_strays_all_the_time, cache_room_open_proven,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(written_again_in_the_run_that_is_checked,
                                        cache_room_open_proven, cache_room_close),
        cmocka_unit_test_setup_teardown(written_again_before_it_is_checked, cache_room_open_proven,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(a_flush_during_a_check, cache_room_open_proven,
                                        cache_room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
