#include "espflashfs/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    MS_PER_S = 1000,
    STEP_MS = MS_PER_S, /* between two steps; a rate is one of this time at least ... */
    LONG_MS = 10000,    /* ... and of not much more than this */
    PAUSE_MS = 3000,    /* who did nothing for longer is not at work */
    NEAR = 512 * 1024,  /* the kernel's own read-ahead comes out of order */
    KIB = 1024,
    NEARLY = 99 /* percent: no more is said before it is so */
};

void ef_progress_init(struct ef_progress *p)
{
    pthread_mutex_init(&p->lock, NULL);
    p->newest = NULL;
}

void ef_progress_free(struct ef_progress *p)
{
    pthread_mutex_destroy(&p->lock);
}

static void list(struct ef_progress *p, struct ef_task *t)
{
    t->next = p->newest;
    t->link = &p->newest;
    if (t->next)
        t->next->link = &t->next;
    p->newest = t;
    t->listed = true;
}

static bool is_idle(const struct ef_task *t, int64_t now_ms)
{
    return t->calls == 0 && now_ms - t->at_ms > PAUSE_MS;
}

static bool goes_on(const struct ef_task *t, enum ef_task_kind kind, uint64_t off, int64_t now_ms)
{
    return t->listed && t->kind == kind && !is_idle(t, now_ms) && off <= t->reached + NEAR &&
           off + NEAR >= t->reached;
}

static void note_step(struct ef_task *t, int64_t now_ms)
{
    if (t->steps > 0 && now_ms - t->step[t->steps - 1].at_ms < STEP_MS)
        return;
    if (t->steps == EF_TASK_STEPS) {
        memmove(t->step, t->step + 1, sizeof(t->step) - sizeof(t->step[0]));
        t->steps--;
    }
    t->step[t->steps].at_ms = now_ms;
    t->step[t->steps].settled = t->settled;
    t->steps++;
}

/* The clock of a task that did nothing for a while starts again where it is. */
static void begin(struct ef_task *t, enum ef_task_kind kind, uint64_t off, int64_t now_ms)
{
    t->kind = kind;
    t->base = t->reached = t->settled = off;
    t->begun_ms = now_ms;
    t->steps = 0;
    note_step(t, now_ms);
}

void ef_task_enter(struct ef_progress *p, struct ef_task *t, enum ef_task_kind kind,
                   const char *name, uint64_t off, uint64_t total, int64_t now_ms)
{
    pthread_mutex_lock(&p->lock);
    if (!goes_on(t, kind, off, now_ms))
        begin(t, kind, off, now_ms);
    if (!t->listed)
        list(p, t);
    snprintf(t->name, sizeof(t->name), "%s", name);
    t->total = total;
    t->calls++;
    t->at_ms = now_ms;
    pthread_mutex_unlock(&p->lock);
}

void ef_task_wait(struct ef_progress *p, struct ef_task *t, int64_t now_ms)
{
    pthread_mutex_lock(&p->lock);
    t->calls++;
    t->at_ms = now_ms;
    pthread_mutex_unlock(&p->lock);
}

/* All that is unwritten may be this one's, and what was written last. */
static void settle(struct ef_task *t, uint64_t unwritten, int64_t now_ms)
{
    uint64_t given = t->reached - t->base;
    uint64_t behind = t->kind != EF_TASK_WRITE ? 0 : unwritten < given ? unwritten : given;
    if (t->reached - behind > t->settled)
        t->settled = t->reached - behind;
    note_step(t, now_ms);
}

void ef_task_leave(struct ef_progress *p, struct ef_task *t, uint64_t upto, uint64_t unwritten,
                   int64_t now_ms)
{
    pthread_mutex_lock(&p->lock);
    t->calls--;
    t->at_ms = now_ms;
    if (upto > t->reached)
        t->reached = upto;
    if (t->listed)
        settle(t, unwritten, now_ms);
    pthread_mutex_unlock(&p->lock);
}

void ef_task_end(struct ef_progress *p, struct ef_task *t)
{
    pthread_mutex_lock(&p->lock);
    if (t->listed) {
        *t->link = t->next;
        if (t->next)
            t->next->link = t->link;
    }
    t->listed = false;
    pthread_mutex_unlock(&p->lock);
}

