#include "espflashfs/log.h"

#include "espflashfs/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024 };

static const char CLEAR_LINE[] = "\r\033[K";

void ef_log_init(struct ef_log *log, const char *name, enum ef_log_level level)
{
    *log = (struct ef_log){.name = name, .level = level, .to_stderr = true};
    pthread_mutex_init(&log->lock, NULL);
}

static bool is_strangers(const struct stat *st)
{
    return st->st_uid != geteuid() && st->st_uid != 0;
}

/*
 * In a folder like /tmp, somebody else may have laid a link there to a file of ours, or a second
 * name of one, or a FIFO that nobody reads.
 */
static int open_guarded(const char *path)
{
    const int flags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC;
    struct stat st;
    int fd = open(path, flags | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (fd < 0 && errno == ELOOP && lstat(path, &st) == 0) {
        if (is_strangers(&st)) {
            errno = EPERM;
            return -1;
        }
        fd = open(path, flags, S_IRUSR | S_IWUSR);
    }
    if (fd < 0)
        return -1;
    bool safe = fstat(fd, &st) == 0 && (S_ISCHR(st.st_mode) || !is_strangers(&st)) &&
                (!S_ISREG(st.st_mode) || st.st_nlink == 1);
    if (safe && fcntl(fd, F_SETFL, O_APPEND) == 0)
        return fd;
    close(fd);
    errno = EPERM;
    return -1;
}

int ef_log_open_file(struct ef_log *log, const char *path)
{
    int fd = open_guarded(path);
    if (fd < 0)
        return -1;
    log->file = fdopen(fd, "a");
    if (!log->file) {
        close(fd);
        return -1;
    }
    return 0;
}

void ef_log_to_background(struct ef_log *log)
{
    log->to_stderr = false;
    log->to_syslog = true;
    openlog(log->name, LOG_PID, LOG_DAEMON);
}

void ef_log_free(struct ef_log *log)
{
    if (log->file)
        fclose(log->file);
    log->file = NULL;
    if (log->to_syslog)
        closelog();
    pthread_mutex_destroy(&log->lock);
}

static int syslog_priority(enum ef_log_level level)
{
    switch (level) {
    case EF_LOG_ERROR:
        return LOG_ERR;
    case EF_LOG_WARN:
        return LOG_WARNING;
    case EF_LOG_INFO:
        return LOG_INFO;
    case EF_LOG_DEBUG:
        break;
    }
    return LOG_DEBUG;
}

static void write_to_file(struct ef_log *log, const char *line)
{
    char stamp[32] = "";
    time_t now = time(NULL);
    struct tm tm;
    if (localtime_r(&now, &tm))
        strftime(stamp, sizeof(stamp), "%F %T", &tm);
    fprintf(log->file, "%s %s\n", stamp, line);
    fflush(log->file);
}

void ef_log(struct ef_log *log, enum ef_log_level level, const char *format, ...)
{
    if (!log || level > log->level)
        return;
    char raw[LINE_MAX_BYTES];
    char line[LINE_MAX_BYTES * 2];
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof(raw), format, args);
    va_end(args);
    ef_text_escape(line, sizeof(line), raw);

    pthread_mutex_lock(&log->lock);
    if (log->to_stderr)
        fprintf(stderr, "%s%s: %s\n%s", log->shown[0] ? CLEAR_LINE : "", log->name, line,
                log->shown);
    if (log->file)
        write_to_file(log, line);
    if (log->to_syslog)
        syslog(syslog_priority(level), "%s", line);
    pthread_mutex_unlock(&log->lock);
}

void ef_log_show(struct ef_log *log, const char *text)
{
    char line[EF_LOG_SHOWN_MAX];
    ef_text_escape(line, sizeof(line), text);
    pthread_mutex_lock(&log->lock);
    if (log->to_stderr && strcmp(line, log->shown) != 0) {
        fprintf(stderr, "%s%s", CLEAR_LINE, line);
        memcpy(log->shown, line, sizeof(line));
    }
    pthread_mutex_unlock(&log->lock);
}
