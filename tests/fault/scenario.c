#include "scenario.h"

#include "clock.h"
#include "images.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

enum { CHUNK = 128 * 1024 };

static const struct ef_patience FOREVER;

void sw_wrong(struct sw_run *run, const char *format, ...)
{
    va_list args;
    if (run->why[0])
        return;
    va_start(args, format);
    vsnprintf(run->why, sizeof(run->why), format, args);
    va_end(args);
}

void sw_torn(struct sw_run *run, const char *when, size_t at)
{
    if (run->may_have_strayed)
        run->strayed = true;
    else
        sw_wrong(run, "%s, and the sector at 0x%zx is torn", when, at);
}

static void note_call(struct sw_run *run, const char *what, int64_t began_ns, ssize_t rc)
{
    int64_t took_ns = sw_clock_now_ns() - began_ns;
    run->longest_ns = took_ns > run->longest_ns ? took_ns : run->longest_ns;
    run->failed = run->failed || rc < 0;
    if (rc < 0 && run->again)
        sw_wrong(run, "after the remount, %s fails: %s", what, strerrorname_np((int)-rc));
    if (rc < 0 && ef_err_to_errno(EF_INVALID) == -rc)
        sw_wrong(run, "%s fails with EINVAL", what);
}

static struct ef_node *flash_node(struct sw_run *run)
{
    return &run->rig->mount.node[EF_NODE_FLASH];
}

static void *open_flash(struct sw_run *run, int flags)
{
    struct ef_node *node = flash_node(run);
    void *handle = NULL;
    int64_t began = sw_clock_now_ns();
    int rc = node->ops->open(node, flags & ~O_TRUNC, &handle);
    note_call(run, "open", began, rc);
    if (rc == 0 && (flags & O_TRUNC))
        node->ops->replace(node, handle);
    return rc == 0 ? handle : NULL;
}

/* False if it failed; what it gave out is held against the model. */
static bool do_read(struct sw_run *run, void *handle, uint32_t off, uint32_t len)
{
    struct ef_node *node = flash_node(run);
    int64_t began = sw_clock_now_ns();
    ssize_t n = node->ops->read(node, handle, run->buf, len, off, FOREVER);
    sw_rig_settle(run->rig);
    note_call(run, "read", began, n);
    if (n >= 0 && (n != (ssize_t)len || memcmp(run->buf, run->model + off, len) != 0))
        sw_wrong(run, "a reader got wrong bytes in %u at 0x%x", len, off);
    return n == (ssize_t)len;
}

static void note_asked(struct sw_run *run, uint32_t off, uint32_t len)
{
    for (uint32_t s = off / EF_SECTOR; len > 0 && s <= (off + len - 1) / EF_SECTOR; s++)
        run->asked[s] = true;
}

static bool do_write(struct sw_run *run, void *handle, uint32_t off, uint32_t len,
                     const uint8_t *bytes)
{
    struct ef_node *node = flash_node(run);
    int64_t began = sw_clock_now_ns();
    note_asked(run, off, len);
    ssize_t n = node->ops->write(node, handle, bytes, len, off, FOREVER);
    sw_rig_settle(run->rig);
    note_call(run, "write", began, n);
    if (n >= 0 && n != (ssize_t)len)
        sw_wrong(run, "a write took %zd of %u bytes", n, len);
    /* Where it failed, a part was taken all the same: which is not told. */
    memcpy(run->model + off, bytes, len);
    return n == (ssize_t)len;
}

static void expect_settled(struct sw_run *run, const char *after)
{
    const uint8_t *flash = sw_rig_flash(run->rig);
    for (uint32_t i = 0; i < run->rig->target.flash_size; i++)
        if (flash[i] != run->model[i]) {
            sw_wrong(run, "%s said 0, and 0x%x holds %02x, not %02x", after, i, flash[i],
                     run->model[i]);
            return;
        }
}

