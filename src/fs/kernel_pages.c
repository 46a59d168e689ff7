#include "kernel_pages.h"

enum { NS_PER_S = 1000000000 };

void kernel_pages_behind(struct ef_node *node)
{
    pthread_mutex_lock(&node->mount->lock);
    node->pages.behind = true;
    node->pages.told = false;
    pthread_mutex_unlock(&node->mount->lock);
}

void kernel_pages_read_begins(struct ef_node *node)
{
    pthread_mutex_lock(&node->mount->lock);
    node->pages.reads++;
    pthread_mutex_unlock(&node->mount->lock);
}

void kernel_pages_read_ends(struct ef_node *node, int64_t now_ms)
{
    pthread_mutex_lock(&node->mount->lock);
    node->pages.reads--;
    node->pages.busy_ms = now_ms;
    pthread_mutex_unlock(&node->mount->lock);
}

/* Under the lock. */
static bool had_time(const struct ef_kernel_pages *pages, int64_t now_ms)
{
    return pages->told && pages->reads == 0 && now_ms - pages->busy_ms >= KERNEL_PAGES_GO_MS;
}

struct timespec kernel_pages_mtime(struct ef_node *node, struct timespec changed, int64_t now_ms)
{
    struct ef_kernel_pages *pages = &node->pages;
    pthread_mutex_lock(&node->mount->lock);
    pages->behind = pages->behind && !had_time(pages, now_ms);
    if (pages->behind) {
        pages->told = true;
        pages->busy_ms = now_ms;
        pages->turn_ns = (pages->turn_ns + 1) % NS_PER_S;
    }
    changed.tv_nsec += pages->turn_ns;
    pthread_mutex_unlock(&node->mount->lock);
    if (changed.tv_nsec >= NS_PER_S) {
        changed.tv_nsec -= NS_PER_S;
        changed.tv_sec++;
    }
    return changed;
}
