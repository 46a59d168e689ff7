/* The bottom layer where a stub answers. */
#include "loader_io.h"

#include "espflashfs/bytes.h"

#include <string.h>

enum {
    PACKET = 0x1000,       /* the most a stub sends in one frame */
    PACKET_SHARED = 0x400, /* who cuts a read short waits for one and a half of them */
    PACKET_OTHER = 0xF9B,  /* see ef_loader_note_read */
    PIECE = 0x20000,       /* one READ_FLASH request, proven as a whole: 1.4 s at 921600 baud ... */
    PIECE_SLOW = 0x10000,  /* ... and what a reader waits for below this rate */
    SLOW_BAUD = 460800,
    WRITE_BLOCK = 0x4000,
    WRITE_BLOCK_OTG = 0x800,        /* what USB-OTG's buffers in the ROM hold */
    CHIP_ERASE_TIMEOUT_MS = 120000, /* and not less, however small the chip ... */
    CHIP_ERASE_S_PER_MIB = 15,      /* ... data sheets: up to 400 s for 32 MiB */
    LOST_REPLY_MS = 500             /* behind another one's, it is due at once */
};

static enum ef_err send_ack(struct ef_session *s, uint32_t total)
{
    uint8_t ack[4];
    ef_put_le32(ack, total);
    return ef_link_send(&s->link, ack, sizeof(ack), NULL, 0, ef_deadline_in(EF_COMMAND_TIMEOUT_MS));
}

/* The request alone; hear_read takes its reply. */
static enum ef_err ask_read(struct ef_session *s, uint32_t addr, uint32_t len, uint32_t packet)
{
    uint8_t payload[16];
    ef_put_le32(payload, addr);
    ef_put_le32(payload + 4, len);
    ef_put_le32(payload + 8, packet);
    ef_put_le32(payload + 12, 1); /* packets in flight: stubs make it 1 whatever is asked */
    return ef_command_send(&s->esp, EF_OP_READ_FLASH, payload, sizeof(payload), 0,
                           ef_deadline_in(EF_COMMAND_TIMEOUT_MS));
}

static enum ef_err hear_read(struct ef_session *s, int timeout_ms)
{
    return ef_command_receive(&s->esp, EF_OP_READ_FLASH, 0, ef_deadline_in(timeout_ms), NULL);
}

/*
 * Any frame that is not an acknowledgement's 4 bytes makes the stub stop and send the digest
 * of what it sent so far (protocol.md, measured on real stubs).
 */
static enum ef_err cut_short(struct ef_session *s)
{
    static const uint8_t STOP = 0;
    ef_deadline deadline = ef_deadline_in(EF_COMMAND_TIMEOUT_MS);
    enum ef_err err = ef_link_send(&s->link, &STOP, 1, NULL, 0, deadline);
    size_t len = 0;
    while (err == EF_OK && len != EF_DIGEST_BYTES) {
        const uint8_t *frame;
        err = ef_link_receive(&s->link, deadline, &frame, &len);
    }
    return err == EF_OK ? EF_INTERRUPTED : err;
}

/* One READ_FLASH request of a stream. */
struct request {
    uint32_t addr, len, packet;
};

static enum ef_err take_packet(struct ef_session *s, uint8_t *buf, uint32_t len,
                               ef_deadline deadline)
{
    const uint8_t *frame;
    size_t got = 0;
    enum ef_err err = ef_link_receive(&s->link, deadline, &frame, &got);
    if (err != EF_OK)
        return err;
    if (got != len) {
        ef_log(s->log, EF_LOG_DEBUG, "READ_FLASH: a packet of %zu bytes where %u were due", got,
               (unsigned)len);
        return EF_FRAMING;
    }
    memcpy(buf, frame, len);
    return EF_OK;
}

/*
 * One packet. It is acknowledged as soon as its first byte is here, with the total that it
 * makes when whole, so that the line does not idle while the acknowledgement travels
 * (measured: protocol.md, "Early acknowledgement works").
 */
