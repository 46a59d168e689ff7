#include "cache_private.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool is_idle(const struct ef_cache *c, uint32_t first, uint32_t end)
{
    for (uint32_t s = first; s < end; s++) {
        const struct sector *sector = &c->sector[s];
        if (sector->dirty || sector->writing || sector->erasing || sector->fetching ||
            sector->streaming)
            return false;
    }
    return true;
}

static void forget_block(struct ef_cache *c, uint32_t first, uint32_t end)
{
    for (uint32_t s = first; s < end; s++) {
        struct sector *sector = &c->sector[s];
        if (sector->have && !sector->known && !c->blind) {
            ef_digest_bytes(ef_sector_data(c, s), EF_SECTOR, sector->md5);
            sector->known = true;
        }
        ef_sector_lose(c, s);
    }
    /* Where pages are larger than blocks, the next contents take these pages over as they are. */
    if ((size_t)EF_BLOCK % (size_t)sysconf(_SC_PAGESIZE) == 0)
        madvise(ef_sector_data(c, first), (size_t)(end - first) * EF_SECTOR, MADV_DONTNEED);
}

void ef_evict(struct ef_cache *c)
{
    struct evict *e = &c->evict;
    if (c->suspect || c->healing)
        return;
    uint32_t blocks = (c->sectors + EF_RUN_SECTORS - 1) / EF_RUN_SECTORS;
    /* Twice round: all may be marked as used at first. */
    for (uint32_t looked = 0; e->held > e->limit && looked < 2 * blocks; looked++) {
        uint32_t block = e->hand;
        uint32_t first = block * EF_RUN_SECTORS;
        uint32_t end = first + EF_RUN_SECTORS < c->sectors ? first + EF_RUN_SECTORS : c->sectors;
        e->hand = (block + 1) % blocks;
        if (e->used[block])
            e->used[block] = false;
        else if (is_idle(c, first, end))
            forget_block(c, first, end);
    }
}

void ef_evict_note_use(struct ef_cache *c, uint32_t s)
{
    c->evict.used[s / EF_RUN_SECTORS] = true;
}
