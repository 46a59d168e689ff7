/*
 * Folders and files that are their user's alone, in which the program keeps what outlives a
 * mount. Any thread; calls block for the disk. Nothing is logged: -1 or false come with errno.
 */
#ifndef ESPFLASHFS_FOLDER_H
#define ESPFLASHFS_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Opens the folder; what is missing of the path is made, for this user alone. */
int ef_folder_open(const char *path);

/*
 * Opens, or makes, the folder `name` in `folder`: mode 0700, this user's own (EPERM else), and
 * no link to another (ELOOP or ENOTDIR).
 */
int ef_folder_open_private(int folder, const char *name);

/*
 * Opens a file for reading that is a regular one and this user's own (EPERM else), never
 * through a link, never waiting.
 */
int ef_folder_open_file(int folder, const char *name);

/*
 * Replaces the file `name`, mode 0600, by what `write` puts into the descriptor that it is
 * given. Whoever opens `name` sees the old file or the new one, whole, after a crash as well.
 * A link of that name is replaced, not followed. False if `write` said so, or the disk.
 */
bool ef_folder_replace(int folder, const char *name, bool (*write)(void *user, int fd), void *user);

/* All of the bytes, at `off`; false with errno set. */
bool ef_file_write(int fd, const void *bytes, size_t len, uint64_t off);

/* All of the bytes, from `off` on; false, with errno 0 where the file is too short. */
bool ef_file_read(int fd, void *bytes, size_t len, uint64_t off);

#endif