static enum ef_err read_packet(struct ef_session *s, uint8_t *buf, uint32_t len, uint32_t total)
{
    ef_deadline deadline =
        ef_deadline_in((int64_t)EF_COMMAND_TIMEOUT_MS + ef_link_wire_ms(&s->link, len));
    enum ef_err err = ef_link_wait_begin(&s->link, deadline);
    if (err == EF_OK)
        err = send_ack(s, total);
    return err == EF_OK ? take_packet(s, buf, len, deadline) : err;
}

static enum ef_err check_transfer_digest(struct ef_session *s, const uint8_t *buf, uint32_t len)
{
    const uint8_t *frame;
    size_t got;
    enum ef_err err =
        ef_link_receive(&s->link, ef_deadline_in(EF_COMMAND_TIMEOUT_MS), &frame, &got);
    if (err != EF_OK)
        return err;
    if (got != EF_DIGEST_BYTES)
        return EF_FRAMING;
    uint8_t md5[EF_DIGEST_BYTES];
    ef_digest_bytes(buf, len, md5);
    return memcmp(md5, frame, EF_DIGEST_BYTES) == 0 ? EF_OK : EF_VERIFY;
}

/*
 * A request whose reply is here: its packets, its digest. With `next`, that request has been
 * asked for when this returns EF_OK. Cut short where r->stop says so.
 */
static enum ef_err read_request(struct ef_session *s, struct ef_read *r,
                                const struct request *request, const struct request *next)
{
    uint8_t *buf = ef_read_at(r);
    enum ef_err err = EF_OK;
    for (uint32_t at = 0; at < request->len && err == EF_OK;) {
        if (r->stop && r->stop(r->user))
            return cut_short(s);
        uint32_t n = ef_min_u32(request->packet, request->len - at);
        err = read_packet(s, buf + at, n, at + n);
        at += n;
    }
    /* Not sooner: until the packet is out, the acknowledgement holds the stub's only other
     * buffer, and what comes behind it is lost. */
    if (err == EF_OK && next)
        err = ask_read(s, next->addr, next->len, next->packet);
    return err == EF_OK ? check_transfer_digest(s, buf, request->len) : err;
}

/* The request for what comes `ahead` bytes behind what is done. */
static struct request plan_request(const struct ef_loader_flash *self, const struct ef_read *r,
                                   uint32_t ahead)
{
    struct ef_read then = *r;
    then.done += ahead;
    struct request request = {.addr = r->addr + then.done,
                              .len = ef_read_next_len(&then, self->flash.read_piece)};
    request.packet = ef_read_is_shared(r) ? PACKET_SHARED : PACKET;
    if (self->other_cut)
        request.packet = ef_min_u32(PACKET_OTHER, (request.len + 1) / 2);
    return request;
}

/* What was asked for is not wanted any more. */
static enum ef_err take_back(struct ef_session *s)
{
    enum ef_err err = hear_read(s, EF_COMMAND_TIMEOUT_MS);
    return err == EF_OK ? cut_short(s) : err;
}

/* The chip's digest of what the only request of a read is to bring, where it is wanted. */
static bool wants_digest(const struct ef_read *r, const struct request *request)
{
    return r->digest && request->len == r->len;
}

/*
 * The first request, and right before it that for the digest: two in flight are taken by every
 * stub, and so the proof costs no round trip.
 */
static enum ef_err begin_read(struct ef_session *s, const struct ef_read *r,
                              const struct request *request, struct ef_digest *digest)
{
    bool both = wants_digest(r, request);
    *digest = (struct ef_digest){.addr = request->addr, .len = request->len};
    enum ef_err err = both ? ef_session_md5_ask(s, digest) : EF_OK;
    if (err == EF_OK)
        err = ask_read(s, request->addr, request->len, request->packet);
    if (!both || err != EF_OK)
        return err == EF_OK ? hear_read(s, EF_COMMAND_TIMEOUT_MS) : err;
    err = ef_session_md5_hear(s, digest);
    if (err == EF_REJECTED) {
        enum ef_err taken = take_back(s);
        return taken == EF_INTERRUPTED ? err : taken;
    }
    return err == EF_OK ? hear_read(s, LOST_REPLY_MS + ef_link_wire_ms(&s->link, PACKET)) : err;
}

