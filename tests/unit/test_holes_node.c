/* Holes of flash.bin: where lseek finds them, and what punching one does to whom. */
#include "node_room.h"

enum { FIRST = 8, HOLE = 24 * 1024, LAST = ROOM_SECTORS - 3 };

static int64_t seek(struct room *room, uint64_t off, bool hole)
{
    return room->flash->ops->seek(room->flash, off, hole);
}

static int punch(struct room *room, uint64_t off, uint64_t len)
{
    return room->flash->ops->punch(room->flash, room->handle, off, len, patient());
}

static void fill(struct room *room, uint32_t off, uint32_t len, uint8_t byte)
{
    assert_int_equal(room_fill(room->base, off, len, byte), EF_OK);
}

static void zeros_are_holes_and_blank_is_data(void **state)
{
    struct room *room = *state;
    const uint64_t hole = (uint64_t)FIRST * EF_SECTOR;
    assert_int_equal(room->flash->ops->zeros(room->flash), 0);
    fill(room, (uint32_t)hole, HOLE, 0);
    fill(room, (uint32_t)hole + HOLE, 2 * EF_SECTOR, 0xFF);
    fill(room, LAST * EF_SECTOR, 3 * EF_SECTOR, 0);
    assert_int_equal(room->flash->ops->zeros(room->flash), HOLE + 3 * EF_SECTOR);
    assert_int_equal(seek(room, 0, true), hole);
    assert_int_equal(seek(room, 5, false), 5);
    assert_int_equal(seek(room, hole + 5, true), hole + 5);
    assert_int_equal(seek(room, hole, false), hole + HOLE);
    assert_int_equal(seek(room, hole + HOLE - 1, false), hole + HOLE);
    assert_int_equal(seek(room, hole + HOLE, true), LAST * EF_SECTOR);
    assert_int_equal(seek(room, LAST * EF_SECTOR, false), -ENXIO);
    assert_int_equal(seek(room, ROOM_SIZE - 1, true), ROOM_SIZE - 1);
    assert_int_equal(seek(room, ROOM_SIZE, true), -ENXIO);
    assert_int_equal(seek(room, ROOM_SIZE, false), -ENXIO);
    assert_int_equal(seek(room, UINT64_MAX, true), -ENXIO);
    /* All that but one byte. */
    fill(room, (uint32_t)hole + EF_SECTOR - 1, 1, 1);
    assert_int_equal(seek(room, 0, true), hole + EF_SECTOR);
    assert_int_equal(room->flash->ops->zeros(room->flash), HOLE + 2 * EF_SECTOR);
}

/* What has not come from the chip is no hole, and nobody asks the chip for it. */
static void nothing_is_read_to_find_holes(void **state)
{
    struct room *room = *state;
    memset(room->base->mem->bytes + EF_BLOCK, 0, EF_BLOCK);
    memset(room->base->model + EF_BLOCK, 0, EF_BLOCK);
    mem_hold(room->base->mem, MEM_READ);
    assert_int_equal(seek(room, 0, true), ROOM_SIZE);
    assert_int_equal(room->flash->ops->zeros(room->flash), 0);
    assert_int_equal(mem_count(room->base->mem, MEM_READ), 0);
    mem_release(room->base->mem);
    assert_int_equal(room_read(room->base, 0, ROOM_SIZE), EF_OK);
    assert_int_equal(seek(room, 0, true), EF_BLOCK);
    assert_int_equal(room->flash->ops->zeros(room->flash), EF_BLOCK);
    assert_int_equal(write_erase(room, "0x10000 4k"), 10);
    assert_int_equal(seek(room, 0, true), EF_BLOCK + EF_SECTOR);
}

/* A part of the flash has its own offsets, and its own end. */
static void a_part_has_its_own_holes(void **state)
{
    struct room *room = *state;
    fill(room, EF_BLOCK, 2 * EF_BLOCK, 0);
    struct ef_node part = *room->flash;
    part.base = EF_BLOCK + EF_SECTOR;
    part.len = 2 * EF_BLOCK;
    const int64_t zeros = 2 * EF_BLOCK - EF_SECTOR;
    assert_int_equal(part.ops->seek(&part, 0, false), zeros);
    assert_int_equal(part.ops->seek(&part, (uint64_t)zeros, true), 2 * EF_BLOCK);
    assert_int_equal(part.ops->seek(&part, 2 * EF_BLOCK, true), -ENXIO);
    part.zero_count = (struct ef_zero_count){0};
    assert_int_equal(part.ops->zeros(&part), zeros);
}