/* fsync, or the flush of close. It may be called after a write that failed, as cp does not look. */
static bool do_sync(struct sw_run *run, void *handle, bool closing)
{
    struct ef_node *node = flash_node(run);
    bool all_taken = !run->failed;
    int64_t began = sw_clock_now_ns();
    int rc =
        closing ? node->ops->flush(node, handle, FOREVER) : node->ops->fsync(node, handle, FOREVER);
    sw_rig_settle(run->rig);
    note_call(run, closing ? "close" : "fsync", began, rc);
    if (rc == 0 && all_taken)
        expect_settled(run, closing ? "close" : "fsync");
    return rc == 0;
}

/* As a person does who was told that it failed: once more, on the same mount. */
static void sync_again(struct sw_run *run, void *handle)
{
    if (run->again || do_sync(run, handle, false))
        return;
    do_sync(run, handle, false);
}

static void backup(struct sw_run *run)
{
    uint32_t size = run->rig->target.flash_size;
    void *handle = open_flash(run, O_RDONLY);
    bool fine = handle != NULL;
    for (uint32_t off = 0; off < size && fine; off += CHUNK)
        fine = do_read(run, handle, off, size - off < CHUNK ? size - off : CHUNK);
    if (handle) {
        do_sync(run, handle, true);
        flash_node(run)->ops->release(flash_node(run), handle);
    }
}

static void restore(struct sw_run *run)
{
    uint32_t size = run->rig->target.flash_size;
    static uint8_t image[SW_FLASH_MAX];
    sw_image_new(image, size);
    void *handle = open_flash(run, O_WRONLY | O_TRUNC);
    bool fine = handle != NULL;
    for (uint32_t off = 0; off < size && fine; off += CHUNK) {
        uint32_t len = size - off < CHUNK ? size - off : CHUNK;
        fine = do_write(run, handle, off, len, image + off);
    }
    if (!handle)
        return;
    if (!do_sync(run, handle, true))
        sync_again(run, handle);
    flash_node(run)->ops->release(flash_node(run), handle);
}

/* Parts of sectors, one of them read before, over a border of sectors, and a byte. */
static void write_parts(struct sw_run *run, void *handle)
{
    uint8_t bytes[5000];
    sw_image_bytes(bytes, sizeof(bytes), 77);
    if (do_read(run, handle, 0x5000, 100) && do_write(run, handle, 0x4f00, 5000, bytes))
        do_write(run, handle, 0x12345, 1, bytes);
}

static void partial(struct sw_run *run)
{
    void *handle = open_flash(run, O_RDWR);
    if (!handle)
        return;
    write_parts(run, handle);
    if (!do_sync(run, handle, false))
        sync_again(run, handle);
    do_sync(run, handle, true);
    flash_node(run)->ops->release(flash_node(run), handle);
}

static void erase_range(struct sw_run *run, const char *text, uint32_t off, uint32_t len)
{
    struct ef_node *node = &run->rig->mount.node[EF_NODE_ERASE];
    void *handle = NULL;
    int64_t began = sw_clock_now_ns();
    int rc = node->ops->open(node, O_WRONLY, &handle);
    note_call(run, "open of erase", began, rc);
    if (rc != 0)
        return;
    note_asked(run, off, len);
    began = sw_clock_now_ns();
    ssize_t n = node->ops->write(node, handle, (const uint8_t *)text, strlen(text), 0, FOREVER);
    sw_rig_settle(run->rig);
    note_call(run, "erase", began, n);
    memset(run->model + off, 0xFF, len);
    node->ops->release(node, handle);
    if (n >= 0 && !run->failed)
        expect_settled(run, "erase");
}

static void erase(struct sw_run *run)
{
    erase_range(run, "0xe000 0x14000\n", 0xe000, 0x14000);
}

static void erase_all(struct sw_run *run)
{
    erase_range(run, "all\n", 0, run->rig->target.flash_size);
}

static void mount(struct sw_run *run)
{
    int64_t began = sw_clock_now_ns();
    enum ef_err err = sw_rig_mount(run->rig);
    note_call(run, "mount", began, -ef_err_to_errno(err));
    if (err != EF_OK || run->rig->session.no_flash_why)
        return;
    void *handle = open_flash(run, O_RDONLY);
    if (!handle)
        return;
    do_read(run, handle, 0x1234, 100);
    flash_node(run)->ops->release(flash_node(run), handle);
}

