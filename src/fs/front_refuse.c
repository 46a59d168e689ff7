#include "front_refuse.h"

#include <errno.h>

int front_chmod(const char *path, mode_t mode, struct fuse_file_info *fi)
{
    (void)path;
    (void)mode;
    (void)fi;
    return 0;
}

int front_chown(const char *path, uid_t uid, gid_t gid, struct fuse_file_info *fi)
{
    (void)path;
    (void)uid;
    (void)gid;
    (void)fi;
    return 0;
}

int front_utimens(const char *path, const struct timespec tv[2], struct fuse_file_info *fi)
{
    (void)path;
    (void)tv;
    (void)fi;
    return 0;
}

int front_create(const char *path, mode_t mode, struct fuse_file_info *fi)
{
    (void)path;
    (void)mode;
    (void)fi;
    return -EPERM;
}

int front_mknod(const char *path, mode_t mode, dev_t dev)
{
    (void)path;
    (void)mode;
    (void)dev;
    return -EPERM;
}

int front_mkdir(const char *path, mode_t mode)
{
    (void)path;
    (void)mode;
    return -EPERM;
}

int front_remove(const char *path)
{
    (void)path;
    return -EPERM;
}

int front_rename(const char *from, const char *to, unsigned flags)
{
    (void)from;
    (void)to;
    (void)flags;
    return -EPERM;
}

int front_link(const char *from, const char *to)
{
    (void)from;
    (void)to;
    return -EPERM;
}
