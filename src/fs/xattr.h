/*
 * Extended attributes: `user.md5` of what is a part of the flash, and no others. Private to src/fs.
 *
 * `node` may be NULL: the directory, or nothing. Any thread. The values are xattr(7)'s: a length,
 * 0, or a negative errno; of a `size` of 0 the length is told and the chip is not asked. Only
 * ef_xattr_get of user.md5 waits for the chip.
 */
#ifndef ESPFLASHFS_XATTR_H
#define ESPFLASHFS_XATTR_H

#include "espflashfs/node.h"

int ef_xattr_get(struct ef_node *node, const char *name, char *value, size_t size,
                 struct ef_patience patience);
int ef_xattr_list(struct ef_node *node, char *list, size_t size);

/* A copy that brings the attribute along, as cp and rsync do, changes nothing: 0. */
int ef_xattr_set(struct ef_node *node, const char *name, const char *value, size_t size);
int ef_xattr_remove(struct ef_node *node, const char *name);

#endif
