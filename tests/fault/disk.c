/* Calls that change the disk; see host.h. Under these names the C library has them for us. */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

ssize_t real_pwrite64(int fd, const void *bytes, size_t len, off_t off) SW_REAL(pwrite64);
int real_fsync(int fd) SW_REAL(fsync);
int real_fdatasync(int fd) SW_REAL(fdatasync);
int real_ftruncate64(int fd, off_t len) SW_REAL(ftruncate64);
int real_renameat(int from, const char *name, int to, const char *new_name) SW_REAL(renameat);
int real_renameat2(int from, const char *name, int to, const char *new_name, unsigned flags)
    SW_REAL(renameat2);
int real_unlinkat(int folder, const char *name, int flags) SW_REAL(unlinkat);
int real_mkdir(const char *path, mode_t mode) SW_REAL(mkdir);
int real_mkdirat(int folder, const char *name, mode_t mode) SW_REAL(mkdirat);
int real_openat64(int folder, const char *name, int flags, ...) SW_REAL(openat64);
ssize_t wrap_pwrite64(int fd, const void *bytes, size_t len, off_t off) SW_WRAP(pwrite64);
int wrap_fsync(int fd) SW_WRAP(fsync);
int wrap_fdatasync(int fd) SW_WRAP(fdatasync);
int wrap_ftruncate64(int fd, off_t len) SW_WRAP(ftruncate64);
int wrap_renameat(int from, const char *name, int to, const char *new_name) SW_WRAP(renameat);
int wrap_renameat2(int from, const char *name, int to, const char *new_name, unsigned flags)
    SW_WRAP(renameat2);
int wrap_unlinkat(int folder, const char *name, int flags) SW_WRAP(unlinkat);
int wrap_mkdir(const char *path, mode_t mode) SW_WRAP(mkdir);
int wrap_mkdirat(int folder, const char *name, mode_t mode) SW_WRAP(mkdirat);
int wrap_openat64(int folder, const char *name, int flags, ...) SW_WRAP(openat64);

ssize_t wrap_pwrite64(int fd, const void *bytes, size_t len, off_t off)
{
    if (!sw_host_refuses_change())
        return real_pwrite64(fd, bytes, len, off);
    /* A disk that fills up takes what fits. */
    int number = errno;
    (void)real_pwrite64(fd, bytes, len / 2, off);
    errno = number;
    return -1;
}

int wrap_fsync(int fd)
{
    return sw_host_refuses_change() ? -1 : real_fsync(fd);
}

int wrap_fdatasync(int fd)
{
    return sw_host_refuses_change() ? -1 : real_fdatasync(fd);
}

int wrap_ftruncate64(int fd, off_t len)
{
    return sw_host_refuses_change() ? -1 : real_ftruncate64(fd, len);
}

int wrap_renameat(int from, const char *name, int to, const char *new_name)
{
    return sw_host_refuses_change() ? -1 : real_renameat(from, name, to, new_name);
}

int wrap_renameat2(int from, const char *name, int to, const char *new_name, unsigned flags)
{
    return sw_host_refuses_change() ? -1 : real_renameat2(from, name, to, new_name, flags);
}

int wrap_unlinkat(int folder, const char *name, int flags)
{
    return sw_host_refuses_change() ? -1 : real_unlinkat(folder, name, flags);
}

int wrap_mkdir(const char *path, mode_t mode)
{
    return sw_host_refuses_change() ? -1 : real_mkdir(path, mode);
}

int wrap_mkdirat(int folder, const char *name, mode_t mode)
{
    return sw_host_refuses_change() ? -1 : real_mkdirat(folder, name, mode);
}

int wrap_openat64(int folder, const char *name, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    if ((flags & O_CREAT) != 0 && sw_host_refuses_change())
        return -1;
    return real_openat64(folder, name, flags, mode);
}
