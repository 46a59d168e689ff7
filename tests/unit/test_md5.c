/* The chip's MD5 of a range: of a moment at which it holds what was written, and surely right. */
#include "cache_room.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static enum ef_err ask(struct cache_room *room, uint32_t addr, uint32_t len, uint8_t *md5)
{
    return ef_cache_md5(room->cache, addr, len, md5, patient_within_reason(room));
}

static bool is_model(struct cache_room *room, uint32_t addr, uint32_t len, const uint8_t *md5)
{
    uint8_t wanted[EF_DIGEST_BYTES];
    ef_digest_bytes(room->model + addr, len, wanted);
    return memcmp(wanted, md5, EF_DIGEST_BYTES) == 0;
}

static void expect_model(struct cache_room *room, uint32_t addr, uint32_t len)
{
    uint8_t md5[EF_DIGEST_BYTES];
    assert_int_equal(ask(room, addr, len, md5), EF_OK);
    assert_true(is_model(room, addr, len, md5));
}

static void nothing_is_read_for_it(void **state)
{
    struct cache_room *room = *state;
    expect_model(room, 0, ROOM_SIZE);
    assert_int_equal(mem_count(room->mem, MEM_DIGEST), 2);
    expect_model(room, EF_BLOCK, 3 * EF_SECTOR);
    assert_int_equal(mem_count(room->mem, MEM_DIGEST), 4);
    assert_int_equal(room->mem->bytes_read, 0);
}

static void once_is_enough_where_the_bytes_are_here(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_read(room, 0, ROOM_SIZE), EF_OK);
    mem_reset_counts(room->mem);
    expect_model(room, 0, ROOM_SIZE);
    assert_int_equal(room->mem->calls, 1);
}

static void past_the_end(void **state)
{
    struct cache_room *room = *state;
    uint8_t md5[EF_DIGEST_BYTES];
    assert_int_equal(ask(room, 0, 0, md5), EF_INVALID);
    assert_int_equal(ask(room, 0, ROOM_SIZE + 1, md5), EF_INVALID);
    assert_int_equal(ask(room, EF_SECTOR, ROOM_SIZE, md5), EF_INVALID);
    assert_int_equal(room->mem->calls, 0);
}

/* A partition need not be whole sectors. */
static void of_any_bytes(void **state)
{
    struct cache_room *room = *state;
    static const uint32_t RANGES[][2] = {{0, 1},
                                         {5, 17},
                                         {100, EF_SECTOR},
                                         {EF_SECTOR, 3 * EF_SECTOR + 5},
                                         {EF_SECTOR + 1, EF_SECTOR - 1},
                                         {ROOM_SIZE - 1, 1},
                                         {1, ROOM_SIZE - 1}};
    for (int read_before = 0; read_before < 2; read_before++) {
        mem_reset_counts(room->mem);
        for (size_t i = 0; i < sizeof(RANGES) / sizeof(RANGES[0]); i++)
            expect_model(room, RANGES[i][0], RANGES[i][1]);
        assert_int_equal(room->mem->calls,
                         sizeof(RANGES) / sizeof(RANGES[0]) * (read_before ? 1 : 2));
        assert_int_equal(room_read(room, 0, ROOM_SIZE), EF_OK);
    }
    assert_int_equal(room_write(room, 3, 1, 1), EF_OK);
    expect_model(room, 4, 10);
    assert_int_equal(room_dirty(room), 0);
}

static void what_was_written_goes_out_first(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_write(room, 5 * EF_SECTOR + 100, 10, 1), EF_OK);
    expect_model(room, 0, ROOM_SIZE);
    assert_true(room_settled(room));
    assert_int_equal(room_erase(room, 2 * EF_BLOCK, EF_BLOCK), EF_OK);
    memset(room->model + 2 * EF_BLOCK, 0xFF, EF_BLOCK);
    expect_model(room, 0, ROOM_SIZE);
}

/* What is written elsewhere is not waited for. */
static void of_a_part(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_write(room, 8 * EF_BLOCK, EF_SECTOR, 1), EF_OK);
    expect_model(room, 0, 8 * EF_BLOCK);
    assert_int_equal(room_dirty(room), 1);
    expect_model(room, 8 * EF_BLOCK, EF_BLOCK);
    assert_int_equal(room_dirty(room), 0);
}

