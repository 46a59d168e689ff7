#include "espflashfs/image.h"

#include "espflashfs/bytes.h"
#include "espflashfs/flash.h"
#include "espflashfs/folder.h"

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
 *   32  16  MD5 of the 32 bytes before it, of the map and of the digests
 *   64  ..  the map: of each sector a byte, enum ef_image_sector
 *       ..  the digests: of each sector 16 bytes, its MD5 where bytes are kept, else 0
 *   from the next multiple of 4096 on, the flash; holes where nothing or blank flash is kept
 */
enum { AT_MAC = 16, AT_FLASH_ID = 24, AT_FLASH_SIZE = 28, AT_MD5 = 32, AT_MAP = 64 };

static const uint8_t MAGIC[AT_MAC] = "espflashfs img2";
static const char NAME[] = "image";

static uint32_t sectors_of(const struct ef_board_key *key)
{
    return key->flash_size / EF_SECTOR;
}

/* Header, map and digests. */
static uint32_t head_len(const struct ef_board_key *key)
{
    return AT_MAP + sectors_of(key) * (1 + EF_DIGEST_BYTES);
}

static uint8_t *digest_of(const struct ef_board_key *key, uint8_t *head, uint32_t s)
{
    return head + AT_MAP + sectors_of(key) + (size_t)s * EF_DIGEST_BYTES;
}

static uint64_t contents_at(const struct ef_board_key *key)
{
    return ef_align_down(head_len(key) + EF_SECTOR - 1, EF_SECTOR);
}

/* The folder of all boards' images. */
static int open_all(const struct ef_board_key *key)
{
    return ef_folder_open_guarded(key->folder);
}

static int open_board(const struct ef_board_key *key, int all)
{
    char name[EF_KEY_NAME_MAX];
    ef_board_key_name(key, name);
    return ef_folder_open_private(all, name);
}

/* The header of this board, and the digest of what is behind it. */
static void put_header(const struct ef_board_key *key, uint8_t *head)
{
    memset(head, 0, AT_MAP);
    memcpy(head, MAGIC, sizeof(MAGIC));
    memcpy(head + AT_MAC, key->mac, sizeof(key->mac));
    ef_put_le32(head + AT_FLASH_ID, key->flash_id);
    ef_put_le32(head + AT_FLASH_SIZE, key->flash_size);
    uint8_t md5[EF_DIGEST_BYTES];
    ef_digest_bytes(head, head_len(key), md5);
    memcpy(head + AT_MD5, md5, sizeof(md5));
}

/* The sectors from `s` on of which the same is kept. */
static uint32_t run_of(const uint8_t *map, uint32_t s, uint32_t sectors)
{
    uint32_t n = 1;
    while (s + n < sectors && map[s + n] == map[s])
        n++;
    return n;
}

static bool read_contents(const struct ef_board_key *key, int fd, uint8_t *data, const uint8_t *map)
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

/* True if the header is this board's, and all of the head is whole. */
static bool read_head(const struct ef_board_key *key, int fd, uint8_t *head)
{
    uint8_t found[AT_MAP];
    if (!ef_file_read(fd, head, head_len(key), 0))
        return false;
    memcpy(found, head, AT_MAP);
    put_header(key, head);
    bool right = memcmp(found, head, AT_MAP) == 0;
    for (uint32_t s = 0; s < sectors_of(key) && right; s++)
        right = head[AT_MAP + s] <= EF_IMAGE_BYTES;
    return right;
}

/* A sector that was damaged on the disk would spoil the question about all those beside it. */
static void drop_damaged(const struct ef_board_key *key, uint8_t *head, const uint8_t *data,
                         uint8_t *map)
{
    for (uint32_t s = 0; s < sectors_of(key); s++) {
        uint8_t md5[EF_DIGEST_BYTES];
        if (map[s] != EF_IMAGE_BYTES)
            continue;
        ef_digest_bytes(data + (size_t)s * EF_SECTOR, EF_SECTOR, md5);
        if (memcmp(md5, digest_of(key, head, s), EF_DIGEST_BYTES) != 0)
            map[s] = EF_IMAGE_NOTHING;
    }
}

static bool read_image(const struct ef_board_key *key, int fd, uint8_t *data, uint8_t *map)
{
    uint8_t *head = malloc(head_len(key));
    bool read = head && read_head(key, fd, head);
    if (read) {
        memcpy(map, head + AT_MAP, sectors_of(key));
        read = read_contents(key, fd, data, map);
    }
    if (read)
        drop_damaged(key, head, data, map);
    free(head);
    return read;
}

