/* From paths below the mount point to nodes. Private to src/fs. Any thread. */
#ifndef ESPFLASHFS_TREE_H
#define ESPFLASHFS_TREE_H

#include "espflashfs/node.h"

bool ef_tree_is_folder(const struct ef_mount *mount, const char *path);

/*
 * The node at `path`, to be put back with ef_node_put. -ENOENT, or another errno where the line
 * had to be waited for, which is so only inside partitions/, and only before its first time.
 */
int ef_tree_find(struct ef_mount *mount, const char *path, struct ef_patience patience,
                 struct ef_node **node);

/* Calls `each` for what is in the folder at `path`. 0 or a negative errno, as above. */
int ef_tree_list(struct ef_mount *mount, const char *path, struct ef_patience patience,
                 void (*each)(void *user, const char *name), void *user);

#endif
