/* Readers and writers at once, against a model array: seeded, bounded, with and without faults. */
#include "cache_room.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { CALLERS = 4, PART = ROOM_SIZE / CALLERS, STEPS = 150, LEN_MAX = 3 * EF_SECTOR };

struct caller {
    struct cache_room *room;
    uint32_t base; /* its part of the flash, which nobody else writes */
    uint32_t seed;
    bool faulty; /* failures may happen */
    unsigned wrong, failed;
    uint8_t buf[LEN_MAX];
};

/* Under faults a failure is no mistake, wrong bytes are. */
static bool accept(struct caller *caller, enum ef_err err)
{
    if (err == EF_OK)
        return true;
    caller->failed++;
    caller->wrong += !caller->faulty;
    return false;
}

static void write_some(struct caller *caller, uint32_t addr, uint32_t len)
{
    struct cache_room *room = caller->room;
    uint8_t *model = room->model + addr;
    if (mem_random(&caller->seed) % 8 == 0)
        memset(model, 0xFF, len);
    else
        mem_pattern(model, len, mem_random(&caller->seed));
    /* A write that fails may have been taken in part: it is repeated until it is not. */
    while (!accept(caller, ef_cache_write(room->cache, addr, len, model, patient())))
        ef_cache_flush(room->cache, patient());
}

static void erase_some(struct caller *caller, uint32_t addr, uint32_t len)
{
    struct cache_room *room = caller->room;
    uint32_t first = addr / EF_SECTOR * EF_SECTOR;
    uint32_t end = (addr + len + EF_SECTOR - 1) / EF_SECTOR * EF_SECTOR;
    memset(room->model + first, 0xFF, end - first);
    while (!accept(caller, ef_cache_erase(room->cache, first, end - first, patient())))
        continue;
}

static void read_some(struct caller *caller, uint32_t addr, uint32_t len)
{
    struct cache_room *room = caller->room;
    if (accept(caller, ef_cache_read(room->cache, addr, len, caller->buf, patient())))
        caller->wrong += memcmp(caller->buf, room->model + addr, len) != 0;
}

static void *call_many(void *arg)
{
    struct caller *caller = arg;
    struct cache_room *room = caller->room;
    for (int i = 0; i < STEPS; i++) {
        uint32_t addr = caller->base + mem_random(&caller->seed) % (PART - LEN_MAX);
        uint32_t len = 1 + mem_random(&caller->seed) % LEN_MAX;
        switch (mem_random(&caller->seed) % 10) {
        case 0:
            accept(caller, ef_cache_flush(room->cache, patient()));
            break;
        case 1:
            erase_some(caller, addr, len);
            break;
        case 2:
            /* Somebody else's part: any bytes, but no harm. */
            ef_cache_read_ahead(room->cache, mem_random(&caller->seed) % ROOM_SIZE, EF_BLOCK);
            break;
        case 3:
        case 4:
        case 5:
            read_some(caller, addr, len);
            break;
        default:
            write_some(caller, addr, len);
            break;
        }
    }
    return NULL;
}

static unsigned run_callers(struct cache_room *room, bool faulty, uint32_t seed)
{
    static const size_t BYTES = CALLERS * sizeof(struct caller);
    struct caller *caller = calloc(1, BYTES);
    pthread_t thread[CALLERS];
    assert_non_null(caller);
    for (uint32_t i = 0; i < CALLERS; i++) {
        caller[i].room = room;
        caller[i].base = i * PART;
        caller[i].seed = seed + i;
        caller[i].faulty = faulty;
        if (pthread_create(&thread[i], NULL, call_many, &caller[i]) != 0)
            abort();
    }
    unsigned wrong = 0;
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(thread[i], NULL);
        wrong += caller[i].wrong;
    }
    free(caller);
    return wrong;
}

static void without_faults(void **state)
{
    struct cache_room *room = *state;
    for (uint32_t seed = 1; seed <= 3; seed++) {
        assert_int_equal(run_callers(room, false, seed * 1000), 0);
        assert_int_equal(room_flush(room), EF_OK);
        assert_true(room_settled(room));
        assert_int_equal(room_dirty(room), 0);
    }
}

/* Each operation fails now and then; the repeating layer takes most of it. */
static void with_transient_faults(void **state)
{
    struct cache_room *room = *state;
    for (uint32_t seed = 1; seed <= 3; seed++) {
        for (enum mem_op op = MEM_READ; op < MEM_RECOVER; op++)
            mem_set_fault(
                room->mem, op,
                (struct mem_fault){
                    .after = seed * 7, .times = 9 + seed, .err = EF_TIMEOUT, .act = seed % 2 == 0});
        assert_int_equal(run_callers(room, true, seed * 1000), 0);
        for (enum mem_op op = MEM_READ; op < MEM_RECOVER; op++)
            mem_set_fault(room->mem, op, (struct mem_fault){0});
        room_flush(room);
        assert_int_equal(room_flush(room), EF_OK);
        assert_true(room_settled(room));
        assert_int_equal(room_dirty(room), 0);
    }
}

static void with_a_board_that_goes(void **state)
{
    struct cache_room *room = *state;
    for (enum mem_op op = MEM_READ; op < MEM_RECOVER; op++)
        mem_set_fault(room->mem, op, (struct mem_fault){.after = 20, .times = 10, .err = EF_GONE});
    assert_int_equal(run_callers(room, true, 77), 0);
    for (enum mem_op op = MEM_READ; op < MEM_RECOVER; op++)
        mem_set_fault(room->mem, op, (struct mem_fault){0});
    room_flush(room);
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_faults, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(with_transient_faults, cache_room_open_proven,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(with_a_board_that_goes, cache_room_open_proven,
                                        cache_room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
