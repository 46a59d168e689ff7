#include "journal.h"

#include "espflashfs/bytes.h"
#include "espflashfs/flash.h"
#include "espflashfs/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The file, all numbers little-endian:
 *   0   16  magic
 *   16  4   version
 *   20  4   rows
 *   24  4   bytes of contents
 *   28  6   MAC, and 2 zeros
 *   36  4   flash id
 *   40  4   flash size
 *   44  4   0
 *   48  16  MD5 of all of the record, this field as zeros
 *   64  12  of each row: address, length, kind
 *   ...     the contents, row after row
 */
enum {
    AT_VERSION = 16,
    AT_ROWS = 20,
    AT_BYTES = 24,
    AT_MAC = 28,
    AT_FLASH_ID = 36,
    AT_FLASH_SIZE = 40,
    AT_MD5 = 48,
    HEADER = 64,
    ROW = 12,
    RECORD_MAX = HEADER + EF_JOURNAL_ROWS_MAX * ROW + EF_JOURNAL_MAX,
    ASIDE_MAX = 100
};

static const uint8_t MAGIC[AT_VERSION] = "espflashfs jrnl\n";
static const char NAME[] = "journal";

struct ef_journal {
    const struct ef_board_key *key;
    struct ef_log *log;
    int folder;       /* owned; -1: only looked at, and there is none */
    uint8_t *record;  /* RECORD_MAX bytes: what was found, or is on disk */
    uint8_t *content; /* EF_JOURNAL_MAX bytes: what the rows that are being made hold */
    uint32_t content_len;
    size_t count;
    struct ef_journal_row row[EF_JOURNAL_ROWS_MAX];
};

static enum ef_err err_of_errno(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return EF_NO_SPACE;
    case EROFS:
        return EF_READ_ONLY;
    case EWOULDBLOCK:
        return EF_BUSY;
    case ENOMEM:
        return EF_NOMEM;
    default:
        return EF_ACCESS;
    }
}

static enum ef_err fail(const struct ef_journal *j, const char *what)
{
    int number = errno;
    if (number == EWOULDBLOCK)
        ef_log(
            j->log, EF_LOG_ERROR,
            "journal in %s: another program has this board's open: unmount the board there first",
            j->key->folder);
    else if (number == EPERM)
        ef_log(j->log, EF_LOG_ERROR,
               "journal in %s: %s: the folder, or what lies in it, is somebody else's, or others "
               "may write to it: run chmod go-w on it, or mount with journal=DIR, a folder of your "
               "own",
               j->key->folder, what);
    else
        ef_log(j->log, EF_LOG_ERROR,
               "journal in %s: %s: %s: make room there or make it writable, or mount with "
               "journal=DIR, or with journal=none to do without",
               j->key->folder, what, strerror(number));
    return err_of_errno(number);
}

static uint32_t content_of(const struct ef_journal_row *row)
{
    switch (row->kind) {
    case EF_JOURNAL_BYTES:
        return row->len;
    case EF_JOURNAL_WITNESS:
    case EF_JOURNAL_WAS:
        return EF_DIGEST_BYTES;
    default:
        return 0;
    }
}

/* With the field itself as zeros. */
static void digest_record(uint8_t *record, uint32_t len, uint8_t md5[EF_DIGEST_BYTES])
{
    memset(record + AT_MD5, 0, EF_DIGEST_BYTES);
    ef_digest_bytes(record, len, md5);
}

static bool is_of(const uint8_t *record, const struct ef_board_key *key)
{
    return memcmp(record + AT_MAC, key->mac, sizeof(key->mac)) == 0 &&
           ef_le32(record + AT_FLASH_ID) == key->flash_id;
}

/* True if it is whole: of lengths that agree with each other, the digest right. */
static bool is_whole(uint8_t *record, uint32_t len)
{
    uint32_t rows = ef_le32(record + AT_ROWS);
    uint32_t bytes = ef_le32(record + AT_BYTES);
    if (rows == 0 || rows > EF_JOURNAL_ROWS_MAX || bytes > EF_JOURNAL_MAX ||
        len != HEADER + rows * ROW + bytes)
        return false;
    uint8_t said[EF_DIGEST_BYTES];
    uint8_t md5[EF_DIGEST_BYTES];
    memcpy(said, record + AT_MD5, sizeof(said));
    digest_record(record, len, md5);
    return memcmp(said, md5, sizeof(md5)) == 0;
}

/*
 * A digest can be right over what is wrong: the rows are checked as any input. What of the flash is
 * offered may be less this time (size=): FOREIGN then.
 */
