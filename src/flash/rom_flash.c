/* The bottom layer where the ROM alone answers (ESP32 and later). */
#include "loader_io.h"

#include "espflashfs/bytes.h"

#include <string.h>

enum {
    SLOW_READ = 64, /* READ_FLASH_SLOW's fixed reply */
    NUDGE_MS = 300, /* built-in USB: much longer than a reply takes */
    NUDGE_REG = 0x40001000,
    PIECE = 0x8000, /* proven as a whole */
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

/* The requests of one read. Replies come in order and carry no address. */
struct queue {
    struct ef_session *session;
    struct ef_read *read;
    uint32_t piece;
    uint32_t asked, got; /* bytes behind read->addr */
};

/* The length of the request at `at`: none reaches into the next piece. */
static uint32_t request_len(const struct queue *q, uint32_t at)
{
    uint32_t to_end = q->piece - (q->read->addr + at) % q->piece;
    return ef_min_u32(ef_min_u32(SLOW_READ, q->read->len - at), to_end);
}

static enum ef_err fill_queue(struct queue *q, unsigned depth)
{
    enum ef_err err = EF_OK;
    while (err == EF_OK && q->asked < q->read->len && q->asked - q->got < depth * SLOW_READ) {
        uint32_t len = request_len(q, q->asked);
        err = request_slow(q->session, q->read->addr + q->asked, len);
        q->asked += len;
    }
    return err;
}

/* What is on its way is taken in and dropped, so that the line stays in step. */
static enum ef_err empty_queue(struct queue *q)
{
    enum ef_err err = EF_OK;
    while (err == EF_OK && q->got < q->asked) {
        uint8_t unwanted[SLOW_READ];
        uint32_t len = request_len(q, q->got);
        err = receive_slow(q->session, unwanted, len);
        q->got += len;
    }
    return err == EF_OK ? EF_INTERRUPTED : err;
}

static enum ef_err read_queued(struct queue *q, unsigned depth)
{
    struct ef_read *r = q->read;
    while (r->done < r->len) {
        enum ef_err err = r->stop && r->stop(r->user) ? EF_INTERRUPTED : fill_queue(q, depth);
        if (err == EF_OK) {
            uint32_t len = request_len(q, q->got);
            err = receive_slow(q->session, ef_read_at(r) + (q->got - r->done), len);
            q->got += len;
        }
        uint32_t whole = ef_read_next_len(r, q->piece);
        if (err == EF_OK && q->got - r->done == whole)
            err = ef_read_deliver(r, whole);
        if (err != EF_OK)
            return err == EF_INTERRUPTED ? empty_queue(q) : err;
    }
    return EF_OK;
}

static enum ef_err rom_read(struct ef_flash *f, struct ef_read *r)
{
    struct ef_loader_flash *self = (struct ef_loader_flash *)f;
    struct queue q = {.session = self->session, .read = r, .piece = f->read_piece};
    enum ef_err err = read_queued(&q, self->depth);
    bool failed = err != EF_OK && err != EF_INTERRUPTED;
    self->depth = failed ? 1 : QUEUE_DEPTH;
    return err;
}

static enum ef_err rom_write(struct ef_flash *f, uint32_t addr, uint32_t len, const uint8_t *data)
{
    return ef_loader_write(ef_loader_session(f), addr, len, data, EF_ROM_WRITE_BLOCK, NULL);
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
