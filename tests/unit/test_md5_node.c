/* flash.md5 and user.md5: what they say, what they cost, and who may ask. */
#include "node_room.h"

#include "fs/xattr.h"

#include "espflashfs/text.h"

#include <stdio.h>

static const char SOME_HEX[] = "0123456789abcdef0123456789abcdef";

static struct ef_node *md5_node(struct room *room)
{
    return &room->mount.node[EF_NODE_MD5];
}

static void model_hex(struct room *room, char hex[EF_MD5_HEX + 1])
{
    uint8_t md5[EF_DIGEST_BYTES];
    ef_digest_bytes(room->base->model, ROOM_SIZE, md5);
    ef_text_hex(hex, md5, EF_DIGEST_BYTES);
}

static ssize_t read_at(struct room *room, void *handle, size_t len, uint64_t off)
{
    struct ef_node *n = md5_node(room);
    return n->ops->read(n, handle, room->base->buf, len, off, patient());
}

static void expect_line(struct room *room, const char *before, const char *behind)
{
    struct ef_node *n = md5_node(room);
    char hex[EF_MD5_HEX + 1];
    char wanted[256];
    void *handle;
    model_hex(room, hex);
    int len = snprintf(wanted, sizeof(wanted), "%s%s%s", before, hex, behind);
    assert_int_equal(n->ops->size(n), len);
    assert_int_equal(n->ops->open(n, O_RDONLY, &handle), 0);
    assert_int_equal(read_at(room, handle, ROOM_SIZE, 0), len);
    assert_memory_equal(room->base->buf, wanted, (size_t)len);
    n->ops->release(n, handle);
}

/* As md5sum writes names, and reads them. */
static void the_line(void **state)
{
    struct room *room = *state;
    expect_line(room, "", "  flash.bin\n");
    snprintf(room->mount.path, sizeof(room->mount.path), "/mnt/a board");
    expect_line(room, "", "  /mnt/a board/flash.bin\n");
    snprintf(room->mount.path, sizeof(room->mount.path), "/mnt/a\\b\nc\rd");
    expect_line(room, "\\", "  /mnt/a\\\\b\\nc\\rd/flash.bin\n");
}

static void one_line_for_one_reader(void **state)
{
    struct room *room = *state;
    struct ef_node *n = md5_node(room);
    char hex[EF_MD5_HEX + 1];
    void *handle;
    model_hex(room, hex);
    assert_int_equal(n->ops->open(n, O_RDONLY, &handle), 0);
    assert_int_equal(room->base->mem->calls, 0);
    assert_int_equal(read_at(room, handle, 4, 0), 4);
    unsigned asked = mem_count(room->base->mem, MEM_DIGEST);
    open_flash(room, O_WRONLY);
    assert_int_equal(put(room, 0, 100, 3), 100);
    assert_int_equal(close_flash(room), 0);
    mem_reset_counts(room->base->mem);
    assert_int_equal(read_at(room, handle, 4, 4), 4);
    assert_memory_equal(room->base->buf, hex + 4, 4);
    assert_int_equal(read_at(room, handle, 4, n->ops->size(n)), 0);
    assert_int_equal(read_at(room, handle, 4, UINT64_MAX), 0);
    assert_int_equal(room->base->mem->calls, 0);
    assert_int_equal(asked, 2);
    n->ops->release(n, handle);
    expect_line(room, "", "  flash.bin\n");
}

static bool at_once(void *user)
{
    (void)user;
    return true;
}

/* A reader that failed may try again. */
static void failures(void **state)
{
    struct room *room = *state;
    struct ef_node *n = md5_node(room);
    void *handle;
    assert_int_equal(n->ops->open(n, O_WRONLY, &handle), -EACCES);
    assert_int_equal(n->ops->open(n, O_RDWR, &handle), -EACCES);
    assert_int_equal(n->ops->open(n, O_RDONLY, &handle), 0);
    mem_fail(room->base->mem, MEM_DIGEST, 1, EF_GONE);
    assert_int_equal(read_at(room, handle, 100, 0), -ENODEV);
    mem_fail(room->base->mem, MEM_DIGEST, 1, EF_TIMEOUT);
    assert_int_equal(read_at(room, handle, 100, 0), -EIO);
    mem_fail(room->base->mem, MEM_DIGEST, 1, EF_UNSUPPORTED);
    assert_int_equal(read_at(room, handle, 100, 0), -EOPNOTSUPP);
    struct ef_patience none = {.interrupted = at_once};
    mem_hold(room->base->mem, MEM_DIGEST);
    assert_int_equal(n->ops->read(n, handle, room->base->buf, 100, 0, none), -EINTR);
    mem_release(room->base->mem);
    assert_int_equal(read_at(room, handle, 100, 0), n->ops->size(n));
    n->ops->release(n, handle);
}

