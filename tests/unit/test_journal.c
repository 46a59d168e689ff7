/* The journal of one board: what is found after any kind of end, and what never gets there. */
#include "cache/journal.h"

#include "espflashfs/flash.h"
#include "espflashfs/folder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct room {
    char path[64];
    struct ef_board_key key;
    int folder; /* of the board */
    struct ef_journal *journal;
    enum ef_journal_found found;
    uint8_t bytes[2 * EF_SECTOR];
};

static int open_room(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    strcpy(room->path, "/tmp/ef-journal-XXXXXX");
    if (!mkdtemp(room->path))
        return -1;
    room->key = (struct ef_board_key){.folder = room->path,
                                      .mac = {0x24, 0x0A, 0xC4, 1, 2, 3},
                                      .flash_id = 0x164020,
                                      .flash_size = 1024 * 1024};
    int all = ef_folder_open(room->path);
    room->folder = ef_folder_open_private(all, "240ac4010203");
    close(all);
    for (size_t i = 0; i < sizeof(room->bytes); i++)
        room->bytes[i] = (uint8_t)(i * 7 + i / 251);
    return room->folder < 0;
}

static int close_room(void **state)
{
    struct room *room = *state;
    ef_journal_close(room->journal);
    unlinkat(room->folder, "journal", 0);
    unlinkat(room->folder, "journal.old", 0);
    close(room->folder);
    char path[96];
    snprintf(path, sizeof(path), "%s/240ac4010203", room->path);
    rmdir(path);
    assert_int_equal(rmdir(room->path), 0);
    free(room);
    return 0;
}

static enum ef_err try_open(struct room *room, bool look_only)
{
    ef_journal_close(room->journal);
    room->journal = NULL;
    return ef_journal_open(&room->key, look_only, NULL, &room->journal, &room->found);
}

static void reopen(struct room *room)
{
    assert_int_equal(try_open(room, false), EF_OK);
}

static bool add(struct room *room, enum ef_journal_kind kind, uint32_t addr, const uint8_t *bytes)
{
    const struct ef_journal_row row = {
        .kind = kind, .addr = addr, .len = EF_SECTOR, .bytes = bytes};
    return ef_journal_add(room->journal, &row);
}

static const uint8_t MD5[16] = {1, 2, 3, 4};

/* Two sectors of contents at 0x4000, two that are to be blank at 0x10000, a witness. */
static void begin(struct room *room)
{
    ef_journal_clear(room->journal);
    assert_true(add(room, EF_JOURNAL_BYTES, 0x4000, room->bytes));
    assert_true(add(room, EF_JOURNAL_BYTES, 0x5000, room->bytes + EF_SECTOR));
    assert_true(add(room, EF_JOURNAL_BLANK, 0x10000, NULL));
    assert_true(add(room, EF_JOURNAL_BLANK, 0x11000, NULL));
    assert_true(add(room, EF_JOURNAL_WITNESS, 0x12000, MD5));
    assert_int_equal(ef_journal_commit(room->journal), EF_OK);
}

static off_t length(const struct room *room)
{
    struct stat st;
    assert_int_equal(fstatat(room->folder, "journal", &st, AT_SYMLINK_NOFOLLOW), 0);
    return st.st_size;
}

