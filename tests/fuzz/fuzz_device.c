/*
 * A mount and two reads of a device that is nothing but the input: to each frame that the host
 * sends, it says what comes next there. Most of it is well framed, and may be a reply to what
 * was asked; some of it is not. Whatever it is, the mount ends, and asks for no erase or write.
 *
 * The input, behind a byte of settings, one of manners and what to read: for each frame of the
 * host, how many things to say; for each, what kind of thing, and its bytes.
 */
#include "mounting.h"

#include "espflashfs/bytes.h"
#include "espflashfs/command.h"
#include "espflashfs/flash.h"

enum {
    OUT_CAP = 1 << 16,
    FRAME_MAX = 0x8000,
    FILL_MAX = 0x1000,
    SAYINGS_MAX = 16,
    HEADER = 8,
    FRAMES_MAX = 100000 /* that a host sends to a device that leads it on */
};

enum saying {
    REPLY,        /* to the command in hand: its value, its data; accepted */
    REFUSAL,      /* its status */
    SYNC_REPLIES, /* all eight of them, with one value */
    FRAME,        /* of any bytes */
    FILL,         /* a frame of one byte, so many times */
    FILL_DIGEST,  /* the digest of the like, raw, as behind a read */
    DIGEST_REPLY, /* the like as a reply, in the way of stub or ROM */
    RAW,          /* bytes without a frame */
    SAYINGS,
    LEAVES = 0xFF /* in place of how many */
};

struct device {
    struct ef_line line; /* first */
    struct fuzz_input in;
    uint8_t manners;
    bool gone;
    uint8_t op;
    unsigned frames;
    struct ef_slip_decoder slip; /* of what the host sends */
    uint8_t frame[FRAME_MAX];
    uint8_t out[OUT_CAP];
    size_t out_len, out_pos;
};

enum { LONG_STATUS = 1, BABBLES = 2, SERIAL = 4, RAW_DIGESTS = 8 };

static void say_raw(struct device *d, const uint8_t *bytes, size_t len)
{
    if (len == 0 || d->out_len + len > OUT_CAP)
        return;
    memcpy(d->out + d->out_len, bytes, len);
    d->out_len += len;
}

static void say_frame(struct device *d, const uint8_t *bytes, size_t len)
{
    if (d->out_len + ef_slip_encoded_max(len) <= OUT_CAP)
        d->out_len += ef_slip_encode(d->out + d->out_len, bytes, len);
}

static void say_reply(struct device *d, uint32_t value, const uint8_t *bytes, size_t len,
                      const uint8_t status[2])
{
    uint8_t frame[HEADER + 256 + 4] = {0x01, d->op};
    size_t status_len = d->manners & LONG_STATUS ? 4 : 2;
    ef_put_le16(frame + 2, (uint16_t)(len + status_len));
    ef_put_le32(frame + 4, value);
    if (len > 0)
        memcpy(frame + HEADER, bytes, len);
    memcpy(frame + HEADER + len, status, 2);
    say_frame(d, frame, HEADER + len + status_len);
}

