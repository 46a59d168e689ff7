#include "bar.h"

#include "espflashfs/thread.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    EVERY_MS = 250,
    NS_PER_MS = 1000000,
    NS_PER_S = 1000000000,
    COLUMNS = 80, /* where the terminal does not tell */
    BAR_MIN = 10, /* characters between the brackets: fewer show little */
    BAR_MAX = 40,
    BRACKETS = 3 /* two, and a blank */
};

static size_t draw_bar(const struct ef_progress_now *now, size_t len, char *out)
{
    size_t full = len * (size_t)now->percent / 100;
    out[0] = '[';
    memset(out + 1, '#', full);
    memset(out + 1 + full, '.', len - full);
    memcpy(out + 1 + len, "] ", 3);
    return len + BRACKETS;
}

void ef_bar_draw(const struct ef_progress_now *now, unsigned columns, char out[EF_BAR_MAX])
{
    char text[EF_PROGRESS_TEXT_MAX];
    size_t n = 0;
    out[0] = '\0';
    if (!now->busy || columns == 0)
        return;
    ef_progress_text(now, text);
    size_t room = columns - 1 < EF_BAR_MAX - 1 ? columns - 1 : EF_BAR_MAX - 1;
    size_t used = strlen(text) + BRACKETS;
    if (now->percent >= 0 && now->percent <= 100 && room >= used + BAR_MIN)
        n = draw_bar(now, room - used < BAR_MAX ? room - used : BAR_MAX, out);
    snprintf(out + n, room - n + 1, "%s", text);
}

/* A job in the background of a shell leaves the terminal to whom it is. */
static bool has_terminal(void)
{
    return tcgetpgrp(STDERR_FILENO) == getpgrp();
}

static unsigned columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return COLUMNS;
    return size.ws_col;
}

static void show(struct ef_bar *bar)
{
    char line[EF_BAR_MAX] = "";
    struct ef_progress_now now = ef_mount_now(bar->mount);
    if (has_terminal())
        ef_bar_draw(&now, columns(), line);
    ef_log_show(bar->mount->log, line);
}

static struct timespec next_look(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += EVERY_MS * NS_PER_MS;
    if (at.tv_nsec >= NS_PER_S) {
        at.tv_sec++;
        at.tv_nsec -= NS_PER_S;
    }
    return at;
}

static void *bar_main(void *arg)
{
    struct ef_bar *bar = arg;
    pthread_mutex_lock(&bar->lock);
    while (!bar->stopping) {
        struct timespec at = next_look();
        pthread_cond_timedwait(&bar->woken, &bar->lock, &at);
        pthread_mutex_unlock(&bar->lock);
        show(bar);
        pthread_mutex_lock(&bar->lock);
    }
    pthread_mutex_unlock(&bar->lock);
    return NULL;
}

static bool can_draw(const struct ef_log *log)
{
    const char *term = getenv("TERM");
    return log->to_stderr && log->level < EF_LOG_DEBUG && isatty(STDERR_FILENO) == 1 && term &&
           term[0] != '\0' && strcmp(term, "dumb") != 0;
}

void ef_bar_start(struct ef_bar *bar, struct ef_mount *mount)
{
    *bar = (struct ef_bar){.mount = mount};
    if (!can_draw(mount->log))
        return;
    pthread_mutex_init(&bar->lock, NULL);
    ef_cond_init(&bar->woken);
    bar->running = ef_thread_start(&bar->thread, bar_main, bar) == 0;
}

void ef_bar_stop(struct ef_bar *bar)
{
    if (!bar->running)
        return;
    pthread_mutex_lock(&bar->lock);
    bar->stopping = true;
    pthread_cond_signal(&bar->woken);
    pthread_mutex_unlock(&bar->lock);
    pthread_join(bar->thread, NULL);
    pthread_cond_destroy(&bar->woken);
    pthread_mutex_destroy(&bar->lock);
    bar->running = false;
    ef_log_show(bar->mount->log, "");
}
