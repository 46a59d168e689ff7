/*
 * The checked transfer of baud=auto: first many short questions whose answers were learned at
 * the rate below, then a piece of flash with its digest. In this order, since the questions
 * are harmless whichever bit of them flips, while one bit makes ERASE_FLASH of READ_FLASH.
 * The address and the length in a question decide its answer, so they prove the direction to
 * the chip too. Nothing is written, neither to flash nor to RAM that a loader may live in.
 */
#include "baud.h"

#include "espflashfs/bytes.h"

#include <nettle/base16.h>
#include <nettle/md5.h>
#include <stdlib.h>
#include <string.h>

enum {
    REPLY_MS = 500, /* a loader answers in a few ms; bridges and networks add some */
    ROUNDS = 4,
    GRAIN = 64,         /* the ROM reads flash in words; a multiple keeps clear of that */
    PLACE_LEN = 0x400,  /* enough to see whether something lies there */
    SPREAD = 0x40000,   /* of the other questions */
    STUB_BULK = 0x8000, /* 0.7 s at 460800 baud, 0.1 s at 3000000 */
    ROM_BULK = 0x2000,  /* in 64 bytes a command */
    PACKET = 0x1000,
    SLOW_READ = 64,
    QUEUE_DEPTH = 8 /* protocol.md: the ESP32's ROM took eight */
};

/* Where something usually lies: boot loader, partition table, application. */
static const uint32_t PLACES[] = {0, 0x1000, 0x8000, 0x10000};
enum { PLACE_COUNT = sizeof(PLACES) / sizeof(PLACES[0]) };

static ef_deadline reply_deadline(const struct ef_session *s, size_t len)
{
    return ef_deadline_in(REPLY_MS + ef_link_wire_ms(&s->link, len));
}

static enum ef_err ask(struct ef_session *s, uint32_t addr, uint32_t len)
{
    uint8_t payload[16] = {0};
    ef_put_le32(payload, addr);
    ef_put_le32(payload + 4, len);
    return ef_command_send(&s->esp, EF_OP_SPI_FLASH_MD5, payload, sizeof(payload), 0,
                           reply_deadline(s, sizeof(payload)));
}

/* The stub sends 16 bytes, the ROM their hex digits. */
static size_t answer_len(const struct ef_session *s)
{
    return s->esp.stub ? EF_BAUD_ANSWER_MAX / 2 : EF_BAUD_ANSWER_MAX;
}

static enum ef_err hear(struct ef_session *s, uint8_t *answer)
{
    struct ef_reply reply;
    enum ef_err err = ef_command_receive(&s->esp, EF_OP_SPI_FLASH_MD5, answer_len(s),
                                         reply_deadline(s, answer_len(s)), &reply);
    if (err == EF_OK)
        memcpy(answer, reply.data, answer_len(s));
    return err;
}

static void choose_questions(struct ef_session *s, struct ef_baud_questions *q)
{
    uint32_t grains = ef_min_u32(s->flash_size, SPREAD) / GRAIN;
    uint32_t mix = 1;
    for (int i = 0; i < EF_BAUD_QUESTIONS; i++) {
        mix = mix * 1664525U + 1013904223U; /* any numbers that differ will do */
        q->addr[i] = (mix >> 12) % (grains - 16) * GRAIN;
        q->len[i] = ((mix >> 8) % 16 + 1) * GRAIN;
        if (i < PLACE_COUNT && PLACES[i] < s->flash_size) {
            q->addr[i] = PLACES[i];
            q->len[i] = PLACE_LEN;
        }
    }
}

enum ef_err ef_baud_learn(struct ef_session *s, struct ef_baud_questions *q)
{
    choose_questions(s, q);
    for (int i = 0; i < EF_BAUD_QUESTIONS; i++) {
        enum ef_err err = ask(s, q->addr[i], q->len[i]);
        if (err == EF_OK)
            err = hear(s, q->answer[i]);
        if (err != EF_OK)
            return err;
    }
    /* A blank piece of flash is a weak pattern: all FF. Equal answers are taken for blank. */
    q->bulk_addr = 0;
    for (int i = PLACE_COUNT - 1; i >= 0; i--) {
        const uint8_t *other = q->answer[(i + 1) % PLACE_COUNT];
        if (q->len[i] == PLACE_LEN && memcmp(q->answer[i], other, answer_len(s)) != 0)
            q->bulk_addr = q->addr[i];
    }
    return EF_OK;
}

/* Two at a time: protocol.md, "MD5 requests can be sent in pairs". */
static enum ef_err ask_all(struct ef_session *s, const struct ef_baud_questions *q)
{
    for (int i = 0; i < EF_BAUD_QUESTIONS; i += 2) {
        enum ef_err err = ask(s, q->addr[i], q->len[i]);
        if (err == EF_OK)
            err = ask(s, q->addr[i + 1], q->len[i + 1]);
        for (int k = i; k < i + 2 && err == EF_OK; k++) {
            uint8_t answer[EF_BAUD_ANSWER_MAX];
            err = hear(s, answer);
            if (err == EF_OK && memcmp(answer, q->answer[k], answer_len(s)) != 0)
                err = EF_VERIFY;
        }
        if (err != EF_OK)
            return err;
    }
    return EF_OK;
}

