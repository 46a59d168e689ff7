/*
 * Calls on an open file of the flash, noted in the mount's progress. Private to the front; the
 * values are those of struct ef_node_ops, of which the file's node has the one that is asked for.
 */
#ifndef ESPFLASHFS_WATCHED_H
#define ESPFLASHFS_WATCHED_H

#include "open_files.h"

ssize_t watched_read(struct open_file *file, uint8_t *buf, size_t len, uint64_t off,
                     struct ef_patience patience);
ssize_t watched_write(struct open_file *file, const uint8_t *buf, size_t len, uint64_t off,
                      struct ef_patience patience);
int watched_flush(struct open_file *file, struct ef_patience patience);
int watched_fsync(struct open_file *file, struct ef_patience patience);

#endif
