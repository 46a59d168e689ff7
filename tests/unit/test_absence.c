/* What the cache believes once the board was away, and its firmware had the flash for itself. */
#include "cache_room.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { WAIT_MS = 60000, SECTOR_3 = 3 * EF_SECTOR, FAR = 12 * EF_BLOCK };

struct room {
    struct cache_room base; /* first */
    struct ef_presence presence;
};

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    struct cache_room *base = &room->base;
    base->mem = mem_new(ROOM_SIZE);
    memcpy(base->model, base->mem->bytes, ROOM_SIZE);
    ef_presence_init(&room->presence);
    struct ef_flash *flash = ef_flash_retry_new(ef_flash_verify_new(mem_flash_new(base->mem)));
    flash = ef_flash_reconnect_new(flash, WAIT_MS, &room->presence);
    if (ef_worker_start(flash, &base->worker) != EF_OK)
        return -1;
    return ef_cache_new(base->worker, ROOM_SIZE, NULL, &base->cache) == EF_OK ? 0 : -1;
}

static int room_close(void **state)
{
    struct room *room = *state;
    struct cache_room *base = &room->base;
    ef_cache_free(base->cache);
    ef_worker_stop(base->worker);
    ef_presence_free(&room->presence);
    mem_free(base->mem);
    free(room);
    return 0;
}

/* The board leaves at the next operation of the kind, and its firmware writes to a sector. */
static void leave_at(struct cache_room *room, enum mem_op op, uint32_t addr)
{
    pthread_mutex_lock(&room->mem->lock);
    room->mem->firmware_writes = true;
    room->mem->firmware_addr = addr;
    pthread_mutex_unlock(&room->mem->lock);
    mem_fail(room->mem, op, 1, EF_GONE);
}

static void expect_firmwares(struct cache_room *room, uint32_t addr)
{
    mem_pattern(room->model + addr, EF_SECTOR, MEM_FIRMWARE);
    assert_int_equal(room_read(room, addr, EF_SECTOR), EF_OK);
    assert_memory_equal(room->buf, room->model + addr, EF_SECTOR);
}

static void expect_one_return(struct cache_room *room)
{
    assert_int_equal(ef_presence_look(&((struct room *)room)->presence).reconnections, 1);
}

static void what_was_read_is_read_again(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_read(room, 0, EF_BLOCK), EF_OK);
    leave_at(room, MEM_READ, SECTOR_3);
    assert_int_equal(room_read(room, FAR, EF_SECTOR), EF_OK);
    expect_one_return(room);
    expect_firmwares(room, SECTOR_3);
    assert_int_equal(room_read(room, 0, EF_SECTOR), EF_OK);
    assert_memory_equal(room->buf, room->model, EF_SECTOR);
}

/* What the chip was known to hold makes no write needless any more. */
static void what_was_written_is_written_again_if_it_is_given_again(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_write(room, SECTOR_3, EF_SECTOR, 7), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    leave_at(room, MEM_READ, SECTOR_3);
    assert_int_equal(room_read(room, FAR, EF_SECTOR), EF_OK);
    assert_int_equal(room_write(room, SECTOR_3, EF_SECTOR, 7), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
}

/* A flush has told of it: it is the firmware's now. */
static void what_a_flush_has_told_of_is_left_alone(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_write(room, SECTOR_3, EF_SECTOR, 7), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    leave_at(room, MEM_READ, SECTOR_3);
    assert_int_equal(room_read(room, FAR, EF_SECTOR), EF_OK);
    assert_int_equal(room_flush(room), EF_OK);
    expect_firmwares(room, SECTOR_3);
    assert_true(room_settled(room));
}

/* Written behind the writer, who was not told yet: he is told of what is there. */
static void what_was_written_behind_is_checked(void **state)
{
    struct cache_room *room = *state;
    ef_deadline end = ef_deadline_in(30000);
    assert_int_equal(room_write(room, 0, 2 * EF_BLOCK, 7), EF_OK);
    while (room_dirty(room) > 0 && ef_deadline_left_ms(end) > 0)
        ef_clock_sleep_ms(1);
    assert_int_equal(room_dirty(room), 0);
    leave_at(room, MEM_READ, SECTOR_3);
    assert_int_equal(room_read(room, FAR, EF_SECTOR), EF_OK);
    assert_false(room_settled(room));
    assert_int_equal(room_flush(room), EF_OK);
    assert_true(room_settled(room));
}

/* In the middle of a flush: what it had written before, and what it had found to be there. */
static void a_flush_that_the_board_leaves(void **state)
{
    struct cache_room *room = *state;
    static const enum mem_op OPS[] = {MEM_WRITE, MEM_DIGEST};
    unsigned left = 0;
    for (size_t i = 0; i < sizeof(OPS) / sizeof(OPS[0]); i++) {
        for (unsigned after = 0; after < 6; after++) {
            /* Two writes with a stretch between them that is as it was. */
            assert_int_equal(room_write(room, 0, EF_SECTOR, 100 + after), EF_OK);
            assert_int_equal(ef_cache_write(room->cache, EF_SECTOR, 6 * EF_SECTOR,
                                            room->model + EF_SECTOR, patient()),
                             EF_OK);
            assert_int_equal(room_write(room, 7 * EF_SECTOR, EF_SECTOR, 200 + after), EF_OK);
            leave_at(room, OPS[i], SECTOR_3);
            mem_set_fault(room->mem, OPS[i],
                          (struct mem_fault){.after = after, .times = 1, .err = EF_GONE});
            assert_int_equal(room_flush(room), EF_OK);
            assert_true(room_settled(room));
            mem_fail(room->mem, OPS[i], 0, EF_OK);
            left += !room->mem->firmware_writes;
        }
    }
    assert_true(left >= 3);
}

static void an_erase_that_the_board_leaves(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_read(room, 0, ROOM_SIZE), EF_OK);
    leave_at(room, MEM_ERASE, FAR);
    assert_int_equal(room_erase(room, 0, EF_BLOCK), EF_OK);
    memset(room->model, 0xFF, EF_BLOCK);
    assert_int_equal(room_read(room, 0, EF_BLOCK), EF_OK);
    assert_memory_equal(room->buf, room->model, EF_BLOCK);
    expect_firmwares(room, FAR);
    assert_true(room_settled(room));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_read_is_read_again, room_open, room_close),
        cmocka_unit_test_setup_teardown(what_was_written_is_written_again_if_it_is_given_again,
                                        room_open, room_close),
        cmocka_unit_test_setup_teardown(what_a_flush_has_told_of_is_left_alone, room_open,
                                        room_close),
        cmocka_unit_test_setup_teardown(what_was_written_behind_is_checked, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_flush_that_the_board_leaves, room_open, room_close),
        cmocka_unit_test_setup_teardown(an_erase_that_the_board_leaves, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
