/*
 * Who holds a port, and taking it for ourselves. Programs claim a port in three ways: TIOCEXCL,
 * flock(2), and a file /run/lock/LCK..NAME that holds a process id; some, in none.
 */
#include "fd_line.h"
#include "port_system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

static const char LOCK_FOLDER[] = "/run/lock";
static const char MODEM_MANAGER[] = "ModemManager ";

/*
 * Of whatever a process has open, as the kernel knows it already: asked for the truth, a network
 * file system whose server is away, or a driver that is stopped, would never answer.
 */
static bool is_device(int folder, const char *name, dev_t rdev)
{
    struct statx st;
    return statx(folder, name, AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 && S_ISCHR(st.stx_mode) &&
           makedev(st.stx_rdev_major, st.stx_rdev_minor) == rdev;
}

/* True if process `pid` has the character device `rdev` open. */
static bool process_holds(const char *pid, dev_t rdev)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
    DIR *fds = opendir(path);
    if (!fds)
        return false;
    bool found = false;
    for (struct dirent *e = readdir(fds); e && !found; e = readdir(fds))
        found = is_device(dirfd(fds), e->d_name, rdev);
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

static void name_process(long pid, char *who, size_t cap)
{
    char number[24];
    char name[64];
    snprintf(number, sizeof(number), "%ld", pid);
    read_process_name(number, name, sizeof(name));
    snprintf(who, cap, "%s (process %ld)", name[0] ? name : "a program", pid);
}

bool ef_find_holder(int fd, char *who, size_t cap)
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
        name_process(pid, who, cap);
        found = true;
    }
    closedir(proc);
    return found;
}

bool ef_find_lock_file_holder(const char *lock_file, char *who, size_t cap)
{
    char text[24] = "";
    /* Anybody may put a fifo there, whose other end would be waited for. */
    int fd = open(lock_file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    /* A process that has ended leaves a lock that counts for nothing. */
    if (pid <= 0 || pid > INT_MAX || pid == (long)getpid() ||
        (kill((pid_t)pid, 0) < 0 && errno != EPERM))
        return false;
    name_process(pid, who, cap);
    return true;
}

static bool find_in_lock_folder(const char *path, char *who, size_t cap)
{
    char file[PATH_MAX];
    char *real = realpath(path, NULL);
    bool fits = real && snprintf(file, sizeof(file), "%s/LCK..%s", LOCK_FOLDER, basename(real)) <
                            (int)sizeof(file);
    free(real);
    return fits && ef_find_lock_file_holder(file, who, cap);
}

bool ef_port_holder(const char *path, char *who, size_t cap)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    bool found = find_in_lock_folder(path, who, cap) || (fd >= 0 && ef_find_holder(fd, who, cap));
    if (fd >= 0)
        close(fd);
    return found;
}

bool ef_port_is_console(const char *path)
{
    char names[256] = "";
    char *real = realpath(path, NULL);
    FILE *f = fopen("/sys/class/tty/console/active", "re");
    bool is = false;
    if (f && real && fgets(names, sizeof(names), f)) {
        char *rest = NULL;
        for (char *w = strtok_r(names, " \n", &rest); w && !is; w = strtok_r(NULL, " \n", &rest))
            is = strcmp(w, basename(real)) == 0;
    }
    if (f)
        fclose(f);
    free(real);
    return is;
}

static enum ef_err report_busy(int fd, const char *path, struct ef_log *log)
{
    char who[128];
    bool known =
        ef_find_holder(fd, who, sizeof(who)) || find_in_lock_folder(path, who, sizeof(who));
    if (known && strncmp(who, MODEM_MANAGER, strlen(MODEM_MANAGER)) == 0)
        ef_log(log, EF_LOG_ERROR,
               "%s is held by %s, which looks for modems on new ports: wait half a minute, then "
               "try again",
               path, who);
    else if (known)
        ef_log(log, EF_LOG_ERROR, "%s is held by %s: close it, then try again", path, who);
    else
        ef_log(log, EF_LOG_ERROR,
               "%s is held by another program: close it, then try again (sudo fuser -v %s tells "
               "which)",
               path, path);
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
    /* A terminal program that claimed nothing would still take half of what the board says. */
    char who[128];
    if (ef_fd_has_modem_lines(fd) &&
        (find_in_lock_folder(path, who, sizeof(who)) || ef_find_holder(fd, who, sizeof(who))))
        return report_busy(fd, path, log);
    return EF_OK;
}

void ef_fd_exclude(int fd)
{
    /* A pty would keep it beyond our death, for as long as its other end is open. */
    if (ef_fd_has_modem_lines(fd))
        ioctl(fd, TIOCEXCL);
}

void ef_fd_release(int fd)
{
    ioctl(fd, TIOCNXCL);
    /* What a device does not take holds a close(2) up for 30 s. */
    if (!ef_fd_drain_output(fd))
        tcflush(fd, TCOFLUSH);
}

/* True if the user database has this user in `group`, while this login does not know yet. */
static bool joined_since_login(const struct group *group)
{
    const struct passwd *user = getpwuid(getuid());
    for (char **member = group->gr_mem; user && *member; member++)
        if (strcmp(*member, user->pw_name) == 0)
            return true;
    return false;
}

static void report_access(const char *path, struct ef_log *log)
{
    struct stat st;
    struct group *group = stat(path, &st) == 0 ? getgrgid(st.st_gid) : NULL;
    mode_t both = S_IRGRP | S_IWGRP;
    if (!group || group->gr_gid == 0 || (st.st_mode & both) != both)
        ef_log(log, EF_LOG_ERROR,
               "%s: permission denied: root alone may use it; a udev rule can open it to a group",
               path);
    else if (joined_since_login(group))
        ef_log(log, EF_LOG_ERROR,
               "%s: permission denied: you are in its group, %s, but not since this login: log in "
               "again",
               path, group->gr_name);
    else
        ef_log(log, EF_LOG_ERROR,
               "%s: permission denied: join its group (sudo usermod -aG %s $USER) and log in again",
               path, group->gr_name);
}

enum ef_err ef_open_failed(const char *path, int error, struct ef_log *log)
{
    switch (error) {
    case ENOENT:
    case ENXIO:
    case ENODEV:
        ef_log(log, EF_LOG_ERROR,
               "%s: no such port: is the board plugged in (espflashfs --list)? A network "
               "port is written rfc2217://HOST:PORT or socket://HOST:PORT",
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
