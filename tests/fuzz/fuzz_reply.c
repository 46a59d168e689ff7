/*
 * A command and its reply, a drain and a SYNC over a line that says whatever the input says, in
 * whatever pieces: the deadline is kept, and what is believed stood in a frame of its own,
 * whole, with the opcode and the length that it says.
 */
#include "fuzz.h"

#include "espflashfs/bytes.h"
#include "espflashfs/session.h"

enum {
    PIECE_MAX_MS = 300, /* that the line takes over one piece ... */
    BABBLE_MS = 9,      /* ... and over one that it repeats */
    TIMEOUT_MAX_MS = 4096,
    DRAIN_MAX_MS = 1000,
    SYNC_MAX_MS = 10000,
    SYNC_LAST_MS = 3500 /* what has begun before that may go on for */
};

/* A line that plays its input; behind the end it is silent, or says the last piece for ever. */
struct scripted {
    struct ef_line line; /* first */
    struct fuzz_input in;
    struct fuzz_input now; /* what is left of the piece in hand */
    struct fuzz_input last;
    bool babbles;
    uint8_t *heard; /* owned: all that was read so far */
    size_t heard_len, heard_cap;
};

static void keep(struct scripted *s, const uint8_t *bytes, size_t len)
{
    if (s->heard_len + len > s->heard_cap) {
        s->heard_cap = 2 * (s->heard_len + len);
        s->heard = realloc(s->heard, s->heard_cap);
        REQUIRE(s->heard);
    }
    memcpy(s->heard + s->heard_len, bytes, len);
    s->heard_len += len;
}

/* The next piece of the input: a wait, then up to 255 bytes. */
static bool next_piece(struct scripted *s, ef_deadline deadline)
{
    if (s->in.left == 0 && !(s->babbles && s->last.left > 0))
        return false;
    int64_t wait_ms = s->in.left > 0 ? fuzz_u8(&s->in) % PIECE_MAX_MS : BABBLE_MS;
    if (wait_ms > ef_deadline_left_ms(deadline))
        return false;
    fuzz_clock_pass(wait_ms);
    if (s->in.left > 0)
        s->last.left = fuzz_take(&s->in, fuzz_u8(&s->in), &s->last.at);
    s->now = s->last;
    return true;
}

static enum ef_err scripted_read(struct ef_line *line, uint8_t *buf, size_t cap,
                                 ef_deadline deadline, size_t *got)
{
    struct scripted *s = (struct scripted *)line;
    const uint8_t *bytes;
    while (s->now.left == 0) {
        if (!next_piece(s, deadline)) {
            fuzz_clock_pass(ef_deadline_left_ms(deadline));
            return EF_TIMEOUT;
        }
    }
    *got = fuzz_take(&s->now, cap, &bytes);
    memcpy(buf, bytes, *got);
    keep(s, bytes, *got);
    return EF_OK;
}

static enum ef_err scripted_write(struct ef_line *line, const uint8_t *buf, size_t len,
                                  ef_deadline deadline)
{
    (void)line;
    (void)buf;
    (void)len;
    (void)deadline;
    return EF_OK;
}

/* True if it is a frame that says just what was believed. */
static bool says(const uint8_t *frame, size_t len, uint8_t op, const struct ef_reply *reply)
{
    if (len < 10 || frame[0] != 1 || frame[1] != op || (size_t)ef_le16(frame + 2) + 8 != len)
        return false;
    return ef_le32(frame + 4) == reply->value &&
           memcmp(frame + 8, reply->data, reply->data_len) == 0 &&
           memcmp(frame + 8 + reply->data_len, reply->status, 2) == 0;
}

/* Of all that was heard, some frame says it. */
static void require_said(const struct scripted *s, uint8_t op, const struct ef_reply *reply)
{
    static uint8_t buf[EF_LINK_FRAME_MAX];
    struct ef_slip_decoder d;
    bool said = false;
    ef_slip_decoder_init(&d, buf, sizeof(buf));
    for (size_t at = 0, used; at < s->heard_len && !said; at += used)
        said = ef_slip_decode(&d, s->heard + at, s->heard_len - at, &used) == EF_SLIP_FRAME &&
               says(d.buf, d.len, op, reply);
    REQUIRE(said);
}