static void guarded(void **state)
{
    struct room *room = *state;
    struct ef_node *n = md5_node(room);
    char value[EF_MD5_HEX];
    void *handle;
    room->session.guard = (struct ef_guard){.encryption = EF_ENCRYPTION_RELEASE};
    assert_int_equal(n->ops->open(n, O_RDONLY, &handle), -EPERM);
    assert_int_equal(ef_xattr_list(room->flash, NULL, 0), 0);
    assert_int_equal(ef_xattr_get(room->flash, "user.md5", value, sizeof(value), patient()),
                     -ENODATA);
    assert_int_equal(room->base->mem->calls, 0);
}

static void the_attribute(void **state)
{
    struct room *room = *state;
    char hex[EF_MD5_HEX + 1];
    char value[64];
    model_hex(room, hex);
    assert_int_equal(ef_xattr_get(room->flash, "user.md5", value, 64, patient()), EF_MD5_HEX);
    assert_memory_equal(value, hex, EF_MD5_HEX);
    /* Of a part of the flash, of that part. */
    struct ef_node part = *room->flash;
    uint8_t md5[EF_DIGEST_BYTES];
    part.base = EF_BLOCK;
    part.len = EF_BLOCK;
    ef_digest_bytes(room->base->model + EF_BLOCK, EF_BLOCK, md5);
    ef_text_hex(hex, md5, EF_DIGEST_BYTES);
    assert_int_equal(ef_xattr_get(&part, "user.md5", value, EF_MD5_HEX, patient()), EF_MD5_HEX);
    assert_memory_equal(value, hex, EF_MD5_HEX);
    mem_fail(room->base->mem, MEM_DIGEST, 1, EF_GONE);
    assert_int_equal(ef_xattr_get(&part, "user.md5", value, 64, patient()), -ENODEV);
}

/* What programs ask about beforehand, and what the system asks for itself. */
static void the_chip_is_not_asked(void **state)
{
    struct room *room = *state;
    struct ef_node *info = &room->mount.node[EF_NODE_INFO];
    char value[64];
    assert_int_equal(ef_xattr_get(room->flash, "user.md5", NULL, 0, patient()), EF_MD5_HEX);
    assert_int_equal(ef_xattr_get(room->flash, "user.md5", value, 31, patient()), -ERANGE);
    assert_int_equal(ef_xattr_get(room->flash, "user.md", value, 64, patient()), -ENODATA);
    assert_int_equal(ef_xattr_get(room->flash, "security.capability", value, 64, patient()),
                     -ENODATA);
    assert_int_equal(ef_xattr_get(room->flash, "system.posix_acl_access", value, 64, patient()),
                     -EOPNOTSUPP);
    assert_int_equal(ef_xattr_get(info, "user.md5", value, 64, patient()), -ENODATA);
    assert_int_equal(ef_xattr_get(NULL, "user.md5", value, 64, patient()), -ENODATA);
    assert_int_equal(ef_xattr_list(room->flash, NULL, 0), 9);
    assert_int_equal(ef_xattr_list(room->flash, value, 8), -ERANGE);
    assert_int_equal(ef_xattr_list(room->flash, value, 64), 9);
    assert_memory_equal(value, "user.md5", 9);
    assert_int_equal(ef_xattr_list(info, value, 64), 0);
    assert_int_equal(ef_xattr_list(NULL, value, 64), 0);
    assert_int_equal(room->base->mem->calls, 0);
}

/* What a copy brings along is taken for done; it is the chip's all the same. */
static void what_is_set(void **state)
{
    struct room *room = *state;
    assert_int_equal(ef_xattr_set(room->flash, "user.md5", SOME_HEX, EF_MD5_HEX), 0);
    assert_int_equal(ef_xattr_remove(room->flash, "user.md5"), 0);
    the_attribute(state);
    assert_int_equal(ef_xattr_set(room->flash, "user.md5", SOME_HEX, EF_MD5_HEX - 1), -EPERM);
    assert_int_equal(ef_xattr_set(room->flash, "user.md5", "not a digest of anything at all!", 32),
                     -EPERM);
    assert_int_equal(ef_xattr_set(room->flash, "user.x", SOME_HEX, EF_MD5_HEX), -EOPNOTSUPP);
    assert_int_equal(ef_xattr_set(NULL, "user.md5", SOME_HEX, EF_MD5_HEX), -EOPNOTSUPP);
    assert_int_equal(ef_xattr_set(room->flash, "system.posix_acl_access", "x", 1), -EOPNOTSUPP);
    assert_int_equal(ef_xattr_remove(room->flash, "user.x"), -ENODATA);
    assert_int_equal(ef_xattr_remove(room->flash, "system.posix_acl_access"), -EOPNOTSUPP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_line, room_open, room_close),
        cmocka_unit_test_setup_teardown(one_line_for_one_reader, room_open, room_close),
        cmocka_unit_test_setup_teardown(failures, room_open, room_close),
        cmocka_unit_test_setup_teardown(guarded, room_open, room_close),
        cmocka_unit_test_setup_teardown(the_attribute, room_open, room_close),
        cmocka_unit_test_setup_teardown(the_chip_is_not_asked, room_open, room_close),
        cmocka_unit_test_setup_teardown(what_is_set, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