/* The digest of `len` bytes `fill`. */
static void say_digest(struct device *d, bool reply)
{
    static const uint8_t FINE[2];
    uint32_t len = fuzz_u32(&d->in) % (1 << 18);
    uint8_t *bytes = malloc(len + 1);
    uint8_t md5[EF_DIGEST_BYTES];
    char hex[2 * EF_DIGEST_BYTES + 1];
    REQUIRE(bytes);
    memset(bytes, fuzz_u8(&d->in), len + 1);
    ef_digest_bytes(bytes, len, md5);
    free(bytes);
    for (int i = 0; i < EF_DIGEST_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", md5[i]);
    if (!reply)
        say_frame(d, md5, sizeof(md5));
    else if (d->manners & RAW_DIGESTS)
        say_reply(d, 0, md5, sizeof(md5), FINE);
    else
        say_reply(d, 0, (const uint8_t *)hex, 2 * EF_DIGEST_BYTES, FINE);
}

static void say_fill(struct device *d)
{
    uint8_t bytes[FILL_MAX];
    size_t len = (size_t)fuzz_u16(&d->in) % (FILL_MAX + 1);
    memset(bytes, fuzz_u8(&d->in), sizeof(bytes));
    say_frame(d, bytes, len);
}

static void say_one(struct device *d)
{
    static const uint8_t FINE[2];
    struct fuzz_input *in = &d->in;
    const uint8_t *bytes;
    enum saying what = (enum saying)(fuzz_u8(in) % SAYINGS);
    uint32_t value;
    size_t len;
    switch (what) {
    case REPLY:
        value = fuzz_u32(in);
        len = fuzz_take(in, fuzz_u8(in), &bytes);
        say_reply(d, value, bytes, len, FINE);
        break;
    case REFUSAL:
        fuzz_take(in, 2, &bytes);
        say_reply(d, 0, NULL, 0, (const uint8_t[2]){in->left > 0 ? *bytes : 1, 5});
        break;
    case SYNC_REPLIES:
        value = fuzz_u32(in);
        for (int i = 0; i < 8; i++)
            say_reply(d, value, NULL, 0, FINE);
        break;
    case FILL:
        say_fill(d);
        break;
    case FILL_DIGEST:
    case DIGEST_REPLY:
        say_digest(d, what == DIGEST_REPLY);
        break;
    case FRAME:
        len = fuzz_take(in, fuzz_u16(in), &bytes);
        say_frame(d, bytes, len);
        break;
    default:
        len = fuzz_take(in, fuzz_u8(in), &bytes);
        say_raw(d, bytes, len);
        break;
    }
}

/* To one frame of the host. */
static void answer(struct device *d)
{
    unsigned count = fuzz_u8(&d->in);
    d->gone = d->gone || count == LEAVES;
    for (unsigned i = 0; i < count % SAYINGS_MAX && !d->gone && d->in.left > 0; i++)
        say_one(d);
}

/* To attach an ESP8266's flash, or before its stub is left, a FLASH_BEGIN of nothing is sent. */
static void check_harmless(const uint8_t *frame, size_t len)
{
    static const uint8_t NOTHING[16];
    if (len < HEADER || frame[0] != 0)
        return;
    uint8_t op = frame[1];
    REQUIRE(op != EF_OP_FLASH_DATA && op != EF_OP_FLASH_DEFL_BEGIN && op != EF_OP_FLASH_DEFL_DATA);
    REQUIRE(op != EF_OP_ERASE_FLASH && op != EF_OP_ERASE_REGION);
    if (op == EF_OP_FLASH_BEGIN)
        REQUIRE(len == HEADER + sizeof(NOTHING) &&
                memcmp(frame + HEADER, NOTHING, sizeof(NOTHING)) == 0);
}

static enum ef_err device_write(struct ef_line *line, const uint8_t *buf, size_t len,
                                ef_deadline deadline)
{
    struct device *d = (struct device *)line;
    (void)deadline;
    for (size_t at = 0, used; at < len && !d->gone; at += used) {
        enum ef_slip_event event = ef_slip_decode(&d->slip, buf + at, len - at, &used);
        if (event != EF_SLIP_FRAME)
            continue;
        REQUIRE(++d->frames < FRAMES_MAX);
        check_harmless(d->slip.buf, d->slip.len);
        if (d->slip.len >= HEADER)
            d->op = d->slip.buf[1];
        answer(d);
    }
    return d->gone ? EF_GONE : EF_OK;
}

static enum ef_err device_read(struct ef_line *line, uint8_t *buf, size_t cap, ef_deadline deadline,
                               size_t *got)
{
    static const uint8_t BABBLE[] = {0xC0, 0x01, 0x08, 0x00};
    struct device *d = (struct device *)line;
    if (d->out_pos == d->out_len) {
        d->out_pos = d->out_len = 0;
        bool babbles = d->manners & BABBLES && d->in.left == 0;
        if (d->gone)
            return EF_GONE;
        if (babbles && ef_deadline_left_ms(deadline) > 0)
            say_raw(d, BABBLE, sizeof(BABBLE));
        fuzz_clock_pass(babbles ? 10 : ef_deadline_left_ms(deadline));
    }
    *got = d->out_len - d->out_pos < cap ? d->out_len - d->out_pos : cap;
    memcpy(buf, d->out + d->out_pos, *got);
    d->out_pos += *got;
    return *got > 0 ? EF_OK : EF_TIMEOUT;
}

static enum ef_err device_set_baud(struct ef_line *line, uint32_t baud)
{
    (void)line;
    return baud <= 921600 ? EF_OK : EF_UNSUPPORTED;
}

/* A reset is an occasion to say something, too. */
static enum ef_err device_set_lines(struct ef_line *line, bool dtr, bool rts)
{
    struct device *d = (struct device *)line;
    if (!dtr && rts)
        answer(d);
    return d->gone ? EF_GONE : EF_OK;
}

static void device_close(struct ef_line *line)
{
    (void)line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ef_line_ops PLAIN_LINE = {
        .read = device_read, .write = device_write, .close = device_close};
    static const struct ef_line_ops SERIAL_LINE = {.read = device_read,
                                                   .write = device_write,
                                                   .set_baud = device_set_baud,
                                                   .set_lines = device_set_lines,
                                                   .close = device_close};
    struct fuzz_input in = {data, size};
    struct device *d = calloc(1, sizeof(*d));
    struct fuzz_mounting *m = calloc(1, sizeof(*m));
    REQUIRE(d && m);
    m->config = fuzz_mounting_config(fuzz_u8(&in));
    d->manners = fuzz_u8(&in);
    for (int i = 0; i < FUZZ_READS; i++) {
        m->addr[i] = fuzz_u32(&in);
        m->len[i] = fuzz_u16(&in);
    }
    d->line =
        (struct ef_line){.ops = d->manners & SERIAL ? &SERIAL_LINE : &PLAIN_LINE, .kind = "fuzz"};
    ef_slip_decoder_init(&d->slip, d->frame, sizeof(d->frame));
    d->in = in;
    m->line = &d->line;
    fuzz_mounting_run(m);
    free(m);
    free(d);
    return 0;
}
