/*
 * kill_at PID COUNT DELAY_US: kills the process (SIGKILL) so many microseconds after COUNT bytes
 * came in on stdin: espboard --pulse writes one as each flash operation begins. Status 1 if they
 * do not come within a minute.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000, US_PER_S = 1000000, NS_PER_US = 1000 };

/* Reads no more than is counted: what follows is for who comes next. */
static bool wait_for(unsigned long count)
{
    char bytes[256];
    while (count > 0) {
        struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
        if (poll(&in, 1, PATIENCE_MS) != 1)
            return false;
        ssize_t n = read(in.fd, bytes, count < sizeof(bytes) ? count : sizeof(bytes));
        if (n <= 0)
            return false;
        count -= (unsigned long)n;
    }
    return true;
}

static int fail(const char *what)
{
    fprintf(stderr, "kill_at: %s\n", what);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return fail("usage: kill_at PID COUNT DELAY_US");
    pid_t pid = (pid_t)strtol(argv[1], NULL, 10);
    long delay_us = strtol(argv[3], NULL, 10);
    struct timespec delay = {.tv_sec = delay_us / US_PER_S,
                             .tv_nsec = delay_us % US_PER_S * NS_PER_US};
    if (pid <= 1)
        return fail("no such process");
    if (!wait_for(strtoul(argv[2], NULL, 10)))
        return fail("so many flash operations did not come");
    nanosleep(&delay, NULL);
    return kill(pid, SIGKILL) == 0 ? EXIT_SUCCESS : fail(strerror(errno));
}