/* ESP-IDF has partitions that end inside a sector. */
static void a_part_may_end_inside_a_sector(void **state)
{
    struct room *room = *state;
    const uint64_t len = EF_SECTOR + 100;
    struct ef_node part = *room->flash;
    part.base = EF_BLOCK;
    part.len = len;
    fill(room, EF_BLOCK, EF_SECTOR, 0);
    fill(room, EF_BLOCK + EF_SECTOR, EF_SECTOR, 1);
    assert_int_equal(part.ops->seek(&part, 0, true), 0);
    assert_int_equal(part.ops->seek(&part, 0, false), EF_SECTOR);
    assert_int_equal(part.ops->seek(&part, EF_SECTOR, true), len);
    assert_int_equal(part.ops->seek(&part, len - 1, false), len - 1);
    assert_int_equal(part.ops->seek(&part, len - 1, true), len);
    assert_int_equal(part.ops->zeros(&part), EF_SECTOR);
    fill(room, EF_BLOCK + EF_SECTOR, EF_SECTOR, 0);
    assert_int_equal(part.ops->seek(&part, EF_SECTOR, true), EF_SECTOR);
    assert_int_equal(part.ops->seek(&part, EF_SECTOR, false), -ENXIO);
    assert_int_equal(part.ops->zeros(&part), len);
}

/* Nothing is proven of such a chip, so nothing of it is known to be zeros. */
static void a_blind_chip_has_no_holes(void **state)
{
    struct room *room = *state;
    fill(room, 0, ROOM_SIZE / 4, 0);
    open_flash(room, O_RDWR);
    room->session.guard.secure_download = true;
    assert_int_equal(seek(room, 0, true), ROOM_SIZE);
    assert_int_equal(seek(room, 0, false), 0);
    assert_int_equal(room->flash->ops->zeros(room->flash), 0);
    assert_int_equal(punch(room, 0, EF_SECTOR), -EOPNOTSUPP);
    room->session.guard.secure_download = false;
}

static void punching_erases(void **state)
{
    struct room *room = *state;
    open_flash(room, O_WRONLY);
    fill(room, EF_BLOCK, 10, 0x12); /* it is dropped */
    assert_int_equal(punch(room, EF_BLOCK, 2 * EF_SECTOR), 0);
    memset(room->base->model + EF_BLOCK, 0xFF, 2 * EF_SECTOR);
    assert_true(room_settled(room->base));
    assert_int_equal(room->invalidated, 1);
    assert_int_equal(punch(room, ROOM_SIZE - EF_SECTOR, EF_SECTOR), 0);
    memset(room->base->model + ROOM_SIZE - EF_SECTOR, 0xFF, EF_SECTOR);
    expect_settled(room);
}

static void what_is_no_whole_sector_is_refused(void **state)
{
    struct room *room = *state;
    static const uint64_t RANGES[][2] = {{1, EF_SECTOR},
                                         {0, EF_SECTOR - 1},
                                         {EF_SECTOR, 1},
                                         {0, 0},
                                         {ROOM_SIZE, EF_SECTOR},
                                         {ROOM_SIZE - EF_SECTOR, 2 * EF_SECTOR},
                                         {EF_SECTOR, UINT64_MAX - EF_SECTOR + 1}};
    open_flash(room, O_WRONLY);
    for (size_t i = 0; i < sizeof(RANGES) / sizeof(*RANGES); i++)
        assert_int_equal(punch(room, RANGES[i][0], RANGES[i][1]), -EINVAL);
    assert_int_equal(mem_count(room->base->mem, MEM_ERASE), 0);
    expect_settled(room);
}

/* To all of these a hole means zeros, and they write them where there can be none. */
static void who_means_zeros_is_told_to_write_them(void **state)
{
    struct room *room = *state;
    open_flash(room, O_WRONLY | O_TRUNC);
    assert_int_equal(punch(room, 0, EF_SECTOR), -EOPNOTSUPP);
    open_flash(room, O_WRONLY);
    assert_int_equal(put(room, 0, 10, 1), 10);
    assert_int_equal(punch(room, EF_BLOCK, EF_SECTOR), -EOPNOTSUPP);
    open_flash(room, O_WRONLY);
    assert_int_equal(truncate_to(room, ROOM_SIZE), 0);
    assert_int_equal(punch(room, EF_BLOCK, EF_SECTOR), -EOPNOTSUPP);
    expect_settled(room);
    assert_int_equal(mem_count(room->base->mem, MEM_ERASE), 0);
}

/* fallocate --dig-holes looks for zeros and punches those. */
static void zeros_stay_zeros(void **state)
{
    struct room *room = *state;
    memset(room->base->mem->bytes + EF_BLOCK, 0, 2 * EF_SECTOR);
    memset(room->base->model + EF_BLOCK, 0, 2 * EF_SECTOR);
    open_flash(room, O_RDWR);
    assert_int_equal(punch(room, EF_BLOCK, 2 * EF_SECTOR), -EOPNOTSUPP);
    assert_int_equal(mem_count(room->base->mem, MEM_ERASE), 0);
    assert_int_equal(punch(room, EF_BLOCK, 3 * EF_SECTOR), 0);
    memset(room->base->model + EF_BLOCK, 0xFF, 3 * EF_SECTOR);
    expect_settled(room);
}

