/* The bottom layer where a stub answers. */
#include "loader_io.h"

#include "espflashfs/bytes.h"

#include <string.h>

enum {
    PACKET = 0x1000,      /* the most a stub sends in one frame */
    PACKET_OTHER = 0xF9B, /* see ef_loader_note_read */
    PIECE = 0x10000,      /* one READ_FLASH request, proven as a whole */
    WRITE_BLOCK = 0x4000,
    WRITE_BLOCK_OTG = 0x800,        /* what USB-OTG's buffers in the ROM hold */
    CHIP_ERASE_TIMEOUT_MS = 120000, /* and not less, however small the chip ... */
    CHIP_ERASE_S_PER_MIB = 15       /* ... data sheets: up to 400 s for 32 MiB */
};

static enum ef_err send_ack(struct ef_session *s, uint32_t total)
{
    uint8_t ack[4];
    ef_put_le32(ack, total);
    return ef_link_send(&s->link, ack, sizeof(ack), NULL, 0, ef_deadline_in(EF_COMMAND_TIMEOUT_MS));
}

static enum ef_err begin_read(struct ef_session *s, uint32_t addr, uint32_t len, uint32_t packet)
{
    uint8_t payload[16];
    ef_put_le32(payload, addr);
    ef_put_le32(payload + 4, len);
    ef_put_le32(payload + 8, packet);
    ef_put_le32(payload + 12, 1); /* packets in flight: stubs make it 1 whatever is asked */
    return ef_command(&s->esp, EF_OP_READ_FLASH, payload, sizeof(payload), 0, 0,
                      EF_COMMAND_TIMEOUT_MS, NULL);
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
    const uint8_t *frame;
    size_t got = 0;
    if (err == EF_OK)
        err = ef_link_receive(&s->link, deadline, &frame, &got);
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

/* One request, cut short where r->stop says so. */
static enum ef_err read_piece(struct ef_loader_flash *self, struct ef_read *r, uint32_t want)
{
    struct ef_session *s = self->session;
    uint8_t *buf = r->buf + r->done;
    uint32_t packet = self->other_cut ? ef_min_u32(PACKET_OTHER, (want + 1) / 2) : PACKET;
    enum ef_err err = begin_read(s, r->addr + r->done, want, packet);
    for (uint32_t at = 0; at < want && err == EF_OK;) {
        if (r->stop && r->stop(r->user))
            return cut_short(s);
        uint32_t n = ef_min_u32(packet, want - at);
        err = read_packet(s, buf + at, n, at + n);
        at += n;
    }
    return err == EF_OK ? check_transfer_digest(s, buf, want) : err;
}

static enum ef_err stub_read(struct ef_flash *f, struct ef_read *r)
{
    struct ef_loader_flash *self = (struct ef_loader_flash *)f;
    while (r->done < r->len) {
        uint32_t want = ef_min_u32(r->len - r->done, PIECE);
        if (r->stop && r->stop(r->user))
            return EF_INTERRUPTED;
        enum ef_err err = read_piece(self, r, want);
        ef_loader_note_read(self, err);
        if (err != EF_OK)
            return err;
        r->done += want;
        if (r->piece)
            r->piece(r->user, r->addr + r->done - want, r->buf + r->done - want, want);
    }
    return EF_OK;
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
    enum ef_err err = ef_loader_write(s, addr, len, data, block);
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
                                         .free = ef_loader_free};

struct ef_flash *ef_flash_stub_new(struct ef_session *session)
{
    struct ef_loader_flash *self = ef_loader_flash_new(session, "stub", &STUB);
    if (!self)
        return NULL;
    self->flash.read_piece = PIECE;
    return &self->flash;
}
