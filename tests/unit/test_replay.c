/* A journal with pending work that cannot be read when its board is mounted. */
#include "cache_room.h"

#include "cache/journal.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

enum { AT = 5 * EF_SECTOR };

struct replay_room {
    struct cache_room *cache;
    struct ef_board_key key;
    char folder[64], board[96], file[112];
};

static int open_room(void **state)
{
    struct replay_room *room = calloc(1, sizeof(*room));
    void *cache;
    *state = room;
    if (!room || cache_room_open_proven(&cache) != 0)
        return -1;
    room->cache = cache;
    strcpy(room->folder, "/tmp/ef-replay-XXXXXX");
    if (!mkdtemp(room->folder))
        return -1;
    snprintf(room->board, sizeof(room->board), "%s/240ac4001122", room->folder);
    snprintf(room->file, sizeof(room->file), "%s/journal", room->board);
    room->key = (struct ef_board_key){.folder = room->folder,
                                      .mac = {0x24, 0x0A, 0xC4, 0x00, 0x11, 0x22},
                                      .flash_id = 0x164020,
                                      .flash_size = ROOM_SIZE};
    return 0;
}

static int close_room(void **state)
{
    struct replay_room *room = *state;
    void *cache = room->cache;
    unlink(room->file);
    rmdir(room->board);
    int left = rmdir(room->folder);
    free(room);
    return cache_room_close(&cache) || left;
}

/* Open, which holds it against all others. */
static struct ef_journal *hold_journal(struct replay_room *room)
{
    struct ef_journal *journal;
    enum ef_journal_found found;
    assert_int_equal(ef_journal_open(&room->key, false, NULL, &journal, &found), EF_OK);
    return journal;
}

/* What an earlier mount was at, with the sector torn on the chip. */
static void leave_pending(struct replay_room *room)
{
    struct ef_journal *journal = hold_journal(room);
    uint8_t *model = room->cache->model + AT;
    mem_pattern(model, EF_SECTOR, 99);
    assert_true(ef_journal_add(
        journal, &(struct ef_journal_row){
                     .kind = EF_JOURNAL_BYTES, .addr = AT, .len = EF_SECTOR, .bytes = model}));
    assert_int_equal(ef_journal_commit(journal), EF_OK);
    ef_journal_close(journal);
    memset(room->cache->mem->bytes + AT, 0x5A, EF_SECTOR);
}

static void a_flush_fails_until_it_can_be_read(void **state)
{
    struct replay_room *room = *state;
    leave_pending(room);
    struct ef_journal *held = hold_journal(room);
    ef_cache_keep_journal(room->cache->cache, &room->key, false);
    assert_int_equal(room_flush(room->cache), EF_BUSY);
    assert_int_equal(room_read(room->cache, AT, EF_SECTOR), EF_OK);
    assert_int_equal(room->cache->buf[0], 0x5A);
    assert_int_equal(room_flush(room->cache), EF_BUSY);
    ef_journal_close(held);
    assert_int_equal(room_flush(room->cache), EF_OK);
    assert_true(room_settled(room->cache));
    assert_int_equal(access(room->file, F_OK), -1);
}

/* The chip did not answer when it was asked whether somebody else has written to it. */
static void nor_while_the_chip_cannot_be_asked(void **state)
{
    struct replay_room *room = *state;
    leave_pending(room);
    struct ef_journal *journal = hold_journal(room);
    struct ef_journal_row row = {.kind = EF_JOURNAL_WITNESS, .len = EF_SECTOR};
    uint8_t md5[EF_DIGEST_BYTES];
    row.bytes = md5;
    ef_journal_clear(journal);
    assert_true(
        ef_journal_add(journal, &(struct ef_journal_row){.kind = EF_JOURNAL_BYTES,
                                                         .addr = AT,
                                                         .len = EF_SECTOR,
                                                         .bytes = room->cache->model + AT}));
    for (row.addr = 16 * EF_SECTOR; row.addr < 22 * EF_SECTOR; row.addr += 2 * EF_SECTOR) {
        ef_digest_bytes(room->cache->model + row.addr, EF_SECTOR, md5);
        assert_true(ef_journal_add(journal, &row));
    }
    assert_int_equal(ef_journal_commit(journal), EF_OK);
    ef_journal_close(journal);
    mem_fail(room->cache->mem, MEM_DIGEST, 1000, EF_REJECTED);
    ef_cache_keep_journal(room->cache->cache, &room->key, false);
    assert_int_equal(room_flush(room->cache), EF_REJECTED);
    mem_set_fault(room->cache->mem, MEM_DIGEST, (struct mem_fault){0});
    assert_int_equal(room_flush(room->cache), EF_OK);
    assert_true(room_settled(room->cache));
}

/* Another program has it, and there is nothing in it: who only reads is told nothing. */
static void one_without_work_fails_no_flush(void **state)
{
    struct replay_room *room = *state;
    struct ef_journal *held = hold_journal(room);
    ef_cache_keep_journal(room->cache->cache, &room->key, false);
    assert_int_equal(room_flush(room->cache), EF_OK);
    ef_journal_close(held);
}

/* For its flush nobody waits: what that cannot vouch for, the next one tells. */
static void what_a_replay_hit_is_told_later(void **state)
{
    struct replay_room *room = *state;
    leave_pending(room);
    mem_set_fault(room->cache->mem, MEM_WRITE,
                  (struct mem_fault){.times = 1, .shift = 5 * EF_BLOCK});
    ef_cache_keep_journal(room->cache->cache, &room->key, false);
    ef_deadline deadline = ef_deadline_in(30000);
    while (ef_deadline_left_ms(deadline) > 0 &&
           (room_dirty(room->cache) > 0 || ef_worker_activity(room->cache->worker).busy))
        sched_yield();
    assert_int_equal(room_flush(room->cache), EF_VERIFY);
    assert_int_equal(room_flush(room->cache), EF_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_flush_fails_until_it_can_be_read, open_room, close_room),
        cmocka_unit_test_setup_teardown(nor_while_the_chip_cannot_be_asked, open_room, close_room),
        cmocka_unit_test_setup_teardown(what_a_replay_hit_is_told_later, open_room, close_room),
        cmocka_unit_test_setup_teardown(one_without_work_fails_no_flush, open_room, close_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
