/*
 * A cache that keeps a journal, over a flash in memory. A driver that is killed is one whose flash
 * fails from some moment on and that never flushes again: what it leaves on the chip and on the
 * disk is the same.
 */
#ifndef EF_TEST_BEGUN_ROOM_H
#define EF_TEST_BEGUN_ROOM_H

#include "cache_room.h"

#include "cache/cache_private.h"
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

static inline int open_room(void **state)
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

static inline int close_room(void **state)
{
    struct begun_room *room = *state;
    unlink(room->file);
    unlink(room->old);
    rmdir(room->board);
    int left = rmdir(room->folder);
    return cache_room_close(state) || left;
}

static inline void keep(struct begun_room *room)
{
    ef_cache_keep_journal(room->cache.cache, &room->key, false);
}

/* The driver is gone, whatever was dirty; the flash is as good as new for the next one. */
static inline void mount_again(struct begun_room *room)
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

static inline enum ef_journal_found look(struct begun_room *room)
{
    struct ef_journal *journal;
    enum ef_journal_found found;
    assert_int_equal(ef_journal_open(&room->key, true, NULL, &journal, &found), EF_OK);
    ef_journal_close(journal);
    return found;
}

/* True if the record has a row of the kind over [addr, addr+len). */
static inline bool has_row(struct begun_room *room, enum ef_journal_kind kind, uint32_t addr,
                           uint32_t len)
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
static inline void tear(struct begun_room *room, uint32_t addr)
{
    memset(room->cache.mem->bytes + addr, 0xFF, 1000);
    memset(room->cache.mem->bytes + addr + 1000, 0x5A, EF_SECTOR - 1000);
}

/* A write that is cut off by the driver's end: the first sector of it torn. */
static inline void die_in_a_write(struct begun_room *room, uint32_t addr, uint32_t len)
{
    mem_fail(room->cache.mem, MEM_WRITE, NEVER_AGAIN, EF_GONE);
    assert_int_equal(room_write(&room->cache, addr, len, addr), EF_OK);
    assert_int_equal(room_flush(&room->cache), EF_GONE);
    tear(room, addr);
    mount_again(room);
}

static inline uint32_t checksum(const char *path)
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

#endif
