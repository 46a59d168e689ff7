#include "record.h"

#include "espflashfs/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ATTEMPTS = 20 };

static const char PREFIX[] = "mount.";

/* What drivers left that were killed: nobody holds its lock. */
static void delete_stale(int folder)
{
    DIR *dir = ef_folder_list(folder);
    if (!dir)
        return;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0)
            continue;
        int fd = ef_folder_open_file(folder, entry->d_name);
        if (fd < 0)
            continue;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            unlinkat(folder, entry->d_name, 0);
        close(fd);
    }
    closedir(dir);
}

/* Between its making and its lock, a file may pass for stale, and be deleted. */
static bool is_held(int fd)
{
    struct stat st;
    return flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0;
}

static bool make_in(struct ef_record *r)
{
    int folder = ef_folder_open_guarded(r->folder);
    if (folder < 0)
        return false;
    delete_stale(folder);
    close(folder);
    if (asprintf(&r->path, "%s/%sXXXXXX", r->folder, PREFIX) < 0) {
        r->path = NULL;
        return false;
    }
    r->fd = mkostemp(r->path, O_CLOEXEC);
    if (r->fd >= 0 && is_held(r->fd))
        return true;
    int number = r->fd < 0 ? errno : EWOULDBLOCK;
    if (r->fd >= 0) {
        unlink(r->path);
        close(r->fd);
    }
    free(r->path);
    r->path = NULL;
    errno = number;
    return false;
}

enum { PLACES = 2 };

static char *folder_name(int place)
{
    unsigned user = getuid();
    char *name = NULL;
    int n = 0;
    if (place > 0)
        n = asprintf(&name, "/tmp/espflashfs-%u", user);
    else if (user == 0)
        n = asprintf(&name, "/run/espflashfs");
    else
        n = asprintf(&name, "/run/user/%u/espflashfs", user);
    return n < 0 ? NULL : name;
}

/* Tried again, since the folder goes with the last record in it. */
static bool make_at(struct ef_record *r, int place)
{
    r->folder = folder_name(place);
    for (int i = 0; r->folder && i < ATTEMPTS; i++) {
        if (make_in(r))
            return true;
        if (errno != ENOENT && errno != EWOULDBLOCK)
            break;
    }
    free(r->folder);
    r->folder = NULL;
    return false;
}

void ef_record_start(struct ef_record *r, const char *mountpoint, struct ef_log *log)
{
    char *line = strdup(mountpoint);
    bool made = false;
    for (int place = 0; line && !made && place < PLACES; place++)
        made = make_at(r, place);
    if (!made)
        ef_log(log, EF_LOG_WARN,
               "no record of this mount can be kept in /run or /tmp (%s): umount cannot tell when "
               "the board is safe, wait until the process has ended",
               strerror(errno));
    for (char *c = line; made && *c; c++)
        if (*c == '\n')
            *c = '?';
    if (made)
        ef_record_add(r, "mountpoint %s", line);
    free(line);
}

void ef_record_add(struct ef_record *r, const char *format, ...)
{
    char *line = NULL;
    va_list args;
    if (!r->path)
        return;
    va_start(args, format);
    /* Whoever reads meanwhile sees a whole line, or none of it. */
    if (vasprintf(&line, format, args) >= 0) {
        dprintf(r->fd, "%s\n", line);
        free(line);
    }
    va_end(args);
}

void ef_record_end(struct ef_record *r, int status)
{
    if (!r->path)
        return;
    ef_record_add(r, "ended %d", status);
    unlink(r->path);
    rmdir(r->folder);
    close(r->fd);
    free(r->path);
    free(r->folder);
    *r = (struct ef_record){0};
}