static enum ef_err stub_read(struct ef_flash *f, struct ef_read *r)
{
    struct ef_loader_flash *self = (struct ef_loader_flash *)f;
    struct ef_session *s = self->session;
    if (r->stop && r->stop(r->user))
        return EF_INTERRUPTED;
    struct request request = plan_request(self, r, 0);
    struct ef_digest digest;
    enum ef_err err = begin_read(s, r, &request, &digest);
    if (err != EF_OK)
        ef_loader_note_read(self, err);
    bool more = true;
    while (err == EF_OK && more) {
        more = request.len < r->len - r->done;
        struct request next = {0};
        if (more)
            next = plan_request(self, r, request.len);
        err = read_request(s, r, &request, more ? &next : NULL);
        ef_loader_note_read(self, err);
        if (err != EF_OK)
            break;
        if (wants_digest(r, &request))
            r->digest(r->user, &digest, ef_read_at(r));
        err = ef_read_deliver(r, request.len);
        if (err == EF_INTERRUPTED && more)
            err = take_back(s);
        else if (err == EF_OK && more)
            err = hear_read(s, EF_COMMAND_TIMEOUT_MS);
        request = next;
    }
    return err;
}

/*
 * END with "stay" answers only when the block before it is on the flash, and is refused if
 * the stub expected more bytes: then it understood another size, or another address, than
 * was meant, which is a failed proof and not a mere refusal.
 */
static enum ef_err stub_write(struct ef_flash *f, uint32_t addr, uint32_t len, const uint8_t *data)
{
    static const uint8_t STAY[4] = {1, 0, 0, 0};
    struct ef_session *s = ef_loader_session(f);
    uint32_t block = s->wire == EF_WIRE_USB_OTG ? WRITE_BLOCK_OTG : WRITE_BLOCK;
    enum ef_err err = ef_loader_write(s, addr, len, data, block, &f->front);
    if (err != EF_OK)
        return err;
    err = ef_command(&s->esp, EF_OP_FLASH_DEFL_END, STAY, sizeof(STAY), 0, 0,
                     ef_loader_timeout_ms(len, EF_ERASE_S_PER_MIB), NULL);
    return err == EF_REJECTED ? EF_VERIFY : err;
}

static enum ef_err stub_erase(struct ef_flash *f, uint32_t addr, uint32_t len)
{
    struct ef_session *s = ef_loader_session(f);
    /* ERASE_FLASH knows nothing of a size= that is smaller than the chip. */
    if (addr == 0 && len == f->size && s->size_is_chip)
        return ef_command(&s->esp, EF_OP_ERASE_FLASH, NULL, 0, 0, 0,
                          CHIP_ERASE_TIMEOUT_MS + ef_loader_timeout_ms(len, CHIP_ERASE_S_PER_MIB),
                          NULL);
    uint8_t payload[8];
    ef_put_le32(payload, addr);
    ef_put_le32(payload + 4, len);
    return ef_command(&s->esp, EF_OP_ERASE_REGION, payload, sizeof(payload), 0, 0,
                      ef_loader_timeout_ms(len, EF_ERASE_S_PER_MIB), NULL);
}

static const struct ef_flash_ops STUB = {.read = stub_read,
                                         .write = stub_write,
                                         .erase = stub_erase,
                                         .digest = ef_loader_digest,
                                         .recover = ef_loader_recover,
                                         .rejoin = ef_loader_rejoin,
                                         .free = ef_loader_free};

struct ef_flash *ef_flash_stub_new(struct ef_session *session)
{
    struct ef_loader_flash *self = ef_loader_flash_new(session, "stub", &STUB);
    if (!self)
        return NULL;
    self->flash.read_digested = true;
    self->flash.read_piece = session->line->baud < SLOW_BAUD ? PIECE_SLOW : PIECE;
    return &self->flash;
}
