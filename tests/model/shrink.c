/* Of a failing run's operations, as few as still fail: delta debugging, within bounds. */
#include "runs.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { THREADED_TRIES = 4 }; /* what threads do differs from run to run */

struct shrink {
    struct plan *plan;
    struct player_config *config;
    struct report *report, *trial;
    const struct shrink_bounds *bounds;
    struct op *saved;
    unsigned runs;
    time_t began;
};

static time_t now_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec;
}

static bool may_go_on(const struct shrink *s)
{
    return s->runs < s->bounds->runs && now_s() - s->began < (time_t)s->bounds->seconds;
}

/* Does it fail yet? Then what came behind the failure goes as well. */
static bool still_fails(struct shrink *s)
{
    int tries = s->config->in_turn ? 1 : THREADED_TRIES;
    for (int i = 0; i < tries && may_go_on(s); i++) {
        s->runs++;
        if (!runs_is_finding(runs_play(s->plan, s->config, s->trial, true)))
            continue;
        memcpy(s->report, s->trial, sizeof(*s->report));
        if (s->report->reached > 0 && s->report->reached < s->plan->count)
            s->plan->count = s->report->reached;
        return true;
    }
    return false;
}

static size_t real_ops(const struct plan *plan)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->count; i++)
        n += plan->ops[i].kind != OP_JOIN;
    return n;
}

/* A barrier that goes leaves a join: whose bytes are whose may change there. */
static void drop(struct plan *plan, size_t from, size_t n)
{
    size_t kept = from;
    for (size_t i = from; i < plan->count; i++) {
        struct op op = plan->ops[i];
        if (i < from + n && !op_is_barrier(&op))
            continue;
        if (i < from + n)
            op = (struct op){.kind = OP_JOIN};
        bool twice = op.kind == OP_JOIN && kept > 0 && plan->ops[kept - 1].kind == OP_JOIN;
        if (!twice)
            plan->ops[kept++] = op;
    }
    plan->count = kept;
}

/* Tries the plan as `change` leaves it; takes it back where it does not fail then. */
static bool attempt(struct shrink *s, void (*change)(struct plan *plan, size_t from, size_t n),
                    size_t from, size_t n)
{
    size_t count = s->plan->count;
    memcpy(s->saved, s->plan->ops, count * sizeof(*s->saved));
    change(s->plan, from, n);
    bool changed =
        s->plan->count != count || memcmp(s->saved, s->plan->ops, count * sizeof(*s->saved)) != 0;
    if (changed && still_fails(s))
        return true;
    memcpy(s->plan->ops, s->saved, count * sizeof(*s->saved));
    s->plan->count = count;
    return false;
}

static bool drop_chunks(struct shrink *s, size_t chunk)
{
    bool any = false;
    for (size_t end = s->plan->count; end > 0 && may_go_on(s);) {
        size_t from = end > chunk ? end - chunk : 0;
        any = attempt(s, drop, from, end - from) || any;
        end = from < s->plan->count ? from : s->plan->count;
    }
    return any;
}

static void drop_all_chunks(struct shrink *s)
{
    size_t chunk = s->plan->count / 2;
    while (chunk > 0 && may_go_on(s)) {
        bool any = drop_chunks(s, chunk);
        if (!any || chunk > 1)
            chunk /= 2;
    }
}

static void one_thread(struct plan *plan, size_t from, size_t n)
{
    for (size_t i = from; i < from + n; i++)
        plan->ops[i].thread = 0;
}

static void shorten(struct plan *plan, size_t at, size_t n)
{
    struct op *op = &plan->ops[at];
    (void)n;
    if (op->kind <= OP_SCAN || op->kind == OP_REPLACE || op->kind == OP_REPLACE_ALL)
        op->len = op->len > 1 ? op->len / 2 : op->len;
}

static void shorten_all(struct shrink *s)
{
    for (size_t i = 0; i < s->plan->count && may_go_on(s); i++)
        while (may_go_on(s) && i < s->plan->count && attempt(s, shorten, i, 1))
            continue;
}

/* In turn is better to read, where it fails so. */
static void try_in_turn(struct shrink *s)
{
    if (s->config->in_turn)
        return;
    s->config->in_turn = true;
    if (!still_fails(s))
        s->config->in_turn = false;
}

unsigned runs_shrink(struct plan *plan, struct player_config *config, struct report *report,
                     const struct shrink_bounds *bounds)
{
    struct shrink s = {.plan = plan,
                       .config = config,
                       .report = report,
                       .trial = runs_report_new(),
                       .bounds = bounds,
                       .saved = calloc(plan->count + 1, sizeof(*plan->ops)),
                       .began = now_s()};
    if (!s.saved)
        abort();
    if (report->reached > 0 && report->reached < plan->count)
        plan->count = report->reached;
    try_in_turn(&s);
    size_t before;
    do {
        before = real_ops(plan);
        drop_all_chunks(&s);
        try_in_turn(&s);
        if (s.config->in_turn)
            attempt(&s, one_thread, 0, plan->count);
    } while (may_go_on(&s) && real_ops(plan) < before);
    shorten_all(&s);
    free(s.saved);
    return s.runs;
}
