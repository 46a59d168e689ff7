/*
 * The one way in which the files of a mount erase flash: guards, journal, errors and what is said
 * of them. Private to src/fs. Any thread.
 */
#ifndef ESPFLASHFS_ERASE_RANGE_H
#define ESPFLASHFS_ERASE_RANGE_H

#include "espflashfs/node.h"

/*
 * Erases `len` bytes at `addr` of the flash, whole sectors, and returns when the chip is done: 0 or
 * a negative errno, of which the log and `erase` tell more. `who` is the file that was asked.
 */
int ef_erase_range(struct ef_mount *mount, const char *who, uint64_t addr, uint64_t len,
                   struct ef_patience patience);

/* Says that the chip's state forbids it: -EPERM. */
int ef_erase_refuse_guarded(struct ef_mount *mount, const char *who);

/* What `erase` tells when it is read, and the log at once: the newest refusal, or "" for none. */
void ef_erase_remember(struct ef_mount *mount, const char *why);

#endif
