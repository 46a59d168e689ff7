#include "player_private.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void player_fail(struct player *p, const struct op *op, const char *format, ...)
{
    va_list args;
    pthread_mutex_lock(&p->lock);
    if (!p->wrong) {
        char *text = p->report->why;
        size_t cap = sizeof(p->report->why);
        FILE *out = fmemopen(text, cap, "w");
        if (!out)
            abort();
        va_start(args, format);
        vfprintf(out, format, args);
        va_end(args);
        fputs(", at: ", out);
        op_print(op, out);
        fclose(out);
        text[cap - 1] = '\0';
        text[strcspn(text, "\n")] = '\0';
        p->wrong = true;
    }
    pthread_mutex_unlock(&p->lock);
}

bool player_accepts(struct player *p, const struct op *op, long rc)
{
    if (rc >= 0)
        return true;
    p->report->failed++;
    p->errors = true;
    if (!p->plan->limits.faults)
        player_fail(p, op, "it failed: %s", strerror((int)-rc));
    return false;
}

static void step(struct player *p, unsigned thread, size_t i)
{
    p->report->at[thread] = (uint32_t)i + 1;
    player_do(&p->actor[thread], &p->plan->ops[i]);
    p->report->at[thread] = 0;
    p->report->ops++;
}

static void *actor_main(void *arg)
{
    struct actor *a = arg;
    struct player *p = a->player;
    for (size_t i = p->from; i < p->to && !p->wrong; i++)
        if (p->plan->ops[i].thread == a->thread)
            step(p, a->thread, i);
    return NULL;
}

/* The threads' operations [from, to), side by side. */
static void play_phase(struct player *p)
{
    bool any[TRUTH_THREADS] = {false};
    unsigned busy = 0;
    for (size_t i = p->from; i < p->to; i++) {
        unsigned thread = p->plan->ops[i].thread;
        busy += !any[thread];
        any[thread] = true;
    }
    if (p->config->in_turn || busy <= 1) {
        for (size_t i = p->from; i < p->to && !p->wrong; i++)
            step(p, p->plan->ops[i].thread, i);
        return;
    }
    for (unsigned t = 0; t < p->plan->threads; t++)
        if (any[t] && pthread_create(&p->actor[t].id, NULL, actor_main, &p->actor[t]) != 0)
            abort();
    for (unsigned t = 0; t < p->plan->threads; t++)
        if (any[t])
            pthread_join(p->actor[t].id, NULL);
}

static void play(struct player *p)
{
    const struct plan *plan = p->plan;
    for (p->from = 0; p->from < plan->count && !p->wrong; p->from = p->to + 1) {
        p->to = p->from;
        while (p->to < plan->count && !op_is_barrier(&plan->ops[p->to]))
            p->to++;
        p->report->reached = (uint32_t)(p->to < plan->count ? p->to + 1 : p->to);
        play_phase(p);
        if (p->wrong || p->to == plan->count)
            break;
        p->report->at[0] = (uint32_t)p->to + 1;
        player_barrier(p, &plan->ops[p->to]);
        p->report->at[0] = 0;
        p->report->ops += plan->ops[p->to].kind != OP_JOIN;
    }
    if (!p->wrong)
        player_finish(p);
}

/* Ends the process where nothing goes on any more: the threads that hang cannot be ended. */
static void *watch(void *arg)
{
    struct player *p = arg;
    struct report *r = p->report;
    uint64_t last = UINT64_MAX;
    int quiet_s = 0;
    pthread_mutex_lock(&p->watch_lock);
    while (!r->done && quiet_s < p->config->patience_s) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&p->over, &p->watch_lock, &until);
        uint64_t now = r->ops + r->reads + r->bytes + r->checks;
        quiet_s = now == last ? quiet_s + 1 : 0;
        last = now;
    }
    r->stuck = !r->done;
    pthread_mutex_unlock(&p->watch_lock);
    if (r->stuck)
        _exit(PLAYED_STUCK);
    return NULL;
}

static void start_watch(struct player *p)
{
    pthread_condattr_t attr;
    pthread_mutex_init(&p->watch_lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->over, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&p->watcher, NULL, watch, p) != 0)
        abort();
}

static void end_watch(struct player *p)
{
    pthread_mutex_lock(&p->watch_lock);
    p->report->done = true;
    pthread_cond_signal(&p->over);
    pthread_mutex_unlock(&p->watch_lock);
    pthread_join(p->watcher, NULL);
    pthread_mutex_destroy(&p->watch_lock);
    pthread_cond_destroy(&p->over);
}

static bool set_up(struct player *p)
{
    struct plan contents = *p->plan;
    uint8_t *bytes = malloc(contents.size);
    if (!bytes)
        abort();
    plan_contents(&contents, bytes);
    truth_init(&p->truth, contents.size, bytes);
    free(bytes);
    for (unsigned i = 0; i < p->plan->threads; i++) {
        struct actor *a = &p->actor[i];
        a->player = p;
        a->thread = i;
        a->buf = malloc(PIECE);
        a->data = malloc(BUF_MAX);
        if (!a->buf || !a->data)
            abort();
    }
    p->subject = (p->plan->limits.through_fuse ? subject_mount_new : subject_inside_new)(
        p->plan, p->config->breakage, p->config->folder);
    return p->subject != NULL;
}

static void tear_down(struct player *p)
{
    for (unsigned i = 0; i < p->plan->threads; i++) {
        struct actor *a = &p->actor[i];
        if (a->handle)
            p->subject->ops->close(p->subject, a->handle);
        free(a->buf);
        free(a->data);
    }
    if (p->subject)
        p->subject->ops->free(p->subject, &p->report->sums);
    truth_free(&p->truth);
    pthread_mutex_destroy(&p->lock);
}

int player_run(const struct plan *plan, const struct player_config *config, struct report *report)
{
    struct player *p = calloc(1, sizeof(*p));
    if (!p)
        abort();
    p->plan = plan;
    p->config = config;
    p->report = report;
    pthread_mutex_init(&p->lock, NULL);
    start_watch(p);
    bool mounted = set_up(p);
    if (mounted)
        play(p);
    bool wrong = p->wrong;
    tear_down(p);
    end_watch(p);
    free(p);
    if (!mounted)
        return PLAYED_NOWHERE;
    return wrong ? PLAYED_WRONG : PLAYED_RIGHT;
}
