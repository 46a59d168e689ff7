#include "espflashfs/image.h"

#include "espflashfs/bytes.h"
#include "espflashfs/flash.h"
#include "espflashfs/folder.h"
#include "espflashfs/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The file, numbers little-endian:
 *   0   16  magic, with the version
 *   16  6   MAC
 *   24  4   flash id
 *   28  4   flash size
 *   32  16  MD5 of the 32 bytes before it and of the map
 *   64  ..  the map: of each sector a byte, enum ef_image_sector
 *   from the next multiple of 4096 on, the flash; holes where nothing or blank flash is kept
 */
enum { AT_MAC = 16, AT_FLASH_ID = 24, AT_FLASH_SIZE = 28, AT_MD5 = 32, AT_MAP = 64 };

static const uint8_t MAGIC[AT_MAC] = "espflashfs img1";
static const char NAME[] = "image";

static uint32_t sectors_of(const struct ef_image_key *key)
{
    return key->flash_size / EF_SECTOR;
}

static uint64_t contents_at(const struct ef_image_key *key)
{
    return ef_align_down(AT_MAP + sectors_of(key) + EF_SECTOR - 1, EF_SECTOR);
}

static int open_board(const struct ef_image_key *key, int all)
{
    char name[2 * EF_IMAGE_MAC_BYTES + 1];
    ef_text_hex(name, key->mac, sizeof(key->mac));
    return ef_folder_open_private(all, name);
}

/* Header and map, as they are to be for this board; the digest right. */
static void put_head(const struct ef_image_key *key, const uint8_t *map, uint8_t *head)
{
    memset(head, 0, AT_MAP);
    memcpy(head, MAGIC, sizeof(MAGIC));
    memcpy(head + AT_MAC, key->mac, sizeof(key->mac));
    ef_put_le32(head + AT_FLASH_ID, key->flash_id);
    ef_put_le32(head + AT_FLASH_SIZE, key->flash_size);
    memcpy(head + AT_MAP, map, sectors_of(key));
    ef_digest_bytes(head, AT_MAP + sectors_of(key), head + AT_MD5);
}

/* The sectors from `s` on of which the same is kept. */
static uint32_t run_of(const uint8_t *map, uint32_t s, uint32_t sectors)
{
    uint32_t n = 1;
    while (s + n < sectors && map[s + n] == map[s])
        n++;
    return n;
}

static bool read_contents(const struct ef_image_key *key, int fd, uint8_t *data, const uint8_t *map)
{
    for (uint32_t s = 0, n; s < sectors_of(key); s += n) {
        n = run_of(map, s, sectors_of(key));
        size_t at = (size_t)s * EF_SECTOR;
        size_t len = (size_t)n * EF_SECTOR;
        if (map[s] == EF_IMAGE_BLANK)
            memset(data + at, 0xFF, len);
        else if (map[s] == EF_IMAGE_BYTES &&
                 !ef_file_read(fd, data + at, len, contents_at(key) + at))
            return false;
    }
    return true;
}

/* True if the header is this board's, and the map is whole; then `map` is filled. */
static bool read_head(const struct ef_image_key *key, int fd, uint8_t *map)
{
    size_t len = AT_MAP + sectors_of(key);
    uint8_t *found = malloc(2 * len);
    bool right = found && ef_file_read(fd, found, len, 0);
    if (right) {
        memcpy(map, found + AT_MAP, sectors_of(key));
        put_head(key, map, found + len);
        right = memcmp(found, found + len, len) == 0;
    }
    for (uint32_t s = 0; s < sectors_of(key) && right; s++)
        right = map[s] <= EF_IMAGE_BYTES;
    free(found);
    return right;
}

bool ef_image_load(const struct ef_image_key *key, struct ef_log *log, uint8_t *data, uint8_t *map)
{
    int all = ef_folder_open(key->folder);
    int board = all >= 0 ? open_board(key, all) : -1;
    int fd = board >= 0 ? ef_folder_open_file(board, NAME) : -1;
    bool loaded = fd >= 0 && read_head(key, fd, map) && read_contents(key, fd, data, map);
    if (!loaded) {
        ef_log(log, EF_LOG_DEBUG, "%s: no image of this board: %s", key->folder,
               fd < 0 ? strerror(errno) : "it is of another flash, or damaged");
        memset(map, EF_IMAGE_NOTHING, sectors_of(key));
    }
    if (fd >= 0)
        close(fd);
    if (board >= 0)
        close(board);
    if (all >= 0)
        close(all);
    return loaded;
}

