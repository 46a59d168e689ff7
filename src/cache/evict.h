/*
 * What the cache forgets where it may not hold all of the flash. Private to src/cache;
 * everything here is called under the cache's lock.
 *
 * Whole blocks go, by the clock: one that was used since the hand last came by has another
 * round. The chip's digest of a sector is kept when its bytes go. Never evicted: what is not
 * written yet, and what a job or a question is about; and nothing while a damaged command may
 * have hit other sectors, which are written again from what is held of them.
 */
#ifndef ESPFLASHFS_EVICT_H
#define ESPFLASHFS_EVICT_H

#include <stdbool.h>
#include <stdint.h>

struct ef_cache;

struct evict {
    uint32_t limit; /* sectors that may be held; at least the flash's: nothing goes */
    uint32_t held;  /* sectors that are */
    uint32_t hand;  /* the block that is looked at next */
    bool *used;     /* owned; of each block, since the hand came by */
};

/* Where contents have come: brings what is held down to the limit. */
void ef_evict(struct ef_cache *c);

/* Somebody was given bytes of sector `s`. */
void ef_evict_note_use(struct ef_cache *c, uint32_t s);

#endif