/* A sector that was asked for, and holds neither what it held nor what it was to hold. */
static bool find_torn(const struct sw_run *run, size_t *at)
{
    const uint8_t *flash = sw_rig_flash(run->rig);
    for (uint32_t s = 0; s < run->rig->target.flash_size / EF_SECTOR; s++) {
        *at = (size_t)s * EF_SECTOR;
        if (run->asked[s] && memcmp(flash + *at, run->old + *at, EF_SECTOR) != 0 &&
            memcmp(flash + *at, run->model + *at, EF_SECTOR) != 0)
            return true;
    }
    return false;
}

/* An earlier mount lost its board in the middle of a restore, and told so. */
static void before_replay(struct sw_run *run)
{
    static const struct sw_point CUT = {.fault = SW_POWER_HANG_UP, .step = 70, .seed = 5};
    if (run->again)
        return;
    if (sw_rig_mount(run->rig) != EF_OK) {
        sw_wrong(run, "a healthy board cannot be mounted");
        return;
    }
    sw_wire_arm(run->rig->wire, &CUT);
    restore(run);
    sw_wire_disarm(run->rig->wire);
    bool cut = sw_rig_unmount(run->rig) != EF_OK;
    sw_wire_mend(run->rig->wire);
    size_t at;
    if (!cut || !find_torn(run, &at))
        sw_wrong(run, "the restore was not cut off");
    run->failed = false;
}

/* The mount that finishes it, and somebody who asks whether it is. */
static void replay(struct sw_run *run)
{
    int64_t began = sw_clock_now_ns();
    enum ef_err err = sw_rig_mount(run->rig);
    note_call(run, "mount", began, -ef_err_to_errno(err));
    if (err != EF_OK)
        return;
    void *handle = open_flash(run, O_RDWR);
    if (!handle)
        return;
    sw_rig_settle(run->rig);
    bool judged = run->failed;
    run->failed = true; /* what it holds is not the model's yet */
    bool synced = do_sync(run, handle, false);
    run->failed = judged || !synced;
    flash_node(run)->ops->release(flash_node(run), handle);
    if (!synced)
        return;
    size_t at;
    if (find_torn(run, &at))
        sw_torn(run, "the journal was replayed", at);
    memcpy(run->model, sw_rig_flash(run->rig), run->rig->target.flash_size);
}

static void before_unmount(struct sw_run *run)
{
    void *handle = open_flash(run, O_RDWR);
    if (!handle)
        return;
    write_parts(run, handle);
    flash_node(run)->ops->release(flash_node(run), handle);
}

static void unmount(struct sw_run *run)
{
    bool all_taken = !run->failed;
    int64_t began = sw_clock_now_ns();
    enum ef_err err = sw_rig_unmount(run->rig);
    note_call(run, "unmount", began, -ef_err_to_errno(err));
    if (err == EF_OK && all_taken)
        expect_settled(run, "unmount");
}

/* The deadline of an erase of the whole chip is two minutes. */
const struct sw_scenario SW_SCENARIOS[] = {
    {.name = "mount", .call_max_s = 30, .body = mount, .mounts = true, .info = true},
    {.name = "backup", .call_max_s = 60, .body = backup},
    {.name = "restore", .call_max_s = 60, .body = restore},
    {.name = "partial", .call_max_s = 60, .body = partial},
    {.name = "erase", .call_max_s = 60, .body = erase, .erases = true},
    {.name = "erase-all", .call_max_s = 200, .body = erase_all, .erases = true},
    {.name = "replay", .call_max_s = 60, .before = before_replay, .body = replay, .mounts = true},
    {.name = "unmount",
     .call_max_s = 60,
     .before = before_unmount,
     .body = unmount,
     .unmounts = true},
};

const struct sw_scenario *sw_scenario_find(const char *name)
{
    for (int i = 0; i < SW_SCENARIO_COUNT; i++)
        if (strcmp(SW_SCENARIOS[i].name, name) == 0)
            return &SW_SCENARIOS[i];
    return NULL;
}
