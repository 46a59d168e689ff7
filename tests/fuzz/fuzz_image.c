/*
 * The image of a board's flash on the host's disk, damaged or made up: what is taken of it is
 * what its digests say, of this board; what is saved is loaded again.
 */
#include "fuzz.h"

#include "espflashfs/board_key.h"
#include "espflashfs/bytes.h"
#include "espflashfs/flash.h"
#include "espflashfs/image.h"

#include <sys/stat.h>

enum {
    SECTORS_MAX = 4,
    SIZE_MAX_BYTES = SECTORS_MAX * EF_SECTOR,
    AT_MD5 = 32,
    AT_MAP = 64,
    CONTENTS = EF_SECTOR, /* the head of so small a flash is no longer */
    FILE_MAX_BYTES = CONTENTS + SIZE_MAX_BYTES,
    EDITS_MAX = 16
};

/* What is in a file, and which board's it is. */
struct room {
    struct ef_board_key key;
    char folder[280], path[300];
    uint8_t file[FILE_MAX_BYTES];
    size_t len;
    uint8_t data[SIZE_MAX_BYTES], map[SECTORS_MAX];
};

static uint32_t sectors(const struct room *room)
{
    return room->key.flash_size / EF_SECTOR;
}

static uint32_t head_len(const struct room *room)
{
    return AT_MAP + sectors(room) * (1 + EF_DIGEST_BYTES);
}

static uint8_t *digest_at(struct room *room, uint32_t s)
{
    return room->file + AT_MAP + sectors(room) + (size_t)s * EF_DIGEST_BYTES;
}

static void put_digest(struct room *room)
{
    uint8_t md5[EF_DIGEST_BYTES];
    memset(room->file + AT_MD5, 0, AT_MAP - AT_MD5);
    ef_digest_bytes(room->file, head_len(room), md5);
    memcpy(room->file + AT_MD5, md5, sizeof(md5));
}

/* A sound file for `map`, its sectors filled with a byte of the input each. */
static void make(struct room *room, struct fuzz_input *in)
{
    memcpy(room->file, "espflashfs img2", 16);
    memcpy(room->file + 16, room->key.mac, sizeof(room->key.mac));
    ef_put_le32(room->file + 24, room->key.flash_id);
    ef_put_le32(room->file + 28, room->key.flash_size);
    for (uint32_t s = 0; s < sectors(room); s++) {
        uint8_t *contents = room->file + CONTENTS + (size_t)s * EF_SECTOR;
        room->file[AT_MAP + s] = fuzz_u8(in) % 4; /* one of them means nothing */
        memset(contents, fuzz_u8(in), EF_SECTOR);
        if (room->file[AT_MAP + s] == EF_IMAGE_BYTES)
            ef_digest_bytes(contents, EF_SECTOR, digest_at(room, s));
    }
    put_digest(room);
    room->len = CONTENTS + room->key.flash_size;
}

/* Then it is damaged, here and there, and perhaps cut short; once more with the digest right. */
static void damage(struct room *room, struct fuzz_input *in)
{
    uint8_t flags = fuzz_u8(in);
    if (flags & 1)
        room->len = fuzz_u16(in) % (room->len + 1);
    for (int i = 0; i < EDITS_MAX && in->left >= 3; i++)
        room->file[fuzz_u16(in) % FILE_MAX_BYTES] ^= fuzz_u8(in);
    if (flags & 2)
        put_digest(room);
}

static void check_loaded(struct room *room)
{
    const struct ef_board_key *key = &room->key;
    REQUIRE(room->len >= head_len(room) &&
            memcmp(room->file + 16, key->mac, sizeof(key->mac)) == 0);
    REQUIRE(ef_le32(room->file + 24) == key->flash_id &&
            ef_le32(room->file + 28) == key->flash_size);
    for (uint32_t s = 0; s < sectors(room); s++) {
        const uint8_t *bytes = room->data + (size_t)s * EF_SECTOR;
        uint8_t md5[EF_DIGEST_BYTES];
        ef_digest_bytes(bytes, EF_SECTOR, md5);
        REQUIRE(room->map[s] <= EF_IMAGE_BYTES);
        if (room->map[s] == EF_IMAGE_BLANK)
            REQUIRE(ef_bytes_blank(bytes, EF_SECTOR) && room->file[AT_MAP + s] == EF_IMAGE_BLANK);
        if (room->map[s] == EF_IMAGE_BYTES)
            REQUIRE(memcmp(md5, digest_at(room, s), sizeof(md5)) == 0);
    }
}

static void save_and_load(struct room *room)
{
    uint8_t data[SIZE_MAX_BYTES];
    uint8_t map[SECTORS_MAX];
    memset(data, 0x55, sizeof(data));
    REQUIRE(ef_image_save(&room->key, NULL, room->data, room->map));
    REQUIRE(ef_image_load(&room->key, NULL, data, map));
    REQUIRE(memcmp(map, room->map, sectors(room)) == 0);
    for (uint32_t s = 0; s < sectors(room); s++)
        if (map[s] != EF_IMAGE_NOTHING)
            REQUIRE(memcmp(data + (size_t)s * EF_SECTOR, room->data + (size_t)s * EF_SECTOR,
                           EF_SECTOR) == 0);
}

static struct room *room_new(struct fuzz_input *in)
{
    struct room *room = calloc(1, sizeof(*room));
    REQUIRE(room);
    room->key = (struct ef_board_key){
        .folder = fuzz_folder(), .mac = {0x24, 0x0A, 0xC4, 0x00, 0x11, 0x22}, .flash_id = 0x164020};
    room->key.flash_size = (1U + fuzz_u8(in) % SECTORS_MAX) * EF_SECTOR;
    snprintf(room->folder, sizeof(room->folder), "%s/240ac4001122", room->key.folder);
    snprintf(room->path, sizeof(room->path), "%s/image", room->folder);
    mkdir(room->folder, 0700);
    return room;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct room *room = room_new(&in);
    if (fuzz_u8(&in) % 4 == 0) {
        const uint8_t *bytes;
        room->len = fuzz_take(&in, FILE_MAX_BYTES, &bytes);
        if (room->len > 0)
            memcpy(room->file, bytes, room->len);
    } else {
        make(room, &in);
        damage(room, &in);
    }
    fuzz_write_file(room->path, room->file, room->len);
    memset(room->map, 0xAA, sizeof(room->map));
    if (ef_image_load(&room->key, NULL, room->data, room->map)) {
        check_loaded(room);
        if (size % 8 == 0) /* it waits for the disk */
            save_and_load(room);
    } else {
        for (uint32_t s = 0; s < sectors(room); s++)
            REQUIRE(room->map[s] == EF_IMAGE_NOTHING);
    }
    free(room);
    return 0;
}
