/* A cache over a proven stack over a flash in memory, read in order, as cp does. */
#ifndef EF_TEST_AS_CP_H
#define EF_TEST_AS_CP_H

#include "mem_flash.h"

#include "espflashfs/cache.h"
#include "espflashfs/clock.h"

enum { AS_CP_PIECE = 128 * 1024, AS_CP_GIVE_UP_MS = 30000 };

/* The counts of `mem` begin anew. */
static inline enum ef_err as_cp_start(struct mem *mem, bool read_digested,
                                      struct ef_worker **worker, struct ef_cache **cache)
{
    mem_reset_counts(mem);
    struct ef_flash *bottom = mem_flash_new(mem);
    bottom->read_piece = AS_CP_PIECE;
    bottom->read_digested = read_digested;
    enum ef_err err = ef_worker_start(ef_flash_retry_new(ef_flash_verify_new(bottom)), worker);
    return err == EF_OK ? ef_cache_new(*worker, mem->size, NULL, cache) : err;
}

/* Both may be NULL, and are afterwards. */
static inline void as_cp_end(struct ef_worker **worker, struct ef_cache **cache)
{
    ef_cache_free(*cache);
    ef_worker_stop(*worker);
    *cache = NULL;
    *worker = NULL;
}

static inline bool as_cp_is_late(void *user)
{
    return ef_deadline_left_ms(*(ef_deadline *)user) == 0;
}

/* All of `size` bytes, with more asked for ahead. */
static inline enum ef_err as_cp_read(struct ef_cache *cache, uint8_t *buf, uint32_t size)
{
    ef_deadline give_up = ef_deadline_in(AS_CP_GIVE_UP_MS);
    struct ef_patience patience = {.interrupted = as_cp_is_late, .user = &give_up};
    memset(buf, 0x77, size);
    enum ef_err err = EF_OK;
    for (uint32_t at = 0; at < size && err == EF_OK; at += EF_BLOCK)
        err = ef_cache_read_on(cache, at, EF_BLOCK, 4 * AS_CP_PIECE, buf + at, patience);
    return err;
}

#endif
