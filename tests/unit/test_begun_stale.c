/*
 * A journal that is out of date: something else has written to the board since. To replay it would
 * spoil that; not to replay one that is not out of date leaves sectors torn.
 */
#include "begun_room.h"

/* Of a board that is all erased nothing is untouched: what was there before has to tell. */
static void somebody_else_wrote_since_an_erase_of_all(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    mem_hold(room->cache.mem, MEM_ERASE);
    room->cache.addr = 0;
    room->cache.len = ROOM_SIZE;
    pthread_create(&room->cache.thread, NULL, room_erase_main, &room->cache);
    mem_await_held(room->cache.mem);
    assert_true(has_row(room, EF_JOURNAL_BLANK, 0, ROOM_SIZE));
    assert_int_equal(rename(room->file, room->old), 0);
    mem_release(room->cache.mem);
    pthread_join(room->cache.thread, NULL);
    mount_again(room);
    assert_int_equal(rename(room->old, room->file), 0);
    mem_pattern(room->cache.mem->bytes, ROOM_SIZE, 99);
    memcpy(room->cache.model, room->cache.mem->bytes, ROOM_SIZE);
    keep(room);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
}

/* Its first blocks are blank, the one in hand is anything, the others are as they were. */
static void an_erase_of_all_that_was_cut_off_is_finished(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    mem_hold(room->cache.mem, MEM_ERASE);
    room->cache.addr = 0;
    room->cache.len = ROOM_SIZE;
    memcpy(room->cache.model, room->cache.mem->bytes, ROOM_SIZE);
    pthread_create(&room->cache.thread, NULL, room_erase_main, &room->cache);
    mem_await_held(room->cache.mem);
    assert_int_equal(rename(room->file, room->old), 0);
    mem_release(room->cache.mem);
    pthread_join(room->cache.thread, NULL);
    mount_again(room);
    assert_int_equal(rename(room->old, room->file), 0);
    memcpy(room->cache.mem->bytes + 5 * EF_BLOCK, room->cache.model + 5 * EF_BLOCK,
           ROOM_SIZE - 5 * EF_BLOCK);
    memset(room->cache.mem->bytes + 4 * EF_BLOCK, 0x5A, EF_BLOCK);
    memset(room->cache.model, 0xFF, ROOM_SIZE);
    keep(room);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
}

/* Another program flashed the application anew, of which a run was in hand; all else is as it was.
 */
static void somebody_else_wrote_there_since(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    assert_int_equal(room_read(&room->cache, 0, ROOM_SIZE), EF_OK);
    die_in_a_write(room, 4 * EF_BLOCK, 4 * EF_BLOCK);
    mem_pattern(room->cache.mem->bytes + 4 * EF_BLOCK, 4 * EF_BLOCK, 99);
    memcpy(room->cache.model, room->cache.mem->bytes, ROOM_SIZE);
    keep(room);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
}

/* The same where nothing was read before. */
static void somebody_else_wrote_there_since_unread(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    die_in_a_write(room, 4 * EF_BLOCK, 4 * EF_BLOCK);
    mem_pattern(room->cache.mem->bytes + 4 * EF_BLOCK, 4 * EF_BLOCK, 99);
    memcpy(room->cache.model, room->cache.mem->bytes, ROOM_SIZE);
    keep(room);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
}

/* With journal=none the work of a newer program goes on being pending, and would be done later. */
static void a_newer_one_in_another_place_is_retired(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    die_in_a_write(room, AT, LEN);
    int fd = open(room->file, O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "\x09", 1, 16), 1);
    close(fd);
    ef_cache_retire_journal(room->cache.cache, &room->key);
    assert_int_equal(room_write(&room->cache, AT, LEN, 5), EF_OK);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_int_equal(access(room->file, F_OK), -1);
    assert_int_equal(access(room->old, F_OK), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_room, close_room)
    const struct CMUnitTest tests[] = {
        TEST(somebody_else_wrote_since_an_erase_of_all),
        TEST(an_erase_of_all_that_was_cut_off_is_finished),
        TEST(somebody_else_wrote_there_since),
        TEST(somebody_else_wrote_there_since_unread),
        TEST(a_newer_one_in_another_place_is_retired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
