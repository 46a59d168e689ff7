/*
 * The flash, or a part of it, as a file of a size that never changes.
 *
 * Decision 1: after an open with O_TRUNC, or an ftruncate to 0, the file is to be replaced from
 * its start. What a writer then skips is meant to be zeros (cp and rsync send no write for a hole
 * of a sparse image); what lies past the last byte given stays.
 */
#include "flash_handle.h"

#include "espflashfs/bytes.h"
#include "espflashfs/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum {
    ZEROS = 64 * 1024,
    /* The kernel reads ahead by itself, with several requests under way that overtake each
     * other: who reads on is seldom exactly where the last request ended. */
    NEAR = 512 * 1024,
    LARGE = 64 * 1024, /* asked for at once, only by who goes on */
    AHEAD = 512 * 1024 /* 6 s at 921600 baud: what is read for nothing at most */
};

static uint64_t flash_size(struct ef_node *node)
{
    return node->len;
}

static int refused(struct ef_node *node, enum ef_guard_op op, const char *what)
{
    ef_log(node->mount->log, EF_LOG_ERROR, "%s: %s refused: %s", node->name, what,
           ef_guard_reason(&node->mount->session->guard, op));
    return -ef_err_to_errno(EF_GUARDED);
}

/* True where no byte of the node may be touched so. */
static bool all_guarded(struct ef_node *node, enum ef_guard_op op)
{
    return ef_guard_check_all(&node->mount->session->guard, op, node->base + node->len) != EF_OK;
}

/* Where nothing could be read, or nothing written, the open fails: no later call need be asked. */
static int check_open(struct ef_node *node, int flags)
{
    bool reader = (flags & O_ACCMODE) != O_WRONLY;
    bool writer = (flags & O_ACCMODE) != O_RDONLY;
    if (writer && node->mount->read_only)
        return -EROFS;
    if (reader && all_guarded(node, EF_GUARD_READ))
        return refused(node, EF_GUARD_READ, "reading");
    if (writer && all_guarded(node, EF_GUARD_WRITE))
        return refused(node, EF_GUARD_WRITE, "writing");
    return 0;
}

static int flash_open(struct ef_node *node, int flags, void **out)
{
    bool writer = (flags & O_ACCMODE) != O_RDONLY;
    int rc = check_open(node, flags);
    if (rc != 0)
        return rc;
    struct flash_handle *h = calloc(1, sizeof(*h));
    if (!h)
        return -ENOMEM;
    pthread_mutex_init(&h->lock, NULL);
    h->writer = writer;
    h->append = (flags & O_APPEND) != 0;
    *out = h;
    return 0;
}

static void flash_replace(struct ef_node *node, void *handle)
{
    (void)node;
    struct flash_handle *h = handle;
    pthread_mutex_lock(&h->lock);
    h->replacing = h->replacing || !h->used;
    pthread_mutex_unlock(&h->lock);
}

static ssize_t flash_read(struct ef_node *node, void *handle, uint8_t *buf, size_t len,
                          uint64_t off, struct ef_patience patience)
{
    struct ef_cache *cache = node->mount->cache;
    struct flash_handle *h = handle;
    uint64_t size = flash_size(node);
    /* Its pages are those of the file that has its name now. */
    int rc = flash_check_name(node, patience);
    if (rc != 0)
        return rc;
    if (off >= size)
        return 0;
    if (len > size - off)
        len = (size_t)(size - off);
    pthread_mutex_lock(&h->lock);
    bool near = h->read_next != 0 && off + NEAR >= h->read_next && off <= h->read_next + NEAR;
    bool reads_on = near || len >= LARGE;
    h->read_next = off + len;
    pthread_mutex_unlock(&h->lock);
    uint64_t addr = node->base + off;
    enum ef_err err = reads_on ? ef_cache_read_on(cache, addr, (uint32_t)len, AHEAD, buf, patience)
                               : ef_cache_read(cache, addr, (uint32_t)len, buf, patience);
    if (err != EF_OK)
        return -ef_err_to_errno(err);
    /* The read may have been the first to tell that the board was away. */
    rc = flash_check_name(node, patience);
    return rc == 0 ? (ssize_t)len : rc;
}

/* Under the handle's lock: zeros from where the writer left off up to `off`. */
static enum ef_err fill_hole(struct ef_node *node, struct flash_handle *h, uint64_t off,
                             struct ef_patience patience)
{
    static const uint8_t zeros[ZEROS];
    while (h->end < off) {
        uint32_t n = off - h->end < ZEROS ? (uint32_t)(off - h->end) : ZEROS;
        enum ef_err err =
            ef_cache_write(node->mount->cache, node->base + h->end, n, zeros, patience);
        if (err != EF_OK)
            return err;
        flash_note_filled(node, h, node->base + h->end, n);
        h->end += n;
    }
    return EF_OK;
}

/* Under the handle's lock: may `len` bytes at `off`, and the hole before them, be written? */
static int check_write(struct ef_node *node, const struct flash_handle *h, uint64_t off, size_t len)
{
    const struct ef_guard *guard = &node->mount->session->guard;
    uint64_t from = h->replacing && h->end < off ? h->end : off;
    if (!ef_range_fits(off, len, flash_size(node))) {
        ef_log(node->mount->log, EF_LOG_ERROR,
               "%s: %zu bytes at 0x%llx do not fit: it has %llu bytes", node->name, len,
               (unsigned long long)off, (unsigned long long)node->len);
        return -ENOSPC;
    }
    if (ef_guard_check(guard, EF_GUARD_WRITE, node->base + from, off + len - from) != EF_OK)
        return refused(node, EF_GUARD_WRITE, "a write");
    uint64_t end = off + len;
    if (guard->secure_download && from < end && (from % EF_SECTOR || end % EF_SECTOR)) {
        ef_log(node->mount->log, EF_LOG_ERROR,
               "%s: %llu bytes at 0x%llx are no whole sectors: what they would leave of one "
               "cannot be read; pad the image to a multiple of 4096 bytes, and write with bs=4k",
               node->name, (unsigned long long)(end - from), (unsigned long long)from);
        return -EINVAL;
    }
    return 0;
}

