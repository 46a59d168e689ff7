#include "begun.h"
#include "belief.h"
#include "cache_private.h"

#include "espflashfs/bytes.h"
#include "espflashfs/clock.h"
#include "espflashfs/thread.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { WAIT_SLICE_MS = 100, NS_PER_S = 1000000000 };

void ef_sector_set_dirty(struct ef_cache *c, uint32_t s)
{
    struct sector *sector = &c->sector[s];
    if (sector->dirty)
        return;
    ef_scout_forget(c, s);
    sector->dirty = true;
    c->dirty_count++;
    c->complete_count += sector->have;
}

void ef_sector_set_clean(struct ef_cache *c, uint32_t s)
{
    struct sector *sector = &c->sector[s];
    if (!sector->dirty)
        return;
    ef_scout_forget(c, s);
    ef_sector_set_blank(c, s, false);
    sector->dirty = false;
    sector->told = c->telling;
    c->dirty_count--;
    c->complete_count -= sector->have;
}

void ef_sector_set_have(struct ef_cache *c, uint32_t s)
{
    struct sector *sector = &c->sector[s];
    if (sector->have)
        return;
    sector->have = true;
    sector->expected = false;
    c->complete_count += sector->dirty;
    c->evict.held++;
    ef_evict_note_use(c, s);
}

void ef_sector_lose(struct ef_cache *c, uint32_t s)
{
    struct sector *sector = &c->sector[s];
    c->evict.held -= sector->have;
    sector->have = false;
    sector->imaged = false;
    sector->expected = false;
}

void ef_sector_set_blank(struct ef_cache *c, uint32_t s, bool blank)
{
    struct sector *sector = &c->sector[s];
    c->blank_count += blank;
    c->blank_count -= sector->blank;
    sector->blank = blank;
}

/* The kernel drops its pages where the time is another one: also when the clock was set back, to
 * the very time of the last change perhaps, or stands still between two. */
void ef_cache_touch(struct ef_cache *c, bool by_write)
{
    struct timespec last = c->modified;
    c->others += !by_write;
    clock_gettime(CLOCK_REALTIME, &c->modified);
    if (c->modified.tv_sec > last.tv_sec ||
        (c->modified.tv_sec == last.tv_sec && c->modified.tv_nsec > last.tv_nsec))
        return;
    c->modified = last;
    if (++c->modified.tv_nsec == NS_PER_S) {
        c->modified.tv_nsec = 0;
        c->modified.tv_sec++;
    }
}

/*
 * Many wait, and each piece that comes wakes them all; to ask them all each time costs more than
 * the rest. So the slices are those of the clock, however often one is woken within.
 */
enum ef_err ef_cache_wait(struct ef_cache *c, struct ef_patience patience)
{
    int64_t until_ms = (ef_clock_now_ms() / WAIT_SLICE_MS + 1) * WAIT_SLICE_MS;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_cond_timedwait(&c->changed, &c->lock, &until);
    if (!patience.interrupted || ef_clock_now_ms() < until_ms)
        return EF_OK;
    pthread_mutex_unlock(&c->lock);
    bool stop = patience.interrupted(patience.user);
    pthread_mutex_lock(&c->lock);
    return stop ? EF_INTERRUPTED : EF_OK;
}

static enum ef_err allocate(struct ef_cache *c)
{
    c->data = mmap(NULL, c->size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (c->data == MAP_FAILED) {
        c->data = NULL;
        return EF_NOMEM;
    }
    c->sector = calloc(c->sectors, sizeof(*c->sector));
    c->run = malloc((size_t)EF_STRETCH_SECTORS * EF_SECTOR);
    c->evict.used = calloc(c->sectors / EF_RUN_SECTORS + 1, sizeof(bool));
    c->evict.limit = c->sectors;
    return c->sector && c->run && c->evict.used ? ef_scout_init(c) : EF_NOMEM;
}

static void release(struct ef_cache *c)
{
    if (c->data)
        munmap(c->data, c->size);
    free(c->sector);
    free(c->run);
    free(c->evict.used);
    ef_scout_free(c);
    free(c);
}

enum ef_err ef_cache_new(struct ef_worker *worker, uint32_t size, struct ef_log *log,
                         struct ef_cache **cache)
{
    struct ef_cache *c = calloc(1, sizeof(*c));
    if (!c)
        return EF_NOMEM;
    c->worker = worker;
    c->log = log;
    c->size = size;
    c->sectors = size / EF_SECTOR;
    c->telling = 1;
    if (allocate(c) != EF_OK) {
        release(c);
        return EF_NOMEM;
    }
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->journal.lock, NULL);
    ef_cond_init(&c->changed);
    ef_cache_touch(c, false);
    if (ef_thread_start(&c->flusher, ef_flusher_main, c) != 0) {
        release(c);
        return EF_NOMEM;
    }
    *cache = c;
    return EF_OK;
}

