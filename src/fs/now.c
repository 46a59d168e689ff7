/* What is going on: who reads or writes, or what the chip does for so long that others wait. */
#include "espflashfs/node.h"

#include "espflashfs/clock.h"

#include <stdio.h>

/* A flush erases no more than that at a time: then what is written is told. */
enum { LONG_LEN = 1024 * 1024, MS_PER_S = 1000 };

static enum ef_task_kind task_of(enum ef_job_kind kind)
{
    switch (kind) {
    case EF_JOB_READ:
    case EF_JOB_STREAM:
        return EF_TASK_READ;
    case EF_JOB_WRITE:
        return EF_TASK_WRITE;
    case EF_JOB_ERASE:
        return EF_TASK_ERASE;
    case EF_JOB_DIGEST:
    case EF_JOB_DIGESTS:
        break;
    }
    return EF_TASK_DIGEST;
}

static struct ef_progress_now of_job(const struct ef_worker_activity *activity)
{
    int64_t elapsed_ms = ef_clock_now_ms() - activity->begun_ms;
    struct ef_progress_now now =
        ef_progress_estimate(task_of(activity->kind), elapsed_ms, activity->expected_ms);
    snprintf(now.name, sizeof(now.name), "%u bytes at 0x%x", (unsigned)activity->len,
             (unsigned)activity->addr);
    return now;
}

/* Whatever is under way stands still. */
static struct ef_progress_now of_absence(const struct ef_presence_now *presence)
{
    struct ef_progress_now now = {
        .busy = true, .kind = EF_TASK_AWAIT, .name = "the board", .percent = -1, .left_s = -1};
    if (presence->state == EF_AWAITED)
        now.left_s = (ef_deadline_left_ms(presence->until) + MS_PER_S - 1) / MS_PER_S;
    return now;
}

struct ef_progress_now ef_mount_now(struct ef_mount *m)
{
    struct ef_worker_activity activity = {0};
    struct ef_presence_now presence = {.state = EF_PRESENT};
    uint64_t unwritten = 0;
    if (m->presence)
        presence = ef_presence_look(m->presence);
    if (presence.state != EF_PRESENT)
        return of_absence(&presence);
    if (m->worker)
        activity = ef_worker_activity(m->worker);
    if (m->cache)
        unwritten = (uint64_t)ef_cache_state(m->cache).dirty_sectors * EF_SECTOR;
    if (activity.busy && activity.expected_ms > 0 && activity.len > LONG_LEN)
        return of_job(&activity);
    struct ef_progress_now now = ef_progress_look(&m->progress, unwritten, ef_clock_now_ms());
    return now.busy || !activity.busy ? now : of_job(&activity);
}