static void log_none(const struct ef_board_key *key, struct ef_log *log, int all, int fd)
{
    int number = errno;
    if (all < 0 && number == EPERM)
        ef_log(log, EF_LOG_WARN,
               "%s: what is read of boards is not kept: others may write to this folder: run chmod "
               "go-w on it, or use cache= with a folder of your own",
               key->folder);
    else
        ef_log(log, EF_LOG_DEBUG, "%s: no image of this board: %s", key->folder,
               fd < 0 ? strerror(number) : "it is of another flash, or damaged");
}

bool ef_image_load(const struct ef_board_key *key, struct ef_log *log, uint8_t *data, uint8_t *map)
{
    int all = open_all(key);
    int board = all >= 0 ? open_board(key, all) : -1;
    int fd = board >= 0 ? ef_folder_open_file(board, NAME) : -1;
    bool loaded = fd >= 0 && read_image(key, fd, data, map);
    if (loaded) {
        /* It was of use: the oldest go first. A disk that is read-only keeps its order. */
        (void)futimens(fd, NULL);
    } else {
        log_none(key, log, all, fd);
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
    const struct ef_board_key *key;
    const uint8_t *data, *map;
};

static uint8_t *make_head(const struct saved *image)
{
    const struct ef_board_key *key = image->key;
    uint8_t *head = calloc(1, head_len(key));
    if (!head)
        return NULL;
    memcpy(head + AT_MAP, image->map, sectors_of(key));
    for (uint32_t s = 0; s < sectors_of(key); s++)
        if (image->map[s] == EF_IMAGE_BYTES)
            ef_digest_bytes(image->data + (size_t)s * EF_SECTOR, EF_SECTOR,
                            digest_of(key, head, s));
    put_header(key, head);
    return head;
}

static bool write_image(void *user, int fd)
{
    const struct saved *image = user;
    uint32_t sectors = sectors_of(image->key);
    uint8_t *head = make_head(image);
    if (!head)
        return false;
    bool written = ef_file_write(fd, head, head_len(image->key), 0);
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
    char name[EF_KEY_NAME_MAX];
    uint64_t bytes;
    struct timespec at;
};

static bool is_board(const char *name)
{
    return strlen(name) == EF_KEY_NAME_MAX - 1 && strspn(name, "0123456789abcdef") == strlen(name);
}

/* In the folder of one board. */
static bool look_at(int board, const char *name, struct kept *kept)
{
    struct stat st;
    ef_folder_tidy(board, NAME, EF_FOLDER_STALE_S);
    if (fstatat(board, NAME, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
        return false;
    snprintf(kept->name, sizeof(kept->name), "%s", name);
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
    DIR *dir = ef_folder_list(all);
    if (!dir)
        return false;
    struct kept kept;
    bool any = false;
    *bytes = 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        /* Through no link: what it leads to is not ours to count, or to delete. */
        int board = is_board(entry->d_name) ? ef_folder_open_private(all, entry->d_name) : -1;
        if (board < 0)
            continue;
        if (look_at(board, entry->d_name, &kept)) {
            *bytes += kept.bytes;
            if (!any || is_older(&kept, oldest))
                *oldest = kept;
            any = true;
        }
        close(board);
    }
    closedir(dir);
    return any;
}

static bool forget(int all, const struct kept *kept)
{
    int board = ef_folder_open_private(all, kept->name);
    bool gone = board >= 0 && unlinkat(board, NAME, 0) == 0;
    if (board >= 0)
        close(board);
    if (gone)
        unlinkat(all, kept->name, AT_REMOVEDIR);
    return gone;
}

static void forget_oldest(int all, struct ef_log *log)
{
    struct kept oldest;
    uint64_t bytes;
    while (find_oldest(all, &oldest, &bytes) &&
           bytes > (uint64_t)EF_IMAGE_FOLDER_MAX_MIB * 1024 * 1024) {
        if (!forget(all, &oldest))
            return;
        ef_log(log, EF_LOG_DEBUG, "the image of board %s is forgotten", oldest.name);
    }
}

bool ef_image_save(const struct ef_board_key *key, struct ef_log *log, const uint8_t *data,
                   const uint8_t *map)
{
    struct saved image = {.key = key, .data = data, .map = map};
    int all = open_all(key);
    int board = all >= 0 ? open_board(key, all) : -1;
    bool saved = board >= 0 && ef_folder_replace(board, NAME, write_image, &image);
    if (!saved)
        ef_log(
            log, EF_LOG_WARN,
            "%s: what was read of this board is not kept for the next mount: %s: cache=DIR keeps "
            "it elsewhere, cache=none does without",
            key->folder, strerror(errno));
    else
        forget_oldest(all, log);
    if (board >= 0)
        close(board);
    if (all >= 0)
        close(all);
    return saved;
}
