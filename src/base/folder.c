#include "espflashfs/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES = 100 };

int ef_folder_open(const char *path)
{
    char part[PATH_MAX];
    int n = snprintf(part, sizeof(part), "%s", path);
    if (n < 0 || (size_t)n >= sizeof(part)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(part, 0700);
        *slash = '/';
    }
    mkdir(part, 0700);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int close_with(int fd, int number)
{
    close(fd);
    errno = number;
    return -1;
}

int ef_folder_open_private(int folder, const char *name)
{
    struct stat st;
    mkdirat(folder, name, 0700);
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0)
        return close_with(fd, errno);
    if (st.st_uid != geteuid())
        return close_with(fd, EPERM);
    if ((st.st_mode & 07777) != 0700 && fchmod(fd, 0700) != 0)
        return close_with(fd, errno);
    return fd;
}

int ef_folder_open_file(int folder, const char *name)
{
    struct stat st;
    /* Not blocking, should somebody have laid a fifo there. */
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0)
        return close_with(fd, errno);
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
        return close_with(fd, EPERM);
    return fd;
}

/* A file that nobody else has, beside `name`; its own name in `temporary`. */
static int make_temporary(int folder, const char *name, char temporary[NAME_MAX + 1])
{
    for (int i = 0; i < NAMES; i++) {
        int n = snprintf(temporary, NAME_MAX + 1, ".%s.%d.%d", name, (int)getpid(), i);
        if (n < 0 || n > NAME_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        int fd = openat(folder, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

bool ef_folder_replace(int folder, const char *name, bool (*write)(void *user, int fd), void *user)
{
    char temporary[NAME_MAX + 1];
    int fd = make_temporary(folder, name, temporary);
    if (fd < 0)
        return false;
    bool done = write(user, fd) && fsync(fd) == 0 &&
                renameat(folder, temporary, folder, name) == 0 && fsync(folder) == 0;
    int number = errno;
    if (!done)
        unlinkat(folder, temporary, 0);
    close(fd);
    errno = number;
    return done;
}

bool ef_file_write(int fd, const void *bytes, size_t len, uint64_t off)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = pwrite(fd, (const uint8_t *)bytes + at, len - at, (off_t)(off + at));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? ENOSPC : errno;
            return false;
        }
        at += (size_t)n;
    }
    return true;
}

bool ef_file_read(int fd, void *bytes, size_t len, uint64_t off)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = pread(fd, (uint8_t *)bytes + at, len - at, (off_t)(off + at));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? 0 : errno;
            return false;
        }
        at += (size_t)n;
    }
    return true;
}
