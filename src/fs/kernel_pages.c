#include "kernel_pages.h"

enum { NS_PER_S = 1000000000 };

/* Under the lock. */
static void fall_behind(struct ef_kernel_pages *pages)
{
    pages->behind = true;
    pages->falls++;
}

void kernel_pages_behind(struct ef_node *node)
{
    pthread_mutex_lock(&node->mount->lock);
    fall_behind(&node->pages);
    pthread_mutex_unlock(&node->mount->lock);
}

void kernel_pages_call_begins(struct ef_node *node)
{
    pthread_mutex_lock(&node->mount->lock);
    node->pages.calls++;
    pthread_mutex_unlock(&node->mount->lock);
}

void kernel_pages_call_ends(struct ef_node *node, int64_t now_ms)
{
    pthread_mutex_lock(&node->mount->lock);
    node->pages.calls--;
    node->pages.busy_ms = now_ms;
    pthread_mutex_unlock(&node->mount->lock);
}

void kernel_pages_written(struct ef_node *node, int64_t since_ms)
{
    pthread_mutex_lock(&node->mount->lock);
    if (node->pages.dropped_ms != 0 && node->pages.dropped_ms >= since_ms - KERNEL_PAGES_LATE_MS)
        fall_behind(&node->pages);
    pthread_mutex_unlock(&node->mount->lock);
}

void kernel_pages_closed(struct ef_node *node)
{
    pthread_mutex_lock(&node->mount->lock);
    node->pages.busy_ms = 0;
    pthread_mutex_unlock(&node->mount->lock);
}

static struct timespec later(struct timespec t, long ns)
{
    t.tv_nsec += ns;
    if (t.tv_nsec >= NS_PER_S) {
        t.tv_nsec -= NS_PER_S;
        t.tv_sec++;
    }
    return t;
}

bool kernel_pages_are_behind(struct ef_node *node, const struct ef_cache_state *state,
                             uint64_t *falls)
{
    struct ef_kernel_pages *pages = &node->pages;
    pthread_mutex_lock(&node->mount->lock);
    if (pages->asked && pages->others != state->others)
        fall_behind(pages);
    pages->others = state->others;
    pages->asked = true;
    bool behind = pages->behind;
    *falls = pages->falls;
    pthread_mutex_unlock(&node->mount->lock);
    return behind;
}

void kernel_pages_dropped(struct ef_node *node, uint64_t falls, int64_t now_ms)
{
    pthread_mutex_lock(&node->mount->lock);
    node->pages.dropped_ms = now_ms;
    if (node->pages.falls == falls)
        node->pages.behind = false;
    pthread_mutex_unlock(&node->mount->lock);
}

struct timespec kernel_pages_mtime(struct ef_node *node, struct timespec changed, int64_t now_ms)
{
    struct ef_kernel_pages *pages = &node->pages;
    pthread_mutex_lock(&node->mount->lock);
    bool quiet = pages->calls == 0 && now_ms - pages->busy_ms >= KERNEL_PAGES_QUIET_MS;
    if (pages->behind)
        pages->turn_ns = (pages->turn_ns + 1) % NS_PER_S;
    struct timespec mtime = pages->mtime;
    if (pages->behind || quiet || mtime.tv_sec == 0)
        mtime = later(changed, pages->turn_ns);
    if (mtime.tv_sec != pages->mtime.tv_sec || mtime.tv_nsec != pages->mtime.tv_nsec)
        pages->dropped_ms = now_ms;
    pages->mtime = mtime;
    pthread_mutex_unlock(&node->mount->lock);
    return mtime;
}
