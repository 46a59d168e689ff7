/* Whether a range's digest can be that of another place. Private to src/cache, under the lock. */
#ifndef ESPFLASHFS_TELLING_H
#define ESPFLASHFS_TELLING_H

#include "cache_private.h"

enum { EF_SCOUT_PIECE = 2 * EF_RUN_SECTORS }; /* sectors; each of their starts is sampled */

/* True if the sectors [first, end) hold what the chip does. */
bool ef_is_held(const struct ef_cache *c, uint32_t first, uint32_t end);

/*
 * True if no place that one flipped bit of its address leads to can hold what is expected
 * (in the sectors' place) of [first, end).
 */
bool ef_telling(const struct ef_cache *c, uint32_t first, uint32_t end);

#endif
