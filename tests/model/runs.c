#include "runs.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CRASHED = 128, FOLDER_CAP = 256 };

struct report *runs_report_new(void)
{
    void *memory = mmap(NULL, sizeof(struct report), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    return memory;
}

static void be_quiet(void)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0)
        dup2(nowhere, STDERR_FILENO);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* What a process that crashed may have left mounted goes as well. */
static void clean_up(const char *folder)
{
    char mountpoint[FOLDER_CAP + 16];
    snprintf(mountpoint, sizeof(mountpoint), "%s/board", folder);
    umount2(mountpoint, MNT_DETACH);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static pid_t start(const struct plan *plan, const struct player_config *config,
                   struct report *report, bool quiet)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        abort();
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (quiet)
        be_quiet();
    exit(player_run(plan, config, report));
}

int runs_play(const struct plan *plan, const struct player_config *config, struct report *report,
              bool quiet)
{
    int status;
    char folder[FOLDER_CAP];
    struct player_config own = *config;
    snprintf(folder, sizeof(folder), "%s/ef-model-XXXXXX", config->folder);
    if (!mkdtemp(folder)) {
        perror(folder);
        return PLAYED_NOWHERE;
    }
    own.folder = folder;
    memset(report, 0, sizeof(*report));
    pid_t pid = start(plan, &own, report, quiet);
    if (waitpid(pid, &status, 0) != pid)
        abort();
    clean_up(folder);
    return WIFEXITED(status) ? WEXITSTATUS(status) : CRASHED + WTERMSIG(status);
}

bool runs_is_finding(int status)
{
    return status != PLAYED_RIGHT && status != PLAYED_NOWHERE;
}

const char *runs_status_text(int status)
{
    switch (status) {
    case PLAYED_RIGHT:
        return "right";
    case PLAYED_WRONG:
        return "WRONG";
    case PLAYED_STUCK:
        return "STUCK: nothing goes on any more";
    case PLAYED_NOWHERE:
        return "nothing could be mounted";
    default:
        return "CRASHED";
    }
}