void ef_cache_limit(struct ef_cache *c, uint64_t bytes)
{
    pthread_mutex_lock(&c->lock);
    c->evict.limit = bytes < c->size ? (uint32_t)(bytes / EF_SECTOR) : c->sectors;
    pthread_mutex_unlock(&c->lock);
}

void ef_cache_keep_image(struct ef_cache *c, const struct ef_board_key *key)
{
    /* Its contents are held from the start: a cache that forgets has no room for them. */
    uint8_t *map = c->evict.limit < c->sectors ? NULL : malloc(c->sectors);
    if (!map)
        return;
    pthread_mutex_lock(&c->lock);
    c->image = key;
    ef_belief_begin(c);
    if (ef_image_load(key, c->log, c->data, map))
        for (uint32_t s = 0; s < c->sectors; s++)
            c->sector[s].imaged = map[s] != EF_IMAGE_NOTHING;
    pthread_mutex_unlock(&c->lock);
    free(map);
}

/* What of a sector is to be kept; *news: that it is not what the image on disk has. */
static uint8_t kept_of(struct ef_cache *c, uint32_t s, bool *news)
{
    const struct sector *sector = &c->sector[s];
    bool proven = sector->have && !sector->dirty;
    if (!proven && !sector->imaged)
        return EF_IMAGE_NOTHING;
    *news = *news || !sector->imaged;
    return ef_bytes_blank(ef_sector_data(c, s), EF_SECTOR) ? EF_IMAGE_BLANK : EF_IMAGE_BYTES;
}

/* When nobody uses the cache any more. */
static void save_image(struct ef_cache *c)
{
    uint8_t *map = c->image && !c->distrusted && !c->suspect ? malloc(c->sectors) : NULL;
    bool news = false;
    if (!map)
        return;
    for (uint32_t s = 0; s < c->sectors; s++)
        map[s] = kept_of(c, s, &news);
    if (news)
        ef_image_save(c->image, c->log, c->data, map);
    free(map);
}

void ef_cache_free(struct ef_cache *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->flusher, NULL);
    /* Jobs in the queue hold pointers to this cache: cancel the reads, await the rest. */
    pthread_mutex_lock(&c->lock);
    while (c->fetches || c->erases) {
        for (struct fetch *f = c->fetches; f; f = f->next)
            atomic_store(&f->job->cancelled, true);
        ef_cache_wait(c, (struct ef_patience){0});
    }
    pthread_mutex_unlock(&c->lock);
    save_image(c);
    ef_begun_close(c);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->journal.lock);
    pthread_cond_destroy(&c->changed);
    release(c);
}

static enum ef_err read_range(struct ef_cache *c, uint64_t off, uint32_t len, uint8_t *buf,
                              enum ef_priority priority, struct ef_patience patience)
{
    if (!ef_range_fits(off, len, c->size))
        return EF_INVALID;
    uint32_t addr = (uint32_t)off;
    uint32_t end = (addr + len + EF_SECTOR - 1) / EF_SECTOR;
    enum ef_err err = EF_OK;
    pthread_mutex_lock(&c->lock);
    while (len > 0) {
        uint32_t s = addr / EF_SECTOR;
        uint32_t at = addr % EF_SECTOR;
        uint32_t take = ef_min_u32(len, EF_SECTOR - at);
        err = ef_fetch_wait(c, s, end, priority, patience);
        if (err != EF_OK)
            break;
        ef_evict_note_use(c, s);
        memcpy(buf, ef_sector_data(c, s) + at, take);
        buf += take;
        addr += take;
        len -= take;
    }
    pthread_mutex_unlock(&c->lock);
    return err;
}

enum ef_err ef_cache_read(struct ef_cache *c, uint64_t off, uint32_t len, uint8_t *buf,
                          struct ef_patience patience)
{
    return read_range(c, off, len, buf, EF_PRIORITY_READER, patience);
}

enum ef_err ef_cache_read_on(struct ef_cache *c, uint64_t off, uint32_t len, uint32_t ahead,
                             uint8_t *buf, struct ef_patience patience)
{
    ef_cache_read_ahead(c, off, len + ahead);
    return read_range(c, off, len, buf, EF_PRIORITY_AHEAD, patience);
}

void ef_cache_renew(struct ef_cache *c)
{
    pthread_mutex_lock(&c->lock);
    ef_cache_touch(c, false);
    pthread_mutex_unlock(&c->lock);
}

struct ef_cache_state ef_cache_state(struct ef_cache *c)
{
    pthread_mutex_lock(&c->lock);
    struct ef_cache_state state = {.dirty_sectors = c->dirty_count,
                                   .known_sectors = c->evict.held,
                                   .flush_err = c->flush_err,
                                   .changed = c->modified,
                                   .others = c->others};
    pthread_mutex_unlock(&c->lock);
    return state;
}