static enum ef_journal_found take_rows(struct ef_journal *j)
{
    enum ef_journal_found found = EF_JOURNAL_PENDING;
    uint32_t size = ef_le32(j->record + AT_FLASH_SIZE);
    uint32_t rows = ef_le32(j->record + AT_ROWS);
    uint32_t left = ef_le32(j->record + AT_BYTES);
    const uint8_t *bytes = j->record + HEADER + (size_t)rows * ROW;
    for (uint32_t i = 0; i < rows; i++) {
        const uint8_t *at = j->record + HEADER + (size_t)i * ROW;
        uint32_t kind = ef_le32(at + 8);
        struct ef_journal_row row = {.addr = ef_le32(at), .len = ef_le32(at + 4), .bytes = bytes};
        bool part = kind == EF_JOURNAL_WAS && row.len < EF_SECTOR;
        if (kind > EF_JOURNAL_WAS || row.len == 0 || row.addr % EF_SECTOR ||
            (row.len % EF_SECTOR && !part) || !ef_range_fits(row.addr, row.len, size))
            return EF_JOURNAL_DAMAGED;
        if (!ef_range_fits(row.addr, row.len, j->key->flash_size))
            found = EF_JOURNAL_FOREIGN;
        row.kind = (enum ef_journal_kind)kind;
        if (content_of(&row) > left)
            return EF_JOURNAL_DAMAGED;
        bytes += content_of(&row);
        left -= content_of(&row);
        j->row[i] = row;
    }
    if (left != 0)
        return EF_JOURNAL_DAMAGED;
    j->count = found == EF_JOURNAL_PENDING ? rows : 0;
    return found;
}

static enum ef_journal_found judge(struct ef_journal *j, uint32_t len)
{
    if (len < HEADER || memcmp(j->record, MAGIC, sizeof(MAGIC)) != 0)
        return EF_JOURNAL_DAMAGED;
    if (ef_le32(j->record + AT_VERSION) > EF_JOURNAL_VERSION)
        return EF_JOURNAL_NEWER;
    if (ef_le32(j->record + AT_VERSION) != EF_JOURNAL_VERSION || !is_whole(j->record, len))
        return EF_JOURNAL_DAMAGED;
    if (!is_of(j->record, j->key))
        return EF_JOURNAL_FOREIGN;
    return take_rows(j);
}

static enum ef_err look(struct ef_journal *j, enum ef_journal_found *found)
{
    struct stat st;
    *found = EF_JOURNAL_EMPTY;
    int fd = j->folder >= 0 ? ef_folder_open_file(j->folder, NAME) : -1;
    if (fd < 0)
        return j->folder < 0 || errno == ENOENT ? EF_OK : fail(j, "opening it");
    *found = EF_JOURNAL_DAMAGED;
    enum ef_err err = EF_OK;
    if (fstat(fd, &st) != 0)
        err = fail(j, "reading it");
    else if (st.st_size <= RECORD_MAX) {
        uint32_t len = (uint32_t)st.st_size;
        if (ef_file_read(fd, j->record, len, 0))
            *found = judge(j, len);
        else if (errno != 0)
            err = fail(j, "reading it");
    }
    close(fd);
    return err;
}

/* The board's folder, made where it is missing; locked. */
static enum ef_err open_folder(struct ef_journal *j)
{
    char name[EF_KEY_NAME_MAX];
    ef_board_key_name(j->key, name);
    int all = ef_folder_open_guarded(j->key->folder);
    j->folder = all >= 0 ? ef_folder_open_private(all, name) : -1;
    int number = errno;
    if (all >= 0)
        close(all);
    errno = number;
    if (j->folder < 0 || flock(j->folder, LOCK_EX | LOCK_NB) != 0)
        return fail(j, "opening it");
    /* Whoever left something of a record there is dead, since the lock is ours. */
    ef_folder_tidy(j->folder, NAME, 0);
    return EF_OK;
}