struct saved {
    const struct ef_image_key *key;
    const uint8_t *data, *map;
};

static bool write_image(void *user, int fd)
{
    const struct saved *image = user;
    uint32_t sectors = sectors_of(image->key);
    uint8_t *head = malloc(AT_MAP + sectors);
    if (!head)
        return false;
    put_head(image->key, image->map, head);
    bool written = ef_file_write(fd, head, AT_MAP + sectors, 0);
    free(head);
    for (uint32_t s = 0, n; s < sectors && written; s += n) {
        n = run_of(image->map, s, sectors);
        size_t at = (size_t)s * EF_SECTOR;
        if (image->map[s] == EF_IMAGE_BYTES)
            written = ef_file_write(fd, image->data + at, (size_t)n * EF_SECTOR,
                                    contents_at(image->key) + at);
    }
    return written;
}

/* Another board's image, and how long ago it was of use. */
struct kept {
    char name[2 * EF_IMAGE_MAC_BYTES + 1];
    uint64_t bytes;
    struct timespec at;
};

static bool look_at(int all, const char *name, struct kept *kept)
{
    struct stat st;
    char path[sizeof(kept->name) + sizeof(NAME) + 1];
    if (strlen(name) != sizeof(kept->name) - 1 || strspn(name, "0123456789abcdef") != strlen(name))
        return false;
    memcpy(kept->name, name, sizeof(kept->name));
    snprintf(path, sizeof(path), "%s/%s", name, NAME);
    if (fstatat(all, path, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
        return false;
    kept->bytes = (uint64_t)st.st_blocks * 512;
    kept->at = st.st_mtim;
    return true;
}

static bool is_older(const struct kept *a, const struct kept *b)
{
    return a->at.tv_sec < b->at.tv_sec ||
           (a->at.tv_sec == b->at.tv_sec && a->at.tv_nsec < b->at.tv_nsec);
}

/* The oldest image, and how much all of them are together. False if there is none. */
static bool find_oldest(int all, struct kept *oldest, uint64_t *bytes)
{
    DIR *dir = fdopendir(fcntl(all, F_DUPFD_CLOEXEC, 0));
    if (!dir)
        return false;
    rewinddir(dir);
    struct kept kept;
    bool any = false;
    *bytes = 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (!look_at(all, entry->d_name, &kept))
            continue;
        *bytes += kept.bytes;
        if (!any || is_older(&kept, oldest))
            *oldest = kept;
        any = true;
    }
    closedir(dir);
    return any;
}

static void forget_oldest(int all, struct ef_log *log)
{
    struct kept oldest;
    uint64_t bytes;
    while (find_oldest(all, &oldest, &bytes) &&
           bytes > (uint64_t)EF_IMAGE_FOLDER_MAX_MIB * 1024 * 1024) {
        char path[sizeof(oldest.name) + sizeof(NAME) + 1];
        snprintf(path, sizeof(path), "%s/%s", oldest.name, NAME);
        if (unlinkat(all, path, 0) != 0)
            return;
        ef_log(log, EF_LOG_DEBUG, "the image of board %s is forgotten", oldest.name);
    }
}

bool ef_image_save(const struct ef_image_key *key, struct ef_log *log, const uint8_t *data,
                   const uint8_t *map)
{
    struct saved image = {.key = key, .data = data, .map = map};
    int all = ef_folder_open(key->folder);
    int board = all >= 0 ? open_board(key, all) : -1;
    bool saved = board >= 0 && ef_folder_replace(board, NAME, write_image, &image);
    if (!saved)
        ef_log(log, EF_LOG_DEBUG, "%s: what was read of this board is not kept: %s", key->folder,
               strerror(errno));
    else
        forget_oldest(all, log);
    if (board >= 0)
        close(board);
    if (all >= 0)
        close(all);
    return saved;
}