static bool digest_is(const uint8_t *bytes, size_t len, const uint8_t md5[MD5_DIGEST_SIZE])
{
    uint8_t actual[MD5_DIGEST_SIZE];
    struct md5_ctx ctx;
    md5_init(&ctx);
    md5_update(&ctx, len, bytes);
    md5_digest(&ctx, sizeof(actual), actual);
    return memcmp(actual, md5, sizeof(actual)) == 0;
}

static enum ef_err read_stub_packets(struct ef_session *s, uint8_t *buf, uint32_t len)
{
    enum ef_err err = EF_OK;
    for (uint32_t at = 0; at < len && err == EF_OK;) {
        const uint8_t *frame;
        size_t got;
        uint32_t due = ef_min_u32(PACKET, len - at);
        err = ef_link_receive(&s->link, reply_deadline(s, due), &frame, &got);
        if (err == EF_OK && got != due)
            err = EF_FRAMING;
        if (err != EF_OK)
            break;
        memcpy(buf + at, frame, due);
        at += due;
        uint8_t ack[4];
        ef_put_le32(ack, at);
        err = ef_link_send(&s->link, ack, sizeof(ack), NULL, 0, reply_deadline(s, sizeof(ack)));
    }
    return err;
}

static enum ef_err read_stub(struct ef_session *s, uint32_t addr, uint8_t *buf, uint32_t len)
{
    uint8_t payload[16];
    ef_put_le32(payload, addr);
    ef_put_le32(payload + 4, len);
    ef_put_le32(payload + 8, PACKET);
    ef_put_le32(payload + 12, 1); /* packets in flight */
    enum ef_err err =
        ef_command(&s->esp, EF_OP_READ_FLASH, payload, sizeof(payload), 0, 0, REPLY_MS, NULL);
    if (err == EF_OK)
        err = read_stub_packets(s, buf, len);
    const uint8_t *frame;
    size_t got;
    if (err == EF_OK)
        err = ef_link_receive(&s->link, reply_deadline(s, MD5_DIGEST_SIZE), &frame, &got);
    if (err != EF_OK)
        return err;
    return got == MD5_DIGEST_SIZE && digest_is(buf, len, frame) ? EF_OK : EF_VERIFY;
}

static bool unhex(const uint8_t hex[EF_BAUD_ANSWER_MAX], uint8_t md5[MD5_DIGEST_SIZE])
{
    struct base16_decode_ctx ctx;
    size_t len = MD5_DIGEST_SIZE;
    base16_decode_init(&ctx);
    return base16_decode_update(&ctx, &len, md5, EF_BAUD_ANSWER_MAX, (const char *)hex) &&
           base16_decode_final(&ctx) && len == MD5_DIGEST_SIZE;
}

static enum ef_err ask_slow(struct ef_session *s, uint32_t addr)
{
    uint8_t payload[8];
    ef_put_le32(payload, addr);
    ef_put_le32(payload + 4, SLOW_READ);
    return ef_command_send(&s->esp, EF_OP_READ_FLASH_SLOW, payload, sizeof(payload), 0,
                           reply_deadline(s, sizeof(payload)));
}

static enum ef_err read_rom(struct ef_session *s, uint32_t addr, uint8_t *buf, uint32_t len)
{
    uint32_t asked = 0;
    for (uint32_t done = 0; done < len; done += SLOW_READ) {
        for (; asked < len && asked - done < QUEUE_DEPTH * SLOW_READ; asked += SLOW_READ) {
            enum ef_err err = ask_slow(s, addr + asked);
            if (err != EF_OK)
                return err;
        }
        struct ef_reply reply;
        enum ef_err err = ef_command_receive(&s->esp, EF_OP_READ_FLASH_SLOW, SLOW_READ,
                                             reply_deadline(s, SLOW_READ), &reply);
        if (err != EF_OK)
            return err;
        memcpy(buf + done, reply.data, SLOW_READ);
    }
    uint8_t hex[EF_BAUD_ANSWER_MAX];
    uint8_t md5[MD5_DIGEST_SIZE];
    enum ef_err err = ask(s, addr, len);
    if (err == EF_OK)
        err = hear(s, hex);
    if (err != EF_OK)
        return err;
    return unhex(hex, md5) && digest_is(buf, len, md5) ? EF_OK : EF_VERIFY;
}

enum ef_err ef_baud_check(struct ef_session *s, const struct ef_baud_questions *q)
{
    enum ef_err err = EF_OK;
    for (int i = 0; i < ROUNDS && err == EF_OK; i++)
        err = ask_all(s, q);
    uint32_t len = ef_min_u32(s->esp.stub ? STUB_BULK : ROM_BULK, s->flash_size - q->bulk_addr);
    uint8_t *buf = err == EF_OK ? malloc(len) : NULL;
    if (err != EF_OK || !buf)
        return err == EF_OK ? EF_NOMEM : err;
    err = s->esp.stub ? read_stub(s, q->bulk_addr, buf, len) : read_rom(s, q->bulk_addr, buf, len);
    free(buf);
    return err;
}
