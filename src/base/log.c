#include "espflashfs/log.h"

#include "espflashfs/text.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024 };

void ef_log_init(struct ef_log *log, const char *name, enum ef_log_level level)
{
    *log = (struct ef_log){.name = name, .level = level, .to_stderr = true};
    pthread_mutex_init(&log->lock, NULL);
}

int ef_log_open_file(struct ef_log *log, const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
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
        fprintf(stderr, "%s: %s\n", log->name, line);
    if (log->file)
        write_to_file(log, line);
    if (log->to_syslog)
        syslog(syslog_priority(level), "%s", line);
    pthread_mutex_unlock(&log->lock);
}
