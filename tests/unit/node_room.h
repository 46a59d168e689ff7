/* flash.bin and erase as nodes over a cache over a flash in memory. */
#ifndef EF_TEST_NODE_ROOM_H
#define EF_TEST_NODE_ROOM_H

#include "cache_room.h"

#include "espflashfs/node.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct room {
    struct cache_room *base;
    struct ef_session session;
    struct ef_mount mount;
    struct ef_node *flash, *erase;
    void *handle;
    unsigned invalidated;
};

static inline void invalidate(struct ef_mount *mount, const struct ef_node *node)
{
    struct room *room = mount->front;
    room->invalidated += node == room->flash;
}

static inline int room_open_with(void **state, bool read_only)
{
    struct room *room = calloc(1, sizeof(*room));
    void *base = NULL;
    *state = room;
    if (!room || cache_room_open(&base) != 0)
        return -1;
    room->base = base;
    room->session.flash_size = ROOM_SIZE;
    ef_mount_init(&room->mount, &room->session, NULL, read_only);
    room->mount.cache = room->base->cache;
    room->mount.invalidate = invalidate;
    room->mount.front = room;
    room->flash = &room->mount.node[EF_NODE_FLASH];
    room->erase = &room->mount.node[EF_NODE_ERASE];
    return 0;
}

static inline int room_open(void **state)
{
    return room_open_with(state, false);
}

static inline int room_open_read_only(void **state)
{
    return room_open_with(state, true);
}

static inline int room_close(void **state)
{
    struct room *room = *state;
    void *base = room->base;
    if (room->handle)
        room->flash->ops->release(room->flash, room->handle);
    pthread_mutex_destroy(&room->mount.lock);
    cache_room_close(&base);
    free(room);
    return 0;
}

static inline void open_flash(struct room *room, int flags)
{
    if (room->handle)
        room->flash->ops->release(room->flash, room->handle);
    assert_int_equal(room->flash->ops->open(room->flash, flags & ~O_TRUNC, &room->handle), 0);
    if (flags & O_TRUNC)
        room->flash->ops->replace(room->flash, room->handle);
}

/* Writes a pattern, into the model as well. */
static inline ssize_t put(struct room *room, uint64_t off, size_t len, uint32_t seed)
{
    uint8_t *model = room->base->model + off;
    mem_pattern(model, (uint32_t)len, seed);
    return room->flash->ops->write(room->flash, room->handle, model, len, off, patient());
}

static inline void zeros_due(struct room *room, uint32_t from, uint32_t to)
{
    memset(room->base->model + from, 0, to - from);
}

static inline int truncate_to(struct room *room, uint64_t size)
{
    return room->flash->ops->truncate(room->flash, room->handle, size, patient());
}

static inline int close_flash(struct room *room)
{
    return room->flash->ops->flush(room->flash, room->handle, patient());
}

static inline void expect_settled(struct room *room)
{
    assert_int_equal(close_flash(room), 0);
    assert_true(room_settled(room->base));
    assert_int_equal(room->flash->ops->size(room->flash), ROOM_SIZE);
}

static inline ssize_t write_erase(struct room *room, const char *text)
{
    void *handle = NULL;
    struct ef_node *e = room->erase;
    assert_int_equal(e->ops->open(e, O_WRONLY, &handle), 0);
    assert_int_equal(e->ops->truncate(e, NULL, 0, patient()), 0); /* the shell's `>` */
    ssize_t n = e->ops->write(e, handle, (const uint8_t *)text, strlen(text), 0, patient());
    e->ops->release(e, handle);
    return n;
}

static inline const char *read_erase(struct room *room)
{
    void *handle = NULL;
    struct ef_node *e = room->erase;
    assert_int_equal(e->ops->open(e, O_RDONLY, &handle), 0);
    ssize_t n = e->ops->read(e, handle, room->base->buf, ROOM_SIZE - 1, 0, patient());
    assert_int_equal(n, e->ops->size(e));
    room->base->buf[n] = '\0';
    e->ops->release(e, handle);
    return (const char *)room->base->buf;
}

#endif
