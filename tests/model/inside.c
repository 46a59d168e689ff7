/* A mount without a kernel: the files' nodes over cache, worker, flash stack and board. */
#include "broken_line.h"
#include "subject.h"
#include "tap.h"

#include "espflashfs/node.h"

#include <errno.h>
#include <fcntl.h>

struct inside {
    struct subject subject; /* first */
    const struct plan *plan;
    struct eb_drive *drive;
    struct board_line *board;
    struct broken_line line;
    struct tap_state tap;
    struct ef_log log;
    struct ef_worker *worker;
    struct ef_mount mount;
    struct ef_board_key image, journal;
    char images[256], journals[256]; /* folders */
    unsigned mounts;
    uint64_t strays; /* of the mounts before this one */
    bool calm;
};

struct handle {
    void *of_node;
    unsigned mount; /* the one it belongs to */
};

static struct inside *inside_of(struct subject *s)
{
    return (struct inside *)s;
}

static struct ef_node *flash_node(struct subject *s)
{
    return &inside_of(s)->mount.node[EF_NODE_FLASH];
}

static struct ef_patience patient(void)
{
    return (struct ef_patience){0};
}

static int inside_open(struct subject *s, enum open_how how, struct handle **out)
{
    struct ef_node *node = flash_node(s);
    struct handle *h = calloc(1, sizeof(*h));
    if (!h)
        return -ENOMEM;
    int flags = how == OPEN_APPEND ? O_WRONLY | O_APPEND : O_RDWR;
    h->mount = inside_of(s)->mounts;
    int rc = node->ops->open(node, flags, &h->of_node);
    if (rc < 0) {
        free(h);
        return rc;
    }
    if (how == OPEN_TRUNC) {
        /* As the front does with what the kernel sends for it. */
        node->ops->replace(node, h->of_node);
        rc = node->ops->truncate(node, NULL, 0, patient());
    }
    *out = h;
    return rc;
}

static int inside_close(struct subject *s, struct handle *h)
{
    struct ef_node *node = flash_node(s);
    bool alive = h->mount == inside_of(s)->mounts;
    int rc = alive ? node->ops->flush(node, h->of_node, patient()) : -ENOTCONN;
    node->ops->release(node, h->of_node);
    free(h);
    return rc;
}

static ssize_t inside_read(struct subject *s, struct handle *h, uint8_t *buf, uint32_t len,
                           uint32_t off)
{
    struct ef_node *node = flash_node(s);
    return node->ops->read(node, h->of_node, buf, len, off, patient());
}

static ssize_t inside_write(struct subject *s, struct handle *h, const uint8_t *buf, uint32_t len,
                            uint32_t off)
{
    struct ef_node *node = flash_node(s);
    return node->ops->write(node, h->of_node, buf, len, off, patient());
}

static int inside_truncate(struct subject *s, struct handle *h, uint32_t size)
{
    struct ef_node *node = flash_node(s);
    return node->ops->truncate(node, h ? h->of_node : NULL, size, patient());
}

static int inside_fsync(struct subject *s, struct handle *h)
{
    struct ef_node *node = flash_node(s);
    return node->ops->fsync(node, h->of_node, patient());
}

static int inside_erase(struct subject *s, const char *request)
{
    struct ef_node *node = &inside_of(s)->mount.node[EF_NODE_ERASE];
    void *handle;
    int rc = node->ops->open(node, O_WRONLY, &handle);
    if (rc < 0)
        return rc;
    ssize_t n =
        node->ops->write(node, handle, (const uint8_t *)request, strlen(request), 0, patient());
    node->ops->release(node, handle);
    return n < 0 ? (int)n : 0;
}

static int inside_punch(struct subject *s, uint32_t off, uint32_t len)
{
    struct ef_node *node = flash_node(s);
    void *handle;
    int rc = node->ops->open(node, O_WRONLY, &handle);
    if (rc < 0)
        return rc;
    rc = node->ops->punch(node, handle, off, len, patient());
    node->ops->release(node, handle);
    return rc;
}

static void inside_fault(struct subject *s, const struct op *op)
{
    broken_line_ask(&inside_of(s)->line, op);
}

/* No kernel keeps anything. */
static void invalidate(struct ef_mount *mount, const struct ef_node *node)
{
    (void)mount;
    (void)node;
}

static struct ef_board_key key_in(struct inside *self, const char *folder)
{
    const struct ef_session *session = &self->board->session;
    struct ef_board_key key = {
        .folder = folder, .flash_id = session->flash_id, .flash_size = session->flash_size};
    memcpy(key.mac, session->identity.mac, sizeof(key.mac));
    return key;
}

static enum ef_err start_cache(struct inside *self)
{
    struct ef_session *session = &self->board->session;
    struct ef_flash *flash =
        self->plan->stub ? ef_flash_stub_new(session) : ef_flash_rom_new(session);
    flash = ef_flash_retry_new(ef_flash_verify_new(ef_flash_guard_new(flash, &session->guard)));
    flash = tap_new(flash, &self->tap);
    enum ef_err err = flash ? ef_worker_start(flash, &self->worker) : EF_NOMEM;
    if (err == EF_OK)
        err = ef_cache_new(self->worker, session->flash_size, session->log, &self->mount.cache);
    if (err != EF_OK)
        return err;
    ef_cache_limit(self->mount.cache, self->plan->cache_size);
    self->image = key_in(self, self->images);
    self->journal = key_in(self, self->journals);
    if (self->plan->keeps_image)
        ef_cache_keep_image(self->mount.cache, &self->image);
    if (self->plan->keeps_journal && self->tap.breakage != BREAK_TORN)
        ef_cache_keep_journal(self->mount.cache, &self->journal, false);
    return EF_OK;
}

