/* A board's image on disk in use: what need not cross, and that it never gives a wrong byte. */
#include "as_cp.h"
#include "image_room.h"

#include <fcntl.h>
#include <sys/stat.h>

static void leave(struct room *room)
{
    as_cp_end(&room->worker, &room->cache);
}

static void enter(struct room *room)
{
    leave(room);
    assert_int_equal(as_cp_start(room->mem, true, &room->worker, &room->cache), EF_OK);
    ef_cache_keep_image(room->cache, &room->key);
}

static void assert_right(struct room *room)
{
    assert_int_equal(as_cp_read(room->cache, room->buf, SIZE), EF_OK);
    assert_memory_equal(room->buf, room->mem->bytes, SIZE);
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

static uint64_t digested(struct room *room)
{
    uint64_t bytes = 0;
    assert_true(room->mem->calls < MEM_TRACE);
    for (size_t i = 0; i < room->mem->calls; i++)
        if (room->mem->call[i].op == MEM_DIGEST)
            bytes += room->mem->call[i].len;
    return bytes;
}

/* The first sectors of the blocks, and no digest that a stream cut in pieces would take. */
static void a_stale_image_costs_samples(void **state)
{
    struct room *room = *state;
    mem_pattern(room->image, SIZE, 9);
    save(room);
    enter(room);
    assert_right(room);
    assert_int_equal(room->mem->bytes_read, SIZE);
    assert_true(digested(room) <= SIZE / 16 + 2 * EF_SECTOR);
}

/* As the flash where it is sampled, and wrong behind: it is not asked about for long. */
static void an_image_that_begins_right_costs_little(void **state)
{
    struct room *room = *state;
    mem_pattern(room->image, SIZE, 9);
    for (uint32_t at = 0; at < SIZE; at += EF_BLOCK)
        memcpy(room->image + at, room->mem->bytes + at, EF_SECTOR);
    save(room);
    enter(room);
    assert_right(room);
    assert_in_range(room->mem->bytes_read, SIZE - EF_BLOCK, SIZE);
    assert_true(digested(room) <= SIZE / 3);
}

/* And is believed again where it is right. */
static void an_image_that_is_right_in_its_second_half(void **state)
{
    struct room *room = *state;
    mem_pattern(room->image, SIZE / 2, 9);
    for (uint32_t at = 0; at < SIZE / 2; at += EF_BLOCK)
        memcpy(room->image + at, room->mem->bytes + at, EF_SECTOR);
    save(room);
    enter(room);
    assert_right(room);
    assert_in_range(room->mem->bytes_read, SIZE / 2 - EF_BLOCK, SIZE / 2 + 4 * PIECE);
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

/* The image stays as it was: what is known now finds no folder. */
static void leave_image(struct room *room)
{
    room->key.folder = "/dev/null/none";
    leave(room);
    room->key.folder = room->folder;
}

/* Each digest in turn is that of the place that this bit of its address leads to. */
static void flip_each_digest(struct room *room, uint32_t bit)
{
    static struct mem_call call[MEM_TRACE];
    enter(room);
    assert_right(room);
    size_t calls = room->mem->calls;
    assert_true(calls < MEM_TRACE);
    memcpy(call, room->mem->call, calls * sizeof(*call));
    leave_image(room);
    unsigned nth = 0;
    for (size_t i = 0; i < calls; i++) {
        if (call[i].op != MEM_DIGEST)
            continue;
        uint32_t there = call[i].addr ^ bit;
        if (there <= SIZE - call[i].len) {
            enter(room);
            mem_set_fault(room->mem, MEM_DIGEST,
                          (struct mem_fault){.after = nth,
                                             .times = 1,
                                             .shift = (int64_t)there - (int64_t)call[i].addr});
            assert_right(room);
            leave_image(room);
        }
        nth++;
    }
    assert_true(nth > 0);
}

/*
 * An image of a flash in which places a flipped bit apart are swapped, and begin alike: a digest
 * of the wrong place says what the image does.
 */
static void flips_that_agree_with_a_wrong_image(void **state)
{
    struct room *room = *state;
    for (uint32_t at = EF_BLOCK; at < SIZE; at += EF_BLOCK)
        memcpy(room->mem->bytes + at, room->mem->bytes, EF_SECTOR);
    for (uint32_t at = 0; at < SIZE; at += PIECE)
        memcpy(room->image + at, room->mem->bytes + (at ^ (2 * PIECE)), PIECE);
    save(room);
    flip_each_digest(room, 2 * PIECE);
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

static void a_damaged_sector_crosses_alone(void **state)
{
    struct room *room = *state;
    save(room);
    int fd = open(room->file, O_RDWR);
    assert_int_equal(pwrite(fd, room->image, EF_SECTOR, CONTENTS + 7 * EF_SECTOR), EF_SECTOR);
    close(fd);
    enter(room);
    assert_right(room);
    assert_in_range(room->mem->bytes_read, EF_SECTOR, PIECE);
    leave(room);
    assert_true(load(room));
    assert_int_equal(room->map[7], EF_IMAGE_BYTES);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, room_open, room_close)
    const struct CMUnitTest tests[] = {
        TEST(an_unchanged_board_need_not_cross),
        TEST(what_was_written_is_kept),
        TEST(unwritten_data_is_not_kept),
        TEST(a_changed_block_crosses),
        TEST(a_stale_image_costs_samples),
        TEST(an_image_that_begins_right_costs_little),
        TEST(an_image_that_is_right_in_its_second_half),
        TEST(a_wrong_image_gives_no_wrong_byte),
        TEST(flips_that_agree_with_a_wrong_image),
        TEST(part_of_a_sector_over_a_wrong_image),
        TEST(a_damaged_sector_crosses_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
