/*
 * What is begun on the chip is in the journal first, and a mount that ends in between leaves it to
 * the next one: the cache's side.
 */
#include "begun_room.h"

#include "cache/cache_private.h"

static void in_the_journal_before_the_first_erase(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    assert_int_equal(look(room), EF_JOURNAL_EMPTY);
    mem_hold(room->cache.mem, MEM_WRITE);
    assert_int_equal(room_write(&room->cache, AT, LEN, 1), EF_OK);
    mem_await_held(room->cache.mem);
    assert_int_equal(look(room), EF_JOURNAL_PENDING);
    assert_true(has_row(room, EF_JOURNAL_BYTES, AT, LEN));
    mem_release(room->cache.mem);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_int_equal(look(room), EF_JOURNAL_EMPTY);
    assert_true(room_settled(&room->cache));
}

static void what_is_there_already_is_not_in_it(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    assert_int_equal(room_write(&room->cache, AT, LEN, 1), EF_OK);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_int_equal(access(room->file, F_OK), -1);
    mem_hold(room->cache.mem, MEM_WRITE);
    assert_int_equal(room_write(&room->cache, AT, LEN, 1), EF_OK);
    room->cache.model[AT + 5 * EF_SECTOR] ^= 1;
    assert_int_equal(ef_cache_write(room->cache.cache, AT + 5 * EF_SECTOR, 1,
                                    room->cache.model + AT + 5 * EF_SECTOR, patient()),
                     EF_OK);
    pthread_create(&room->cache.thread, NULL, room_flush_main, &room->cache);
    mem_await_held(room->cache.mem);
    assert_true(has_row(room, EF_JOURNAL_BYTES, AT + 5 * EF_SECTOR, EF_SECTOR));
    assert_false(has_row(room, EF_JOURNAL_BYTES, AT + 4 * EF_SECTOR, EF_SECTOR));
    mem_release(room->cache.mem);
    pthread_join(room->cache.thread, NULL);
    assert_true(room_settled(&room->cache));
}

static void a_torn_write_is_finished_by_the_next_mount(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    die_in_a_write(room, AT, LEN);
    assert_false(room_settled(&room->cache));
    keep(room);
    /* Readers have it at once, the chip soon. */
    assert_int_equal(room_read(&room->cache, AT, LEN), EF_OK);
    assert_memory_equal(room->cache.buf, room->cache.model + AT, LEN);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
    assert_int_equal(look(room), EF_JOURNAL_EMPTY);
}

/* The same without a journal: the test can fail. */
static void without_one_it_stays_torn(void **state)
{
    struct begun_room *room = *state;
    die_in_a_write(room, AT, LEN);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_false(room_settled(&room->cache));
}

static void a_replay_that_is_cut_off_is_replayed(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    die_in_a_write(room, AT, LEN);
    for (int i = 0; i < 3; i++) {
        mem_fail(room->cache.mem, MEM_WRITE, NEVER_AGAIN, EF_GONE);
        keep(room);
        assert_int_equal(room_flush(&room->cache), EF_GONE);
        tear(room, AT + EF_SECTOR);
        assert_true(has_row(room, EF_JOURNAL_BYTES, AT, LEN));
        mount_again(room);
    }
    keep(room);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
}

/* Cells of a sector in which power failed may read right, and not last. */
static void what_is_torn_is_erased_though_it_reads_right(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    die_in_a_write(room, AT, LEN);
    memcpy(room->cache.mem->bytes, room->cache.model, ROOM_SIZE);
    keep(room);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
    assert_int_equal(room->cache.mem->sectors_erased, LEN / EF_SECTOR);
    assert_int_equal(room->cache.mem->sectors_written, LEN / EF_SECTOR);
}

