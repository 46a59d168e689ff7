#include "callers.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PATH_CAP = 64,
    LINE_CAP = 512,
    FLAGS_FIELD = 9,       /* proc_pid_stat(5) counts from 1 ... */
    FIRST_BEHIND_NAME = 3, /* ... and the second one, the name, may have spaces in it */
    EXITING = 0x4,         /* PF_EXITING, linux/sched.h */
    SIGNAL_MASK = 0x7F     /* of an exit code: the signal that killed, wait(2) */
};

struct signals {
    uint64_t pending, blocked, ignored;
};

static uint64_t bit(int number)
{
    return UINT64_C(1) << (number - 1);
}

static FILE *open_proc(pid_t caller, const char *name)
{
    char path[PATH_CAP];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)caller, name);
    return caller > 0 ? fopen(path, "re") : NULL;
}

static uint64_t set_of(const char *line, const char *name)
{
    size_t len = strlen(name);
    return strncmp(line, name, len) == 0 ? strtoull(line + len, NULL, 16) : 0;
}

static struct signals signals_of(pid_t caller)
{
    char line[LINE_CAP];
    struct signals s = {0};
    FILE *status = open_proc(caller, "status");
    while (status && fgets(line, sizeof(line), status)) {
        s.pending |= set_of(line, "SigPnd:") | set_of(line, "ShdPnd:");
        s.blocked |= set_of(line, "SigBlk:");
        s.ignored |= set_of(line, "SigIgn:");
    }
    if (status)
        fclose(status);
    return s;
}

/*
 * A process that a signal has killed closes its files by the way, when the signal is not pending
 * any more. One that ends by itself still means its close. Of another user's the kernel tells no
 * exit code, but 0.
 */
static bool was_killed(pid_t caller)
{
    char line[2 * LINE_CAP] = "";
    FILE *stat = open_proc(caller, "stat");
    if (!stat)
        return false;
    size_t len = fread(line, 1, sizeof(line) - 1, stat);
    fclose(stat);
    line[len] = '\0';
    const char *field = strrchr(line, ')');
    const char *last = strrchr(line, ' ');
    for (int i = FIRST_BEHIND_NAME - 1; field && i < FLAGS_FIELD; i++)
        field = strchr(field + 1, ' ');
    return field && last && (strtoul(field, NULL, 10) & EXITING) != 0 &&
           (strtol(last, NULL, 10) & SIGNAL_MASK) != 0;
}

/* A signal that kills is pending as SIGKILL's bit, whatever it was. */
bool caller_is_dying(pid_t caller)
{
    return (signals_of(caller).pending & bit(SIGKILL)) != 0 || was_killed(caller);
}

bool caller_leaves(pid_t caller)
{
    const uint64_t leave = bit(SIGKILL) | bit(SIGHUP) | bit(SIGINT) | bit(SIGQUIT) | bit(SIGTERM);
    if (caller <= 0)
        return false;
    if (kill(caller, 0) < 0 && errno == ESRCH)
        return true;
    struct signals s = signals_of(caller);
    return (s.pending & leave & ~s.blocked & ~s.ignored) != 0 || was_killed(caller);
}
