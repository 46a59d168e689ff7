/*
 * The journal on the host's disk, damaged, made up or of another board: what is found pending is
 * a whole record, its digest right, of this board, and its rows are whole sectors inside this
 * flash; written again it says the same; done with, it is gone. Only looking changes nothing.
 */
#include "fuzz.h"

#include "cache/journal.h"

#include "espflashfs/bytes.h"
#include "espflashfs/flash.h"

#include <sys/stat.h>
#include <unistd.h>

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
    MADE_ROWS_MAX = 8,
    MADE_SECTORS_MAX = 8,
    FILE_MAX_BYTES = HEADER + MADE_ROWS_MAX * (ROW + MADE_SECTORS_MAX * EF_SECTOR),
    EDITS_MAX = 8
};

struct room {
    struct ef_board_key key;
    char folder[280], path[300], aside[320];
    uint8_t file[FILE_MAX_BYTES];
    size_t len;
};

static void put_digest(uint8_t *record, size_t len)
{
    uint8_t md5[EF_DIGEST_BYTES];
    memset(record + AT_MD5, 0, sizeof(md5));
    ef_digest_bytes(record, (uint32_t)len, md5);
    memcpy(record + AT_MD5, md5, sizeof(md5));
}

/* A row as the input says, and its contents. */
static void make_row(struct room *room, struct fuzz_input *in, uint32_t i, uint32_t *bytes)
{
    uint8_t *row = room->file + HEADER + (size_t)i * ROW;
    uint32_t kind = fuzz_u8(in) % 4; /* one of them is none */
    uint32_t addr = fuzz_u8(in) % 64 * EF_SECTOR;
    uint32_t len = (1U + fuzz_u8(in) % MADE_SECTORS_MAX) * EF_SECTOR;
    uint8_t odd = fuzz_u8(in);
    uint32_t content = kind == EF_JOURNAL_BYTES     ? len
                       : kind == EF_JOURNAL_WITNESS ? EF_DIGEST_BYTES
                                                    : 0;
    if (odd % 16 == 1)
        addr = fuzz_u32(in);
    if (odd % 16 == 2)
        len = fuzz_u32(in);
    ef_put_le32(row, addr);
    ef_put_le32(row + 4, len);
    ef_put_le32(row + 8, kind);
    memset(room->file + room->len, odd, content);
    room->len += content;
    *bytes += content;
}

/* A sound record, but for rows that the input has odd. */
static void make(struct room *room, struct fuzz_input *in)
{
    uint32_t rows = 1 + fuzz_u8(in) % MADE_ROWS_MAX;
    uint32_t bytes = 0;
    memcpy(room->file, "espflashfs jrnl\n", AT_VERSION);
    ef_put_le32(room->file + AT_VERSION, EF_JOURNAL_VERSION);
    ef_put_le32(room->file + AT_ROWS, rows);
    memcpy(room->file + AT_MAC, room->key.mac, sizeof(room->key.mac));
    ef_put_le32(room->file + AT_FLASH_ID, room->key.flash_id);
    ef_put_le32(room->file + AT_FLASH_SIZE, room->key.flash_size * (1U + fuzz_u8(in) % 2));
    room->len = HEADER + rows * ROW;
    for (uint32_t i = 0; i < rows; i++)
        make_row(room, in, i, &bytes);
    ef_put_le32(room->file + AT_BYTES, bytes);
    put_digest(room->file, room->len);
}

/* Then it is damaged, or another record is made of it, with its digest right. */
static void damage(struct room *room, struct fuzz_input *in)
{
    uint8_t flags = fuzz_u8(in);
    if (flags & 1)
        room->len = fuzz_u16(in) % (room->len + 1);
    for (int i = 0; i < EDITS_MAX && in->left >= 3; i++) {
        uint16_t at = fuzz_u16(in);
        room->file[at % (flags & 4 ? HEADER : sizeof(room->file))] ^= fuzz_u8(in);
    }
    if (flags & 2 && room->len >= HEADER)
        put_digest(room->file, room->len);
}

static struct room *room_new(struct fuzz_input *in)
{
    struct room *room = calloc(1, sizeof(*room));
    REQUIRE(room);
    room->key = (struct ef_board_key){
        .folder = fuzz_folder(), .mac = {0x24, 0x0A, 0xC4, 0x00, 0x11, 0x22}, .flash_id = 0x164020};
    room->key.flash_size = (1U + fuzz_u8(in) % 64) * EF_SECTOR;
    snprintf(room->folder, sizeof(room->folder), "%s/240ac4001122", room->key.folder);
    snprintf(room->path, sizeof(room->path), "%s/journal", room->folder);
    snprintf(room->aside, sizeof(room->aside), "%s/journal.old", room->folder);
    mkdir(room->folder, 0700);
    return room;
}

static struct ef_journal *open_journal(const struct room *room, bool look_only,
                                       enum ef_journal_found *found)
{
    struct ef_journal *journal = NULL;
    REQUIRE(ef_journal_open(&room->key, look_only, NULL, &journal, found) == EF_OK);
    return journal;
}

static size_t content_of(const struct ef_journal_row *row)
{
    if (row->kind == EF_JOURNAL_BYTES)
        return row->len;
    return row->kind == EF_JOURNAL_WITNESS ? EF_DIGEST_BYTES : 0;
}