/* Over the last seconds: the step that is long enough ago, or the first there is. */
static uint64_t rate_of(const struct ef_task *t, int64_t now_ms)
{
    unsigned from = 0;
    while (from + 1 < t->steps && now_ms - t->step[from + 1].at_ms >= LONG_MS)
        from++;
    int64_t elapsed_ms = now_ms - t->step[from].at_ms;
    if (elapsed_ms < STEP_MS)
        return 0;
    return (t->settled - t->step[from].settled) * MS_PER_S / (uint64_t)elapsed_ms;
}

static void look_at(const struct ef_task *t, int64_t now_ms, struct ef_progress_now *now)
{
    now->busy = true;
    now->kind = t->kind;
    snprintf(now->name, sizeof(now->name), "%s", t->name);
    if (t->total > 0)
        now->percent = (int)(t->settled * 100 / t->total);
    if (now->percent > NEARLY && t->settled < t->total)
        now->percent = NEARLY;
    now->rate = rate_of(t, now_ms);
    if (now->rate > 0 && t->total >= t->settled)
        now->left_s = (int64_t)((t->total - t->settled + now->rate - 1) / now->rate);
}

struct ef_progress_now ef_progress_look(struct ef_progress *p, uint64_t unwritten, int64_t now_ms)
{
    struct ef_progress_now now = {.percent = -1, .left_s = -1};
    const struct ef_task *oldest = NULL;
    unsigned count = 0;
    pthread_mutex_lock(&p->lock);
    for (struct ef_task *t = p->newest; t; t = t->next) {
        if (is_idle(t, now_ms))
            continue;
        settle(t, unwritten, now_ms);
        count++;
        if (!oldest || t->begun_ms <= oldest->begun_ms)
            oldest = t;
    }
    if (oldest)
        look_at(oldest, now_ms, &now);
    pthread_mutex_unlock(&p->lock);
    now.others = count > 0 ? count - 1 : 0;
    return now;
}

struct ef_progress_now ef_progress_estimate(enum ef_task_kind kind, int64_t elapsed_ms,
                                            int64_t expected_ms)
{
    struct ef_progress_now now = {
        .busy = true, .kind = kind, .estimated = true, .percent = -1, .left_s = -1};
    if (expected_ms <= 0 || elapsed_ms < 0)
        return now;
    now.percent = elapsed_ms >= expected_ms ? NEARLY : (int)(elapsed_ms * 100 / expected_ms);
    now.percent = now.percent > NEARLY ? NEARLY : now.percent;
    if (elapsed_ms < expected_ms)
        now.left_s = (expected_ms - elapsed_ms + MS_PER_S - 1) / MS_PER_S;
    return now;
}

static const char *verb(enum ef_task_kind kind)
{
    switch (kind) {
    case EF_TASK_READ:
        return "reading";
    case EF_TASK_WRITE:
        return "writing";
    case EF_TASK_ERASE:
        return "erasing";
    case EF_TASK_DIGEST:
        return "computing the MD5 of";
    case EF_TASK_AWAIT:
        break;
    }
    return "waiting for";
}

static int rate_text(uint64_t rate, char *out, size_t cap)
{
    bool mib = rate >= (uint64_t)KIB * KIB;
    double value = (double)rate / (mib ? KIB * KIB : KIB);
    return snprintf(out, cap, ", %.1f %s/s", value, mib ? "MiB" : "KiB");
}

static int left_text(int64_t s, char *out, size_t cap)
{
    if (s < 60)
        return snprintf(out, cap, ", %" PRId64 " s left", s);
    if (s < 3600)
        return snprintf(out, cap, ", %" PRId64 " min %02" PRId64 " s left", s / 60, s % 60);
    return snprintf(out, cap, ", %" PRId64 " h %02" PRId64 " min left", s / 3600, s / 60 % 60);
}

void ef_progress_text(const struct ef_progress_now *now, char out[EF_PROGRESS_TEXT_MAX])
{
    const size_t cap = EF_PROGRESS_TEXT_MAX;
    if (!now->busy) {
        snprintf(out, cap, "idle");
        return;
    }
    /* All of the longest parts fit: none of these is cut. */
    size_t n = (size_t)snprintf(out, cap, "%s %s", verb(now->kind), now->name);
    if (now->percent >= 0)
        n += (size_t)snprintf(out + n, cap - n, ": %s%d %%", now->estimated ? "about " : "",
                              now->percent);
    if (now->rate > 0)
        n += (size_t)rate_text(now->rate, out + n, cap - n);
    if (now->left_s >= 0)
        n += (size_t)left_text(now->left_s, out + n, cap - n);
    if (now->others > 0)
        snprintf(out + n, cap - n, ", and %u more", now->others);
}
