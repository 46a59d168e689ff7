/*
 * Whether somebody else has written to the board since a journal was made: the digests of some
 * sectors that the work did not touch are in it, and of some that it did, as they were before.
 */
#ifndef ESPFLASHFS_WITNESS_H
#define ESPFLASHFS_WITNESS_H

#include "cache_private.h"

/*
 * Once a mount, where too few sectors are held to be witnesses: asks the chip for the digests of
 * some. Blocks for the line, so without the journal's lock: whoever has the line, the end of an
 * erase that is under way, wants that. Without the cache's. These fail as the line does, or with
 * EF_INTERRUPTED; then there are none.
 */
enum ef_err ef_witnesses_ask(struct ef_cache *c, struct ef_patience patience);

/*
 * Where a piece of work is one block at most, so that what it began on may hold anything, asks for
 * those beside it. Without a lock; blocks for the line.
 */
enum ef_err ef_witnesses_ask_near(struct ef_cache *c, uint32_t first, uint32_t count,
                                  struct ef_patience patience);

/*
 * Of sectors that are about to be erased or written, what the chip holds in some: a digest more (no
 * more than fit), ...
 */
void ef_seen_note(struct ef_seen *seen, const struct ef_digest *digest);

/* ... or asked for; none where that fails. Without a lock; blocks for the line. */
enum ef_err ef_seen_ask(struct ef_cache *c, uint32_t first, uint32_t count, struct ef_seen *seen,
                        struct ef_patience patience);

/* Under the lock: they are begun; the record is to tell. */
void ef_witnesses_was(struct ef_cache *c, const struct ef_seen *seen);

/* Adds them to the record that is being made, as far as there is room. Under the lock. */
void ef_witnesses_add(struct ef_cache *c);

/*
 * Of the record that was found. *others: most of its witnesses are not what they were (a firmware
 * that ran meanwhile changes few), or its sectors hold what nobody here had to do with. With the
 * journal's lock and without the cache's; blocks for the line, before anything is begun.
 */
enum ef_err ef_witnesses_judge(struct ef_cache *c, bool *others);

#endif