/* Against the file, by what its head of the source says of it. */
static void check_pending(struct room *room, const struct ef_journal_row *row, size_t count)
{
    uint8_t md5[EF_DIGEST_BYTES];
    const struct ef_board_key *key = &room->key;
    REQUIRE(count > 0 && count == ef_le32(room->file + AT_ROWS) &&
            room->len >= HEADER + count * ROW);
    REQUIRE(memcmp(room->file + AT_MAC, key->mac, sizeof(key->mac)) == 0);
    REQUIRE(ef_le32(room->file + AT_FLASH_ID) == key->flash_id);
    const uint8_t *content = room->file + HEADER + count * ROW;
    for (size_t i = 0; i < count; content += content_of(&row[i]), i++) {
        REQUIRE(row[i].len > 0 && row[i].addr % EF_SECTOR == 0 && row[i].len % EF_SECTOR == 0);
        REQUIRE(ef_range_fits(row[i].addr, row[i].len, key->flash_size));
        REQUIRE((size_t)(content - room->file) + content_of(&row[i]) <= room->len);
        REQUIRE(memcmp(content, row[i].bytes, content_of(&row[i])) == 0);
    }
    REQUIRE((size_t)(content - room->file) == room->len);
    memcpy(md5, room->file + AT_MD5, sizeof(md5));
    put_digest(room->file, room->len);
    REQUIRE(memcmp(md5, room->file + AT_MD5, sizeof(md5)) == 0);
}

/* Where a walk over rows is, sector by sector: neighbours may have become one row. */
struct walk {
    const struct ef_journal_row *row;
    size_t left;
    uint32_t at; /* in the row */
};

static bool step(struct walk *walk, struct ef_journal_row *sector)
{
    if (walk->left == 0)
        return false;
    const struct ef_journal_row *row = walk->row;
    bool whole = row->kind == EF_JOURNAL_WITNESS;
    *sector = (struct ef_journal_row){.kind = row->kind,
                                      .addr = row->addr + walk->at,
                                      .len = whole ? row->len : EF_SECTOR,
                                      .bytes = row->bytes};
    if (row->kind == EF_JOURNAL_BYTES)
        sector->bytes += walk->at;
    walk->at += sector->len;
    if (walk->at == row->len) {
        walk->row++;
        walk->left--;
        walk->at = 0;
    }
    return true;
}

static void require_same(const struct ef_journal_row *a, size_t a_count,
                         const struct ef_journal_row *b, size_t b_count)
{
    struct walk left = {.row = a, .left = a_count};
    struct walk right = {.row = b, .left = b_count};
    struct ef_journal_row one;
    struct ef_journal_row other;
    while (step(&left, &one)) {
        REQUIRE(step(&right, &other));
        REQUIRE(one.kind == other.kind && one.addr == other.addr && one.len == other.len);
        REQUIRE(memcmp(one.bytes, other.bytes, content_of(&one)) == 0);
    }
    REQUIRE(!step(&right, &other));
}

/* The rows that were found, made into a record anew, in place of it. */
static void write_again(struct room *room, struct ef_journal *journal)
{
    struct ef_journal_row rows[MADE_ROWS_MAX];
    enum ef_journal_found found;
    size_t count;
    size_t again_count;
    const struct ef_journal_row *row = ef_journal_rows(journal, &count);
    if (count > MADE_ROWS_MAX)
        return;
    memcpy(rows, row, count * sizeof(*row));
    ef_journal_clear(journal);
    for (size_t i = 0; i < count; i++)
        REQUIRE(ef_journal_add(journal, &rows[i]));
    REQUIRE(ef_journal_commit(journal) == EF_OK);
    struct ef_journal *again = open_journal(room, true, &found);
    REQUIRE(found == EF_JOURNAL_PENDING);
    row = ef_journal_rows(again, &again_count);
    const struct ef_journal_row *made = ef_journal_rows(journal, &count);
    require_same(made, count, row, again_count);
    ef_journal_close(again);
    REQUIRE(ef_journal_done(journal) == EF_OK);
}

static void expect_empty(const struct room *room)
{
    enum ef_journal_found found;
    struct ef_journal *journal = open_journal(room, false, &found);
    REQUIRE(found == EF_JOURNAL_EMPTY);
    ef_journal_close(journal);
}

static void look(struct room *room, bool look_only)
{
    enum ef_journal_found found;
    struct stat st;
    size_t count;
    struct ef_journal *journal = open_journal(room, look_only, &found);
    const struct ef_journal_row *row = ef_journal_rows(journal, &count);
    REQUIRE(found != EF_JOURNAL_EMPTY && (found == EF_JOURNAL_PENDING || count == 0));
    if (found == EF_JOURNAL_PENDING)
        check_pending(room, row, count);
    if (found == EF_JOURNAL_PENDING && !look_only)
        write_again(room, journal);
    else if (!look_only)
        REQUIRE(ef_journal_set_aside(journal) == EF_OK);
    ef_journal_close(journal);
    if (look_only)
        REQUIRE(stat(room->path, &st) == 0 && (size_t)st.st_size == room->len);
    else
        expect_empty(room);
    unlink(room->aside);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct room *room = room_new(&in);
    uint8_t flags = fuzz_u8(&in);
    if (flags & 1) {
        make(room, &in);
        damage(room, &in);
    } else {
        const uint8_t *bytes;
        room->len = fuzz_take(&in, FILE_MAX_BYTES, &bytes);
        if (room->len > 0)
            memcpy(room->file, bytes, room->len);
    }
    fuzz_write_file(room->path, room->file, room->len);
    look(room, flags & 2);
    free(room);
    return 0;
}
