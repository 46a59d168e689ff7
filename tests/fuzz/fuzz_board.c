/*
 * A mount and two reads of a faithful board whose answers are tampered with on their way, as the
 * input says: some are lost, doubled, cut, changed, held back, followed by others. Whatever it
 * is, it ends, and nothing is erased or written; untouched, or with one bit flipped, what is
 * read is what the flash holds.
 */
#include "mounting.h"

#include "drive.h"

#include "espflashfs/bytes.h"
#include "espflashfs/flash.h"

enum {
    FLASH_SIZE = 512 * 1024,
    EDITS_MAX = 12,
    FRAME_MAX = 0x8000,
    OUT_CAP = 1 << 18,
    BABBLE_MAX = 256, /* bytes of a frame, over and over, ... */
    BABBLE_MS = 30    /* ... and the time that each takes */
};

enum edit_kind {
    FLIP_BIT,   /* value: which bit of the frame */
    DROP,       /* and the `value` frames behind it */
    DOUBLE,     /* `value` times over */
    CUT,        /* to `value` bytes */
    GROW,       /* by `value` bytes of the input */
    SET_BYTE,   /* value: which, and to what */
    SET_LENGTH, /* the one that the header tells */
    SET_VALUE,  /* the header's word, to `value` */
    REPLACE,    /* by bytes of the input */
    NOISE,      /* bytes of the input before it, outside any frame */
    HOLD_BACK,  /* by `value` ms */
    BABBLE,     /* this frame, and no end of it */
    HANG_UP,
    EDIT_KINDS
};

struct edit {
    enum edit_kind kind;
    unsigned at; /* the number of a frame that the board sends */
    uint32_t value;
    const uint8_t *bytes;
    size_t len;
};

struct tampered {
    struct ef_line line; /* first */
    struct eb_drive *drive;
    struct edit edit[EDITS_MAX];
    size_t edits;
    unsigned frames; /* seen so far */
    unsigned acted;  /* edits that changed something */
    bool babbles, gone;
    uint32_t max_baud;
    uint8_t frame[FRAME_MAX];
    size_t frame_len, babble_len;
    uint8_t out[OUT_CAP]; /* for the host */
    size_t out_len, out_pos;
};

static void put(struct tampered *t, const uint8_t *bytes, size_t len)
{
    if (len == 0 || t->out_len + len > OUT_CAP)
        return;
    memcpy(t->out + t->out_len, bytes, len);
    t->out_len += len;
}

static void put_frame(struct tampered *t)
{
    if (t->out_len + ef_slip_encoded_max(t->frame_len) <= OUT_CAP)
        t->out_len += ef_slip_encode(t->out + t->out_len, t->frame, t->frame_len);
}

/* In place of all that was said and not heard yet. */
static void begin_to_babble(struct tampered *t)
{
    t->frame_len = t->frame_len < BABBLE_MAX ? t->frame_len : BABBLE_MAX;
    t->out_len = t->out_pos = 0;
    put_frame(t);
    t->babble_len = t->out_len;
}

static void replace(struct tampered *t, size_t from, const struct edit *edit)
{
    size_t len = edit->len < FRAME_MAX - from ? edit->len : FRAME_MAX - from;
    if (len > 0)
        memcpy(t->frame + from, edit->bytes, len);
    t->frame_len = from + len;
}

static void change(struct tampered *t, const struct edit *edit)
{
    size_t at = t->frame_len > 0 ? edit->value % t->frame_len : 0;
    switch (edit->kind) {
    case FLIP_BIT:
        t->frame[edit->value / 8 % t->frame_len] ^= (uint8_t)(1U << edit->value % 8);
        break;
    case CUT:
        t->frame_len = at;
        break;
    case GROW:
        replace(t, t->frame_len, edit);
        break;
    case SET_BYTE:
        t->frame[at] = (uint8_t)(edit->value >> 24);
        break;
    case SET_LENGTH:
        if (t->frame_len >= 4)
            ef_put_le16(t->frame + 2, (uint16_t)edit->value);
        break;
    case SET_VALUE:
        if (t->frame_len >= 8)
            ef_put_le32(t->frame + 4, edit->value);
        break;
    case REPLACE:
        replace(t, 0, edit);
        break;
    default:
        break;
    }
}

/* The frame in hand goes out, as the edits want it. */
static void tamper(struct tampered *t)
{
    unsigned copies = 1;
    for (size_t i = 0; i < t->edits && t->frame_len > 0; i++) {
        const struct edit *edit = &t->edit[i];
        unsigned behind = t->frames - edit->at;
        if (edit->kind == DROP ? behind > edit->value % 64 : behind != 0)
            continue;
        t->acted++;
        change(t, edit);
        if (edit->kind == DROP)
            copies = 0;
        else if (edit->kind == DOUBLE)
            copies += edit->value % 64;
        else if (edit->kind == NOISE)
            put(t, edit->bytes, edit->len);
        else if (edit->kind == HOLD_BACK)
            fuzz_clock_pass(edit->value % 8192);
        else if (edit->kind == HANG_UP)
            t->gone = true;
        t->babbles = t->babbles || edit->kind == BABBLE;
    }
    if (t->babbles)
        begin_to_babble(t);
    for (; copies > 0 && !t->babbles; copies--)
        put_frame(t);
    t->frames++;
}

/* What the board has said, frame by frame; what it says outside of them is passed over. */
static void take_frames(struct tampered *t)
{
    struct eb_drive *drive = t->drive;
    struct ef_slip_decoder d;
    ef_slip_decoder_init(&d, t->frame, FRAME_MAX);
    while (drive->out_pos < drive->out_len && !t->babbles) {
        size_t used;
        enum ef_slip_event event =
            ef_slip_decode(&d, drive->out + drive->out_pos, drive->out_len - drive->out_pos, &used);
        drive->out_pos += used;
        if (event == EF_SLIP_FRAME) {
            t->frame_len = d.len;
            tamper(t);
        }
    }
    drive->out_pos = drive->out_len = 0;
}

