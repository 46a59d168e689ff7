/* A board's image on disk: what is kept, what is refused, and that it never gives a wrong byte. */
#include "mem_flash.h"

#include "espflashfs/cache.h"
#include "espflashfs/clock.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIZE = 2 * 1024 * 1024, SECTORS = SIZE / EF_SECTOR, PIECE = 128 * 1024, HEAD = 64 };

struct room {
    char folder[64], board[96], file[112];
    struct ef_image_key key;
    struct mem *mem;
    struct ef_worker *worker;
    struct ef_cache *cache;
    uint8_t image[SIZE], map[SECTORS];
    uint8_t buf[SIZE];
};

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    strcpy(room->folder, "/tmp/ef-image-XXXXXX");
    if (!mkdtemp(room->folder))
        return -1;
    room->key = (struct ef_image_key){.folder = room->folder,
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

static void leave(struct room *room)
{
    ef_cache_free(room->cache);
    ef_worker_stop(room->worker);
    room->cache = NULL;
    room->worker = NULL;
}

static int room_close(void **state)
{
    struct room *room = *state;
    leave(room);
    mem_free(room->mem);
    unlink(room->file);
    rmdir(room->file);
    rmdir(room->board);
    unlink(room->board);
    int rc = rmdir(room->folder); /* fails where something else was left */
    free(room);
    return rc;
}

static void enter(struct room *room)
{
    leave(room);
    mem_reset_counts(room->mem);
    struct ef_flash *bottom = mem_flash_new(room->mem);
    bottom->read_piece = PIECE;
    bottom->read_digested = true;
    struct ef_flash *flash = ef_flash_retry_new(ef_flash_verify_new(bottom));
    assert_int_equal(ef_worker_start(flash, &room->worker), EF_OK);
    assert_int_equal(ef_cache_new(room->worker, SIZE, NULL, &room->cache), EF_OK);
    ef_cache_keep_image(room->cache, &room->key);
}

static bool late(void *user)
{
    return ef_deadline_left_ms(*(ef_deadline *)user) == 0;
}

/* As cp does: in order, with more asked for ahead. */
static void assert_right(struct room *room)
{
    ef_deadline give_up = ef_deadline_in(30000);
    struct ef_patience patience = {.interrupted = late, .user = &give_up};
    memset(room->buf, 0x77, SIZE);
    for (uint32_t at = 0; at < SIZE; at += EF_BLOCK)
        assert_int_equal(
            ef_cache_read_on(room->cache, at, EF_BLOCK, 4 * PIECE, room->buf + at, patience),
            EF_OK);
    assert_memory_equal(room->buf, room->mem->bytes, SIZE);
}

static void save(struct room *room)
{
    assert_true(ef_image_save(&room->key, NULL, room->image, room->map));
}

static bool load(struct room *room)
{
    memset(room->buf, 0x55, SIZE);
    return ef_image_load(&room->key, NULL, room->buf, room->map);
}

static void what_is_saved_is_loaded(void **state)
{
    struct room *room = *state;
    memset(room->map + 3, EF_IMAGE_NOTHING, 20);
    memset(room->map + 40, EF_IMAGE_BLANK, 100);
    save(room);
    memset(room->map, 0x77, SECTORS);
    assert_true(load(room));
    for (uint32_t s = 0; s < SECTORS; s++) {
        size_t at = (size_t)s * EF_SECTOR;
        enum ef_image_sector kept = EF_IMAGE_BYTES;
        if (s >= 3 && s < 23)
            kept = EF_IMAGE_NOTHING;
        if (s >= 40 && s < 140)
            kept = EF_IMAGE_BLANK;
        assert_int_equal(room->map[s], kept);
        if (kept == EF_IMAGE_BYTES)
            assert_memory_equal(room->buf + at, room->image + at, EF_SECTOR);
        else
            assert_int_equal(room->buf[at + 17], kept == EF_IMAGE_BLANK ? 0xFF : 0x55);
    }
}

static void it_is_its_users_alone(void **state)
{
    struct room *room = *state;
    struct stat st;
    umask(0);
    save(room);
    assert_int_equal(stat(room->board, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(room->file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    /* One that was opened to others is closed again. */
    assert_int_equal(chmod(room->board, 0777), 0);
    save(room);
    assert_int_equal(stat(room->board, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

static void blank_flash_takes_no_room(void **state)
{
    struct room *room = *state;
    struct stat st;
    memset(room->map, EF_IMAGE_BLANK, SECTORS);
    save(room);
    assert_int_equal(stat(room->file, &st), 0);
    assert_true(st.st_blocks * 512 <= 2 * EF_SECTOR);
}

static void of_another_board_or_flash(void **state)
{
    struct room *room = *state;
    save(room);
    room->key.flash_id++;
    assert_false(load(room));
    room->key.flash_id--;
    room->key.flash_size /= 2;
    assert_false(load(room));
    room->key.flash_size *= 2;
    room->key.mac[0] ^= 2;
    assert_false(load(room));
    room->key.mac[0] ^= 2;
    assert_true(load(room));
    /* The folder of the other MAC was made. */
    char other[96];
    snprintf(other, sizeof(other), "%s/260ac4001122", room->folder);
    rmdir(other);
}

static void a_damaged_head_or_a_short_file(void **state)
{
    struct room *room = *state;
    save(room);
    int fd = open(room->file, O_RDWR);
    for (off_t at = 0; at < HEAD + SECTORS; at += at < HEAD ? 1 : 37) {
        uint8_t byte;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x04;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        assert_false(load(room));
        assert_int_equal(room->map[0], EF_IMAGE_NOTHING);
        byte ^= 0x04;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    assert_true(load(room));
    assert_int_equal(ftruncate(fd, SIZE), 0);
    assert_false(load(room));
    assert_int_equal(room->map[0], EF_IMAGE_NOTHING);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_false(load(room));
    close(fd);
}

static void links_are_not_followed(void **state)
{
    struct room *room = *state;
    char target[112];
    struct stat st;
    snprintf(target, sizeof(target), "%s/target", room->folder);
    int fd = open(target, O_RDWR | O_CREAT, 0600);
    assert_int_equal(mkdir(room->board, 0700), 0);
    assert_int_equal(symlink(target, room->file), 0);
    assert_false(load(room));
    save(room);
    assert_int_equal(lstat(room->file, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 0);
    close(fd);
    unlink(target);
    /* Nor in the folder's place. */
    unlink(room->file);
    rmdir(room->board);
    assert_int_equal(symlink("/tmp", room->board), 0);
    assert_false(ef_image_save(&room->key, NULL, room->image, room->map));
    assert_false(load(room));
}

static void a_folder_in_the_files_place(void **state)
{
    struct room *room = *state;
    assert_int_equal(mkdir(room->board, 0700), 0);
    assert_int_equal(mkdir(room->file, 0700), 0);
    assert_false(load(room));
    assert_false(ef_image_save(&room->key, NULL, room->image, room->map));
}

static void a_fifo_is_not_waited_for(void **state)
{
    struct room *room = *state;
    assert_int_equal(mkdir(room->board, 0700), 0);
    assert_int_equal(mkfifo(room->file, 0600), 0);
    assert_false(load(room));
    save(room);
    assert_true(load(room));
}

static void the_oldest_go(void **state)
{
    struct room *room = *state;
    enum { BOARDS = EF_IMAGE_FOLDER_MAX_MIB / 2 + 3 };
    struct stat st;
    unsigned kept = 0;
    for (unsigned i = 0; i < BOARDS; i++) {
        room->key.mac[5] = (uint8_t)i;
        save(room);
        struct timespec times[2] = {{.tv_sec = 1000 + i}, {.tv_sec = 1000 + i}};
        snprintf(room->file, sizeof(room->file), "%s/240ac40011%02x/image", room->folder, i);
        assert_int_equal(utimensat(AT_FDCWD, room->file, times, 0), 0);
    }
    for (unsigned i = 0; i < BOARDS; i++) {
        snprintf(room->board, sizeof(room->board), "%s/240ac40011%02x", room->folder, i);
        snprintf(room->file, sizeof(room->file), "%s/image", room->board);
        bool there = stat(room->file, &st) == 0;
        assert_true(there || i < BOARDS / 2);
        kept += there;
        unlink(room->file);
        rmdir(room->board);
    }
    assert_in_range(kept, BOARDS - 8, BOARDS - 1);
}

static void an_unchanged_board_need_not_cross(void **state)
{
    struct room *room = *state;
    enter(room);
    assert_right(room);
    assert_int_equal(room->mem->bytes_read, SIZE);
    enter(room);
    assert_right(room);
    assert_int_equal(room->mem->bytes_read, 0);
    /* Nothing new: the file stays as it is. */
    struct stat before;
    struct stat after;
    assert_int_equal(stat(room->file, &before), 0);
    leave(room);
    assert_int_equal(stat(room->file, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
}

static void what_was_written_is_kept(void **state)
{
    struct room *room = *state;
    uint8_t sector[EF_SECTOR];
    memset(sector, 0x42, sizeof(sector));
    enter(room);
    assert_right(room);
    assert_int_equal(
        ef_cache_write(room->cache, 5 * EF_SECTOR, EF_SECTOR, sector, (struct ef_patience){0}),
        EF_OK);
    assert_int_equal(ef_cache_flush(room->cache, (struct ef_patience){0}), EF_OK);
    assert_int_equal(ef_cache_erase(room->cache, EF_BLOCK, EF_BLOCK, (struct ef_patience){0}),
                     EF_OK);
    leave(room);
    assert_true(load(room));
    assert_int_equal(room->map[16], EF_IMAGE_BLANK);
    assert_memory_equal(room->buf, room->mem->bytes, SIZE);
    enter(room);
    assert_right(room);
    assert_int_equal(room->mem->bytes_read, 0);
}

static void unwritten_data_is_not_kept(void **state)
{
    struct room *room = *state;
    uint8_t sector[EF_SECTOR];
    memset(sector, 0x42, sizeof(sector));
    enter(room);
    assert_right(room);
    assert_int_equal(ef_cache_write(room->cache, 0, EF_SECTOR, sector, (struct ef_patience){0}),
                     EF_OK);
    leave(room);
    assert_true(load(room));
    assert_int_equal(room->map[0], EF_IMAGE_NOTHING);
}

static void a_changed_block_crosses(void **state)
{
    struct room *room = *state;
    enter(room);
    assert_right(room);
    mem_pattern(room->mem->bytes + 5 * EF_BLOCK + 100, EF_BLOCK - 100, 7);
    enter(room);
    assert_right(room);
    assert_in_range(room->mem->bytes_read, EF_BLOCK - EF_SECTOR, 2 * EF_BLOCK);
}

/* All of them valid as files; what they say of the flash is wrong. */
static void lie_rotated(struct room *room)
{
    memcpy(room->image, room->mem->bytes + EF_SECTOR, SIZE - EF_SECTOR);
    memcpy(room->image + SIZE - EF_SECTOR, room->mem->bytes, EF_SECTOR);
}

static void lie_one_bit(struct room *room)
{
    for (uint32_t at = 777; at < SIZE; at += 3 * EF_BLOCK)
        room->image[at] ^= 0x10;
}

static void lie_blank(struct room *room)
{
    memset(room->map + 16, EF_IMAGE_BLANK, SECTORS - 16);
}

static void lie_blank_but_for_first_sectors(struct room *room)
{
    memset(room->map, EF_IMAGE_BLANK, SECTORS);
    for (uint32_t s = 0; s < SECTORS; s += 16)
        room->map[s] = EF_IMAGE_BYTES;
}

static void lie_last_bytes(struct room *room)
{
    for (uint32_t at = EF_SECTOR - 1; at < SIZE; at += EF_SECTOR)
        room->image[at] ^= 1;
}

static void lie_of_blank_flash(struct room *room)
{
    memset(room->mem->bytes + 3 * EF_BLOCK, 0xFF, SIZE - 3 * EF_BLOCK);
    room->mem->bytes[SIZE - 5000] = 0xFE;
    memcpy(room->image, room->mem->bytes, SIZE);
    room->image[SIZE - 5000] = 0xFF;
}

static void lie_halves_swapped(struct room *room)
{
    memcpy(room->image, room->mem->bytes + SIZE / 2, SIZE / 2);
    memcpy(room->image + SIZE / 2, room->mem->bytes, SIZE / 2);
}

static void a_wrong_image_gives_no_wrong_byte(void **state)
{
    static void (*const LIES[])(struct room *) = {
        lie_rotated,    lie_one_bit,        lie_blank,         lie_blank_but_for_first_sectors,
        lie_last_bytes, lie_halves_swapped, lie_of_blank_flash};
    struct room *room = *state;
    for (size_t i = 0; i < sizeof(LIES) / sizeof(LIES[0]); i++) {
        memcpy(room->image, room->mem->bytes, SIZE);
        memset(room->map, EF_IMAGE_BYTES, SECTORS);
        LIES[i](room);
        save(room);
        enter(room);
        assert_right(room);
        leave(room);
        /* And the next mount knows better. */
        assert_true(load(room));
        assert_memory_equal(room->buf, room->mem->bytes, SIZE);
    }
}

/* A written part of a sector lies over the chip's bytes, never over the image's. */
static void part_of_a_sector_over_a_wrong_image(void **state)
{
    struct room *room = *state;
    memset(room->image, 0x11, SIZE);
    save(room);
    enter(room);
    memset(room->mem->bytes + 9 * EF_SECTOR + 100, 0x42, 50);
    uint8_t part[50];
    memset(part, 0x42, sizeof(part));
    assert_int_equal(ef_cache_write(room->cache, 9 * EF_SECTOR + 100, sizeof(part), part,
                                    (struct ef_patience){0}),
                     EF_OK);
    assert_int_equal(ef_cache_flush(room->cache, (struct ef_patience){0}), EF_OK);
    assert_right(room);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, room_open, room_close)
    const struct CMUnitTest tests[] = {
        TEST(what_is_saved_is_loaded),
        TEST(it_is_its_users_alone),
        TEST(blank_flash_takes_no_room),
        TEST(of_another_board_or_flash),
        TEST(a_damaged_head_or_a_short_file),
        TEST(links_are_not_followed),
        TEST(a_folder_in_the_files_place),
        TEST(a_fifo_is_not_waited_for),
        TEST(the_oldest_go),
        TEST(an_unchanged_board_need_not_cross),
        TEST(what_was_written_is_kept),
        TEST(unwritten_data_is_not_kept),
        TEST(a_changed_block_crosses),
        TEST(a_wrong_image_gives_no_wrong_byte),
        TEST(part_of_a_sector_over_a_wrong_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
