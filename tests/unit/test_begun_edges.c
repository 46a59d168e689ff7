/*
 * What is begun on the chip, and what else goes on meanwhile: erases, writers, a journal that can
 * be opened late.
 */
#include "begun_room.h"

/* The end of an erase wants the journal on the line's thread, so nobody who has it may wait for the
 * line: here one who asks the chip for witnesses. */
static void a_write_begins_while_an_erase_ends(void **state)
{
    struct begun_room *room = *state;
    struct ef_cache *c = room->cache.cache;
    keep(room);
    assert_int_equal(room_read(&room->cache, 0, EF_BLOCK), EF_OK);
    assert_int_equal(room_read(&room->cache, 2 * EF_BLOCK, EF_SECTOR), EF_OK);
    assert_int_equal(room_read(&room->cache, 4 * EF_BLOCK, EF_SECTOR), EF_OK);
    mem_hold(room->cache.mem, MEM_ERASE);
    room->cache.addr = 9 * EF_BLOCK;
    room->cache.len = LEN;
    pthread_create(&room->cache.thread, NULL, room_erase_main, &room->cache);
    mem_await_held(room->cache.mem);
    memset(room->cache.model + 9 * EF_BLOCK, 0xFF, LEN);
    /* What is written behind now is known, so that the chip is asked for nothing else. */
    assert_int_equal(room_write(&room->cache, 4 * EF_BLOCK, EF_SECTOR, 4), EF_OK);
    assert_int_equal(room_write(&room->cache, 2 * EF_BLOCK, EF_SECTOR, 3), EF_OK);
    assert_int_equal(room_write(&room->cache, 0, EF_BLOCK, 2), EF_OK);
    pthread_mutex_lock(&c->lock);
    while (!c->journal.asked)
        assert_int_equal(ef_cache_wait(c, patient_within_reason(&room->cache)), EF_OK);
    pthread_mutex_unlock(&c->lock);
    mem_release(room->cache.mem);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    pthread_join(room->cache.thread, NULL);
    assert_true(room_settled(&room->cache));
}

/* Else more would be begun than a journal has room for, and no flush would ever get through. */
static void what_was_to_be_blank_and_is_not_counts(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    mem_hold(room->cache.mem, MEM_ERASE);
    assert_int_equal(room_fill(&room->cache, 0, ROOM_SIZE, 0xFF), EF_OK);
    mem_await_held(room->cache.mem);
    atomic_store(&room->cache.impatient, true);
    mem_pattern(room->cache.buf, ROOM_SIZE, 6);
    assert_int_equal(ef_cache_write(room->cache.cache, 0, ROOM_SIZE, room->cache.buf,
                                    patient_until_told(&room->cache)),
                     EF_INTERRUPTED);
    memcpy(room->cache.model, room->cache.buf, (size_t)EF_WINDOW_SECTORS * EF_SECTOR);
    mem_release(room->cache.mem);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
}

static bool is_unsettled(struct ef_cache *c)
{
    pthread_mutex_lock(&c->journal.lock);
    bool unsettled = c->journal.unsettled;
    pthread_mutex_unlock(&c->journal.lock);
    return unsettled;
}

/* The disk knows it too, when a flush that found nothing to do says that all is done. */
static void what_was_written_behind_is_settled(void **state)
{
    struct begun_room *room = *state;
    struct ef_cache *c = room->cache.cache;
    keep(room);
    assert_int_equal(room_write(&room->cache, AT, LEN, 1), EF_OK);
    while (!is_unsettled(c)) {
        pthread_mutex_lock(&c->lock);
        assert_int_equal(ef_cache_wait(c, patient_within_reason(&room->cache)), EF_OK);
        pthread_mutex_unlock(&c->lock);
    }
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_int_equal(look(room), EF_JOURNAL_EMPTY);
    assert_false(is_unsettled(c));
    assert_int_equal(room_erase(&room->cache, AT, LEN), EF_OK);
    assert_false(is_unsettled(c));
}

