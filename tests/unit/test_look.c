/* What the cache tells of sectors without asking the chip. */
#include "cache_room.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void expect(struct cache_room *room, uint32_t s, enum ef_look_kind kind, bool dirty)
{
    struct ef_look look;
    ef_cache_look(room->cache, s, 1, &look);
    assert_int_equal(look.kind, kind);
    assert_int_equal(look.dirty, dirty);
}

static void nothing_is_known_at_first(void **state)
{
    struct cache_room *room = *state;
    struct ef_look look[ROOM_SECTORS + 1];
    ef_cache_look(room->cache, 0, ROOM_SECTORS + 1, look);
    for (uint32_t s = 0; s <= ROOM_SECTORS; s++) {
        assert_int_equal(look[s].kind, EF_LOOK_UNSEEN);
        assert_false(look[s].dirty);
    }
    assert_int_equal(room->mem->calls, 0);
}

static void what_was_read(void **state)
{
    struct cache_room *room = *state;
    memset(room->mem->bytes + 2 * EF_SECTOR, 0xFF, EF_SECTOR);
    memset(room->mem->bytes + 3 * EF_SECTOR, 0, EF_SECTOR);
    memset(room->mem->bytes + 4 * EF_SECTOR, 0xFF, EF_SECTOR - 1);
    memset(room->mem->bytes + 5 * EF_SECTOR, 0, EF_SECTOR - 1);
    assert_int_equal(room_read(room, EF_SECTOR, 5 * EF_SECTOR), EF_OK);
    expect(room, 0, EF_LOOK_UNSEEN, false);
    expect(room, 1, EF_LOOK_DATA, false);
    expect(room, 2, EF_LOOK_BLANK, false);
    expect(room, 3, EF_LOOK_ZEROS, false);
    expect(room, 4, EF_LOOK_DATA, false);
    expect(room, 5, EF_LOOK_DATA, false);
    expect(room, 6, EF_LOOK_UNSEEN, false);
    /* All of it at once, and counted from `first`. */
    struct ef_look look[4];
    ef_cache_look(room->cache, 1, 4, look);
    assert_int_equal(look[0].kind, EF_LOOK_DATA);
    assert_int_equal(look[1].kind, EF_LOOK_BLANK);
    assert_int_equal(look[2].kind, EF_LOOK_ZEROS);
    assert_int_equal(look[3].kind, EF_LOOK_DATA);
}

/* Of what was forgotten, the digest tells, until a part of it is written. */
static void what_was_forgotten(void **state)
{
    struct cache_room *room = *state;
    memset(room->mem->bytes, 0xFF, EF_SECTOR);
    memset(room->mem->bytes + EF_SECTOR, 0, EF_SECTOR);
    assert_int_equal(room_read(room, 0, 3 * EF_SECTOR), EF_OK);
    ef_cache_limit(room->cache, 2 * EF_BLOCK);
    assert_int_equal(room_read(room, 4 * EF_BLOCK, 12 * EF_BLOCK), EF_OK);
    expect(room, 0, EF_LOOK_BLANK, false);
    expect(room, 1, EF_LOOK_ZEROS, false);
    expect(room, 2, EF_LOOK_DATA, false);
    mem_reset_counts(room->mem);
    assert_int_equal(room_write(room, 100, 10, 1), EF_OK);
    expect(room, 0, EF_LOOK_UNSEEN, true);
    assert_int_equal(room->mem->calls, 0);
}

static void what_is_written(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_write(room, 0, EF_SECTOR, 1), EF_OK);
    assert_int_equal(room_write(room, EF_SECTOR + 8, 8, 2), EF_OK);
    assert_int_equal(room_fill(room, 2 * EF_SECTOR, EF_SECTOR, 0xFF), EF_OK);
    assert_int_equal(room_fill(room, 3 * EF_SECTOR, EF_SECTOR, 0), EF_OK);
    expect(room, 0, EF_LOOK_DATA, true);
    expect(room, 1, EF_LOOK_UNSEEN, true);
    expect(room, 2, EF_LOOK_BLANK, true);
    expect(room, 3, EF_LOOK_ZEROS, true);
    assert_int_equal(room->mem->calls, 0);
    assert_int_equal(room_flush(room), EF_OK);
    expect(room, 0, EF_LOOK_DATA, false);
    expect(room, 1, EF_LOOK_DATA, false);
    expect(room, 2, EF_LOOK_BLANK, false);
    expect(room, 3, EF_LOOK_ZEROS, false);
}

static void what_is_erased(void **state)
{
    struct cache_room *room = *state;
    assert_int_equal(room_read(room, EF_BLOCK, EF_SECTOR), EF_OK);
    mem_hold(room->mem, MEM_ERASE);
    room->addr = EF_BLOCK;
    room->len = EF_BLOCK;
    room_start(room, room_erase_main);
    mem_await_held(room->mem);
    expect(room, EF_BLOCK / EF_SECTOR - 1, EF_LOOK_UNSEEN, false);
    expect(room, EF_BLOCK / EF_SECTOR, EF_LOOK_UNSEEN, true);
    mem_release(room->mem);
    assert_int_equal(room_join(room), EF_OK);
    expect(room, EF_BLOCK / EF_SECTOR, EF_LOOK_BLANK, false);
    expect(room, 2 * EF_BLOCK / EF_SECTOR - 1, EF_LOOK_BLANK, false);
    expect(room, 2 * EF_BLOCK / EF_SECTOR, EF_LOOK_UNSEEN, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_known_at_first, cache_room_open,
                                        cache_room_close),
        cmocka_unit_test_setup_teardown(what_was_read, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(what_was_forgotten, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(what_is_written, cache_room_open, cache_room_close),
        cmocka_unit_test_setup_teardown(what_is_erased, cache_room_open, cache_room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
