/*
 * What is begun on the chip is in the journal first, and a mount that ends in between leaves it to
 * the next one: the cache's side, over a flash in memory. A driver that is killed is one whose
 * flash fails from some moment on and that never flushes again: what it leaves on the chip and on
 * the disk is the same.
 */
#include "cache_room.h"

#include "cache/journal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { AT = 3 * EF_BLOCK, LEN = EF_BLOCK, NEVER_AGAIN = 1000000 };

struct begun_room {
    struct cache_room cache; /* first */
    struct ef_board_key key;
    char folder[64], board[96], file[112], old[128];
};

static int open_room(void **state)
{
    struct begun_room *room = calloc(1, sizeof(*room));
    void *inner;
    if (!room || cache_room_open_proven(&inner) != 0)
        return -1;
    memcpy(&room->cache, inner, sizeof(room->cache));
    free(inner);
    *state = room;
    strcpy(room->folder, "/tmp/ef-begun-XXXXXX");
    if (!mkdtemp(room->folder))
        return -1;
    snprintf(room->board, sizeof(room->board), "%s/240ac4001122", room->folder);
    snprintf(room->file, sizeof(room->file), "%s/journal", room->board);
    snprintf(room->old, sizeof(room->old), "%s.old", room->file);
    room->key = (struct ef_board_key){.folder = room->folder,
                                      .mac = {0x24, 0x0A, 0xC4, 0x00, 0x11, 0x22},
                                      .flash_id = 0x164020,
                                      .flash_size = ROOM_SIZE};
    return 0;
}

static int close_room(void **state)
{
    struct begun_room *room = *state;
    unlink(room->file);
    unlink(room->old);
    rmdir(room->board);
    int left = rmdir(room->folder);
    return cache_room_close(state) || left;
}

static void keep(struct begun_room *room)
{
    ef_cache_keep_journal(room->cache.cache, &room->key, false);
}

/* The driver is gone, whatever was dirty; the flash is as good as new for the next one. */
static void mount_again(struct begun_room *room)
{
    struct mem *mem = room->cache.mem;
    ef_cache_free(room->cache.cache);
    ef_worker_stop(room->cache.worker);
    for (int op = 0; op < MEM_OPS; op++)
        mem_set_fault(mem, (enum mem_op)op, (struct mem_fault){0});
    mem_reset_counts(mem);
    struct ef_flash *flash = ef_flash_retry_new(ef_flash_verify_new(mem_flash_new(mem)));
    assert_int_equal(ef_worker_start(flash, &room->cache.worker), EF_OK);
    assert_int_equal(ef_cache_new(room->cache.worker, ROOM_SIZE, NULL, &room->cache.cache), EF_OK);
}

static enum ef_journal_found look(struct begun_room *room)
{
    struct ef_journal *journal;
    enum ef_journal_found found;
    assert_int_equal(ef_journal_open(&room->key, true, NULL, &journal, &found), EF_OK);
    ef_journal_close(journal);
    return found;
}

/* True if the record has a row of the kind over [addr, addr+len). */
static bool has_row(struct begun_room *room, enum ef_journal_kind kind, uint32_t addr, uint32_t len)
{
    struct ef_journal *journal;
    enum ef_journal_found found;
    size_t count;
    bool has = false;
    assert_int_equal(ef_journal_open(&room->key, true, NULL, &journal, &found), EF_OK);
    const struct ef_journal_row *rows = ef_journal_rows(journal, &count);
    for (size_t i = 0; i < count; i++)
        has = has || (rows[i].kind == kind && rows[i].addr <= addr &&
                      rows[i].addr + rows[i].len >= addr + len);
    ef_journal_close(journal);
    return has;
}

/* The chip as an erase that was cut off leaves it. */
static void tear(struct begun_room *room, uint32_t addr)
{
    memset(room->cache.mem->bytes + addr, 0xFF, 1000);
    memset(room->cache.mem->bytes + addr + 1000, 0x5A, EF_SECTOR - 1000);
}

/* A write that is cut off by the driver's end: the first sector of it torn. */
static void die_in_a_write(struct begun_room *room, uint32_t addr, uint32_t len)
{
    mem_fail(room->cache.mem, MEM_WRITE, NEVER_AGAIN, EF_GONE);
    assert_int_equal(room_write(&room->cache, addr, len, addr), EF_OK);
    assert_int_equal(room_flush(&room->cache), EF_GONE);
    tear(room, addr);
    mount_again(room);
}

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

static uint32_t checksum(const char *path)
{
    uint8_t bytes[4096];
    uint32_t sum = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (ssize_t n; (n = read(fd, bytes, sizeof(bytes))) > 0;)
        for (ssize_t i = 0; i < n; i++)
            sum = sum * 31 + bytes[i];
    close(fd);
    return sum;
}

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
        TEST(an_erase_that_failed_is_finished_by_the_next_flush),
        TEST(or_by_the_next_mount),
        TEST(an_erase_that_never_began_is_forgotten),
        TEST(both_at_once),
        TEST(no_place_for_it),
        TEST(left_alone_where_read_only),
        TEST(of_another_flash_is_kept),
        TEST(of_a_newer_version_is_not_touched),
        TEST(somebody_else_wrote_since),
        TEST(one_witness_may_have_changed),
        TEST(somebody_else_wrote_since_the_first_write),
        TEST(one_in_another_place_is_retired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