static enum ef_err tampered_read(struct ef_line *line, uint8_t *buf, size_t cap,
                                 ef_deadline deadline, size_t *got)
{
    struct tampered *t = (struct tampered *)line;
    if (t->out_pos == t->out_len) {
        t->out_pos = t->out_len = 0;
        if (t->gone)
            return EF_GONE;
        /* It stays in the buffer as it is: there is no end of it, and each is the same. */
        if (t->babbles && ef_deadline_left_ms(deadline) > 0)
            t->out_len = t->babble_len;
        fuzz_clock_pass(t->babbles ? BABBLE_MS : ef_deadline_left_ms(deadline));
    }
    *got = t->out_len - t->out_pos < cap ? t->out_len - t->out_pos : cap;
    memcpy(buf, t->out + t->out_pos, *got);
    t->out_pos += *got;
    return *got > 0 ? EF_OK : EF_TIMEOUT;
}

static enum ef_err tampered_write(struct ef_line *line, const uint8_t *buf, size_t len,
                                  ef_deadline deadline)
{
    struct tampered *t = (struct tampered *)line;
    (void)deadline;
    if (t->gone)
        return EF_GONE;
    eb_drive_bytes(t->drive, buf, len);
    take_frames(t);
    return EF_OK;
}

static enum ef_err tampered_set_baud(struct ef_line *line, uint32_t baud)
{
    return baud <= ((struct tampered *)line)->max_baud ? EF_OK : EF_UNSUPPORTED;
}

static enum ef_err tampered_set_lines(struct ef_line *line, bool dtr, bool rts)
{
    eb_drive_lines(((struct tampered *)line)->drive, dtr, rts, 60);
    return EF_OK;
}

static void tampered_close(struct ef_line *line)
{
    (void)line;
}

static void take_edits(struct tampered *t, struct fuzz_input *in)
{
    while (in->left > 0 && t->edits < EDITS_MAX) {
        struct edit *edit = &t->edit[t->edits++];
        edit->kind = (enum edit_kind)(fuzz_u8(in) % EDIT_KINDS);
        edit->at = fuzz_u16(in) % 2048;
        edit->value = fuzz_u32(in);
        if (edit->kind == GROW || edit->kind == REPLACE || edit->kind == NOISE)
            edit->len = fuzz_take(in, fuzz_u8(in), &edit->bytes);
    }
}

static struct eb_drive *start_board(uint8_t which, bool modem_lines)
{
    static const char *const CHIPS[] = {"esp8266", "esp32", "esp32c3", "esp32s3"};
    static uint8_t pattern[FLASH_SIZE];
    struct eb_drive *drive = eb_drive_new(CHIPS[which % 4], FLASH_SIZE);
    REQUIRE(drive);
    drive->config.firmware = modem_lines && which & 4;
    REQUIRE(eb_drive_start(drive));
    for (uint32_t i = 0; pattern[1] == 0 && i < FLASH_SIZE; i++)
        pattern[i] = (uint8_t)(i * 2654435761U >> 13);
    /* The second half is blank. */
    memcpy(eb_board_nor_to_fill(drive->board)->bytes, pattern, FLASH_SIZE / 2);
    return drive;
}

static void check(const struct tampered *t, const struct fuzz_mounting *m)
{
    const struct eb_nor *nor = eb_board_nor(t->drive->board);
    REQUIRE(nor->sector_erases == 0 && nor->programs == 0);
    bool one_flip = t->acted == 1 && t->edits == 1 && t->edit[0].kind == FLIP_BIT;
    bool reachable = !t->drive->config.firmware || m->config.before == EF_BEFORE_DEFAULT_RESET;
    if (t->acted == 0)
        REQUIRE(m->opened == EF_OK || !reachable);
    if (t->acted > 0 && !one_flip)
        return;
    for (int i = 0; i < FUZZ_READS; i++) {
        REQUIRE(memcmp(m->buf[i], nor->bytes + m->addr[i], m->done[i]) == 0);
        REQUIRE(t->acted > 0 || !m->offers_flash || m->read[i] == EF_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ef_line_ops PLAIN = {
        .read = tampered_read, .write = tampered_write, .close = tampered_close};
    static const struct ef_line_ops SERIAL = {.read = tampered_read,
                                              .write = tampered_write,
                                              .set_baud = tampered_set_baud,
                                              .set_lines = tampered_set_lines,
                                              .close = tampered_close};
    struct fuzz_input in = {data, size};
    struct tampered *t = calloc(1, sizeof(*t));
    struct fuzz_mounting *m = calloc(1, sizeof(*m));
    REQUIRE(t && m);
    uint8_t which = fuzz_u8(&in);
    bool serial = which & 8;
    t->line = (struct ef_line){.ops = serial ? &SERIAL : &PLAIN, .kind = "fuzz"};
    t->max_baud = which & 16 ? 460800 : UINT32_MAX;
    t->drive = start_board(which, serial);
    m->line = &t->line;
    m->config = fuzz_mounting_config(fuzz_u8(&in));
    for (int i = 0; i < FUZZ_READS; i++) {
        m->addr[i] = fuzz_u32(&in) % FLASH_SIZE;
        m->len[i] = fuzz_u16(&in);
    }
    take_edits(t, &in);
    fuzz_mounting_run(m);
    check(t, m);
    eb_drive_free(t->drive);
    free(m);
    free(t);
    return 0;
}
