/* A cache over a worker over a flash in memory, and what its tests have in common. */
#ifndef EF_TEST_CACHE_ROOM_H
#define EF_TEST_CACHE_ROOM_H

#include "mem_flash.h"

#include "espflashfs/cache.h"
#include "espflashfs/clock.h"

#include <stdatomic.h>

enum { ROOM_SIZE = 16 * EF_BLOCK, ROOM_SECTORS = ROOM_SIZE / EF_SECTOR };

struct cache_room {
    struct mem *mem;
    struct ef_worker *worker;
    struct ef_cache *cache;
    uint8_t model[ROOM_SIZE]; /* what flash.bin is to hold */
    uint8_t buf[ROOM_SIZE];
    pthread_t thread;
    enum ef_err thread_err;
    uint32_t addr, len; /* for the thread */
    atomic_bool impatient;
    ef_deadline give_up;
};

static inline int cache_room_open_with(void **state, bool proven)
{
    struct cache_room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    room->mem = mem_new(ROOM_SIZE);
    memcpy(room->model, room->mem->bytes, ROOM_SIZE);
    struct ef_flash *flash = mem_flash_new(room->mem);
    if (proven)
        flash = ef_flash_retry_new(ef_flash_verify_new(flash));
    if (ef_worker_start(flash, &room->worker) != EF_OK)
        return -1;
    return ef_cache_new(room->worker, ROOM_SIZE, NULL, &room->cache) == EF_OK ? 0 : -1;
}

static inline int cache_room_open(void **state)
{
    return cache_room_open_with(state, false);
}

static inline int cache_room_open_proven(void **state)
{
    return cache_room_open_with(state, true);
}

static inline int cache_room_close(void **state)
{
    struct cache_room *room = *state;
    mem_release(room->mem);
    ef_cache_free(room->cache);
    ef_worker_stop(room->worker);
    mem_free(room->mem);
    free(room);
    return 0;
}

static inline struct ef_patience patient(void)
{
    return (struct ef_patience){0};
}

static inline bool room_says_stop(void *user)
{
    return atomic_load(&((struct cache_room *)user)->impatient);
}

/* Waits for as long as room->impatient is false. */
static inline struct ef_patience patient_until_told(struct cache_room *room)
{
    return (struct ef_patience){.interrupted = room_says_stop, .user = room};
}

static inline bool room_says_stop_at_last(void *user)
{
    return ef_deadline_left_ms(((struct cache_room *)user)->give_up) == 0;
}

/* Gives up where the cache would wait for ever. */
static inline struct ef_patience patient_within_reason(struct cache_room *room)
{
    room->give_up = ef_deadline_in(30000);
    return (struct ef_patience){.interrupted = room_says_stop_at_last, .user = room};
}

/* Writes a pattern that `seed` makes, into the model as well. */
static inline enum ef_err room_write(struct cache_room *room, uint32_t addr, uint32_t len,
                                     uint32_t seed)
{
    mem_pattern(room->model + addr, len, seed);
    return ef_cache_write(room->cache, addr, len, room->model + addr, patient_within_reason(room));
}

static inline enum ef_err room_fill(struct cache_room *room, uint32_t addr, uint32_t len,
                                    uint8_t byte)
{
    memset(room->model + addr, byte, len);
    return ef_cache_write(room->cache, addr, len, room->model + addr, patient_within_reason(room));
}

static inline enum ef_err room_read(struct cache_room *room, uint32_t addr, uint32_t len)
{
    memset(room->buf, 0x77, sizeof(room->buf));
    return ef_cache_read(room->cache, addr, len, room->buf, patient_within_reason(room));
}

static inline enum ef_err room_flush(struct cache_room *room)
{
    return ef_cache_flush(room->cache, patient_within_reason(room));
}

static inline enum ef_err room_erase(struct cache_room *room, uint32_t addr, uint32_t len)
{
    return ef_cache_erase(room->cache, addr, len, patient_within_reason(room));
}

static inline uint32_t room_dirty(struct cache_room *room)
{
    return ef_cache_state(room->cache).dirty_sectors;
}

/* True if the chip holds the model, every byte. */
static inline bool room_settled(struct cache_room *room)
{
    pthread_mutex_lock(&room->mem->lock);
    bool same = memcmp(room->mem->bytes, room->model, ROOM_SIZE) == 0;
    pthread_mutex_unlock(&room->mem->lock);
    return same;
}

static inline void *room_flush_main(void *arg)
{
    struct cache_room *room = arg;
    room->thread_err = ef_cache_flush(room->cache, patient_until_told(room));
    return NULL;
}

static inline void *room_erase_main(void *arg)
{
    struct cache_room *room = arg;
    room->thread_err = ef_cache_erase(room->cache, room->addr, room->len, patient_until_told(room));
    return NULL;
}

static inline void room_start(struct cache_room *room, void *(*body)(void *))
{
    if (pthread_create(&room->thread, NULL, body, room) != 0)
        abort();
}

static inline enum ef_err room_join(struct cache_room *room)
{
    pthread_join(room->thread, NULL);
    return room->thread_err;
}

#endif
