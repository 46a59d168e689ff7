#include "front_notices.h"

#include "espflashfs/clock.h"
#include "espflashfs/thread.h"

#include <fuse_lowlevel.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 20, NS_PER_MS = 1000000, MS_PER_S = 1000 };

void front_notices_init(struct front_notices *n)
{
    memset(n, 0, sizeof(*n));
    pthread_mutex_init(&n->lock, NULL);
    ef_cond_init(&n->changed);
}

static void *give_notices(void *arg)
{
    struct front_notices *n = arg;
    char path[NOTICE_PATH_MAX];
    pthread_mutex_lock(&n->lock);
    for (;;) {
        while (n->waiting == 0 && !n->ends)
            pthread_cond_wait(&n->changed, &n->lock);
        if (n->waiting == 0)
            break;
        memcpy(path, n->path[0], sizeof(path));
        n->waiting--;
        memmove(n->path[0], n->path[1], n->waiting * sizeof(n->path[0]));
        pthread_mutex_unlock(&n->lock);
        fuse_invalidate_path(n->fuse, path);
        pthread_mutex_lock(&n->lock);
        n->done++;
        pthread_cond_broadcast(&n->changed);
    }
    n->runs = false;
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
    return NULL;
}

int front_notices_start(struct front_notices *n, struct fuse *fuse)
{
    n->fuse = fuse;
    n->runs = ef_thread_start(&n->thread, give_notices, n) == 0;
    return n->runs ? 0 : -1;
}

/* Under the lock: the count of `done` at which `path` will have been given, or UINT64_MAX. */
static uint64_t queue(struct front_notices *n, const char *path)
{
    for (unsigned i = 0; i < n->waiting; i++)
        if (strcmp(n->path[i], path) == 0)
            return n->given - n->waiting + i + 1;
    if (n->waiting == NOTICES_MAX)
        return UINT64_MAX;
    snprintf(n->path[n->waiting], sizeof(n->path[0]), "%s", path);
    n->waiting++;
    n->given++;
    pthread_cond_broadcast(&n->changed);
    return n->given;
}

bool front_notices_send(struct front_notices *n, const char *path)
{
    int64_t until_ms = ef_clock_now_ms() + NOTICE_WAIT_MS;
    struct timespec until = {.tv_sec = until_ms / MS_PER_S,
                             .tv_nsec = until_ms % MS_PER_S * NS_PER_MS};
    int rc = 0;
    pthread_mutex_lock(&n->lock);
    uint64_t ticket = n->runs && !n->ends ? queue(n, path) : UINT64_MAX;
    while (n->done < ticket && ticket != UINT64_MAX && rc == 0)
        rc = pthread_cond_timedwait(&n->changed, &n->lock, &until);
    bool done = n->done >= ticket;
    pthread_mutex_unlock(&n->lock);
    return done;
}

/* One request, if there is one: it fails soon, as the session is over. */
static void serve_one(struct fuse_session *session, struct fuse_buf *buf)
{
    struct pollfd fd = {.fd = fuse_session_fd(session), .events = POLLIN};
    if (poll(&fd, 1, LOOK_MS) != 1)
        return;
    if ((fd.revents & POLLIN) == 0)
        ef_clock_sleep_ms(LOOK_MS);
    else if (fuse_session_receive_buf(session, buf) > 0)
        fuse_session_process_buf(session, buf);
}

void front_notices_end(struct front_notices *n)
{
    struct fuse_buf buf = {.mem = NULL};
    pthread_mutex_lock(&n->lock);
    bool started = n->fuse != NULL && n->runs;
    n->ends = true;
    pthread_cond_broadcast(&n->changed);
    while (n->runs) {
        pthread_mutex_unlock(&n->lock);
        serve_one(fuse_get_session(n->fuse), &buf);
        pthread_mutex_lock(&n->lock);
    }
    pthread_mutex_unlock(&n->lock);
    if (started)
        pthread_join(n->thread, NULL);
    free(buf.mem);
}
