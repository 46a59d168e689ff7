#include "programs.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_S = 60, STEP_MS = 5, ARGS_MAX = 24 };

static void path_in(struct programs *p, char path[PROGRAMS_PATH], const char *name)
{
    snprintf(path, PROGRAMS_PATH, "%s/%s", p->folder, name);
}

static int make_flash(struct programs *p)
{
    uint8_t *bytes = malloc(p->plan->size);
    FILE *file = fopen(p->flash, "wb");
    if (!bytes || !file)
        abort();
    plan_contents(p->plan, bytes);
    size_t n = fwrite(bytes, 1, p->plan->size, file);
    free(bytes);
    return fclose(file) == 0 && n == p->plan->size ? 0 : -1;
}

int programs_init(struct programs *p, const struct plan *plan, const char *folder)
{
    const char *slow = getenv("EF_SLOW");
    *p =
        (struct programs){.plan = plan, .build = getenv("EF_BUILD"), .slow = slow ? atoi(slow) : 1};
    if (!p->build) {
        fputs("EF_BUILD does not name the build tree\n", stderr);
        return -1;
    }
    snprintf(p->folder, sizeof(p->folder), "%s", folder);
    char said[PROGRAMS_PATH];
    path_in(p, said, "said");
    p->said = open(said, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR);
    path_in(p, p->flash, "flash.bin");
    path_in(p, p->mountpoint, "board");
    path_in(p, p->log, "driver.log");
    char state[PROGRAMS_PATH];
    path_in(p, state, "state");
    setenv("XDG_STATE_HOME", state, 1);
    char images[PROGRAMS_PATH];
    path_in(p, images, "images");
    bool made = mkdir(p->mountpoint, S_IRWXU) == 0 && mkdir(images, S_IRWXU) == 0;
    return made ? make_flash(p) : -1;
}

/* Runs a program, one of the tree where it is ours, with what it says going to `out`. */
static pid_t start(const struct programs *p, char *const *args, int out, int err)
{
    char program[PROGRAMS_PATH];
    snprintf(program, sizeof(program), "%s/%s", p->build, args[0]);
    bool ours = strncmp(args[0], "esp", 3) == 0;
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    execvp(ours ? program : args[0], args);
    _exit(127);
}

static void nap(void)
{
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    nanosleep(&step, NULL);
}

/* The status of a child that ends in time; -1 else, and it is killed. */
static int await(const struct programs *p, pid_t pid)
{
    int status;
    for (int ms = 0; ms < WAIT_S * p->slow * 1000; ms += STEP_MS) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        nap();
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return -1;
}

/* The port in `listening on 127.0.0.1:PORT`. */
static int read_port(const struct programs *p, int fd)
{
    char text[128] = "";
    size_t len = 0;
    while (len + 1 < sizeof(text) && !strchr(text, '\n')) {
        struct pollfd in = {.fd = fd, .events = POLLIN};
        if (poll(&in, 1, WAIT_S * p->slow * 1000) <= 0)
            break;
        ssize_t n = read(fd, text + len, sizeof(text) - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
        text[len] = '\0';
    }
    const char *colon = strrchr(text, ':');
    return colon ? (int)strtol(colon + 1, NULL, 10) : -1;
}

int programs_start_board(struct programs *p)
{
    char size[32];
    char log[PROGRAMS_PATH];
    int out[2];
    snprintf(size, sizeof(size), "%u", p->plan->size);
    path_in(p, log, "board.log");
    char *args[] = {"espboard", "--chip",   (char *)p->plan->chip,
                    "--flash",  p->flash,   "--size",
                    size,       "--listen", "socket:0",
                    "--log",    log,        "--line-rate",
                    "none",     NULL};
    if (pipe2(out, O_CLOEXEC) < 0)
        return -1;
    p->board = start(p, args, out[1], p->said);
    close(out[1]);
    p->board_port = read_port(p, out[0]);
    close(out[0]);
    if (p->board_port > 0)
        return 0;
    fputs("the simulated board did not start\n", stderr);
    return -1;
}

static bool is_mounted(const struct programs *p)
{
    char line[1024];
    bool found = false;
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    while (mounts && !found && fgets(line, sizeof(line), mounts))
        found = strstr(line, p->mountpoint) != NULL;
    if (mounts)
        fclose(mounts);
    return found;
}

int programs_mount(struct programs *p, int port)
{
    char options[2 * PROGRAMS_PATH];
    char name[64];
    int status;
    snprintf(options, sizeof(options), "%scache=%s%s,cache_size=%u,stub=%s,log=%s",
             p->plan->keeps_journal && !p->no_journal ? "" : "journal=none,",
             p->plan->keeps_image ? p->folder : "none", p->plan->keeps_image ? "/images" : "",
             p->plan->cache_size, p->plan->stub ? "auto" : "rom", p->log);
    snprintf(name, sizeof(name), "socket://127.0.0.1:%d", port);
    char *args[] = {"espflashfs", "-f", "-o", options, name, p->mountpoint, NULL};
    p->driver = start(p, args, p->said, p->said);
    for (int ms = 0; ms < WAIT_S * p->slow * 1000; ms += STEP_MS) {
        if (is_mounted(p))
            return 0;
        if (waitpid(p->driver, &status, WNOHANG) == p->driver) {
            p->driver = 0;
            break;
        }
        nap();
    }
    fputs("the board was not mounted\n", stderr);
    return -1;
}

static int fusermount(struct programs *p, char *how)
{
    char *args[] = {"fusermount3", how, p->mountpoint, NULL};
    pid_t pid = start(p, args, p->said, p->said);
    return await(p, pid);
}

int programs_unmount(struct programs *p)
{
    if (fusermount(p, "-u") != 0)
        return -1;
    int status = await(p, p->driver);
    p->driver = 0;
    return status;
}

void programs_kill_driver(struct programs *p)
{
    if (p->driver > 0) {
        kill(p->driver, SIGKILL);
        await(p, p->driver);
    }
    p->driver = 0;
    if (is_mounted(p))
        fusermount(p, "-uz");
}

/* All that the programs said, and whether a sanitizer did. */
static bool has_report(const struct programs *p)
{
    char line[1024];
    char path[PROGRAMS_PATH];
    bool found = false;
    snprintf(path, sizeof(path), "%s/said", p->folder);
    FILE *said = fopen(path, "re");
    while (said && fgets(line, sizeof(line), said)) {
        found = found || strstr(line, "Sanitizer") || strstr(line, "runtime error:");
        if (found)
            fputs(line, stderr);
    }
    if (said)
        fclose(said);
    return found;
}

void programs_free(struct programs *p)
{
    programs_kill_driver(p);
    if (p->board > 0) {
        kill(p->board, SIGTERM);
        await(p, p->board);
    }
    bool bad = has_report(p);
    close(p->said);
    if (bad)
        abort();
}

uint64_t programs_count_strays(const struct programs *p)
{
    char line[1024];
    uint64_t count = 0;
    FILE *log = fopen(p->log, "re");
    while (log && fgets(line, sizeof(line), log))
        count += strstr(line, "damaged command may have") != NULL;
    if (log)
        fclose(log);
    return count;
}