/* The same without a change to the disk; j->folder stays -1 where there is none. */
static void find_folder(struct ef_journal *j)
{
    char name[EF_KEY_NAME_MAX];
    ef_board_key_name(j->key, name);
    int all = open(j->key->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (all < 0)
        return;
    j->folder = openat(all, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    close(all);
}

enum ef_err ef_journal_open(const struct ef_board_key *key, bool look_only, struct ef_log *log,
                            struct ef_journal **journal, enum ef_journal_found *found)
{
    struct ef_journal *j = calloc(1, sizeof(*j));
    if (!j)
        return EF_NOMEM;
    j->key = key;
    j->log = log;
    j->folder = -1;
    j->record = malloc(RECORD_MAX);
    j->content = malloc(EF_JOURNAL_MAX);
    enum ef_err err = j->record && j->content ? EF_OK : EF_NOMEM;
    if (err == EF_OK && look_only)
        find_folder(j);
    else if (err == EF_OK)
        err = open_folder(j);
    if (err == EF_OK)
        err = look(j, found);
    if (err != EF_OK) {
        ef_journal_close(j);
        return err;
    }
    *journal = j;
    return EF_OK;
}

void ef_journal_close(struct ef_journal *j)
{
    if (!j)
        return;
    if (j->folder >= 0)
        close(j->folder);
    free(j->record);
    free(j->content);
    free(j);
}

const struct ef_journal_row *ef_journal_rows(const struct ef_journal *j, size_t *count)
{
    *count = j->count;
    return j->row;
}

void ef_journal_clear(struct ef_journal *j)
{
    j->count = 0;
    j->content_len = 0;
}

bool ef_journal_add(struct ef_journal *j, const struct ef_journal_row *row)
{
    uint32_t len = content_of(row);
    uint8_t *content = j->content + j->content_len;
    struct ef_journal_row *last = j->count ? &j->row[j->count - 1] : NULL;
    if (len > EF_JOURNAL_MAX - j->content_len)
        return false;
    bool joins = last && last->kind == row->kind && ef_journal_is_work(row->kind) &&
                 last->addr + last->len == row->addr;
    if (!joins && j->count == EF_JOURNAL_ROWS_MAX)
        return false;
    if (len)
        memcpy(content, row->bytes, len);
    j->content_len += len;
    if (joins) {
        last->len += row->len;
        return true;
    }
    j->row[j->count] = *row;
    j->row[j->count++].bytes = content;
    return true;
}

/* Of the rows. Its length. */
static uint32_t make_record(struct ef_journal *j)
{
    uint8_t md5[EF_DIGEST_BYTES];
    uint32_t len = (uint32_t)(HEADER + j->count * ROW + j->content_len);
    memset(j->record, 0, HEADER);
    memcpy(j->record, MAGIC, sizeof(MAGIC));
    ef_put_le32(j->record + AT_VERSION, EF_JOURNAL_VERSION);
    ef_put_le32(j->record + AT_ROWS, (uint32_t)j->count);
    ef_put_le32(j->record + AT_BYTES, j->content_len);
    memcpy(j->record + AT_MAC, j->key->mac, sizeof(j->key->mac));
    ef_put_le32(j->record + AT_FLASH_ID, j->key->flash_id);
    ef_put_le32(j->record + AT_FLASH_SIZE, j->key->flash_size);
    uint8_t *at = j->record + HEADER;
    for (size_t i = 0; i < j->count; i++, at += ROW) {
        ef_put_le32(at, j->row[i].addr);
        ef_put_le32(at + 4, j->row[i].len);
        ef_put_le32(at + 8, j->row[i].kind);
    }
    memcpy(at, j->content, j->content_len);
    digest_record(j->record, len, md5);
    memcpy(j->record + AT_MD5, md5, sizeof(md5));
    return len;
}

struct written {
    const uint8_t *record;
    uint32_t len;
};

static bool write_record(void *user, int fd)
{
    const struct written *written = user;
    return ef_file_write(fd, written->record, written->len, 0);
}

enum ef_err ef_journal_commit(struct ef_journal *j)
{
    struct written written = {.record = j->record, .len = make_record(j)};
    return ef_folder_replace(j->folder, NAME, write_record, &written) ? EF_OK
                                                                      : fail(j, "writing it");
}

enum ef_err ef_journal_done(struct ef_journal *j)
{
    ef_journal_clear(j);
    return unlinkat(j->folder, NAME, 0) == 0 || errno == ENOENT ? EF_OK : fail(j, "clearing it");
}

enum ef_err ef_journal_settle(struct ef_journal *j)
{
    return fsync(j->folder) == 0 ? EF_OK : fail(j, "clearing it");
}

enum ef_err ef_journal_set_aside(struct ef_journal *j)
{
    char name[32] = "journal.old";
    ef_journal_clear(j);
    for (int i = 1; i <= ASIDE_MAX; i++) {
        if (renameat2(j->folder, NAME, j->folder, name, RENAME_NOREPLACE) == 0) {
            ef_log(j->log, EF_LOG_WARN, "journal: what lay there is kept as %s", name);
            return EF_OK;
        }
        if (errno != EEXIST)
            break;
        snprintf(name, sizeof(name), "journal.old.%d", i);
    }
    return fail(j, "keeping what lies there as journal.old");
}
