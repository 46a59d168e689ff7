/*
 * The log of one mount (or of one simulated board).
 *
 * Lines go to standard error while there is a terminal, to syslog once in the
 * background, and to a file where one was asked for. Each sink gets whole lines.
 * Control characters in the text are escaped, since a device may have sent them.
 * Any thread may log; a call blocks no longer than the sink does.
 */
#ifndef ESPFLASHFS_LOG_H
#define ESPFLASHFS_LOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

enum { EF_LOG_SHOWN_MAX = 512 };

enum ef_log_level { EF_LOG_ERROR, EF_LOG_WARN, EF_LOG_INFO, EF_LOG_DEBUG };

struct ef_log {
    const char *name; /* prefixed to each line */
    enum ef_log_level level;
    FILE *file;     /* NULL, or owned by the log */
    bool to_stderr; /* off once in the background */
    bool to_syslog;
    char shown[EF_LOG_SHOWN_MAX]; /* on standard error, below what is logged there; "": nothing */
    pthread_mutex_t lock;
};

/* `name` must outlive the log. Starts with standard error only. */
void ef_log_init(struct ef_log *log, const char *name, enum ef_log_level level);

/* Also append to `path` (created 0600). 0, or -1 with errno set. */
int ef_log_open_file(struct ef_log *log, const char *path);

/* Standard error off, syslog on. Before other threads start. */
void ef_log_to_background(struct ef_log *log);

void ef_log_free(struct ef_log *log);

/*
 * Shows `text` on standard error below all that is logged there, in place of what was shown before;
 * "" removes it. For a terminal, which knows ESC [ K; cut to EF_LOG_SHOWN_MAX.
 */
void ef_log_show(struct ef_log *log, const char *text);

/* `log` may be NULL: nothing is written. */
void ef_log(struct ef_log *log, enum ef_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
