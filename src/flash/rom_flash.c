/* The bottom layer where the ROM alone answers (ESP32 and later). */
#include "loader_io.h"

#include "espflashfs/bytes.h"

#include <string.h>

enum {
    SLOW_READ = 64, /* READ_FLASH_SLOW's fixed reply */
    NUDGE_MS = 300, /* built-in USB: much longer than a reply takes */
    NUDGE_REG = 0x40001000,
    PIECE = 0x4000, /* proven by one digest */
    QUEUE_DEPTH = 8 /* requests in flight that the ESP32's ROM took (protocol.md) */
};

static enum ef_err request_slow(struct ef_session *s, uint32_t addr, uint32_t len)
{
    uint8_t payload[8];
    ef_put_le32(payload, addr);
    ef_put_le32(payload + 4, len);
    return ef_command_send(&s->esp, EF_OP_READ_FLASH_SLOW, payload, sizeof(payload), 0,
                           ef_deadline_in(EF_COMMAND_TIMEOUT_MS));
}

/*
 * The last reply of a queue may be stuck in built-in USB (see ef_loader_note_read): another
 * request, whose own reply is passed over later, pushes it on.
 */
static enum ef_err nudge(struct ef_session *s)
{
    uint8_t payload[4];
    ef_put_le32(payload, NUDGE_REG);
    return ef_command_send(&s->esp, EF_OP_READ_REG, payload, sizeof(payload), 0,
                           ef_deadline_in(EF_COMMAND_TIMEOUT_MS));
}

static enum ef_err receive_slow(struct ef_session *s, uint8_t *buf, uint32_t len)
{
    struct ef_reply reply;
    enum ef_err err = EF_TIMEOUT;
    if (s->wire != EF_WIRE_UART) {
        err = ef_command_receive(&s->esp, EF_OP_READ_FLASH_SLOW, SLOW_READ,
                                 ef_deadline_in(NUDGE_MS), &reply);
        enum ef_err nudged = err == EF_TIMEOUT ? nudge(s) : EF_OK;
        if (nudged != EF_OK)
            return nudged;
    }
    if (err == EF_TIMEOUT)
        err = ef_command_receive(&s->esp, EF_OP_READ_FLASH_SLOW, SLOW_READ,
                                 ef_deadline_in(EF_COMMAND_TIMEOUT_MS), &reply);
    if (err == EF_OK)
        memcpy(buf, reply.data, len);
    return err;
}

/* Keeps `depth` requests in flight; replies come in order and carry no address. */
static enum ef_err read_queued(struct ef_session *s, unsigned depth, struct ef_read *r)
{
    uint32_t asked = 0;
    while (r->done < r->len) {
        bool stop = r->stop && r->stop(r->user);
        while (!stop && asked < r->len && asked - r->done < depth * SLOW_READ) {
            uint32_t want = ef_min_u32(SLOW_READ, r->len - asked);
            enum ef_err err = request_slow(s, r->addr + asked, want);
            if (err != EF_OK)
                return err;
            asked += want;
        }
        if (stop && asked == r->done)
            return EF_INTERRUPTED;
        uint32_t due = ef_min_u32(SLOW_READ, asked - r->done);
        enum ef_err err = receive_slow(s, r->buf + r->done, due);
        if (err != EF_OK)
            return err;
        r->done += due;
    }
    return EF_OK;
}

static enum ef_err rom_read(struct ef_flash *f, struct ef_read *r)
{
    struct ef_loader_flash *self = (struct ef_loader_flash *)f;
    enum ef_err err = read_queued(self->session, self->depth, r);
    bool failed = err != EF_OK && err != EF_INTERRUPTED;
    if (failed)
        r->done = 0; /* a reply may belong to another request than it was taken for */
    self->depth = failed ? 1 : QUEUE_DEPTH;
    return err;
}

static enum ef_err rom_write(struct ef_flash *f, uint32_t addr, uint32_t len, const uint8_t *data)
{
    return ef_loader_write(ef_loader_session(f), addr, len, data, EF_ROM_WRITE_BLOCK);
}

static enum ef_err rom_erase(struct ef_flash *f, uint32_t addr, uint32_t len)
{
    return ef_loader_erase_by_begin(ef_loader_session(f), addr, len);
}

static const struct ef_flash_ops ROM = {.read = rom_read,
                                        .write = rom_write,
                                        .erase = rom_erase,
                                        .digest = ef_loader_digest,
                                        .recover = ef_loader_recover,
                                        .free = ef_loader_free};

struct ef_flash *ef_flash_rom_new(struct ef_session *session)
{
    struct ef_loader_flash *self = ef_loader_flash_new(session, "rom", &ROM);
    if (!self)
        return NULL;
    self->flash.read_piece = PIECE;
    self->flash.erases_ahead = true;
    self->depth = QUEUE_DEPTH;
    return &self->flash;
}
