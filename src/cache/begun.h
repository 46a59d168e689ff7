/*
 * What is begun on the chip: each sector that is to be erased or written is in the journal, with
 * what it is to hold, before that begins, until it is proven done. Where work failed in between,
 * its sectors are torn: they stay in the journal, and are the first that the next flush works on.
 *
 * Calls are made without the cache's lock, and block for the disk; several at once. Where no
 * journal is kept they do nothing.
 */
#ifndef ESPFLASHFS_BEGUN_H
#define ESPFLASHFS_BEGUN_H

#include "cache_private.h"

/* Of a sector: `begun`. */
enum ef_begun {
    EF_BEGUN_NOT,
    EF_BEGUN_SAID, /* while it is written into the journal */
    EF_BEGUN
};

/*
 * Sectors [first, first+count), but for those of which done[i] (NULL: none), are about to be erased
 * or written, and `seen` is what the chip holds in some of them. They are dirty and whole, or
 * marked as erasing. Waits for the line with patience, for the disk without. What fails, fails
 * before anything is erased; EF_GUARDED where a newer program's journal is not to be touched.
 */
enum ef_err ef_begun_add(struct ef_cache *c, uint32_t first, uint32_t count, const bool *done,
                         const struct ef_seen *seen, struct ef_patience patience);

/*
 * Under the lock: an erase or a write of the sector was begun and cut off. It is dirty, and to hold
 * `bytes` (NULL: to be blank), but for what was written to it since.
 */
void ef_begun_take(struct ef_cache *c, uint32_t s, const uint8_t *bytes);

/* Under the lock: the erase of these sectors ended; those that it left to be written are begun. */
void ef_begun_end_erase(struct ef_cache *c, uint32_t first, uint32_t end);

/*
 * A piece of work ended; its sectors that are done are not `begun` any more. Where `anew`, the
 * record is made again of what is left.
 */
void ef_begun_end(struct ef_cache *c, bool anew);

/* A flush ended: what is not begun any more will not come back, whatever becomes of the host. */
void ef_begun_settle(struct ef_cache *c);

/* Settles and closes the journal; at the end. */
void ef_begun_close(struct ef_cache *c);

#endif
