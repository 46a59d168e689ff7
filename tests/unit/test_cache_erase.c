/* Erases through the cache: what is dropped, who waits, what a failure leaves behind. */
#include "cache_room.h"

#include "cache/cache_private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void bad_ranges(void **state)
{
    struct cache_room *room = *state;
    static const struct {
        uint64_t off, len;
    } BAD[] = {{0, 0},
               {1, EF_SECTOR},
               {0, EF_SECTOR + 1},
               {ROOM_SIZE, EF_SECTOR},
               {0, ROOM_SIZE + EF_SECTOR},
               {ROOM_SIZE - EF_SECTOR, 2 * EF_SECTOR},
               {UINT64_C(0xFFFFFFFFFFFFF000), EF_SECTOR},
               {EF_SECTOR, UINT64_C(0xFFFFFFFFFFFFF000)},
               {UINT64_C(0x100000000), EF_SECTOR}};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        assert_int_equal(ef_cache_erase(room->cache, BAD[i].off, BAD[i].len, patient()),
                         EF_INVALID);
    assert_int_equal(room->mem->calls, 0);
}

static void erases_the_range_only(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_erase(room, EF_SECTOR, 3 * EF_SECTOR), EF_OK);
    memset(room->model + EF_SECTOR, 0xFF, 3 * EF_SECTOR);
    assert_true(room_settled(room));
    assert_int_equal(room->mem->count[MEM_ERASE], 1);
    assert_int_equal(room_read(room, 0, 5 * EF_SECTOR), EF_OK);
    assert_memory_equal(room->buf, room->model, 5 * EF_SECTOR);
    /* What was erased is known, and not read. */
    assert_int_equal(room->mem->bytes_read, 2 * EF_SECTOR);
    assert_int_equal(room_erase(room, 0, ROOM_SIZE), EF_OK);
    memset(room->model, 0xFF, ROOM_SIZE);
    assert_true(room_settled(room));
}

static void blank_is_not_erased(void **state)
{
    struct cache_room *room = *state;
    memset(room->mem->bytes, 0xFF, EF_BLOCK);
    assert_int_equal(room_write(room, 0, EF_SECTOR, 3), EF_OK);
    assert_int_equal(room_erase(room, 0, EF_BLOCK), EF_OK);
    memset(room->model, 0xFF, EF_BLOCK);
    assert_int_equal(room->mem->count[MEM_ERASE], 0);
    assert_int_equal(room_dirty(room), 0);
    assert_int_equal(room_read(room, 0, EF_BLOCK), EF_OK);
    assert_memory_equal(room->buf, room->model, EF_BLOCK);
    assert_int_equal(room->mem->count[MEM_READ], 0);
}

static void drops_what_was_not_written(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_write(room, EF_SECTOR - 5, 3 * EF_SECTOR, 3), EF_OK);
    assert_int_equal(room_dirty(room), 4);
    assert_int_equal(room_erase(room, EF_SECTOR, 2 * EF_SECTOR), EF_OK);
    memset(room->model + EF_SECTOR, 0xFF, 2 * EF_SECTOR);
    assert_int_equal(room_dirty(room), 2);
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
    assert_int_equal(mem_touched(room->mem, MEM_WRITE, EF_SECTOR, 2 * EF_SECTOR), 0);
}

static void written_after_an_erase(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_erase(room, 0, EF_BLOCK), EF_OK);
    memset(room->model, 0xFF, EF_BLOCK);
    assert_int_equal(room_write(room, EF_SECTOR + 1, 1, 8), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room->mem->count[MEM_READ], 0);
    assert_true(room_settled(room));
}

static void start_held_erase(struct cache_room *room, uint32_t addr, uint32_t len)
{
    room->addr = addr;
    room->len = len;
    mem_hold(room->mem, MEM_ERASE);
    room_start(room, room_erase_main);
    mem_await_held(room->mem);
}

