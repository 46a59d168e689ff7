#include "watched.h"

#include "kernel_pages.h"

#include "espflashfs/clock.h"

static bool is_watched(const struct open_file *file)
{
    return file->node->mount->cache && file->node->len > 0;
}

static void enter(struct open_file *file, enum ef_task_kind kind, uint64_t off)
{
    if (is_watched(file))
        ef_task_enter(&file->node->mount->progress, &file->task, kind, file->node->name, off,
                      file->node->len, ef_clock_now_ms());
}

static void wait(struct open_file *file)
{
    if (is_watched(file))
        ef_task_wait(&file->node->mount->progress, &file->task, ef_clock_now_ms());
}

static void leave(struct open_file *file, uint64_t upto)
{
    struct ef_mount *m = file->node->mount;
    if (!is_watched(file))
        return;
    uint64_t unwritten = (uint64_t)ef_cache_state(m->cache).dirty_sectors * EF_SECTOR;
    ef_task_leave(&m->progress, &file->task, upto, unwritten, ef_clock_now_ms());
}

ssize_t watched_read(struct open_file *file, uint8_t *buf, size_t len, uint64_t off,
                     struct ef_patience patience)
{
    enter(file, EF_TASK_READ, off);
    kernel_pages_call_begins(file->node);
    ssize_t n = file->node->ops->read(file->node, file->handle, buf, len, off, patience);
    kernel_pages_call_ends(file->node, ef_clock_now_ms());
    leave(file, n > 0 ? off + (uint64_t)n : 0);
    return n;
}

ssize_t watched_write(struct open_file *file, const uint8_t *buf, size_t len, uint64_t off,
                      struct ef_patience patience)
{
    enter(file, EF_TASK_WRITE, off);
    kernel_pages_call_begins(file->node);
    int64_t since_ms = ef_clock_now_ms();
    ssize_t n = file->node->ops->write(file->node, file->handle, buf, len, off, patience);
    kernel_pages_written(file->node, since_ms);
    kernel_pages_call_ends(file->node, ef_clock_now_ms());
    leave(file, n > 0 ? off + (uint64_t)n : 0);
    return n;
}

int watched_flush(struct open_file *file, struct ef_patience patience)
{
    wait(file);
    int rc = file->node->ops->flush(file->node, file->handle, patience);
    kernel_pages_closed(file->node);
    leave(file, 0);
    return rc;
}

int watched_fsync(struct open_file *file, struct ef_patience patience)
{
    wait(file);
    int rc = file->node->ops->fsync(file->node, file->handle, patience);
    leave(file, 0);
    return rc;
}
