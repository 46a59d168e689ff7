/* flash.bin and erase as nodes: decision 1, the size that never changes, and errno. */
#include "node_room.h"

static void reads(void **state)
{
    struct room *room = *state;
    uint8_t buf[64];
    open_flash(room, O_RDONLY);
    struct ef_node *f = room->flash;
    assert_int_equal(f->ops->read(f, room->handle, buf, 64, 100, patient()), 64);
    assert_memory_equal(buf, room->base->model + 100, 64);
    assert_int_equal(f->ops->read(f, room->handle, buf, 64, ROOM_SIZE - 5, patient()), 5);
    assert_memory_equal(buf, room->base->model + ROOM_SIZE - 5, 5);
    assert_int_equal(f->ops->read(f, room->handle, buf, 64, ROOM_SIZE, patient()), 0);
    assert_int_equal(f->ops->read(f, room->handle, buf, 64, UINT64_MAX, patient()), 0);
}

static void sequential_readers_are_read_ahead_for(void **state)
{
    struct room *room = *state;
    uint8_t *buf = room->base->buf;
    struct ef_node *f = room->flash;
    open_flash(room, O_RDONLY);
    assert_int_equal(f->ops->read(f, room->handle, buf, EF_SECTOR, EF_BLOCK, patient()), EF_SECTOR);
    assert_int_equal(mem_count(room->base->mem, MEM_READ), 1);
    assert_int_equal(f->ops->read(f, room->handle, buf, EF_SECTOR, EF_BLOCK + EF_SECTOR, patient()),
                     EF_SECTOR);
    /* The rest of the piece came with the second one: no read need pass for the third. */
    mem_hold(room->base->mem, MEM_READ);
    assert_int_equal(f->ops->read(f, room->handle, buf, EF_SECTOR, EF_BLOCK + 3 * EF_SECTOR,
                                  patient_within_reason(room->base)),
                     EF_SECTOR);
    mem_release(room->base->mem);
}

static void plain_writes(void **state)
{
    struct room *room = *state;
    open_flash(room, O_WRONLY);
    assert_int_equal(put(room, 5000, 3000, 1), 3000);
    assert_int_equal(put(room, 100000, 10, 2), 10);
    assert_int_equal(put(room, 10, 1, 3), 1);
    assert_int_equal(put(room, ROOM_SIZE - 1, 1, 4), 1);
    expect_settled(room);
}

/* cp of a sparse image sends no write for a hole. */
static void holes_after_truncation_are_zeros(void **state)
{
    struct room *room = *state;
    open_flash(room, O_WRONLY | O_TRUNC);
    assert_int_equal(put(room, 0, 1000, 1), 1000);
    zeros_due(room, 1000, 200000);
    assert_int_equal(put(room, 200000, 1000, 2), 1000);
    expect_settled(room);
}

static void a_hole_at_the_start(void **state)
{
    struct room *room = *state;
    open_flash(room, O_RDWR | O_TRUNC);
    zeros_due(room, 0, 70000);
    assert_int_equal(put(room, 70000, 1, 2), 1);
    expect_settled(room);
}

/* ... and a hole at the end is an ftruncate. */
static void a_hole_at_the_end(void **state)
{
    struct room *room = *state;
    open_flash(room, O_WRONLY | O_TRUNC);
    assert_int_equal(put(room, 0, 10, 2), 10);
    zeros_due(room, 10, 66000);
    assert_int_equal(truncate_to(room, 66000), 0);
    expect_settled(room);
    zeros_due(room, 66000, 66010);
    assert_int_equal(put(room, 66010, 10, 2), 10);
    expect_settled(room);
}

/* A truncation that comes late, of another opener of this file, makes no holes here. */
static void replaced_before_it_is_used(void **state)
{
    struct room *room = *state;
    open_flash(room, O_WRONLY);
    assert_int_equal(put(room, 0, 10, 1), 10);
    room->flash->ops->replace(room->flash, room->handle);
    assert_int_equal(put(room, 5000, 10, 2), 10);
    expect_settled(room);
    open_flash(room, O_WRONLY | O_TRUNC);
    assert_int_equal(put(room, 0, 10, 3), 10);
    room->flash->ops->replace(room->flash, room->handle); /* it stays what it was */
    zeros_due(room, 10, 5000);
    assert_int_equal(put(room, 5000, 10, 4), 10);
    expect_settled(room);
}

static void written_backwards(void **state)
{
    struct room *room = *state;
    open_flash(room, O_WRONLY | O_TRUNC);
    zeros_due(room, 0, 5000);
    assert_int_equal(put(room, 5000, 100, 1), 100);
    assert_int_equal(put(room, 1000, 100, 2), 100); /* no zeros over what was given */
    assert_int_equal(put(room, 5100, 100, 3), 100);
    expect_settled(room);
}

static void shortened_and_written_behind(void **state)
{
    struct room *room = *state;
    open_flash(room, O_WRONLY | O_TRUNC);
    assert_int_equal(put(room, 0, 9000, 1), 9000);
    assert_int_equal(truncate_to(room, 1000), 0);
    zeros_due(room, 1000, 8000);
    assert_int_equal(put(room, 8000, 10, 1), 10);
    expect_settled(room);
}

