/*
 * The last defence: what the guard refuses does not reach the loader, whoever asks. It lies
 * right on the loader's layer, so that nothing above it can be passed by.
 */
#include "wrapper.h"

struct guarded {
    struct ef_flash flash; /* first */
    const struct ef_guard *guard;
};

static enum ef_err check(struct ef_flash *f, enum ef_guard_op op, const char *what, uint32_t addr,
                         uint32_t len)
{
    const struct ef_guard *guard = ((struct guarded *)f)->guard;
    enum ef_err err = ef_guard_check(guard, op, addr, len);
    if (err != EF_OK)
        ef_log(f->log, EF_LOG_ERROR, "%s of %u bytes at 0x%x refused: %s", what, (unsigned)len,
               (unsigned)addr, ef_guard_reason(guard, op));
    return err;
}

static enum ef_err guard_read(struct ef_flash *f, struct ef_read *r)
{
    enum ef_err err = check(f, EF_GUARD_READ, "read", r->addr, r->len);
    return err == EF_OK ? ef_flash_read(f->below, r) : err;
}

static enum ef_err guard_write(struct ef_flash *f, uint32_t addr, uint32_t len, const uint8_t *data)
{
    enum ef_err err = check(f, EF_GUARD_WRITE, "write", addr, len);
    return err == EF_OK ? ef_flash_write(f->below, addr, len, data) : err;
}

static enum ef_err guard_erase(struct ef_flash *f, uint32_t addr, uint32_t len)
{
    enum ef_err err = check(f, EF_GUARD_ERASE, "erase", addr, len);
    return err == EF_OK ? ef_flash_erase(f->below, addr, len) : err;
}

/* A digest tells nothing of the contents, and is what proves writes: it is the chip's to refuse. */
static enum ef_err guard_digest(struct ef_flash *f, struct ef_digest *list, size_t count)
{
    return ef_flash_digests(f->below, list, count);
}

static const struct ef_flash_ops GUARD = {.read = guard_read,
                                          .write = guard_write,
                                          .erase = guard_erase,
                                          .digest = guard_digest,
                                          .recover = ef_flash_pass_recover};

struct ef_flash *ef_flash_guard_new(struct ef_flash *below, const struct ef_guard *guard)
{
    struct guarded *self = ef_flash_wrap(below, sizeof(*self), "guard", &GUARD);
    if (!self)
        return NULL;
    self->guard = guard;
    self->flash.erases_ahead = below->erases_ahead;
    return &self->flash;
}
