/* What the layers of a flash stack share. Private to src/flash. */
#ifndef ESPFLASHFS_WRAPPER_H
#define ESPFLASHFS_WRAPPER_H

#include "espflashfs/flash.h"

/*
 * A zeroed layer of `bytes` bytes (its first member a struct ef_flash) with geometry taken
 * from `below`, or NULL (then `below` has been freed).
 */
void *ef_flash_wrap(struct ef_flash *below, size_t bytes, const char *name,
                    const struct ef_flash_ops *ops);

/* An operation that a wrapper passes through. */
enum ef_err ef_flash_pass_recover(struct ef_flash *f);

#endif
