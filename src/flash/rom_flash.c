/* The bottom layer where the ROM alone answers (ESP32 and later). */
#include "loader_io.h"

#include "espflashfs/bytes.h"

#include <string.h>

enum {
    SLOW_READ = 64, /* READ_FLASH_SLOW's fixed reply */
    NUDGE_MS = 300, /* built-in USB: much longer than a reply takes */
    NUDGE_REG = 0x40001000,
    PIECE = 0x8000,  /* proven as a whole */
    QUEUE_DEPTH = 8, /* requests in flight that the ESP32's ROM took (protocol.md) ... */
    READ_WEIGHT = 1,
    DIGEST_WEIGHT = 2, /* ... of which a digest's, being longer, counts as two */
    /* The chip digests these while what it sent before leaves the 128 bytes of its UART. */
    DIGESTED = 22 * SLOW_READ
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

/*
 * The requests of one read; behind every few of them, and at the end of each piece, one for
 * the digest of what they bring, if that is wanted. Replies come in order and carry no address.
 */
struct queue {
    struct ef_session *session;
    struct ef_read *read;
    uint32_t piece;
    unsigned depth;
    uint32_t asked, got; /* bytes behind read->addr */
    uint32_t asked_from; /* what the next digest to be asked for begins with ... */
    uint32_t got_from;   /* ... and the next to come */
    unsigned weight;     /* of what is in flight */
};

/* The length of the request at `at`: none reaches into the next piece. */
static uint32_t request_len(const struct queue *q, uint32_t at)
{
    uint32_t to_end = q->piece - (q->read->addr + at) % q->piece;
    return ef_min_u32(ef_min_u32(SLOW_READ, q->read->len - at), to_end);
}

/* True if the digest of what begins at `from` is to follow on the bytes up to `at`. */
static bool digest_due(const struct queue *q, uint32_t from, uint32_t at)
{
    bool ends = at == q->read->len || (q->read->addr + at) % q->piece == 0;
    return q->read->digest && at > from && (ends || at - from >= DIGESTED);
}

static enum ef_err ask_digest(struct queue *q)
{
    struct ef_digest digest = {.addr = q->read->addr + q->asked_from,
                               .len = q->asked - q->asked_from};
    q->asked_from = q->asked;
    q->weight += DIGEST_WEIGHT;
    return ef_session_md5_ask(q->session, &digest);
}

static enum ef_err ask_bytes(struct queue *q)
{
    uint32_t at = q->asked;
    uint32_t len = request_len(q, at);
    q->asked += len;
    q->weight += READ_WEIGHT;
    return request_slow(q->session, q->read->addr + at, len);
}

static enum ef_err fill_queue(struct queue *q)
{
    for (;;) {
        bool digest = digest_due(q, q->asked_from, q->asked);
        unsigned weight = digest ? DIGEST_WEIGHT : READ_WEIGHT;
        if ((!digest && q->asked == q->read->len) || (q->weight && q->weight + weight > q->depth))
            return EF_OK;
        enum ef_err err = digest ? ask_digest(q) : ask_bytes(q);
        if (err != EF_OK)
            return err;
    }
}

static enum ef_err hear_digest(struct queue *q)
{
    struct ef_read *r = q->read;
    struct ef_digest digest = {.addr = r->addr + q->got_from, .len = q->got - q->got_from};
    enum ef_err err = ef_session_md5_hear(q->session, &digest);
    if (err == EF_OK)
        r->digest(r->user, &digest, ef_read_at(r) + (q->got_from - r->done));
    q->got_from = q->got;
    q->weight -= DIGEST_WEIGHT;
    return err;
}

static enum ef_err hear_bytes(struct queue *q, uint8_t *buf)
{
    uint32_t len = request_len(q, q->got);
    q->got += len;
    q->weight -= READ_WEIGHT;
    return receive_slow(q->session, buf, len);
}

/* What is on its way is taken in and dropped, so that the line stays in step. */
static enum ef_err empty_queue(struct queue *q)
{
    enum ef_err err = EF_OK;
    while (err == EF_OK && q->weight > 0) {
        uint8_t unwanted[SLOW_READ];
        struct ef_digest dropped = {.len = DIGESTED};
        if (!digest_due(q, q->got_from, q->got)) {
            err = hear_bytes(q, unwanted);
            continue;
        }
        err = ef_session_md5_hear(q->session, &dropped);
        q->got_from = q->got;
        q->weight -= DIGEST_WEIGHT;
    }
    return err == EF_OK ? EF_INTERRUPTED : err;
}

static enum ef_err read_queued(struct queue *q)
{
    struct ef_read *r = q->read;
    while (r->done < r->len) {
        enum ef_err err = r->stop && r->stop(r->user) ? EF_INTERRUPTED : fill_queue(q);
        if (err == EF_OK && digest_due(q, q->got_from, q->got))
            err = hear_digest(q);
        else if (err == EF_OK)
            err = hear_bytes(q, ef_read_at(r) + (q->got - r->done));
        uint32_t whole = ef_read_next_len(r, q->piece);
        if (err == EF_OK && q->got - r->done == whole && !digest_due(q, q->got_from, q->got))
            err = ef_read_deliver(r, whole);
        if (err != EF_OK)
            return err == EF_INTERRUPTED ? empty_queue(q) : err;
    }
    return EF_OK;
}

static enum ef_err rom_read(struct ef_flash *f, struct ef_read *r)
{
    struct ef_loader_flash *self = (struct ef_loader_flash *)f;
    struct queue q = {
        .session = self->session, .read = r, .piece = f->read_piece, .depth = self->depth};
    enum ef_err err = read_queued(&q);
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
                                        .rejoin = ef_loader_rejoin,
                                        .free = ef_loader_free};

struct ef_flash *ef_flash_rom_new(struct ef_session *session)
{
    struct ef_loader_flash *self = ef_loader_flash_new(session, "rom", &ROM);
    if (!self)
        return NULL;
    self->flash.read_piece = PIECE;
    self->flash.read_asks_digests = true;
    self->flash.erases_ahead = true;
    self->depth = QUEUE_DEPTH;
    return &self->flash;
}
