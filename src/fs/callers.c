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
    KERNEL = 0x200000,     /* PF_KTHREAD */
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

struct state {
    unsigned long flags; /* PF_..., linux/sched.h */
    long exit_code;      /* of another user's the kernel tells 0 */
};

static bool read_state(pid_t caller, struct state *state)
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
    if (!field || !last)
        return false;
    state->flags = strtoul(field, NULL, 10);
    state->exit_code = strtol(last, NULL, 10);
    return true;
}

/*
 * A process that a signal has killed closes its files by the way, when the signal is not pending
 * any more. One that ends by itself still means its close.
 */
static bool was_killed(pid_t caller)
{
    struct state state;
    return read_state(caller, &state) && (state.flags & EXITING) != 0 &&
           (state.exit_code & SIGNAL_MASK) != 0;
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

bool caller_is_program(pid_t caller)
{
    struct state state;
    return read_state(caller, &state) && (state.flags & KERNEL) == 0;
}
