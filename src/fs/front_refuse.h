/*
 * Calls on what a board has none of: they change nothing, and say so or pass for done. In the
 * shapes of fuse_operations; any thread, never blocking. Private to the front.
 */
#ifndef ESPFLASHFS_FRONT_REFUSE_H
#define ESPFLASHFS_FRONT_REFUSE_H

#include <fuse.h>

/* cp -p and rsync set these on what they copied; the board keeps none of them: 0. */
int front_chmod(const char *path, mode_t mode, struct fuse_file_info *fi);
int front_chown(const char *path, uid_t uid, gid_t gid, struct fuse_file_info *fi);
int front_utimens(const char *path, const struct timespec tv[2], struct fuse_file_info *fi);

/* The directory is what the board is: nothing can be added, renamed or removed: -EPERM. */
int front_create(const char *path, mode_t mode, struct fuse_file_info *fi);
int front_mknod(const char *path, mode_t mode, dev_t dev);
int front_mkdir(const char *path, mode_t mode);
int front_remove(const char *path);
int front_rename(const char *from, const char *to, unsigned flags);
int front_link(const char *from, const char *to);

#endif
