/* status.txt: what is going on, as fixed `Key: value` lines. Never asks the line. */
#include "text_handle.h"

#include "espflashfs/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MS_PER_S = 1000 };

static const char *kind_text(enum ef_job_kind kind)
{
    switch (kind) {
    case EF_JOB_READ:
    case EF_JOB_STREAM:
        return "reading";
    case EF_JOB_WRITE:
        return "writing";
    case EF_JOB_ERASE:
        return "erasing";
    case EF_JOB_DIGEST:
    case EF_JOB_DIGESTS:
        break;
    }
    return "comparing";
}

static void print_absent(FILE *out, const struct ef_presence_now *now)
{
    const char *other = now->foreign ? "; another board answers" : "";
    int left_ms = ef_deadline_left_ms(now->until);
    if (now->state == EF_AWAITED)
        fprintf(out, "State: waiting for the board to come back, %d s left%s\n",
                (left_ms + MS_PER_S - 1) / MS_PER_S, other);
    else
        fprintf(out, "State: the board is gone%s\n", other);
}

static void print_present(FILE *out, const struct ef_worker_activity *activity)
{
    if (activity->busy)
        fprintf(out, "State: %s %u bytes at 0x%x\n", kind_text(activity->kind),
                (unsigned)activity->len, (unsigned)activity->addr);
    else
        fprintf(out, "State: idle\n");
}

static void print_now(FILE *out, struct ef_mount *m)
{
    char text[EF_PROGRESS_TEXT_MAX];
    struct ef_progress_now now = ef_mount_now(m);
    ef_progress_text(&now, text);
    fprintf(out, "Now: %s\n", text);
}

static void print_error(FILE *out, const struct ef_worker_activity *activity, enum ef_err flush_err)
{
    /* Of the disk that the journal is on, for instance: nothing failed on the line. */
    bool hosts = flush_err == EF_NO_SPACE || flush_err == EF_READ_ONLY || flush_err == EF_ACCESS ||
                 flush_err == EF_BUSY || flush_err == EF_NOMEM || flush_err == EF_GUARDED;
    if (hosts)
        fprintf(out, "Last error: not written: %s\n", ef_err_text(flush_err));
    else if (activity->failed.err == EF_OK)
        fprintf(out, "Last error: none\n");
    else
        fprintf(out, "Last error: %s at 0x%x: %s\n", kind_text(activity->failed.kind),
                (unsigned)activity->failed.addr, ef_err_text(activity->failed.err));
}

static void print_partitions(FILE *out, struct ef_mount *m)
{
    char state[EF_PARTS_STATE_MAX];
    if (!m->parts)
        return;
    ef_parts_refresh(m);
    ef_parts_state_text(m, state);
    fprintf(out, "Partitions: %s\n", state);
}

static char *status_text(struct ef_mount *m)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    struct ef_presence_now now = {.state = EF_PRESENT};
    struct ef_worker_activity activity = {0};
    struct ef_cache_state cache = {0};
    if (m->presence)
        now = ef_presence_look(m->presence);
    if (m->worker)
        activity = ef_worker_activity(m->worker);
    if (m->cache)
        cache = ef_cache_state(m->cache);
    if (now.state == EF_PRESENT)
        print_present(out, &activity);
    else
        print_absent(out, &now);
    print_now(out, m);
    fprintf(out, "Dirty sectors: %u\nReconnections: %u\nSlowdowns: %llu\n",
            (unsigned)cache.dirty_sectors, now.reconnections,
            (unsigned long long)activity.slowdowns);
    print_error(out, &activity, cache.flush_err);
    print_partitions(out, m);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static uint64_t status_size(struct ef_node *node)
{
    char *text = status_text(node->mount);
    uint64_t size = text ? strlen(text) : 0;
    free(text);
    return size;
}

static int status_open(struct ef_node *node, int flags, void **handle)
{
    if ((flags & O_ACCMODE) != O_RDONLY)
        return -EACCES;
    return ef_text_handle_open(status_text(node->mount), handle);
}

const struct ef_node_ops EF_STATUS_NODE = {.size = status_size,
                                           .open = status_open,
                                           .read = ef_text_handle_read,
                                           .release = ef_text_handle_release};