/* rsync --inplace --sparse opens without O_TRUNC, and then empties the file. */
static void emptied_through_its_handle(void **state)
{
    struct room *room = *state;
    open_flash(room, O_WRONLY);
    assert_int_equal(put(room, 9000, 10, 1), 10);
    assert_int_equal(truncate_to(room, 0), 0);
    expect_settled(room);
    zeros_due(room, 0, 70000);
    assert_int_equal(put(room, 70000, 10, 2), 10);
    zeros_due(room, 70010, 80000);
    assert_int_equal(truncate_to(room, 80000), 0);
    expect_settled(room);
}

/* Nothing but that makes holes of what is skipped; no truncation erases or shortens. */
static void truncation_changes_nothing(void **state)
{
    struct room *room = *state;
    open_flash(room, O_WRONLY | O_TRUNC);
    expect_settled(room);
    assert_int_equal(truncate_to(room, 0), 0);
    expect_settled(room);
    open_flash(room, O_WRONLY);
    assert_int_equal(truncate_to(room, 12345), 0);
    assert_int_equal(truncate_to(room, ROOM_SIZE), 0);
    assert_int_equal(put(room, 50000, 10, 1), 10);
    expect_settled(room);
    struct ef_node *f = room->flash;
    assert_int_equal(f->ops->truncate(f, NULL, 0, patient()), 0);
    assert_int_equal(f->ops->truncate(f, NULL, ROOM_SIZE, patient()), 0);
    open_flash(room, O_RDONLY | O_TRUNC);
    expect_settled(room);
    assert_int_equal(room->base->mem->count[MEM_ERASE], 0);
}

static void never_grows(void **state)
{
    struct room *room = *state;
    struct ef_node *f = room->flash;
    uint8_t buf[16] = {0};
    static const int FLAGS[] = {O_WRONLY, O_WRONLY | O_TRUNC};
    for (int i = 0; i < 2; i++) {
        open_flash(room, FLAGS[i]);
        assert_int_equal(f->ops->write(f, room->handle, buf, 2, ROOM_SIZE - 1, patient()), -ENOSPC);
        assert_int_equal(f->ops->write(f, room->handle, buf, 1, ROOM_SIZE, patient()), -ENOSPC);
        assert_int_equal(f->ops->write(f, room->handle, buf, 16, UINT64_MAX - 4, patient()),
                         -ENOSPC);
        assert_int_equal(truncate_to(room, ROOM_SIZE + 1), -EFBIG);
        assert_int_equal(truncate_to(room, UINT64_MAX), -EFBIG);
    }
    assert_int_equal(f->ops->truncate(f, NULL, ROOM_SIZE + 1, patient()), -EFBIG);
    assert_int_equal(room_dirty(room->base), 0);
    expect_settled(room);
}

static void appending(void **state)
{
    struct room *room = *state;
    struct ef_node *f = room->flash;
    uint8_t byte = 1;
    open_flash(room, O_WRONLY | O_APPEND);
    assert_int_equal(f->ops->write(f, room->handle, &byte, 1, 0, patient()), -ENOSPC);
    open_flash(room, O_WRONLY | O_APPEND | O_TRUNC);
    mem_pattern(room->base->model, 30, 4);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(
            f->ops->write(f, room->handle, room->base->model + 10 * i, 10, ROOM_SIZE, patient()),
            10);
    expect_settled(room);
}

static void read_only(void **state)
{
    struct room *room = *state;
    void *handle;
    struct ef_node *nodes[] = {room->flash, room->erase};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(nodes[i]->ops->open(nodes[i], O_WRONLY, &handle), -EROFS);
        assert_int_equal(nodes[i]->ops->open(nodes[i], O_RDWR, &handle), -EROFS);
        assert_int_equal(nodes[i]->ops->open(nodes[i], O_RDONLY, &handle), 0);
        nodes[i]->ops->release(nodes[i], handle);
    }
    assert_int_equal(room->flash->ops->truncate(room->flash, NULL, 0, patient()), -EROFS);
}

/* A close waits for what its own handle wrote, says the failure once, and fsync tries again. */
static void close_tells_once(void **state)
{
    struct room *room = *state;
    void *reader;
    struct ef_node *f = room->flash;
    open_flash(room, O_WRONLY);
    assert_int_equal(f->ops->open(f, O_RDONLY, &reader), 0);
    assert_int_equal(put(room, 0, EF_SECTOR, 1), EF_SECTOR);
    assert_int_equal(f->ops->flush(f, reader, patient()), 0);
    assert_int_equal(room_dirty(room->base), 1);
    mem_fail(room->base->mem, MEM_WRITE, 1, EF_GONE);
    assert_int_equal(close_flash(room), -ENODEV);
    assert_int_equal(room_dirty(room->base), 1);
    assert_int_equal(close_flash(room), 0); /* a duplicate's, which tries again */
    assert_int_equal(room_dirty(room->base), 0);
    assert_int_equal(put(room, 0, EF_SECTOR, 2), EF_SECTOR);
    mem_fail(room->base->mem, MEM_WRITE, 1, EF_TIMEOUT);
    assert_int_equal(f->ops->fsync(f, room->handle, patient()), -EIO);
    assert_int_equal(f->ops->fsync(f, room->handle, patient()), 0);
    assert_true(room_settled(room->base));
    f->ops->release(f, reader);
}

