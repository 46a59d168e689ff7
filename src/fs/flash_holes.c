#include "flash_handle.h"

#include "erase_range.h"

#include "espflashfs/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { AT_A_TIME = 64 }; /* sectors looked at */

/* A partition may end inside its last sector, of which nobody else has the rest. */
static uint32_t sectors_of(const struct ef_node *node)
{
    return (uint32_t)((node->len + EF_SECTOR - 1) / EF_SECTOR);
}

/* Of a chip that proves nothing, nothing is known. */
static bool tells_holes(const struct ef_node *node)
{
    return !node->mount->session->guard.secure_download;
}

static void look(struct ef_node *node, uint32_t sector, uint32_t count, struct ef_look *seen)
{
    ef_cache_look(node->mount->cache, (uint32_t)(node->base / EF_SECTOR) + sector, count, seen);
}

/* The first sector from `sector` on that is a hole, or none; the node's count where there is none.
 */
static uint32_t find(struct ef_node *node, uint32_t sector, bool hole)
{
    struct ef_look seen[AT_A_TIME];
    uint32_t end = sectors_of(node);
    if (!tells_holes(node))
        return hole ? end : sector;
    while (sector < end) {
        uint32_t n = ef_min_u32(AT_A_TIME, end - sector);
        look(node, sector, n, seen);
        for (uint32_t i = 0; i < n; i++)
            if ((seen[i].kind == EF_LOOK_ZEROS) == hole)
                return sector + i;
        sector += n;
    }
    return end;
}

int64_t flash_seek(struct ef_node *node, uint64_t off, bool hole)
{
    if (off >= node->len)
        return -ENXIO;
    uint64_t found = (uint64_t)find(node, (uint32_t)(off / EF_SECTOR), hole) * EF_SECTOR;
    if (found >= node->len)
        return hole ? (int64_t)node->len : -ENXIO;
    return (int64_t)(found > off ? found : off);
}

static uint64_t count_zeros(struct ef_node *node)
{
    struct ef_look seen[AT_A_TIME];
    uint64_t zeros = 0;
    for (uint32_t s = 0; s < sectors_of(node); s += AT_A_TIME) {
        uint32_t n = ef_min_u32(AT_A_TIME, sectors_of(node) - s);
        look(node, s, n, seen);
        for (uint32_t i = 0; i < n; i++)
            zeros += seen[i].kind == EF_LOOK_ZEROS;
    }
    zeros *= EF_SECTOR;
    return zeros < node->len ? zeros : node->len;
}

/*
 * The kernel asks before each read(2), and it is only a hint: counted anew where something was
 * written or has come from the chip meanwhile.
 */
uint64_t flash_zeros(struct ef_node *node)
{
    struct ef_mount *m = node->mount;
    if (!tells_holes(node))
        return 0;
    struct ef_cache_state now = ef_cache_state(m->cache);
    pthread_mutex_lock(&m->lock);
    struct ef_zero_count count = node->zero_count;
    pthread_mutex_unlock(&m->lock);
    if (count.known_sectors == now.known_sectors && count.changed.tv_sec == now.changed.tv_sec &&
        count.changed.tv_nsec == now.changed.tv_nsec)
        return count.bytes;
    count = (struct ef_zero_count){
        .known_sectors = now.known_sectors, .changed = now.changed, .bytes = count_zeros(node)};
    pthread_mutex_lock(&m->lock);
    node->zero_count = count;
    pthread_mutex_unlock(&m->lock);
    return count.bytes;
}

/* Under the handle's lock: may this handle punch, and there? */
static int check_punch(struct ef_node *node, struct flash_handle *h, uint64_t off, uint64_t len)
{
    /* They mean zeros, and write them where they hear that there are no holes. */
    if (h->replacing || h->used || !tells_holes(node))
        return -EOPNOTSUPP;
    if (!ef_range_fits(off, len, node->len) || len == 0 || off % EF_SECTOR || len % EF_SECTOR) {
        ef_log(node->mount->log, EF_LOG_ERROR,
               "%s: punching %llu bytes at 0x%llx is refused: whole sectors of the file are "
               "erased; give multiples of 4096 below 0x%llx: nothing was erased",
               node->name, (unsigned long long)len, (unsigned long long)off,
               (unsigned long long)node->len);
        return -EINVAL;
    }
    if (!h->punched)
        h->punched = calloc(sectors_of(node), sizeof(*h->punched));
    return h->punched ? 0 : -ENOMEM;
}

