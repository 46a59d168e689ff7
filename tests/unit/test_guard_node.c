/* flash.bin and erase of guarded chips: the errno arrives at the call that is wrong. */
#include "node_room.h"

static const struct ef_guard SECURE_BOOT = {.secure_boot = EF_SECURE_BOOT_V2};
static const struct ef_guard ENCRYPTED = {.encryption = EF_ENCRYPTION_RELEASE};
static const struct ef_guard ENCRYPTED_FORCED = {.encryption = EF_ENCRYPTION_RELEASE,
                                                 .forced = true};
static const struct ef_guard BLIND = {.secure_download = true, .forced = true};

static int try_open(struct ef_node *node, int flags)
{
    void *handle;
    int rc = node->ops->open(node, flags, &handle);
    if (rc == 0)
        node->ops->release(node, handle);
    return rc;
}

/* What can never succeed fails at open(2), before anybody believes to have a file. */
static void guarded_opens(void **state)
{
    struct room *room = *state;
    static const struct {
        const struct ef_guard *guard;
        int read, write, both, erase;
    } CASES[] = {{&SECURE_BOOT, 0, 0, 0, 0},
                 {&ENCRYPTED, -EPERM, -EPERM, -EPERM, -EPERM},
                 {&ENCRYPTED_FORCED, 0, 0, 0, 0},
                 {&BLIND, -EPERM, 0, -EPERM, 0}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        room->session.guard = *CASES[i].guard;
        assert_int_equal(try_open(room->flash, O_RDONLY), CASES[i].read);
        assert_int_equal(try_open(room->flash, O_WRONLY), CASES[i].write);
        assert_int_equal(try_open(room->flash, O_RDWR), CASES[i].both);
        assert_int_equal(try_open(room->erase, O_WRONLY), CASES[i].erase);
        assert_int_equal(try_open(room->erase, O_RDONLY), 0);
        int truncated = room->flash->ops->truncate(room->flash, NULL, 0, patient());
        assert_int_equal(truncated, CASES[i].write);
    }
    room->session.guard = ENCRYPTED;
    assert_non_null(strstr(read_erase(room), "Last refusal: erase: refused: flash encryption"));
}

/* What is refused for a part of the flash fails at the write that touches it, never at close. */
static void guarded_ranges(void **state)
{
    struct room *room = *state;
    struct ef_node *f = room->flash;
    room->session.guard = SECURE_BOOT;
    open_flash(room, O_RDWR);
    uint8_t bytes[EF_SECTOR + 1] = {0};
    assert_int_equal(f->ops->write(f, room->handle, bytes, 1, 0, patient()), -EPERM);
    assert_int_equal(f->ops->write(f, room->handle, bytes, 1, 0x7FFF, patient()), -EPERM);
    assert_int_equal(f->ops->write(f, room->handle, bytes, 2, 0x7FFF, patient()), -EPERM);
    assert_int_equal(f->ops->read(f, room->handle, bytes, 16, 0, patient()), 16);
    assert_memory_equal(bytes, room->base->model, 16);
    assert_int_equal(put(room, 0x8000, 5000, 1), 5000);
    expect_settled(room);
    assert_int_equal(write_erase(room, "all"), -EPERM);
    assert_int_equal(write_erase(room, "0x7000 0x1000"), -EPERM);
    assert_int_equal(write_erase(room, "0x7000 0x2000"), -EPERM);
    assert_non_null(strstr(read_erase(room), "Last refusal: erase: refused: secure boot"));
    assert_int_equal(write_erase(room, "0x8000 0x1000"), 13);
    memset(room->base->model + 0x8000, 0xFF, 0x1000);
    expect_settled(room);
}

/* The kernel may have the bytes of a refused write in a page that it shows to others. */
static void refused_writes_make_readers_look_again(void **state)
{
    struct room *room = *state;
    uint8_t byte = 0;
    room->session.guard = SECURE_BOOT;
    open_flash(room, O_RDWR);
    struct timespec before = ef_cache_state(room->base->cache).changed;
    assert_int_equal(room->flash->ops->write(room->flash, room->handle, &byte, 1, 0, patient()),
                     -EPERM);
    struct timespec after = ef_cache_state(room->base->cache).changed;
    assert_true(after.tv_sec != before.tv_sec || after.tv_nsec != before.tv_nsec);
    assert_int_equal(room_dirty(room->base), 0);
}

/* The hole before a write is written, too. */
static void guarded_holes(void **state)
{
    struct room *room = *state;
    struct ef_node *f = room->flash;
    uint8_t byte = 0;
    room->session.guard = SECURE_BOOT;
    open_flash(room, O_WRONLY | O_TRUNC);
    assert_int_equal(f->ops->write(f, room->handle, &byte, 1, 0x9000, patient()), -EPERM);
    assert_int_equal(truncate_to(room, 0x9000), -EPERM);
    assert_int_equal(truncate_to(room, 0), 0);
    expect_settled(room);
    assert_int_equal(room_dirty(room->base), 0);
}

static mode_t mode_of(struct room *room, const struct ef_guard *guard, bool read_only, int node)
{
    struct ef_mount mount;
    room->session.guard = *guard;
    ef_mount_init(&mount, &room->session, NULL, read_only);
    pthread_mutex_destroy(&mount.lock);
    return mount.node[node].present ? mount.node[node].mode : 01000;
}

static void honest_modes(void **state)
{
    struct room *room = *state;
    static const struct ef_guard NONE = {0};
    static const struct {
        const struct ef_guard *guard;
        bool read_only;
        mode_t flash, erase;
    } CASES[] = {{&NONE, false, 0600, 0600},
                 {&NONE, true, 0400, 0400},
                 {&SECURE_BOOT, false, 0600, 0600},
                 {&ENCRYPTED, false, 0, 0400},
                 {&ENCRYPTED_FORCED, false, 0600, 0600},
                 {&ENCRYPTED_FORCED, true, 0400, 0400},
                 {&BLIND, false, 0200, 01000},
                 {&BLIND, true, 0, 01000}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const struct ef_guard *guard = CASES[i].guard;
        bool ro = CASES[i].read_only;
        assert_int_equal(mode_of(room, guard, ro, EF_NODE_FLASH), CASES[i].flash);
        assert_int_equal(mode_of(room, guard, ro, EF_NODE_ERASE), CASES[i].erase);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(guarded_opens, room_open, room_close),
        cmocka_unit_test_setup_teardown(guarded_ranges, room_open, room_close),
        cmocka_unit_test_setup_teardown(refused_writes_make_readers_look_again, room_open,
                                        room_close),
        cmocka_unit_test_setup_teardown(guarded_holes, room_open, room_close),
        cmocka_unit_test_setup_teardown(honest_modes, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
