/* What becomes of a journal that another mount, another board or another program left. */
#include "begun_room.h"

static void left_alone_where_read_only(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    die_in_a_write(room, AT, LEN);
    uint32_t before = checksum(room->file);
    ef_cache_keep_journal(room->cache.cache, &room->key, true);
    assert_int_equal(room_read(&room->cache, AT, LEN), EF_OK);
    assert_memory_equal(room->cache.buf, room->cache.mem->bytes + AT, LEN);
    assert_int_equal(mem_count(room->cache.mem, MEM_WRITE), 0);
    mount_again(room);
    assert_int_equal(checksum(room->file), before);
}

static void of_another_flash_is_kept(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    die_in_a_write(room, AT, LEN);
    uint32_t before = checksum(room->file);
    memcpy(room->cache.model, room->cache.mem->bytes, ROOM_SIZE);
    room->key.flash_id++;
    keep(room);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_int_equal(checksum(room->file), before);
    assert_int_equal(room_write(&room->cache, 0, LEN, 2), EF_OK);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
    assert_int_equal(checksum(room->old), before);
}

static void of_a_newer_version_is_not_touched(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    die_in_a_write(room, AT, LEN);
    int fd = open(room->file, O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "\x09", 1, 16), 1);
    close(fd);
    uint32_t before = checksum(room->file);
    memcpy(room->cache.model, room->cache.mem->bytes, ROOM_SIZE);
    keep(room);
    assert_int_equal(room_erase(&room->cache, AT, LEN), EF_GUARDED);
    assert_int_equal(room_write(&room->cache, 0, LEN, 2), EF_OK);
    assert_int_equal(room_flush(&room->cache), EF_GUARDED);
    assert_int_equal(mem_count(room->cache.mem, MEM_WRITE), 0);
    assert_int_equal(mem_count(room->cache.mem, MEM_ERASE), 0);
    mount_again(room);
    assert_int_equal(checksum(room->file), before);
}

/* Another program flashed the board meanwhile: what is pending would spoil that. */
static void somebody_else_wrote_since(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    assert_int_equal(room_read(&room->cache, 0, ROOM_SIZE), EF_OK);
    die_in_a_write(room, AT, LEN);
    mem_pattern(room->cache.mem->bytes, ROOM_SIZE, 99);
    memcpy(room->cache.model, room->cache.mem->bytes, ROOM_SIZE);
    uint32_t before = checksum(room->file);
    keep(room);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
    assert_int_equal(checksum(room->file), before);
}

/* A firmware that ran meanwhile changed its settings. */
static void one_witness_may_have_changed(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    assert_int_equal(room_read(&room->cache, 0, ROOM_SIZE), EF_OK);
    die_in_a_write(room, AT, LEN);
    room->cache.mem->bytes[0] ^= 1;
    room->cache.model[0] ^= 1;
    keep(room);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
}

/* Nothing of the board was read before: the chip is asked for some digests, once. */
static void somebody_else_wrote_since_the_first_write(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    die_in_a_write(room, AT, LEN);
    mem_pattern(room->cache.mem->bytes, ROOM_SIZE, 99);
    memcpy(room->cache.model, room->cache.mem->bytes, ROOM_SIZE);
    keep(room);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
    assert_int_equal(access(room->file, F_OK), 0);
}

/* Else a mount that uses it later would write over what this one wrote. */
static void one_in_another_place_is_retired(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    die_in_a_write(room, AT, LEN);
    ef_cache_retire_journal(room->cache.cache, &room->key);
    assert_int_equal(look(room), EF_JOURNAL_PENDING);
    assert_int_equal(room_write(&room->cache, AT, LEN, 5), EF_OK);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_int_equal(look(room), EF_JOURNAL_EMPTY);
    assert_int_equal(access(room->old, F_OK), 0);
    mount_again(room);
    keep(room);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_room, close_room)
    const struct CMUnitTest tests[] = {
        TEST(left_alone_where_read_only),        TEST(of_another_flash_is_kept),
        TEST(of_a_newer_version_is_not_touched), TEST(somebody_else_wrote_since),
        TEST(one_witness_may_have_changed),      TEST(somebody_else_wrote_since_the_first_write),
        TEST(one_in_another_place_is_retired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
