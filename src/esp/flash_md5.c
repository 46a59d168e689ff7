#include "espflashfs/flash_md5.h"

#include "espflashfs/bytes.h"
#include "espflashfs/session.h"

#include <nettle/base16.h>
#include <string.h>

/* From protocol.md, "Deadlines". */
enum { MD5_S_PER_MIB = 8, MIB = 1024 * 1024, MD5_HEX = 2 * EF_DIGEST_BYTES };

/* Behind the first of a pair the second one is due as soon as the chip has computed it. */
enum { LOST_REPLY_MS = 500, REQUEST_BYTES = 24 };

/* What a stub needs for a glimpse and its reply, and as bytes of the fastest line. */
enum { PAUSE_US = 200, PAUSE_MAX = 128 };

static enum ef_err parse_hex(const uint8_t hex[MD5_HEX], uint8_t md5[EF_DIGEST_BYTES])
{
    struct base16_decode_ctx ctx;
    size_t len = EF_DIGEST_BYTES;
    base16_decode_init(&ctx);
    bool ok = base16_decode_update(&ctx, &len, md5, MD5_HEX, (const char *)hex) &&
              base16_decode_final(&ctx) && len == EF_DIGEST_BYTES;
    return ok ? EF_OK : EF_FRAMING;
}

static int timeout_ms(uint32_t len, int base_ms)
{
    return base_ms + (int)((uint64_t)len * MD5_S_PER_MIB * 1000 / MIB);
}

static size_t reply_len(const struct ef_session *s)
{
    return s->esp.stub ? EF_DIGEST_BYTES : MD5_HEX;
}

static enum ef_err send(struct ef_session *s, const struct ef_digest *md5)
{
    uint8_t payload[16] = {0};
    ef_put_le32(payload, md5->addr);
    ef_put_le32(payload + 4, md5->len);
    return ef_command_send(&s->esp, EF_OP_SPI_FLASH_MD5, payload, sizeof(payload), 0,
                           ef_deadline_in(EF_COMMAND_TIMEOUT_MS));
}

static enum ef_err receive(struct ef_session *s, int base_ms, struct ef_digest *md5)
{
    struct ef_reply reply;
    int wire_ms = ef_link_wire_ms(&s->link, REQUEST_BYTES + reply_len(s));
    enum ef_err err = ef_command_receive(
        &s->esp, EF_OP_SPI_FLASH_MD5, reply_len(s),
        ef_deadline_in((int64_t)timeout_ms(md5->len, base_ms) + wire_ms), &reply);
    if (err != EF_OK)
        return err;
    if (!s->esp.stub)
        return parse_hex(reply.data, md5->md5);
    memcpy(md5->md5, reply.data, EF_DIGEST_BYTES);
    return EF_OK;
}

enum ef_err ef_session_md5(struct ef_session *s, struct ef_digest *md5)
{
    enum ef_err err = send(s, md5);
    return err == EF_OK ? receive(s, EF_COMMAND_TIMEOUT_MS, md5) : err;
}

enum ef_err ef_session_md5_pair(struct ef_session *s, struct ef_digest *first,
                                struct ef_digest *second)
{
    enum ef_err err = send(s, first);
    if (err == EF_OK)
        err = send(s, second);
    if (err == EF_OK)
        err = receive(s, EF_COMMAND_TIMEOUT_MS, first);
    return err == EF_OK ? receive(s, LOST_REPLY_MS, second) : err;
}

/*
 * Between frames a stub passes over all that is no END. No flipped bit makes one of zeros.
 */
static enum ef_err send_pause(struct ef_session *s)
{
    static const uint8_t PAUSE[PAUSE_MAX] = {0};
    uint64_t len = (uint64_t)s->line->baud * PAUSE_US / (10 * 1000000);
    return ef_line_write(s->line, PAUSE, len < PAUSE_MAX ? (size_t)len + 1 : PAUSE_MAX,
                         ef_deadline_in(EF_COMMAND_TIMEOUT_MS));
}

enum ef_err ef_session_md5_glimpses(struct ef_session *s, struct ef_digest *list, size_t count)
{
    enum ef_err err = EF_OK;
    for (size_t i = 0; i < count && err == EF_OK; i++) {
        err = i > 0 ? send_pause(s) : EF_OK;
        if (err == EF_OK)
            err = send(s, &list[i]);
    }
    /* One that is refused has others behind it. */
    enum ef_err first = err;
    for (size_t i = 0; i < count && (err == EF_OK || err == EF_REJECTED); i++) {
        err = receive(s, i == 0 ? EF_COMMAND_TIMEOUT_MS : LOST_REPLY_MS, &list[i]);
        first = first == EF_OK ? err : first;
    }
    return first;
}

enum ef_err ef_session_md5_ask(struct ef_session *s, const struct ef_digest *digest)
{
    enum ef_err err = send(s, digest);
    /* A ROM takes frames without a pause, and has no room for more than them. */
    return err == EF_OK && s->esp.stub ? send_pause(s) : err;
}

enum ef_err ef_session_md5_hear(struct ef_session *s, struct ef_digest *digest)
{
    return receive(s, EF_COMMAND_TIMEOUT_MS, digest);
}
