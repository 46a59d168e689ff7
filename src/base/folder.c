#include "espflashfs/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NAMES = 100 };

/* Why a folder is missing, is that it could not be made. */
static int unless_not_made(int fd, int number)
{
    if (fd < 0 && errno == ENOENT && number != 0)
        errno = number;
    return fd;
}

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
    int made = mkdir(part, 0700) == 0 ? 0 : errno;
    return unless_not_made(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), made);
}

static int close_with(int fd, int number)
{
    close(fd);
    errno = number;
    return -1;
}

static bool is_ours_or_roots(const struct stat *st)
{
    return st->st_uid == geteuid() || st->st_uid == 0;
}

/* Nobody else can put other things into the folder that `fd` is, or move those that are in it. */
static bool is_guarded(int fd, mode_t others)
{
    struct stat st;
    return fstat(fd, &st) == 0 && is_ours_or_roots(&st) &&
           ((st.st_mode & others) == 0 || (st.st_mode & S_ISVTX) != 0);
}

/* A link that somebody else has laid there may lead to any folder of ours. */
static int open_no_strangers_link(int parent, const char *name)
{
    struct stat st;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return fd;
    if (S_ISLNK(st.st_mode) && !is_ours_or_roots(&st)) {
        errno = EPERM;
        return -1;
    }
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The folder that `path` is in, and its own name there. */
static int open_parent(const char *path, char part[PATH_MAX], const char **name)
{
    snprintf(part, PATH_MAX, "%s", path);
    for (size_t len = strlen(part); len > 1 && part[len - 1] == '/'; len--)
        part[len - 1] = '\0';
    char *slash = strrchr(part, '/');
    *name = slash && slash[1] ? slash + 1 : slash ? "." : part;
    if (!slash)
        return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *slash = '\0';
    return open(slash == part ? "/" : part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int ef_folder_open_guarded(const char *path)
{
    char part[PATH_MAX];
    const char *name;
    int fd = ef_folder_open(path);
    if (fd < 0)
        return -1;
    close(fd);
    int parent = open_parent(path, part, &name);
    if (parent < 0)
        return -1;
    /* A group may be the user's own, as its umask then says. */
    if (!is_guarded(parent, S_IWOTH))
        return close_with(parent, EPERM);
    fd = open_no_strangers_link(parent, name);
    close_with(parent, errno);
    return fd < 0 || is_guarded(fd, S_IWGRP | S_IWOTH) ? fd : close_with(fd, EPERM);
}

int ef_folder_open_private(int folder, const char *name)
{
    struct stat st;
    int made = mkdirat(folder, name, 0700) == 0 ? 0 : errno;
    int fd = unless_not_made(openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                             made);
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

DIR *ef_folder_list(int folder)
{
    /* An open file of its own: two lists of one folder, at once, are at two places in it. */
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir && fd >= 0)
        close_with(fd, errno);
    return dir;
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

/* True for what make_temporary made, and its maker left there. */
static bool is_left_over(int folder, const char *entry, const char *name, int older_s)
{
    struct stat st;
    size_t len = strlen(name);
    if (entry[0] != '.' || strncmp(entry + 1, name, len) != 0 || entry[1 + len] != '.' ||
        strspn(entry + 1 + len, ".0123456789") != strlen(entry + 1 + len))
        return false;
    /* A clock may have been set back meanwhile. */
    return fstatat(folder, entry, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
           (time(NULL) - st.st_mtim.tv_sec >= older_s || st.st_mtim.tv_sec - time(NULL) >= older_s);
}

void ef_folder_tidy(int folder, const char *name, int older_s)
{
    DIR *dir = ef_folder_list(folder);
    if (!dir)
        return;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        if (is_left_over(folder, entry->d_name, name, older_s))
            unlinkat(folder, entry->d_name, 0);
    closedir(dir);
}

bool ef_folder_replace(int folder, const char *name, bool (*write)(void *user, int fd), void *user)
{
    char temporary[NAME_MAX + 1];
    ef_folder_tidy(folder, name, EF_FOLDER_STALE_S);
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