/* A request whose address was damaged on its way has a true answer, to something else. */
static void a_damaged_request(void **state)
{
    struct cache_room *room = *state;
    mem_set_fault(room->mem, MEM_DIGEST, (struct mem_fault){.times = 1, .shift = EF_SECTOR});
    expect_model(room, 0, EF_BLOCK);
    assert_int_equal(mem_count(room->mem, MEM_DIGEST), 3);
    assert_int_equal(room_read(room, 0, EF_BLOCK), EF_OK);
    mem_reset_counts(room->mem);
    mem_set_fault(room->mem, MEM_DIGEST, (struct mem_fault){.times = 1, .shift = EF_SECTOR});
    expect_model(room, 0, EF_BLOCK);
    assert_int_equal(mem_count(room->mem, MEM_DIGEST), 2);
}

/* Each answer another one: none is believed. */
static void nothing_but_damage(void **state)
{
    struct cache_room *room = *state;
    uint8_t md5[EF_DIGEST_BYTES];
    mem_set_fault(room->mem, MEM_DIGEST,
                  (struct mem_fault){.times = 2, .gap = 1, .shift = EF_SECTOR});
    assert_int_equal(ask(room, 0, EF_BLOCK, md5), EF_VERIFY);
    assert_int_equal(mem_count(room->mem, MEM_DIGEST), 4);
}

/* The chip's word counts; what was read before is read again. */
static void changed_behind_our_back(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_read(room, 0, EF_BLOCK), EF_OK);
    assert_int_equal(room_write(room, 4 * EF_BLOCK, EF_SECTOR, 9), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    mem_pattern(room->mem->bytes + EF_SECTOR, EF_SECTOR, 77);
    mem_pattern(room->model + EF_SECTOR, EF_SECTOR, 77);
    struct timespec before = ef_cache_state(room->cache).changed;
    uint64_t age_before;
    uint64_t age;
    uint8_t sector[EF_SECTOR];
    assert_int_equal(ef_cache_peek(room->cache, 0, EF_SECTOR, sector, &age_before), EF_OK);
    expect_model(room, 0, EF_BLOCK);
    assert_int_equal(ef_cache_peek(room->cache, 0, EF_SECTOR, sector, &age), EF_MISSING);
    assert_true(age != age_before);
    struct timespec after = ef_cache_state(room->cache).changed;
    assert_true(before.tv_sec != after.tv_sec || before.tv_nsec != after.tv_nsec);
    assert_int_equal(room_read(room, 0, EF_BLOCK), EF_OK);
    assert_memory_equal(room->buf, room->model, EF_BLOCK);
}

static void failures_arrive(void **state)
{
    struct cache_room *room = *state;
    uint8_t md5[EF_DIGEST_BYTES];
    static const enum ef_err ERRS[] = {EF_GONE, EF_TIMEOUT, EF_UNSUPPORTED};
    for (size_t i = 0; i < sizeof(ERRS) / sizeof(ERRS[0]); i++) {
        mem_fail(room->mem, MEM_DIGEST, 1, ERRS[i]);
        assert_int_equal(ask(room, 0, EF_BLOCK, md5), ERRS[i]);
    }
    /* Of the flush before it. */
    assert_int_equal(room_write(room, 0, EF_SECTOR, 1), EF_OK);
    mem_fail(room->mem, MEM_WRITE, 1, EF_GONE);
    assert_int_equal(ask(room, 0, EF_BLOCK, md5), EF_GONE);
    expect_model(room, 0, EF_BLOCK);
}

struct asker {
    struct cache_room *room;
    struct ef_patience patience;
    uint8_t md5[EF_DIGEST_BYTES];
    enum ef_err err;
    pthread_t thread;
};

static void *asker_main(void *arg)
{
    struct asker *asker = arg;
    asker->err = ef_cache_md5(asker->room->cache, 0, ROOM_SIZE, asker->md5, asker->patience);
    return NULL;
}

static void start(struct asker *asker)
{
    if (pthread_create(&asker->thread, NULL, asker_main, asker) != 0)
        abort();
}