static void change_byte(const struct room *room, off_t at, uint8_t by)
{
    uint8_t byte;
    int fd = openat(room->folder, "journal", O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= by;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void new_one_is_empty(void **state)
{
    struct room *room = *state;
    reopen(room);
    assert_int_equal(room->found, EF_JOURNAL_EMPTY);
}

static void record_is_private(void **state)
{
    struct room *room = *state;
    struct stat st;
    reopen(room);
    begin(room);
    assert_int_equal(fstatat(room->folder, "journal", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0600);
    assert_int_equal(fstat(room->folder, &st), 0);
    assert_int_equal(st.st_mode, S_IFDIR | 0700);
}

/* Neighbours have become one row. */
static void pending_work_is_found(void **state)
{
    struct room *room = *state;
    size_t count;
    reopen(room);
    begin(room);
    reopen(room);
    assert_int_equal(room->found, EF_JOURNAL_PENDING);
    const struct ef_journal_row *rows = ef_journal_rows(room->journal, &count);
    assert_int_equal(count, 3);
    assert_int_equal(rows[0].kind, EF_JOURNAL_BYTES);
    assert_int_equal(rows[0].addr, 0x4000);
    assert_int_equal(rows[0].len, sizeof(room->bytes));
    assert_memory_equal(rows[0].bytes, room->bytes, sizeof(room->bytes));
    assert_int_equal(rows[1].kind, EF_JOURNAL_BLANK);
    assert_int_equal(rows[1].addr, 0x10000);
    assert_int_equal(rows[1].len, 2 * EF_SECTOR);
    assert_int_equal(rows[2].kind, EF_JOURNAL_WITNESS);
    assert_int_equal(rows[2].addr, 0x12000);
    assert_memory_equal(rows[2].bytes, MD5, sizeof(MD5));
}

static void finished_work_is_not(void **state)
{
    struct room *room = *state;
    size_t count;
    reopen(room);
    begin(room);
    assert_int_equal(ef_journal_done(room->journal), EF_OK);
    assert_int_equal(ef_journal_settle(room->journal), EF_OK);
    ef_journal_rows(room->journal, &count);
    assert_int_equal(count, 0);
    assert_int_equal(faccessat(room->folder, "journal", F_OK, 0), -1);
    reopen(room);
    assert_int_equal(room->found, EF_JOURNAL_EMPTY);
    /* Twice is no failure. */
    assert_int_equal(ef_journal_done(room->journal), EF_OK);
}

/* Wherever it ends, it is no record. */
static void half_of_it_is_none(void **state)
{
    struct room *room = *state;
    size_t count;
    reopen(room);
    begin(room);
    for (off_t len = length(room) - 1; len >= 0; len -= len > 120 ? 61 : 1) {
        int fd = openat(room->folder, "journal", O_RDWR | O_CLOEXEC);
        assert_int_equal(ftruncate(fd, len), 0);
        close(fd);
        reopen(room);
        assert_int_equal(room->found, EF_JOURNAL_DAMAGED);
        ef_journal_rows(room->journal, &count);
        assert_int_equal(count, 0);
    }
}

static void any_changed_byte_is_noticed(void **state)
{
    struct room *room = *state;
    reopen(room);
    begin(room);
    off_t len = length(room);
    for (off_t at = 0; at < len; at += at < 96 ? 1 : 509) {
        change_byte(room, at, 0x40);
        reopen(room);
        assert_int_not_equal(room->found, EF_JOURNAL_PENDING);
        assert_int_not_equal(room->found, EF_JOURNAL_EMPTY);
        change_byte(room, at, 0x40);
    }
    reopen(room);
    assert_int_equal(room->found, EF_JOURNAL_PENDING);
}

/* As when somebody copied it: the folder is named by the MAC. */
static void of_another_board(void **state)
{
    struct room *room = *state;
    reopen(room);
    room->key.mac[4] ^= 1;
    begin(room);
    room->key.mac[4] ^= 1;
    reopen(room);
    assert_int_equal(room->found, EF_JOURNAL_FOREIGN);
    begin(room);
    room->key.flash_id++;
    reopen(room);
    assert_int_equal(room->found, EF_JOURNAL_FOREIGN);
    room->key.flash_id--;
    room->key.flash_size = 0x12000;
    reopen(room);
    assert_int_equal(room->found, EF_JOURNAL_FOREIGN);
    room->key.flash_size = 512 * 1024;
    reopen(room);
    assert_int_equal(room->found, EF_JOURNAL_PENDING);
    room->key.flash_size = 1024 * 1024;
    /* Looking did no harm. */
    reopen(room);
    assert_int_equal(room->found, EF_JOURNAL_PENDING);
}

static void of_a_newer_version(void **state)
{
    struct room *room = *state;
    reopen(room);
    begin(room);
    change_byte(room, 16, 0x06);
    reopen(room);
    assert_int_equal(room->found, EF_JOURNAL_NEWER);
}

/* What is there under the name is not replaced. */
static void set_aside_keeps_all(void **state)
{
    struct room *room = *state;
    reopen(room);
    begin(room);
    assert_int_equal(ef_journal_set_aside(room->journal), EF_OK);
    begin(room);
    assert_int_equal(ef_journal_set_aside(room->journal), EF_OK);
    assert_int_equal(faccessat(room->folder, "journal.old", R_OK, 0), 0);
    assert_int_equal(faccessat(room->folder, "journal.old.1", R_OK, 0), 0);
    unlinkat(room->folder, "journal.old.1", 0);
    reopen(room);
    assert_int_equal(room->found, EF_JOURNAL_EMPTY);
}

static void no_more_than_fits(void **state)
{
    struct room *room = *state;
    size_t count;
    reopen(room);
    for (uint32_t at = 0; at < EF_JOURNAL_MAX; at += EF_SECTOR)
        assert_true(add(room, EF_JOURNAL_BYTES, 0x10000, room->bytes));
    assert_false(add(room, EF_JOURNAL_BYTES, 0x10000, room->bytes));
    ef_journal_clear(room->journal);
    for (uint32_t i = 0; i < EF_JOURNAL_ROWS_MAX; i++)
        assert_true(add(room, EF_JOURNAL_BLANK, i % 2 * 0x10000, NULL));
    assert_false(add(room, EF_JOURNAL_BLANK, 0, NULL));
    assert_int_equal(ef_journal_commit(room->journal), EF_OK);
    reopen(room);
    ef_journal_rows(room->journal, &count);
    assert_int_equal(count, EF_JOURNAL_ROWS_MAX);
}

static void rows_outside_the_flash(void **state)
{
    struct room *room = *state;
    static const uint32_t ADDR[] = {1024 * 1024, 0xFFFFF000, 100};
    for (size_t i = 0; i < sizeof(ADDR) / sizeof(ADDR[0]); i++) {
        reopen(room);
        ef_journal_clear(room->journal);
        assert_true(add(room, EF_JOURNAL_BLANK, ADDR[i], NULL));
        assert_int_equal(ef_journal_commit(room->journal), EF_OK);
        reopen(room);
        assert_int_equal(room->found, EF_JOURNAL_DAMAGED);
    }
}

static void a_link_is_not_followed(void **state)
{
    struct room *room = *state;
    assert_int_equal(symlinkat("/dev/null", room->folder, "journal"), 0);
    assert_int_equal(try_open(room, false), EF_ACCESS);
    unlinkat(room->folder, "journal", 0);
    assert_int_equal(mkfifoat(room->folder, "journal", 0600), 0);
    assert_int_equal(try_open(room, false), EF_ACCESS);
}

static void only_one_at_a_time(void **state)
{
    struct room *room = *state;
    struct ef_journal *second;
    enum ef_journal_found found;
    reopen(room);
    begin(room);
    assert_int_equal(ef_journal_open(&room->key, false, NULL, &second, &found), EF_BUSY);
    assert_int_equal(ef_journal_open(&room->key, true, NULL, &second, &found), EF_OK);
    assert_int_equal(found, EF_JOURNAL_PENDING);
    ef_journal_close(second);
}

static void a_look_makes_nothing(void **state)
{
    struct room *room = *state;
    room->key.mac[0] = 0;
    assert_int_equal(try_open(room, true), EF_OK);
    assert_int_equal(room->found, EF_JOURNAL_EMPTY);
}

/* A driver that was killed while it wrote one. */
static void what_is_left_of_a_write_goes(void **state)
{
    struct room *room = *state;
    close(openat(room->folder, ".journal.123.0", O_CREAT | O_WRONLY, 0600));
    reopen(room);
    assert_int_equal(faccessat(room->folder, ".journal.123.0", F_OK, 0), -1);
    assert_int_equal(room->found, EF_JOURNAL_EMPTY);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_room, close_room)
    const struct CMUnitTest tests[] = {
        TEST(new_one_is_empty),
        TEST(record_is_private),
        TEST(pending_work_is_found),
        TEST(finished_work_is_not),
        TEST(half_of_it_is_none),
        TEST(any_changed_byte_is_noticed),
        TEST(of_another_board),
        TEST(of_a_newer_version),
        TEST(set_aside_keeps_all),
        TEST(no_more_than_fits),
        TEST(rows_outside_the_flash),
        TEST(a_link_is_not_followed),
        TEST(only_one_at_a_time),
        TEST(a_look_makes_nothing),
        TEST(what_is_left_of_a_write_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
