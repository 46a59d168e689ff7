/*
 * The sector cache between the mount and the line: what was read is kept, what is written
 * goes out behind the writer within a bounded window, and a flush returns when the chip
 * holds it. Knows no FUSE and no serial line.
 *
 * Any thread may call, several at once. Offsets and lengths are bytes. A call that waits
 * asks its patience every 100 ms and returns EF_INTERRUPTED when told to; the work it waited
 * for is given up (reads) or goes on (writes, erases). The cache's lock is never held while
 * the line works.
 */
#ifndef ESPFLASHFS_CACHE_H
#define ESPFLASHFS_CACHE_H

#include "espflashfs/image.h"
#include "espflashfs/worker.h"

#include <time.h>

struct ef_cache;

/* Whether the caller still wants to wait. `interrupted` may be NULL: for ever. */
struct ef_patience {
    bool (*interrupted)(void *user);
    void *user;
};

/* What a reader of a sector would be given, as far as that is known without asking the chip. */
enum ef_look_kind {
    EF_LOOK_UNSEEN, /* some of it would have to be read first */
    EF_LOOK_BLANK,  /* all FF: erased, or to be */
    EF_LOOK_ZEROS,
    EF_LOOK_DATA
};

struct ef_look {
    enum ef_look_kind kind;
    bool dirty; /* written or erased here, and not on the chip yet */
};

struct ef_cache_state {
    uint32_t dirty_sectors;  /* not on the chip yet */
    uint32_t known_sectors;  /* contents held */
    enum ef_err flush_err;   /* of the last flush or write-behind */
    struct timespec changed; /* when the contents last changed, for st_mtime */
    uint64_t others;         /* how many changes came by another way than ef_cache_write */
};

/*
 * A cache over the worker's flash of `size` bytes (whole sectors). Memory: `size` bytes of
 * address space, filled as sectors become known, and one run of 256 KiB. Starts a thread.
 * The worker is not owned and must outlive the cache. EF_NOMEM.
 */
enum ef_err ef_cache_new(struct ef_worker *worker, uint32_t size, struct ef_log *log,
                         struct ef_cache **cache);

enum {
    EF_CACHE_LIMIT_MIN = 2 * 1024 * 1024
}; /* room for what waits to be written, and for readers */

/* No more than `bytes` of contents are held from now on, at least EF_CACHE_LIMIT_MIN. */
void ef_cache_limit(struct ef_cache *cache, uint64_t bytes);

/*
 * What was kept of the board is expected of it from now on, and what is known of it at the end is
 * kept (ef_cache_free); not where ef_cache_limit leaves less than the flash's size. Before
 * anything is read. `key` must outlive the cache. Blocks for the disk.
 */
void ef_cache_keep_image(struct ef_cache *cache, const struct ef_board_key *key);

/*
 * What is begun on the chip from now on is in the journal first (see src/cache/journal.h), and what
 * an earlier mount began and did not finish is dirty again and goes out; where `read_only`, it is
 * left and said. After ef_cache_keep_image, before anything is read. `key` must outlive the
 * cache. Blocks for the disk, and for a few digests of the chip. Where the journal cannot be kept,
 * writes and erases fail (EF_NO_SPACE, EF_READ_ONLY, EF_ACCESS, EF_BUSY, EF_GUARDED) and touch
 * nothing, until it can.
 */
void ef_cache_keep_journal(struct ef_cache *cache, const struct ef_board_key *key, bool read_only);

/*
 * The same board's journal in another place, which is not to be used and will not know what is
 * written from now on: said if work is pending in it, and kept under another name before anything
 * is written or erased, so that it does no harm later. Before ef_cache_keep_journal; not where
 * nothing will be written. `key` must outlive the cache.
 */
void ef_cache_retire_journal(struct ef_cache *cache, const struct ef_board_key *key);

/*
 * Ends the thread; what is dirty is dropped, so flush before. Keeps the image, where one is to
 * be kept. NULL is fine.
 */
void ef_cache_free(struct ef_cache *cache);

/* Fills `buf` with proven bytes. EF_INVALID past the end. */
enum ef_err ef_cache_read(struct ef_cache *cache, uint64_t off, uint32_t len, uint8_t *buf,
                          struct ef_patience patience);

/*
 * The same for who reads on from there: waits for a stream, which goes on to `ahead` bytes
 * behind the range and is cut short for anybody else.
 */
enum ef_err ef_cache_read_on(struct ef_cache *cache, uint64_t off, uint32_t len, uint32_t ahead,
                             uint8_t *buf, struct ef_patience patience);

/* Streams what is missing from `off` on, at the lowest priority; returns at once. */
void ef_cache_read_ahead(struct ef_cache *cache, uint64_t off, uint32_t len);

/* Has the sector at `off` read when the line is idle, if it is not known; returns at once. */
void ef_cache_fetch(struct ef_cache *cache, uint64_t off);

/*
 * Takes the bytes; waits only where the window of unwritten sectors is full. After a failed
 * write-behind, once the window is full, the failure is returned until a flush succeeds.
 */
enum ef_err ef_cache_write(struct ef_cache *cache, uint64_t off, uint32_t len, const uint8_t *data,
                           struct ef_patience patience);

/*
 * Returns when everything written before the call is on the chip and proven, or with the
 * error; then the sectors stay dirty and the next flush tries again.
 */
enum ef_err ef_cache_flush(struct ef_cache *cache, struct ef_patience patience);

/* Erases whole sectors; unwritten data in the range is dropped. Nothing happens if blank. */
enum ef_err ef_cache_erase(struct ef_cache *cache, uint64_t off, uint64_t len,
                           struct ef_patience patience);

/*
 * The chip's own MD5 of any bytes, at a moment at which it holds all that was written to them:
 * waits until that is so, and has what is unwritten of them go out, as a flush does (not where
 * nothing can be dirty). The chip takes about a second for a MiB, in which the line is its
 * alone; where the bytes are not held here, which would prove the answer, it is asked twice.
 * EF_BUSY: somebody goes on and on writing there. EF_UNSUPPORTED: the chip computes none.
 */
enum ef_err ef_cache_md5(struct ef_cache *cache, uint64_t off, uint64_t len,
                         uint8_t md5[EF_DIGEST_BYTES], struct ef_patience patience);

/*
 * Gives the contents a new age (`changed`) although they are what they were: whoever keeps a copy
 * that may differ drops it. Never blocks on the line.
 */
void ef_cache_renew(struct ef_cache *cache);

/*
 * What is known of `count` sectors from sector `first` on, into `look`; what lies past the end is
 * EF_LOOK_UNSEEN. It may be another a moment later. Never blocks on the line.
 */
void ef_cache_look(struct ef_cache *cache, uint32_t first, uint32_t count, struct ef_look *look);

/*
 * Copies what a reader of [off, off+len), a part of one sector, would be given. EF_MISSING where
 * the chip would have to be asked. In either case *age is another than before if it may have
 * changed meanwhile. Never blocks on the line.
 */
enum ef_err ef_cache_peek(struct ef_cache *cache, uint64_t off, uint32_t len, uint8_t *buf,
                          uint64_t *age);

/* Never blocks on the line. */
struct ef_cache_state ef_cache_state(struct ef_cache *cache);

#endif