/* rsync and mkfs punch what is to be zeros first, and write the rest through the same handle. */
static void who_punches_and_writes_has_meant_zeros(void **state)
{
    struct room *room = *state;
    open_flash(room, O_RDWR);
    assert_int_equal(punch(room, 0, EF_SECTOR), 0);
    assert_int_equal(punch(room, EF_BLOCK, 3 * EF_SECTOR), 0);
    assert_int_equal(put(room, EF_BLOCK + EF_SECTOR, 10, 1), 10);
    zeros_due(room, 0, EF_SECTOR);
    zeros_due(room, EF_BLOCK, EF_BLOCK + EF_SECTOR);
    zeros_due(room, EF_BLOCK + EF_SECTOR + 10, EF_BLOCK + 3 * EF_SECTOR);
    expect_settled(room);
    /* ... or set the size. */
    open_flash(room, O_RDWR);
    assert_int_equal(punch(room, 2 * EF_BLOCK, EF_SECTOR), 0);
    assert_int_equal(truncate_to(room, ROOM_SIZE), 0);
    zeros_due(room, 2 * EF_BLOCK, 2 * EF_BLOCK + EF_SECTOR);
    expect_settled(room);
}

/* What others have written where it punched is theirs. */
static void who_punches_and_writes_leaves_what_others_wrote(void **state)
{
    struct room *room = *state;
    open_flash(room, O_RDWR);
    assert_int_equal(punch(room, EF_BLOCK, 3 * EF_SECTOR), 0);
    fill(room, EF_BLOCK + EF_SECTOR, EF_SECTOR, 0x12);
    assert_int_equal(put(room, 0, 10, 1), 10);
    zeros_due(room, EF_BLOCK, EF_BLOCK + EF_SECTOR);
    zeros_due(room, EF_BLOCK + 2 * EF_SECTOR, EF_BLOCK + 3 * EF_SECTOR);
    expect_settled(room);
}

static void *punch_a_block(void *user)
{
    struct room *room = user;
    return (void *)(intptr_t)punch(room, EF_BLOCK, EF_BLOCK); // NOLINT(performance-no-int-to-ptr)
}

/* The kernel writes a mapped page whenever it likes: through a handle that punches, too. */
static void a_write_may_come_beside_a_punch(void **state)
{
    struct room *room = *state;
    pthread_t thread;
    void *result;
    open_flash(room, O_RDWR);
    mem_hold(room->base->mem, MEM_ERASE);
    assert_int_equal(pthread_create(&thread, NULL, punch_a_block, room), 0);
    mem_await_held(room->base->mem);
    assert_int_equal(put(room, 0, 10, 1), 10);
    mem_release(room->base->mem);
    pthread_join(thread, &result);
    assert_int_equal((intptr_t)result, 0);
    assert_int_equal(put(room, 0, 10, 2), 10);
    zeros_due(room, EF_BLOCK, 2 * EF_BLOCK);
    expect_settled(room);
}

/* What was not erased is not made zeros of either. */
static void a_failed_punch_is_forgotten(void **state)
{
    struct room *room = *state;
    open_flash(room, O_RDWR);
    mem_fail(room->base->mem, MEM_ERASE, 1, EF_GONE);
    assert_int_equal(punch(room, EF_BLOCK, EF_SECTOR), -ENODEV);
    assert_int_equal(punch(room, EF_BLOCK, EF_SECTOR), 0);
    memset(room->base->model + EF_BLOCK, 0xFF, EF_SECTOR);
    expect_settled(room);
    open_flash(room, O_RDWR);
    mem_fail(room->base->mem, MEM_ERASE, 1, EF_GUARDED);
    assert_int_equal(punch(room, 3 * EF_BLOCK, EF_SECTOR), -EPERM);
    assert_int_equal(put(room, 0, 10, 1), 10);
    expect_settled(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(zeros_are_holes_and_blank_is_data, room_open, room_close),
        cmocka_unit_test_setup_teardown(nothing_is_read_to_find_holes, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_part_has_its_own_holes, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_part_may_end_inside_a_sector, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_blind_chip_has_no_holes, room_open, room_close),
        cmocka_unit_test_setup_teardown(punching_erases, room_open, room_close),
        cmocka_unit_test_setup_teardown(what_is_no_whole_sector_is_refused, room_open, room_close),
        cmocka_unit_test_setup_teardown(who_means_zeros_is_told_to_write_them, room_open,
                                        room_close),
        cmocka_unit_test_setup_teardown(zeros_stay_zeros, room_open, room_close),
        cmocka_unit_test_setup_teardown(who_punches_and_writes_has_meant_zeros, room_open,
                                        room_close),
        cmocka_unit_test_setup_teardown(who_punches_and_writes_leaves_what_others_wrote, room_open,
                                        room_close),
        cmocka_unit_test_setup_teardown(a_write_may_come_beside_a_punch, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_failed_punch_is_forgotten, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
