/* Calls that change the disk; see host.h. Under these names the C library has them for us. */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

ssize_t __real_pwrite64(int fd, const void *bytes, size_t len, off_t off);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_ftruncate64(int fd, off_t len);
int __real_renameat(int from, const char *name, int to, const char *new_name);
int __real_renameat2(int from, const char *name, int to, const char *new_name, unsigned flags);
int __real_unlinkat(int folder, const char *name, int flags);
int __real_mkdir(const char *path, mode_t mode);
int __real_mkdirat(int folder, const char *name, mode_t mode);
int __real_openat64(int folder, const char *name, int flags, ...);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t len, off_t off);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_ftruncate64(int fd, off_t len);
int __wrap_renameat(int from, const char *name, int to, const char *new_name);
int __wrap_renameat2(int from, const char *name, int to, const char *new_name, unsigned flags);
int __wrap_unlinkat(int folder, const char *name, int flags);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdirat(int folder, const char *name, mode_t mode);
int __wrap_openat64(int folder, const char *name, int flags, ...);

ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t len, off_t off)
{
    if (!sw_host_refuses_change())
        return __real_pwrite64(fd, bytes, len, off);
    /* A disk that fills up takes what fits. */
    int number = errno;
    (void)__real_pwrite64(fd, bytes, len / 2, off);
    errno = number;
    return -1;
}

int __wrap_fsync(int fd)
{
    return sw_host_refuses_change() ? -1 : __real_fsync(fd);
}

int __wrap_fdatasync(int fd)
{
    return sw_host_refuses_change() ? -1 : __real_fdatasync(fd);
}

int __wrap_ftruncate64(int fd, off_t len)
{
    return sw_host_refuses_change() ? -1 : __real_ftruncate64(fd, len);
}

int __wrap_renameat(int from, const char *name, int to, const char *new_name)
{
    return sw_host_refuses_change() ? -1 : __real_renameat(from, name, to, new_name);
}

int __wrap_renameat2(int from, const char *name, int to, const char *new_name, unsigned flags)
{
    return sw_host_refuses_change() ? -1 : __real_renameat2(from, name, to, new_name, flags);
}

int __wrap_unlinkat(int folder, const char *name, int flags)
{
    return sw_host_refuses_change() ? -1 : __real_unlinkat(folder, name, flags);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    return sw_host_refuses_change() ? -1 : __real_mkdir(path, mode);
}

int __wrap_mkdirat(int folder, const char *name, mode_t mode)
{
    return sw_host_refuses_change() ? -1 : __real_mkdirat(folder, name, mode);
}

int __wrap_openat64(int folder, const char *name, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    if ((flags & O_CREAT) != 0 && sw_host_refuses_change())
        return -1;
    return __real_openat64(folder, name, flags, mode);
}