static void a_replay_needs_no_room_on_the_disk(void **state)
{
    struct begun_room *room = *state;
    struct stat before, after;
    keep(room);
    die_in_a_write(room, AT, LEN);
    assert_int_equal(stat(room->file, &before), 0);
    mem_hold(room->cache.mem, MEM_WRITE);
    keep(room);
    mem_await_held(room->cache.mem);
    assert_int_equal(stat(room->file, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    mem_release(room->cache.mem);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
}

/* Else what is replayed would be what was there before. */
static void what_is_torn_and_written_again_is_recorded_again(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    mem_fail(room->cache.mem, MEM_WRITE, NEVER_AGAIN, EF_GONE);
    assert_int_equal(room_write(&room->cache, AT, LEN, 1), EF_OK);
    assert_int_equal(room_flush(&room->cache), EF_GONE);
    assert_int_equal(room_write(&room->cache, AT, LEN, 2), EF_OK);
    assert_int_equal(room_flush(&room->cache), EF_GONE);
    tear(room, AT);
    mount_again(room);
    keep(room);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
}

/* Other work, at other places and in front of it, does not push it out. */
static void what_is_torn_stays_and_goes_first(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    mem_fail(room->cache.mem, MEM_WRITE, NEVER_AGAIN, EF_GONE);
    assert_int_equal(room_write(&room->cache, AT, LEN, 1), EF_OK);
    assert_int_equal(room_flush(&room->cache), EF_GONE);
    tear(room, AT);
    assert_int_equal(room_write(&room->cache, 0, LEN, 2), EF_OK);
    assert_int_equal(room_write(&room->cache, 7 * EF_BLOCK, 100, 3), EF_OK);
    assert_int_equal(room_flush(&room->cache), EF_GONE);
    assert_true(has_row(room, EF_JOURNAL_BYTES, AT, LEN));
    mem_set_fault(room->cache.mem, MEM_WRITE, (struct mem_fault){0});
    mem_reset_counts(room->cache.mem);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
    size_t i = 0;
    while (room->cache.mem->call[i].op != MEM_WRITE)
        i++;
    assert_int_equal(room->cache.mem->call[i].addr, AT);
    assert_int_equal(look(room), EF_JOURNAL_EMPTY);
}

static void an_erase_is_in_it_too(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    mem_hold(room->cache.mem, MEM_ERASE);
    room->cache.addr = AT;
    room->cache.len = LEN;
    pthread_create(&room->cache.thread, NULL, room_erase_main, &room->cache);
    mem_await_held(room->cache.mem);
    assert_true(has_row(room, EF_JOURNAL_BLANK, AT, LEN));
    mem_release(room->cache.mem);
    pthread_join(room->cache.thread, NULL);
    assert_int_equal(look(room), EF_JOURNAL_EMPTY);
}

static bool has_asked(struct begun_room *room)
{
    struct ef_cache *c = room->cache.cache;
    pthread_mutex_lock(&c->lock);
    bool asked = c->journal.asked;
    pthread_mutex_unlock(&c->lock);
    return asked;
}

/* It ends on the line's thread, which whoever begins a write waits for, to ask for witnesses. */
static void an_erase_ends_while_witnesses_are_asked_for(void **state)
{
    enum { EIGHTH = ROOM_SIZE / EF_WITNESSES };
    struct begun_room *room = *state;
    keep(room);
    for (uint32_t i = 4; i < 7; i++)
        assert_int_equal(room_read(&room->cache, i * EIGHTH, EF_BLOCK), EF_OK);
    mem_hold(room->cache.mem, MEM_ERASE);
    room->cache.addr = AT;
    room->cache.len = LEN;
    memset(room->cache.model + AT, 0xFF, LEN);
    room_start(&room->cache, room_erase_main);
    mem_await_held(room->cache.mem);
    assert_false(has_asked(room));
    /* Known, and different: a write behind begins without a question, but for witnesses. */
    assert_int_equal(room_write(&room->cache, 4 * EIGHTH, EF_BLOCK, 9), EF_OK);
    ef_deadline end = ef_deadline_in(30000);
    while (!has_asked(room) && ef_deadline_left_ms(end) > 0)
        ef_clock_sleep_ms(1);
    assert_true(has_asked(room));
    mem_release(room->cache.mem);
    assert_int_equal(room_join(&room->cache), EF_OK);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
}

static void an_erase_that_failed_is_finished_by_the_next_flush(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    mem_fail(room->cache.mem, MEM_ERASE, 1, EF_GONE);
    assert_int_equal(room_erase(&room->cache, AT, LEN), EF_GONE);
    assert_true(has_row(room, EF_JOURNAL_BLANK, AT, LEN));
    memset(room->cache.model + AT, 0xFF, LEN);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
    assert_int_equal(look(room), EF_JOURNAL_EMPTY);
}

static void or_by_the_next_mount(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    mem_fail(room->cache.mem, MEM_ERASE, NEVER_AGAIN, EF_GONE);
    assert_int_equal(room_erase(&room->cache, AT, LEN), EF_GONE);
    tear(room, AT + EF_SECTOR);
    mount_again(room);
    memset(room->cache.model + AT, 0xFF, LEN);
    keep(room);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
}

/* A board that was away before is not erased when it is back. */
static void an_erase_that_never_began_is_forgotten(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    mem_fail(room->cache.mem, MEM_DIGEST, 1, EF_GONE);
    assert_int_equal(room_erase(&room->cache, AT, LEN), EF_GONE);
    assert_int_equal(look(room), EF_JOURNAL_EMPTY);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
}

static void both_at_once(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    mem_hold(room->cache.mem, MEM_WRITE);
    assert_int_equal(room_write(&room->cache, AT, LEN, 1), EF_OK);
    mem_await_held(room->cache.mem);
    room->cache.addr = 9 * EF_BLOCK;
    room->cache.len = LEN;
    /* It asks the chip first, behind the write: so the write must go on, and the next one wait. */
    pthread_create(&room->cache.thread, NULL, room_erase_main, &room->cache);
    mem_hold(room->cache.mem, MEM_ERASE);
    pthread_mutex_lock(&room->cache.mem->lock);
    room->cache.mem->hold &= ~(1U << MEM_WRITE);
    pthread_cond_broadcast(&room->cache.mem->moved);
    while (!room->cache.mem->held || room->cache.mem->count[MEM_ERASE] == 0)
        pthread_cond_wait(&room->cache.mem->moved, &room->cache.mem->lock);
    pthread_mutex_unlock(&room->cache.mem->lock);
    assert_true(has_row(room, EF_JOURNAL_BLANK, 9 * EF_BLOCK, LEN));
    mem_release(room->cache.mem);
    pthread_join(room->cache.thread, NULL);
    memset(room->cache.model + 9 * EF_BLOCK, 0xFF, LEN);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
    assert_int_equal(look(room), EF_JOURNAL_EMPTY);
}

/* Before anything is erased; and nothing is lost when there is a place for it. */
static void no_place_for_it(void **state)
{
    struct begun_room *room = *state;
    int file = open(room->board, O_CREAT | O_WRONLY, 0600);
    close(file);
    keep(room);
    assert_int_equal(room_write(&room->cache, AT, LEN, 1), EF_OK);
    assert_int_equal(room_flush(&room->cache), EF_ACCESS);
    assert_int_equal(room_erase(&room->cache, 8 * EF_BLOCK, LEN), EF_ACCESS);
    assert_int_equal(mem_count(room->cache.mem, MEM_WRITE), 0);
    assert_int_equal(mem_count(room->cache.mem, MEM_ERASE), 0);
    unlink(room->board);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_room, close_room)
    const struct CMUnitTest tests[] = {
        TEST(in_the_journal_before_the_first_erase),
        TEST(what_is_there_already_is_not_in_it),
        TEST(a_torn_write_is_finished_by_the_next_mount),
        TEST(without_one_it_stays_torn),
        TEST(a_replay_that_is_cut_off_is_replayed),
        TEST(what_is_torn_is_erased_though_it_reads_right),
        TEST(a_replay_needs_no_room_on_the_disk),
        TEST(what_is_torn_and_written_again_is_recorded_again),
        TEST(what_is_torn_stays_and_goes_first),
        TEST(an_erase_is_in_it_too),
        TEST(an_erase_ends_while_witnesses_are_asked_for),
        TEST(an_erase_that_failed_is_finished_by_the_next_flush),
        TEST(or_by_the_next_mount),
        TEST(an_erase_that_never_began_is_forgotten),
        TEST(both_at_once),
        TEST(no_place_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