static bool say_stop(void *user)
{
    (void)user;
    return true;
}

static const struct ef_patience IMPATIENT = {.interrupted = say_stop};

static void readers_and_writers_wait(void **state)
{
    struct cache_room *room = *state;
    uint8_t byte = 3;
    assert_int_equal(room_read(room, 0, 4 * EF_SECTOR), EF_OK);
    start_held_erase(room, EF_SECTOR, EF_SECTOR);
    assert_int_equal(ef_cache_read(room->cache, EF_SECTOR, 1, &byte, IMPATIENT), EF_INTERRUPTED);
    assert_int_equal(ef_cache_write(room->cache, EF_SECTOR, 1, &byte, IMPATIENT), EF_INTERRUPTED);
    assert_int_equal(ef_cache_erase(room->cache, 0, ROOM_SIZE, IMPATIENT), EF_INTERRUPTED);
    assert_int_equal(byte, 3);
    /* What is known of the rest answers at once, and the rest may be written. */
    assert_int_equal(ef_cache_read(room->cache, 0, EF_SECTOR, room->buf, IMPATIENT), EF_OK);
    assert_int_equal(ef_cache_write(room->cache, 2 * EF_SECTOR, 1, &byte, IMPATIENT), EF_OK);
    assert_int_equal(room_dirty(room), 1);
    mem_release(room->mem);
    assert_int_equal(room_join(room), EF_OK);
    memset(room->model + EF_SECTOR, 0xFF, EF_SECTOR);
    room->model[2 * EF_SECTOR] = byte;
    assert_int_equal(room_read(room, 0, 4 * EF_SECTOR), EF_OK);
    assert_memory_equal(room->buf, room->model, 4 * EF_SECTOR);
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
}

/* The caller leaves; the erase goes on, and nobody sees the range before it is done. */
static void an_interrupted_erase_goes_on(void **state)
{
    struct cache_room *room = *state;
    uint8_t byte;
    assert_int_equal(room_write(room, 0, 10, 3), EF_OK);
    start_held_erase(room, 0, EF_BLOCK);
    atomic_store(&room->impatient, true);
    assert_int_equal(room_join(room), EF_INTERRUPTED);
    assert_int_equal(ef_cache_read(room->cache, 0, 1, &byte, IMPATIENT), EF_INTERRUPTED);
    mem_release(room->mem);
    memset(room->model, 0xFF, EF_BLOCK);
    assert_int_equal(room_read(room, 0, EF_BLOCK), EF_OK);
    assert_memory_equal(room->buf, room->model, EF_BLOCK);
    assert_int_equal(room_dirty(room), 0);
    assert_true(room_settled(room));
}

/* It had not begun: nothing is erased and nothing lost. */
static void interrupted_before_it_begins(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_write(room, 0, EF_SECTOR, 3), EF_OK);
    mem_hold(room->mem, MEM_DIGEST);
    assert_int_equal(ef_cache_erase(room->cache, 0, EF_SECTOR, IMPATIENT), EF_INTERRUPTED);
    mem_release(room->mem);
    assert_int_equal(room_dirty(room), 1);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room->mem->count[MEM_ERASE], 0);
    assert_true(room_settled(room));
}

/* Nobody knows how far it went: the next flush finishes it. What was written is kept. */
static void a_failed_erase(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_read(room, 0, EF_BLOCK), EF_OK);
    assert_int_equal(room_write(room, 0, EF_SECTOR, 3), EF_OK);
    mem_set_fault(room->mem, MEM_ERASE,
                  (struct mem_fault){.times = 1, .err = EF_TIMEOUT, .act = true});
    assert_int_equal(room_erase(room, 0, 2 * EF_SECTOR), EF_TIMEOUT);
    memset(room->model + EF_SECTOR, 0xFF, EF_SECTOR);
    assert_int_equal(room_dirty(room), 2);
    assert_int_equal(ef_cache_state(room->cache).flush_err, EF_TIMEOUT);
    assert_int_equal(room_read(room, 0, EF_BLOCK), EF_OK);
    assert_memory_equal(room->buf, room->model, EF_BLOCK);
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
}