/* Asks the chip only for as much as it takes to see one that is not. */
static enum ef_err all_zeros(struct ef_node *node, uint64_t off, uint64_t len,
                             struct ef_patience patience, bool *yes)
{
    static const uint8_t zeros[EF_SECTOR];
    uint8_t sector[EF_SECTOR];
    *yes = true;
    for (uint64_t at = off; at < off + len && *yes; at += EF_SECTOR) {
        enum ef_err err =
            ef_cache_read(node->mount->cache, node->base + at, EF_SECTOR, sector, patience);
        if (err != EF_OK)
            return err;
        *yes = memcmp(sector, zeros, EF_SECTOR) == 0;
    }
    return EF_OK;
}

/* fallocate --dig-holes looks for zeros, and wants them to stay zeros. */
static int refuse_zeros(struct ef_node *node, uint64_t off, uint64_t len,
                        struct ef_patience patience)
{
    bool yes;
    enum ef_err err = all_zeros(node, off, len, patience, &yes);
    if (err != EF_OK || !yes)
        return -ef_err_to_errno(err);
    const uint64_t addr = node->base + off;
    ef_log(node->mount->log, EF_LOG_WARN,
           "%s: punching %llu bytes of zeros at 0x%llx is refused, since they would read FF "
           "afterwards: to erase them, write `0x%llx %llu` to the file erase",
           node->name, (unsigned long long)len, (unsigned long long)off, (unsigned long long)addr,
           (unsigned long long)len);
    return -EOPNOTSUPP;
}

int flash_punch(struct ef_node *node, void *handle, uint64_t off, uint64_t len,
                struct ef_patience patience)
{
    struct flash_handle *h = handle;
    pthread_mutex_lock(&h->lock);
    int rc = flash_check_place(node, patience);
    if (rc == 0)
        rc = check_punch(node, h, off, len);
    pthread_mutex_unlock(&h->lock);
    if (rc == 0)
        rc = refuse_zeros(node, off, len, patience);
    if (rc == 0)
        rc = ef_erase_range(node->mount, node->name, node->base + off, len, patience);
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&h->lock);
    for (uint64_t at = off; at < off + len; at += EF_SECTOR)
        h->punched[at / EF_SECTOR] = true;
    h->has_punched = true;
    pthread_mutex_unlock(&h->lock);
    return 0;
}

/* What reads FF no more was written by somebody else, or by way of a mapping, and stays. */
static enum ef_err fill_sector(struct ef_node *node, struct flash_handle *h, uint32_t s,
                               struct ef_patience patience)
{
    static const uint8_t zeros[EF_SECTOR];
    struct ef_cache *cache = node->mount->cache;
    uint8_t sector[EF_SECTOR];
    uint64_t addr = node->base + (uint64_t)s * EF_SECTOR;
    enum ef_err err = ef_cache_read(cache, addr, EF_SECTOR, sector, patience);
    bool blank = err == EF_OK && ef_bytes_blank(sector, EF_SECTOR);
    if (blank)
        err = ef_cache_write(cache, addr, EF_SECTOR, zeros, patience);
    if (blank && err == EF_OK)
        flash_note_filled(node, h, addr, EF_SECTOR);
    return err;
}

enum ef_err flash_fill_punched(struct ef_node *node, struct flash_handle *h,
                               struct ef_patience patience)
{
    if (!h->has_punched)
        return EF_OK;
    ef_log(node->mount->log, EF_LOG_WARN,
           "%s: who has punched holes goes on to write, and means zeros by them: they are "
           "written; to erase, punch and close, or write to the file erase",
           node->name);
    for (uint32_t s = 0; s < sectors_of(node); s++) {
        enum ef_err err = h->punched[s] ? fill_sector(node, h, s, patience) : EF_OK;
        if (err != EF_OK)
            return err;
        h->punched[s] = false;
    }
    h->has_punched = false;
    return EF_OK;
}
