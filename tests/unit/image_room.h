/* A board's flash in memory, a folder for its image, and a key; for the tests of both. */
#ifndef EF_TEST_IMAGE_ROOM_H
#define EF_TEST_IMAGE_ROOM_H

#include "mem_flash.h"

#include "espflashfs/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    SIZE = 2 * 1024 * 1024,
    SECTORS = SIZE / EF_SECTOR,
    PIECE = 128 * 1024,
    HEAD = 64 + SECTORS * 17, /* with the map and the digests */
    CONTENTS = (HEAD + EF_SECTOR - 1) / EF_SECTOR * EF_SECTOR
};

struct room {
    char folder[64], board[96], file[112];
    struct ef_board_key key;
    struct mem *mem;
    struct ef_worker *worker;
    struct ef_cache *cache;
    uint8_t image[SIZE], map[SECTORS];
    uint8_t buf[SIZE];
};

static inline int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    strcpy(room->folder, "/tmp/ef-image-XXXXXX");
    if (!mkdtemp(room->folder))
        return -1;
    room->key = (struct ef_board_key){.folder = room->folder,
                                      .mac = {0x24, 0x0A, 0xC4, 0x00, 0x11, 0x22},
                                      .flash_id = 0x164020,
                                      .flash_size = SIZE};
    snprintf(room->board, sizeof(room->board), "%s/240ac4001122", room->folder);
    snprintf(room->file, sizeof(room->file), "%s/image", room->board);
    room->mem = mem_new(SIZE);
    memcpy(room->image, room->mem->bytes, SIZE);
    memset(room->map, EF_IMAGE_BYTES, SECTORS);
    return 0;
}

static inline int room_close(void **state)
{
    struct room *room = *state;
    ef_cache_free(room->cache);
    ef_worker_stop(room->worker);
    mem_free(room->mem);
    unlink(room->file);
    rmdir(room->file);
    rmdir(room->board);
    unlink(room->board);
    int rc = rmdir(room->folder); /* fails where something else was left */
    free(room);
    return rc;
}

static inline void save(struct room *room)
{
    assert_true(ef_image_save(&room->key, NULL, room->image, room->map));
}

static inline bool load(struct room *room)
{
    memset(room->buf, 0x55, SIZE);
    return ef_image_load(&room->key, NULL, room->buf, room->map);
}

#endif