static void a_digest_that_fails(void **state)
{
    struct cache_room *room = *state;
    mem_fail(room->mem, MEM_DIGEST, 1, EF_GONE);
    assert_int_equal(room_erase(room, 0, EF_SECTOR), EF_GONE);
    assert_true(room_settled(room));
    assert_int_equal(room_erase(room, 0, EF_SECTOR), EF_OK);
}

/* A flush that meets an erase waits for it, and leaves no sector beside it unwritten. */
static void a_flush_meets_an_erase(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_write(room, 0, 8 * EF_SECTOR, 3), EF_OK);
    start_held_erase(room, 3 * EF_SECTOR, EF_SECTOR);
    pthread_t erasing = room->thread;
    atomic_store(&room->impatient, true);
    assert_int_equal(ef_cache_flush(room->cache, patient_until_told(room)), EF_INTERRUPTED);
    mem_release(room->mem);
    pthread_join(erasing, NULL);
    assert_int_equal(room_flush(room), EF_OK);
    memset(room->model + 3 * (size_t)EF_SECTOR, 0xFF, EF_SECTOR);
    assert_true(room_settled(room));
    assert_int_equal(room_dirty(room), 0);
}

static void dropped_by_an_erase_that_failed(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_write(room, 0, 8 * EF_SECTOR, 3), EF_OK);
    mem_fail(room->mem, MEM_ERASE, 1, EF_GONE);
    start_held_erase(room, 3 * EF_SECTOR, EF_SECTOR);
    mem_release(room->mem);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room_join(room), EF_GONE);
    assert_true(room_settled(room));
}

/* Once an erase has dropped what could not be written, the old failure is history. */
static void an_erase_ends_a_failure(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_write(room, 0, EF_SECTOR, 3), EF_OK);
    mem_fail(room->mem, MEM_WRITE, 1, EF_GONE);
    assert_int_equal(room_flush(room), EF_GONE);
    assert_int_equal(room_erase(room, 0, ROOM_SIZE), EF_OK);
    assert_int_equal(ef_cache_state(room->cache).flush_err, EF_OK);
    assert_int_equal(room_write(room, 0, ROOM_SIZE, 4), EF_OK);
    assert_true(room_dirty(room) <= EF_WINDOW_SECTORS);
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
}

/* A read-ahead that was queued before the erase brings nothing old back. */
static void read_ahead_and_erase(void **state)
{
    struct cache_room *room = *state;
    mem_hold(room->mem, MEM_DIGEST);
    struct ef_job *block = ef_job_new(EF_JOB_DIGEST, EF_PRIORITY_READER, 0, 1);
    ef_worker_submit(room->worker, block);
    mem_await_held(room->mem);
    ef_cache_read_ahead(room->cache, 0, EF_BLOCK);
    mem_release(room->mem);
    assert_int_equal(room_erase(room, 0, EF_BLOCK), EF_OK);
    ef_job_drop(block);
    memset(room->model, 0xFF, EF_BLOCK);
    assert_int_equal(room_read(room, 0, EF_BLOCK), EF_OK);
    assert_memory_equal(room->buf, room->model, EF_BLOCK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bad_ranges, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(erases_the_range_only, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(blank_is_not_erased, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(drops_what_was_not_written, cache_room_open,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(written_after_an_erase, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(readers_and_writers_wait, cache_room_open,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(an_interrupted_erase_goes_on, cache_room_open,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(interrupted_before_it_begins, cache_room_open,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(a_failed_erase, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(a_digest_that_fails, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(a_flush_meets_an_erase, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(dropped_by_an_erase_that_failed, cache_room_open,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(an_erase_ends_a_failure, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(read_ahead_and_erase, cache_room_open, cache_room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