static void who_leaves(void **state)
{
    struct cache_room *room = *state;
    struct asker asker = {.room = room, .patience = patient_until_told(room)};
    mem_hold(room->mem, MEM_DIGEST);
    start(&asker);
    mem_await_held(room->mem);
    atomic_store(&room->impatient, true);
    pthread_join(asker.thread, NULL);
    assert_int_equal(asker.err, EF_INTERRUPTED);
    mem_release(room->mem);
}

/* What is written while the chip computes is no part of what it says. */
static void of_one_moment(void **state)
{
    struct cache_room *room = *state;
    struct asker asker = {.room = room, .patience = patient_within_reason(room)};
    uint8_t before[EF_DIGEST_BYTES];
    ef_digest_bytes(room->model, ROOM_SIZE, before);
    assert_int_equal(room_read(room, 0, ROOM_SIZE), EF_OK);
    mem_hold(room->mem, MEM_DIGEST);
    start(&asker);
    mem_await_held(room->mem);
    assert_int_equal(room_write(room, 0, EF_SECTOR, 1), EF_OK);
    mem_release(room->mem);
    pthread_join(asker.thread, NULL);
    assert_int_equal(asker.err, EF_OK);
    /* The bytes that would prove the first answer are gone, so it may be the next one's. */
    assert_true(memcmp(asker.md5, before, EF_DIGEST_BYTES) == 0 ||
                is_model(room, 0, ROOM_SIZE, asker.md5));
    expect_model(room, 0, ROOM_SIZE);
}

static void an_erase_is_waited_for(void **state)
{
    struct cache_room *room = *state;
    struct asker asker = {.room = room, .patience = patient_within_reason(room)};
    mem_hold(room->mem, MEM_ERASE);
    room->addr = EF_BLOCK;
    room->len = EF_BLOCK;
    room_start(room, room_erase_main);
    mem_await_held(room->mem);
    start(&asker);
    mem_release(room->mem);
    pthread_join(asker.thread, NULL);
    assert_int_equal(room_join(room), EF_OK);
    memset(room->model + EF_BLOCK, 0xFF, EF_BLOCK);
    assert_int_equal(asker.err, EF_OK);
    assert_true(is_model(room, 0, ROOM_SIZE, asker.md5));
}

struct writer {
    struct cache_room *room;
    uint32_t sector;
};

/* Each time that a flush is seen at work, one more sector is written, behind its back. */
static bool writes_on(void *user)
{
    struct writer *w = user;
    struct mem *mem = w->room->mem;
    pthread_mutex_lock(&mem->lock);
    bool held = mem->held;
    pthread_mutex_unlock(&mem->lock);
    if (!held || w->sector == 0)
        return false;
    w->sector--;
    room_write(w->room, w->sector * EF_SECTOR, EF_SECTOR, w->sector);
    pthread_mutex_lock(&mem->lock);
    mem->hold_from[MEM_WRITE] = mem->count[MEM_WRITE];
    pthread_cond_broadcast(&mem->moved);
    pthread_mutex_unlock(&mem->lock);
    return false;
}

static void who_never_stops_writing(void **state)
{
    struct cache_room *room = *state;
    struct writer writer = {.room = room, .sector = 100};
    struct ef_patience patience = {.interrupted = writes_on, .user = &writer};
    uint8_t md5[EF_DIGEST_BYTES];
    assert_int_equal(room_write(room, 100 * EF_SECTOR, EF_SECTOR, 100), EF_OK);
    mem_hold(room->mem, MEM_WRITE);
    assert_int_equal(ef_cache_md5(room->cache, 0, ROOM_SIZE, md5, patience), EF_BUSY);
    assert_true(writer.sector > 0);
    mem_release(room->mem);
    expect_model(room, 0, ROOM_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_read_for_it, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(once_is_enough_where_the_bytes_are_here, cache_room_open,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(past_the_end, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(of_any_bytes, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(what_was_written_goes_out_first, cache_room_open,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(of_a_part, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(a_damaged_request, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(nothing_but_damage, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(changed_behind_our_back, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(failures_arrive, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(who_leaves, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(of_one_moment, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(an_erase_is_waited_for, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(who_never_stops_writing, cache_room_open, cache_room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
