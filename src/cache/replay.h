/*
 * The journal that an earlier mount left: opened, judged, and what it holds taken into the cache.
 * Calls are made without the cache's lock, with the journal's, and block for the disk.
 */
#ifndef ESPFLASHFS_REPLAY_H
#define ESPFLASHFS_REPLAY_H

#include "cache_private.h"

/*
 * Opens the journal unless it is open. What is pending is dirty afterwards, and a flush asked for.
 * What fails is tried again by the next call.
 */
enum ef_err ef_replay_open(struct ef_cache *c);

/*
 * The same without any lock, for a flush, where the mount could not open one that may have pending
 * work: sectors are torn until it can, and whoever asks whether all is on the chip is told so.
 */
enum ef_err ef_replay_unread(struct ef_cache *c);

/*
 * This board is about to be written to: a journal that will not know of it (see
 * ef_cache_retire_journal) is kept under another name. What fails is logged.
 */
void ef_replay_retire(struct ef_cache *c);

#endif