/* What was written to a torn sector before its journal could be opened wins; torn it is all the
 * same, and stays in the journal until it is whole. */
static void one_that_can_be_opened_late(void **state)
{
    struct begun_room *room = *state;
    char away[112];
    snprintf(away, sizeof(away), "%s.away", room->board);
    keep(room);
    die_in_a_write(room, AT, LEN);
    assert_int_equal(rename(room->board, away), 0);
    close(open(room->board, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    keep(room);
    assert_int_equal(room_write(&room->cache, AT, EF_SECTOR, 5), EF_OK);
    unlink(room->board);
    assert_int_equal(rename(away, room->board), 0);
    mem_hold(room->cache.mem, MEM_WRITE);
    assert_int_equal(room_write(&room->cache, 0, LEN, 6), EF_OK);
    mem_await_held(room->cache.mem);
    assert_true(has_row(room, EF_JOURNAL_BYTES, AT, LEN));
    mem_release(room->cache.mem);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
}

/* It is to be blank now, whatever else stays torn. */
static void what_is_torn_may_be_erased(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    mem_fail(room->cache.mem, MEM_WRITE, NEVER_AGAIN, EF_GONE);
    assert_int_equal(room_write(&room->cache, AT, LEN, 1), EF_OK);
    assert_int_equal(room_flush(&room->cache), EF_GONE);
    assert_true(has_row(room, EF_JOURNAL_BYTES, AT, LEN));
    tear(room, AT);
    mem_hold(room->cache.mem, MEM_ERASE);
    room->cache.addr = AT;
    room->cache.len = EF_SECTOR;
    pthread_create(&room->cache.thread, NULL, room_erase_main, &room->cache);
    mem_await_held(room->cache.mem);
    bool blank = has_row(room, EF_JOURNAL_BLANK, AT, EF_SECTOR);
    mem_release(room->cache.mem);
    pthread_join(room->cache.thread, NULL);
    assert_true(blank);
    assert_false(has_row(room, EF_JOURNAL_BYTES, AT, EF_SECTOR));
    assert_true(has_row(room, EF_JOURNAL_BYTES, AT + EF_SECTOR, LEN - EF_SECTOR));
    /* One that is blank already needs no erase, but the same. */
    memset(room->cache.mem->bytes + AT + EF_SECTOR, 0xFF, EF_SECTOR);
    assert_int_equal(room_erase(&room->cache, AT + EF_SECTOR, EF_SECTOR), EF_OK);
    assert_false(has_row(room, EF_JOURNAL_BYTES, AT + EF_SECTOR, EF_SECTOR));
}

/* Who asks for an erase and leaves before it has begun, is not kept by what is asked for it. */
static void an_erase_may_be_left_before_it_begins(void **state)
{
    struct begun_room *room = *state;
    keep(room);
    /* Behind the question whether it is blank already. */
    mem_hold_after(room->cache.mem, MEM_DIGEST, 1);
    room->cache.addr = AT;
    room->cache.len = LEN;
    room_start(&room->cache, room_erase_main);
    mem_await_held(room->cache.mem);
    atomic_store(&room->cache.impatient, true);
    assert_int_equal(room_join(&room->cache), EF_INTERRUPTED);
    mem_release(room->cache.mem);
    assert_int_equal(room_flush(&room->cache), EF_OK);
    assert_true(room_settled(&room->cache));
    assert_int_equal(look(room), EF_JOURNAL_EMPTY);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_room, close_room)
    const struct CMUnitTest tests[] = {
        TEST(a_write_begins_while_an_erase_ends), TEST(what_was_to_be_blank_and_is_not_counts),
        TEST(what_was_written_behind_is_settled), TEST(one_that_can_be_opened_late),
        TEST(what_is_torn_may_be_erased),         TEST(an_erase_may_be_left_before_it_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
