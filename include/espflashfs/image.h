/*
 * What this host saw of one board's flash, kept on disk between mounts. It is an expectation
 * and nothing more: no byte of it counts before the chip's own digest agreed, so that an image
 * that is stale or was tampered with costs time and never gives a wrong byte.
 *
 * One file a board, `image` in a folder named by its MAC, both their user's alone. Any thread,
 * one at a time for one board; calls block for the disk. Failures are logged (at debug level, but
 * for a folder that others may write to) and change nothing but the time that the next mount takes.
 */
#ifndef ESPFLASHFS_IMAGE_H
#define ESPFLASHFS_IMAGE_H

#include "espflashfs/board_key.h"
#include "espflashfs/log.h"

#include <stdbool.h>
#include <stdint.h>

enum { EF_IMAGE_FOLDER_MAX_MIB = 256 }; /* of all boards together: the oldest go */

/* What is kept of a sector. */
enum ef_image_sector { EF_IMAGE_NOTHING, EF_IMAGE_BLANK, EF_IMAGE_BYTES };

/*
 * Reads what is kept of the board into `data` (its flash's size), and of which sectors into
 * `map` (enum ef_image_sector, one byte each); of the others what is in `data` means nothing. A
 * sector that was damaged on the disk is one of them. False, with `map` all EF_IMAGE_NOTHING, where
 * nothing fit to be used is kept.
 */
bool ef_image_load(const struct ef_board_key *key, struct ef_log *log, uint8_t *data, uint8_t *map);

/* The reverse, in place of what was kept. */
bool ef_image_save(const struct ef_board_key *key, struct ef_log *log, const uint8_t *data,
                   const uint8_t *map);

#endif
