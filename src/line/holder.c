/* Who holds a port, and taking it for ourselves. */
#include "fd_line.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* True if process `pid` has the character device `rdev` open. */
static bool process_holds(const char *pid, dev_t rdev)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
    DIR *fds = opendir(path);
    if (!fds)
        return false;
    bool found = false;
    for (struct dirent *e = readdir(fds); e && !found; e = readdir(fds)) {
        struct stat st;
        found = fstatat(dirfd(fds), e->d_name, &st, 0) == 0 && S_ISCHR(st.st_mode) &&
                st.st_rdev == rdev;
    }
    closedir(fds);
    return found;
}

static void read_process_name(const char *pid, char *name, size_t cap)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
    name[0] = '\0';
    FILE *f = fopen(path, "re");
    if (!f)
        return;
    if (fgets(name, (int)cap, f))
        name[strcspn(name, "\n")] = '\0';
    fclose(f);
}

/* Writes "NAME (process PID)" of another process that has the tty open; false if none is seen. */
static bool find_holder(int fd, char *who, size_t cap)
{
    struct stat st;
    DIR *proc = fstat(fd, &st) == 0 ? opendir("/proc") : NULL;
    if (!proc)
        return false;
    long self = (long)getpid();
    bool found = false;
    for (struct dirent *e = readdir(proc); e && !found; e = readdir(proc)) {
        long pid = strtol(e->d_name, NULL, 10);
        if (pid <= 0 || pid == self || !process_holds(e->d_name, st.st_rdev))
            continue;
        char name[64];
        read_process_name(e->d_name, name, sizeof(name));
        snprintf(who, cap, "%s (process %ld)", name[0] ? name : "a program", pid);
        found = true;
    }
    closedir(proc);
    return found;
}

static enum ef_err report_busy(int fd, const char *path, struct ef_log *log)
{
    char who[128];
    if (find_holder(fd, who, sizeof(who)))
        ef_log(log, EF_LOG_ERROR, "%s is held by %s: close it, then try again", path, who);
    else
        ef_log(log, EF_LOG_ERROR, "%s is held by another program: close it, then try again", path);
    return EF_BUSY;
}

enum ef_err ef_fd_lock(int fd, const char *path, struct ef_log *log)
{
    /* Root is let past another program's TIOCEXCL by the kernel: ask for it. */
    int exclusive = 0;
    if (ioctl(fd, TIOCGEXCL, &exclusive) == 0 && exclusive)
        return report_busy(fd, path, log);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return report_busy(fd, path, log);
    /* A pty would keep it beyond our death, for as long as its other end is open. */
    if (ef_fd_has_modem_lines(fd))
        ioctl(fd, TIOCEXCL);
    return EF_OK;
}

void ef_fd_unlock(int fd)
{
    ioctl(fd, TIOCNXCL);
}

static void report_access(const char *path, struct ef_log *log)
{
    struct stat st;
    struct group *group = stat(path, &st) == 0 ? getgrgid(st.st_gid) : NULL;
    if (group && (st.st_mode & S_IRGRP))
        ef_log(log, EF_LOG_ERROR,
               "%s: permission denied: join its group (sudo usermod -aG %s $USER) and log in again",
               path, group->gr_name);
    else
        ef_log(log, EF_LOG_ERROR, "%s: permission denied: ask for access to the device", path);
}

enum ef_err ef_open_failed(const char *path, int error, struct ef_log *log)
{
    switch (error) {
    case ENOENT:
    case ENXIO:
    case ENODEV:
        ef_log(log, EF_LOG_ERROR,
               "%s: no such port: is the board plugged in (ls /dev/tty*)? A network "
               "port is written socket://HOST:PORT",
               path);
        return EF_MISSING;
    case EACCES:
    case EPERM:
        report_access(path, log);
        return EF_ACCESS;
    case EBUSY: {
        int fd = open(path, O_PATH | O_CLOEXEC);
        enum ef_err err = report_busy(fd, path, log);
        if (fd >= 0)
            close(fd);
        return err;
    }
    default:
        ef_log(log, EF_LOG_ERROR, "%s: cannot be opened: %s", path, strerror(error));
        return EF_GONE;
    }
}
