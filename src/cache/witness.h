/*
 * Whether somebody else has written to the board since a journal was made: some sectors that the
 * work did not touch, and their digests, are in it. With the journal's lock, but for the first.
 */
#ifndef ESPFLASHFS_WITNESS_H
#define ESPFLASHFS_WITNESS_H

#include "cache_private.h"

/* Once a mount, where too few sectors are held to be witnesses: asks the chip for the digests of
 * some. Without either lock, since an erase ends on the line's thread, which takes both; blocks for
 * the line. */
void ef_witnesses_ask(struct ef_cache *c);

/* Adds them to the record that is being made, as far as there is room. Under the lock. */
void ef_witnesses_add(struct ef_cache *c);

/*
 * Of the record that was found. *others: most of its witnesses are not what they were; a firmware
 * that ran meanwhile changes few. Without the cache's lock; blocks for the line.
 */
enum ef_err ef_witnesses_judge(struct ef_cache *c, bool *others);

#endif
