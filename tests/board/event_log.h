/*
 * The board's log: connections, changes of loader, injected faults, and a line beginning
 * `REJECT` for each thing that the board refused. Plain lines, no stamps, so that a test
 * can grep for them. One thread.
 */
#ifndef EB_EVENT_LOG_H
#define EB_EVENT_LOG_H

#include <stdarg.h>
#include <stdio.h>

struct eb_event_log {
    FILE *file; /* owned unless it is stderr; NULL: nothing is written */
};

/* `path` is appended to; NULL means standard error. 0, or -1 with errno set. */
int eb_event_log_open(struct eb_event_log *log, const char *path);
void eb_event_log_close(struct eb_event_log *log);

void eb_event(struct eb_event_log *log, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void eb_event_v(struct eb_event_log *log, const char *prefix, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

#endif