static enum ef_err start_mount(struct inside *self)
{
    struct ef_session *session = &self->board->session;
    broken_line_calm(&self->line, true);
    board_line_begin(self->board, self->plan->stub);
    if (self->log.name)
        session->log = session->esp.log = &self->log;
    enum ef_err err = board_line_start(self->board);
    session->loader_ready = err == EF_OK;
    if (err != EF_OK)
        return err;
    ef_mount_init(&self->mount, session, session->log, false);
    self->mount.invalidate = invalidate;
    self->mounts++;
    err = start_cache(self);
    broken_line_calm(&self->line, self->calm);
    return err;
}

static void end_mount(struct inside *self)
{
    ef_cache_free(self->mount.cache);
    ef_worker_stop(self->worker);
    self->mount.cache = NULL;
    self->worker = NULL;
    pthread_mutex_destroy(&self->mount.lock);
    self->strays += self->tap.strays;
    self->tap.strays = 0;
}

static int inside_remount(struct subject *s)
{
    struct inside *self = inside_of(s);
    enum ef_err flushed = ef_cache_flush(self->mount.cache, patient());
    end_mount(self);
    broken_line_cut(&self->line, -1);
    /* A person may have tapped RESET meanwhile. */
    if (self->mounts % 2)
        eb_board_press_buttons(self->drive->board, self->drive->now_ns);
    enum ef_err err = start_mount(self);
    if (err != EF_OK)
        abort(); /* nothing is in the line's way now */
    return -ef_err_to_errno(flushed);
}

static int inside_kill(struct subject *s, uint32_t seed)
{
    enum { SOON = 16, LATER = 400 };
    struct inside *self = inside_of(s);
    broken_line_cut(&self->line, seed / 4 % (seed & 2 ? SOON : LATER));
    if (seed % 2)
        ef_cache_flush(self->mount.cache, patient());
    broken_line_cut(&self->line, 0);
    end_mount(self);
    broken_line_cut(&self->line, -1);
    eb_board_press_buttons(self->drive->board, self->drive->now_ns);
    return -ef_err_to_errno(start_mount(self));
}

static void inside_calm(struct subject *s, bool calm)
{
    struct inside *self = inside_of(s);
    self->calm = calm;
    broken_line_calm(&self->line, calm);
}

static uint64_t inside_strays(struct subject *s)
{
    struct inside *self = inside_of(s);
    return self->strays + self->tap.strays;
}

static void inside_free(struct subject *s, struct subject_sums *sums)
{
    struct inside *self = inside_of(s);
    if (self->worker)
        end_mount(self);
    const struct eb_nor *nor = eb_board_nor(self->drive->board);
    const struct ef_line *line = &self->board->line;
    *sums = (struct subject_sums){.wire_bytes = line->bytes_in + line->bytes_out,
                                  .board_ns = (uint64_t)self->drive->now_ns,
                                  .erases = nor->sector_erases,
                                  .programs = nor->programs,
                                  .faults = self->line.happened,
                                  .strays = self->strays};
    if (self->log.name)
        ef_log_free(&self->log);
    board_line_free(self->board);
    free(self);
}

static const struct subject_ops INSIDE = {.open = inside_open,
                                          .close = inside_close,
                                          .read = inside_read,
                                          .map_read = inside_read,
                                          .write = inside_write,
                                          .truncate = inside_truncate,
                                          .fsync = inside_fsync,
                                          .erase = inside_erase,
                                          .punch = inside_punch,
                                          .fault = inside_fault,
                                          .remount = inside_remount,
                                          .kill = inside_kill,
                                          .calm = inside_calm,
                                          .strays = inside_strays,
                                          .free = inside_free};

static void switch_on(struct inside *self)
{
    const struct plan *plan = self->plan;
    self->drive = eb_drive_new(plan->chip, plan->size);
    if (!self->drive)
        abort();
    self->drive->config.real_flash_timing = true;
    self->board = board_line_switch_on(self->drive, plan->stub);
    broken_line_init(&self->line, self->board);
    self->tap.chip = eb_board_nor_to_fill(self->drive->board)->bytes;
    plan_contents(plan, self->tap.chip);
    self->subject.chip = self->tap.chip;
}

struct subject *subject_inside_new(const struct plan *plan, enum breakage breakage,
                                   const char *folder)
{
    const char *log = getenv("EF_MODEL_LOG");
    struct inside *self = calloc(1, sizeof(*self));
    if (!self)
        abort();
    self->subject.ops = &INSIDE;
    self->plan = plan;
    self->tap.breakage = breakage;
    self->subject.finishes_writes = plan->keeps_journal;
    snprintf(self->images, sizeof(self->images), "%s/images", folder);
    snprintf(self->journals, sizeof(self->journals), "%s/journals", folder);
    if (log) {
        ef_log_init(&self->log, "model", EF_LOG_DEBUG);
        self->log.to_stderr = false;
        ef_log_open_file(&self->log, log);
    }
    switch_on(self);
    if (start_mount(self) == EF_OK)
        return &self->subject;
    fprintf(stderr, "the board does not answer\n");
    struct subject_sums sums;
    inside_free(&self->subject, &sums);
    return NULL;
}
