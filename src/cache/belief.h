/*
 * How far the image on disk is believed. Private to src/cache; under the cache's lock.
 *
 * Nothing is at stake but time: a question that is answered with no costs the chip a digest, an
 * 11th of what the bytes cost at 921600 baud. An image that begins as the flash does, piece by
 * piece, and is wrong behind would be asked about again and again, by halves: half as much time
 * again as without it. So questions about it are paid for: from a small credit at first, then
 * from what an answer of yes has saved, or a little from what has crossed meanwhile. Who cannot
 * pay lets the next MiB cross.
 */
#ifndef ESPFLASHFS_BELIEF_H
#define ESPFLASHFS_BELIEF_H

#include "scout.h"

/* An image was loaded. */
void ef_belief_begin(struct ef_cache *c);

/* The image is not believed of sectors [first, end); what was proven meanwhile stays as it is. */
void ef_belief_drop(struct ef_cache *c, uint32_t first, uint32_t end);

/*
 * Before a question at sector `s`: the image's sectors that it may be about. 0: none, and of the
 * next MiB nothing is expected any more because of the image.
 */
uint32_t ef_belief_weigh(struct ef_cache *c, uint32_t s);

/* A question about these sectors, of which some may be the image's, was answered. */
void ef_belief_hear(struct ef_cache *c, struct stretch range, bool yes);

/* A sector has crossed. */
void ef_belief_note_crossed(struct ef_cache *c);

#endif
