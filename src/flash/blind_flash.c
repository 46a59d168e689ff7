/*
 * The bottom layer in Secure Download Mode, where somebody insists: its ROM erases and
 * writes, and answers nothing about what the flash holds. Plain blocks, not compressed ones,
 * since a ROM that has to unpack leaves more to go wrong unseen. All that tells of success
 * are the replies.
 */
#include "loader_io.h"

static enum ef_err blind_read(struct ef_flash *f, struct ef_read *r)
{
    (void)f;
    (void)r;
    return EF_UNSUPPORTED;
}

static enum ef_err blind_digest(struct ef_flash *f, struct ef_digest *list, size_t count)
{
    (void)f;
    (void)list;
    (void)count;
    return EF_UNSUPPORTED;
}

static enum ef_err blind_write(struct ef_flash *f, uint32_t addr, uint32_t len, const uint8_t *data)
{
    enum ef_err err = ef_loader_write_plain(ef_loader_session(f), addr, len, data);
    if (err == EF_OK)
        ef_log(f->log, EF_LOG_INFO, "%u bytes at 0x%x: written, but unproven", (unsigned)len,
               (unsigned)addr);
    return err;
}

static enum ef_err blind_erase(struct ef_flash *f, uint32_t addr, uint32_t len)
{
    enum ef_err err = ef_loader_erase_by_begin(ef_loader_session(f), addr, len);
    if (err == EF_OK)
        ef_log(f->log, EF_LOG_INFO, "%u bytes at 0x%x: erased, but unproven", (unsigned)len,
               (unsigned)addr);
    return err;
}

static const struct ef_flash_ops BLIND = {.read = blind_read,
                                          .write = blind_write,
                                          .erase = blind_erase,
                                          .digest = blind_digest,
                                          .recover = ef_loader_recover,
                                          .rejoin = ef_loader_rejoin,
                                          .free = ef_loader_free};

struct ef_flash *ef_flash_blind_new(struct ef_session *session)
{
    struct ef_loader_flash *self = ef_loader_flash_new(session, "blind", &BLIND);
    if (!self)
        return NULL;
    self->flash.read_piece = EF_SECTOR;
    self->flash.erases_ahead = true;
    return &self->flash;
}