static bool say_stop(void *user)
{
    (void)user;
    return true;
}

/* Nothing goes out, and a signal ends a write that finds no more room. */
static void interrupt_a_write(struct room *room)
{
    static const struct ef_patience IMPATIENT = {.interrupted = say_stop};
    open_flash(room, O_WRONLY);
    mem_hold(room->base->mem, MEM_DIGEST);
    assert_int_equal(put(room, 0, ROOM_SIZE / 2, 7), ROOM_SIZE / 2);
    assert_int_equal(room->flash->ops->write(room->flash, room->handle,
                                             room->base->model + ROOM_SIZE / 2, EF_SECTOR,
                                             ROOM_SIZE / 2, IMPATIENT),
                     -EINTR);
}

/* It would wait for ever: the flash moves only afterwards. */
static void an_interrupted_writer_closes_at_once(void **state)
{
    struct room *room = *state;
    interrupt_a_write(room);
    assert_int_equal(close_flash(room), -EINTR);
    assert_int_equal(close_flash(room), -EINTR); /* a duplicate's */
    mem_release(room->base->mem);
    open_flash(room, O_WRONLY);
    expect_settled(room);
}

static void an_interrupted_fsync_closes_at_once(void **state)
{
    static const struct ef_patience IMPATIENT = {.interrupted = say_stop};
    struct room *room = *state;
    open_flash(room, O_WRONLY);
    mem_hold(room->base->mem, MEM_DIGEST);
    assert_int_equal(put(room, 0, EF_SECTOR, 7), EF_SECTOR);
    assert_int_equal(room->flash->ops->fsync(room->flash, room->handle, IMPATIENT), -EINTR);
    assert_int_equal(close_flash(room), -EINTR);
    mem_release(room->base->mem);
    open_flash(room, O_WRONLY);
    expect_settled(room);
}

/* dd, told to print how far it is. */
static void a_writer_who_goes_on_is_answered(void **state)
{
    struct room *room = *state;
    interrupt_a_write(room);
    mem_release(room->base->mem);
    assert_int_equal(put(room, ROOM_SIZE / 2, EF_SECTOR, 8), EF_SECTOR);
    expect_settled(room);
}

static void erasing(void **state)
{
    struct room *room = *state;
    assert_int_equal(write_erase(room, "0x1000 8k\n"), 10);
    memset(room->base->model + 0x1000, 0xFF, 0x2000);
    assert_true(room_settled(room->base));
    assert_int_equal(room->invalidated, 1);
    assert_int_equal(write_erase(room, "0x1001 8k\n"), -EINVAL);
    assert_non_null(strstr(read_erase(room), "Last refusal: erase: "));
    assert_non_null(strstr(read_erase(room), "`0x1001`"));
    mem_fail(room->base->mem, MEM_ERASE, 1, EF_GONE);
    assert_int_equal(write_erase(room, "all"), -ENODEV);
    assert_non_null(strstr(read_erase(room), "is finished by the next fsync"));
    assert_int_equal(write_erase(room, "all\n"), 4);
    memset(room->base->model, 0xFF, ROOM_SIZE);
    assert_true(room_settled(room->base));
    assert_null(strstr(read_erase(room), "Last refusal"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads, room_open, room_close),
        cmocka_unit_test_setup_teardown(sequential_readers_are_read_ahead_for, room_open,
                                        room_close),
        cmocka_unit_test_setup_teardown(plain_writes, room_open, room_close),
        cmocka_unit_test_setup_teardown(holes_after_truncation_are_zeros, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_hole_at_the_start, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_hole_at_the_end, room_open, room_close),
        cmocka_unit_test_setup_teardown(emptied_through_its_handle, room_open, room_close),
        cmocka_unit_test_setup_teardown(replaced_before_it_is_used, room_open, room_close),
        cmocka_unit_test_setup_teardown(written_backwards, room_open, room_close),
        cmocka_unit_test_setup_teardown(shortened_and_written_behind, room_open, room_close),
        cmocka_unit_test_setup_teardown(truncation_changes_nothing, room_open, room_close),
        cmocka_unit_test_setup_teardown(never_grows, room_open, room_close),
        cmocka_unit_test_setup_teardown(appending, room_open, room_close),
        cmocka_unit_test_setup_teardown(close_tells_once, room_open, room_close),
        cmocka_unit_test_setup_teardown(an_interrupted_writer_closes_at_once, room_open,
                                        room_close),
        cmocka_unit_test_setup_teardown(an_interrupted_fsync_closes_at_once, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_writer_who_goes_on_is_answered, room_open, room_close),
        cmocka_unit_test_setup_teardown(erasing, room_open, room_close),
        cmocka_unit_test_setup_teardown(read_only, room_open_read_only, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
