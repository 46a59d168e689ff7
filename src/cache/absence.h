/*
 * A board that was reset, or away: its firmware may have written to the flash meanwhile. Private
 * to src/cache.
 *
 * What is known of the chip is not known any more: bytes that were read are expected of it, as an
 * image's are, until its digest agrees. What was written, is clean, and was not told to anybody
 * yet by a flush, is held against the chip before that is: the caller is to hear of what is there.
 * What a flush has told of, and firmware has changed since, is not ours to write again.
 */
#ifndef ESPFLASHFS_ABSENCE_H
#define ESPFLASHFS_ABSENCE_H

#include "cache_private.h"

/* Under the lock, before what the job brought is used: any job may tell of an absence. */
void ef_absence_note(struct ef_cache *c, const struct ef_job *job);

/* Under the lock: what is known of sector `s` is not known any more. */
void ef_absence_doubt(struct ef_cache *c, uint32_t s);

/* Under the lock: clean, and written since the last flush that told of success. */
static inline bool ef_is_untold(const struct ef_cache *c, const struct sector *sector)
{
    return !sector->dirty && sector->told == c->telling;
}

#endif
