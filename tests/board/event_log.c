#include "event_log.h"

#include "espflashfs/text.h"

enum { LINE_CAP = 512 };

int eb_event_log_open(struct eb_event_log *log, const char *path)
{
    log->file = path ? fopen(path, "ae") : stderr;
    return log->file ? 0 : -1;
}

void eb_event_log_close(struct eb_event_log *log)
{
    if (log->file && log->file != stderr)
        fclose(log->file);
    log->file = NULL;
}

void eb_event_v(struct eb_event_log *log, const char *prefix, const char *format, va_list args)
{
    if (!log->file)
        return;
    char raw[LINE_CAP];
    char line[LINE_CAP];
    vsnprintf(raw, sizeof(raw), format, args);
    ef_text_escape(line, sizeof(line), raw);
    fprintf(log->file, "%s%s\n", prefix, line);
    fflush(log->file);
}

void eb_event(struct eb_event_log *log, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    eb_event_v(log, "", format, args);
    va_end(args);
}