static ssize_t flash_write(struct ef_node *node, void *handle, const uint8_t *buf, size_t len,
                           uint64_t off, struct ef_patience patience)
{
    struct flash_handle *h = handle;
    pthread_mutex_lock(&h->lock);
    h->used = true;
    if (h->append)
        off = h->replacing ? h->end : flash_size(node);
    int rc = flash_check_place(node, patience);
    if (rc == 0)
        rc = check_write(node, h, off, len);
    if (rc != 0) {
        pthread_mutex_unlock(&h->lock);
        /* It may be a mapped page, which the kernel would go on showing to all readers. */
        ef_cache_renew(node->mount->cache);
        return rc;
    }
    enum ef_err err =
        h->replacing ? fill_hole(node, h, off, patience) : flash_fill_punched(node, h, patience);
    if (err == EF_OK) {
        err = ef_cache_write(node->mount->cache, node->base + off, (uint32_t)len, buf, patience);
        flash_note_written(node, h, node->base + off, len);
    }
    if (err == EF_OK && h->replacing && off + len > h->end)
        h->end = off + len;
    h->left = err == EF_INTERRUPTED;
    pthread_mutex_unlock(&h->lock);
    return err == EF_OK ? (ssize_t)len : -ef_err_to_errno(err);
}

static int flash_truncate(struct ef_node *node, void *handle, uint64_t size,
                          struct ef_patience patience)
{
    struct flash_handle *h = handle;
    if (node->mount->read_only)
        return -EROFS;
    if (size > flash_size(node))
        return -EFBIG;
    if (all_guarded(node, EF_GUARD_WRITE))
        return refused(node, EF_GUARD_WRITE, "a truncation");
    if (!h)
        return 0;
    pthread_mutex_lock(&h->lock);
    h->used = true;
    if (size == 0) {
        h->replacing = true;
        h->end = 0;
    }
    int rc = flash_check_place(node, patience);
    if (rc == 0 && h->replacing)
        rc = check_write(node, h, size, 0);
    if (rc == 0) {
        rc = -ef_err_to_errno(h->replacing ? fill_hole(node, h, size, patience)
                                           : flash_fill_punched(node, h, patience));
        h->left = rc == -EINTR;
    }
    if (rc == 0 && h->replacing)
        h->end = size;
    pthread_mutex_unlock(&h->lock);
    return rc;
}

static int flash_fsync(struct ef_node *node, void *handle, struct ef_patience patience)
{
    struct flash_handle *h = handle;
    pthread_mutex_lock(&h->lock);
    bool filled = h->filled;
    uint64_t lo = h->lo;
    uint64_t hi = h->hi;
    h->filled = false;
    h->lo = h->hi = 0;
    pthread_mutex_unlock(&h->lock);
    /* Not sooner: the kernel has the pages of a write locked until it is answered. Who maps one of
     * the other files sees nothing new before; read(2) asks for the time of the last change. */
    if (filled)
        node->mount->invalidate(node->mount, node);
    if (lo < hi)
        ef_parts_drop_pages(node->mount, node, lo, hi - lo);
    enum ef_err err = ef_cache_flush(node->mount->cache, patience);
    pthread_mutex_lock(&h->lock);
    h->left = err == EF_INTERRUPTED;
    pthread_mutex_unlock(&h->lock);
    return -ef_err_to_errno(err);
}

static bool at_once(void *user)
{
    (void)user;
    return true;
}

/*
 * A reader's close must not wait for somebody else's writes. A writer's always asks: the
 * kernel writes mapped pages through any handle that could have written them, and a wait
 * that a signal ended, here or in fsync, leaves data that a later close answers for.
 *
 * Right after a write or an fsync that a signal ended, it does not wait again: dd, at Ctrl-C,
 * closes what it wrote before it goes. It fails, and what was taken is on its way all the same.
 */
static int flash_flush(struct ef_node *node, void *handle, struct ef_patience patience)
{
    struct flash_handle *h = handle;
    pthread_mutex_lock(&h->lock);
    if (h->left)
        patience = (struct ef_patience){.interrupted = at_once};
    pthread_mutex_unlock(&h->lock);
    return h->writer ? flash_fsync(node, handle, patience) : 0;
}

static void flash_release(struct ef_node *node, void *handle)
{
    (void)node;
    struct flash_handle *h = handle;
    pthread_mutex_destroy(&h->lock);
    free(h->punched);
    free(h);
}

const struct ef_node_ops EF_FLASH_NODE = {.size = flash_size,
                                          .settle = flash_settle,
                                          .open = flash_open,
                                          .read = flash_read,
                                          .write = flash_write,
                                          .replace = flash_replace,
                                          .truncate = flash_truncate,
                                          .seek = flash_seek,
                                          .zeros = flash_zeros,
                                          .punch = flash_punch,
                                          .flush = flash_flush,
                                          .fsync = flash_fsync,
                                          .release = flash_release};
