/* Extended attributes, in the shapes of fuse_operations. Any thread. Private to the front. */
#ifndef ESPFLASHFS_FRONT_XATTR_H
#define ESPFLASHFS_FRONT_XATTR_H

#include <stddef.h>

int front_getxattr(const char *path, const char *name, char *value, size_t size);
int front_listxattr(const char *path, char *list, size_t size);
int front_setxattr(const char *path, const char *name, const char *value, size_t size, int flags);
int front_removexattr(const char *path, const char *name);

#endif
