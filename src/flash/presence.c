#include "espflashfs/presence.h"

void ef_presence_init(struct ef_presence *p)
{
    *p = (struct ef_presence){.now = {.state = EF_PRESENT}};
    pthread_mutex_init(&p->lock, NULL);
}

void ef_presence_free(struct ef_presence *p)
{
    pthread_mutex_destroy(&p->lock);
}

void ef_presence_say(struct ef_presence *p, struct ef_presence_now now)
{
    pthread_mutex_lock(&p->lock);
    p->now = now;
    pthread_mutex_unlock(&p->lock);
}

struct ef_presence_now ef_presence_look(struct ef_presence *p)
{
    pthread_mutex_lock(&p->lock);
    struct ef_presence_now now = p->now;
    pthread_mutex_unlock(&p->lock);
    return now;
}
