/*
 * Folders and files that are their user's alone, in which the program keeps what outlives a
 * mount. Any thread; calls block for the disk. Nothing is logged: -1 or false come with errno.
 */
#ifndef ESPFLASHFS_FOLDER_H
#define ESPFLASHFS_FOLDER_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Opens the folder; what is missing of the path is made, for this user alone. */
int ef_folder_open(const char *path);

/*
 * The same, and EPERM where somebody else could put other files in place of ours: a folder that is
 * neither this user's nor root's, or that others may write to (but for one like /tmp, where each
 * may move only what is theirs); one that lies in such a folder; and a link that is another's.
 */
int ef_folder_open_guarded(const char *path);

/* To read the names in a folder that is open; the caller's to close. NULL with errno. */
DIR *ef_folder_list(int folder);

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
 *
 * What is written goes into `.NAME.PID.N` first, which stays there where the program is killed:
 * that is deleted by the next ef_folder_replace, or ef_folder_tidy, an hour later.
 */
bool ef_folder_replace(int folder, const char *name, bool (*write)(void *user, int fd), void *user);

/* Deletes those that were left there `older_s` seconds ago or more. */
enum { EF_FOLDER_STALE_S = 3600 }; /* nobody writes a file for that long */
void ef_folder_tidy(int folder, const char *name, int older_s);

/* All of the bytes, at `off`; false with errno set. */
bool ef_file_write(int fd, const void *bytes, size_t len, uint64_t off);

/* All of the bytes, from `off` on; false, with errno 0 where the file is too short. */
bool ef_file_read(int fd, void *bytes, size_t len, uint64_t off);

#endif