static void run_command(struct scripted *s, struct ef_esp *esp, struct fuzz_input *in)
{
    uint8_t op = fuzz_u8(in);
    size_t reply_len = fuzz_u16(in) % (EF_REPLY_DATA_MAX + 2);
    int timeout_ms = fuzz_u16(in) % TIMEOUT_MAX_MS;
    struct ef_reply reply;
    memset(&reply, 0x5A, sizeof(reply));
    int64_t start_ms = ef_clock_now_ms();
    enum ef_err err = ef_command(esp, (enum ef_op)op, NULL, 0, 0, reply_len, timeout_ms, &reply);
    int64_t took_ms = ef_clock_now_ms() - start_ms;
    REQUIRE(took_ms <= timeout_ms + ef_link_wire_ms(esp->link, reply_len));
    REQUIRE(err == EF_OK || err == EF_TIMEOUT || err == EF_FRAMING || err == EF_REJECTED ||
            (err == EF_INVALID && reply_len > EF_REPLY_DATA_MAX));
    if (err == EF_OK)
        REQUIRE(reply.data_len == reply_len && reply.status[0] == 0);
    if (err == EF_REJECTED)
        REQUIRE(reply.data_len <= reply_len && reply.status[0] != 0);
    if (err == EF_OK || err == EF_REJECTED)
        require_said(s, op, &reply);
}

static void run_others(struct ef_esp *esp, uint8_t what)
{
    uint32_t value;
    int64_t start_ms = ef_clock_now_ms();
    int64_t limit_ms = DRAIN_MAX_MS;
    enum ef_err err = EF_OK;
    if (what % 4 == 1) {
        err = ef_command_drain(esp, what % 64);
        limit_ms = 2 * DRAIN_MAX_MS; /* frames, and then what is left on the line */
    } else if (what % 4 == 2) {
        err = ef_esp_sync(esp, what % 16);
        limit_ms = SYNC_MAX_MS + SYNC_LAST_MS;
    } else if (what % 4 == 3) {
        err = ef_command_read_reg(esp, 0x40001000, &value);
        limit_ms = 3 * (EF_COMMAND_TIMEOUT_MS + 2 * DRAIN_MAX_MS);
    }
    REQUIRE(ef_clock_now_ms() - start_ms <= limit_ms);
    REQUIRE(err == EF_OK || err == EF_TIMEOUT || err == EF_FRAMING || err == EF_REJECTED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ef_line_ops OPS = {.read = scripted_read, .write = scripted_write};
    struct fuzz_input in = {data, size};
    struct scripted s = {.line = {.ops = &OPS, .name = "script", .kind = "script"}};
    struct ef_link *link = malloc(sizeof(*link));
    uint64_t strays = 0;
    struct fuzz_log log;
    REQUIRE(link);
    fuzz_log_open(&log);
    ef_link_init(link, &s.line);
    uint8_t flags = fuzz_u8(&in);
    struct ef_esp esp = {.link = link,
                         .log = &log.log,
                         .stub = flags & 1,
                         .no_sync = flags & 2,
                         .rom_status = flags & 4 ? 2 : 4,
                         .strays = &strays};
    s.babbles = flags & 8;
    s.line.baud = flags & 16 ? 115200 : 0;
    uint8_t what = fuzz_u8(&in);
    s.in = in;
    fuzz_take(&s.in, 5, &(const uint8_t *){NULL});
    run_command(&s, &esp, &in);
    run_others(&esp, what);
    REQUIRE(link->noise_len <= EF_LINK_NOISE_MAX && link->slip.len <= EF_LINK_FRAME_MAX);
    fuzz_log_close(&log);
    free(s.heard);
    free(link);
    return 0;
}
