/*
 * The SLIP decoder: what was encoded comes back; however the input is split, and into whatever
 * size of buffer, the same frames come out, and none is longer than the buffer.
 */
#include "fuzz.h"

#include "espflashfs/slip.h"

enum { CAP_MAX = 4096 };

/* What came of an input, in order. */
struct heard {
    size_t frames, bad, noise;
    size_t len;     /* of `bytes`: each frame's length, then the frame */
    uint8_t *bytes; /* owned */
};

static void keep_frame(struct heard *heard, const struct ef_slip_decoder *d)
{
    memcpy(heard->bytes + heard->len, &d->len, sizeof(d->len));
    memcpy(heard->bytes + heard->len + sizeof(d->len), d->buf, d->len);
    heard->len += sizeof(d->len) + d->len;
    heard->frames++;
}

/* Decodes `bytes` in pieces: of `piece` bytes, or, where that is 0, as `sizes` says. */
static struct heard decode(const uint8_t *bytes, size_t len, size_t cap, size_t piece,
                           struct fuzz_input sizes)
{
    struct heard heard = {.bytes = malloc(len * (1 + sizeof(size_t)) + 1)};
    uint8_t *buf = malloc(cap);
    struct ef_slip_decoder d;
    REQUIRE(heard.bytes && buf);
    ef_slip_decoder_init(&d, buf, cap);
    for (size_t at = 0; at < len;) {
        size_t n = piece ? piece : (size_t)1 + fuzz_u8(&sizes) % 32;
        n = n < len - at ? n : len - at;
        for (size_t end = at + n; at < end;) {
            size_t used = 0;
            enum ef_slip_event event = ef_slip_decode(&d, bytes + at, end - at, &used);
            REQUIRE(used > 0 && used <= end - at && d.len <= cap);
            at += used;
            REQUIRE(event != EF_SLIP_MORE || at == end);
            heard.bad += event == EF_SLIP_BAD;
            REQUIRE(event != EF_SLIP_FRAME || d.len > 0);
            if (event == EF_SLIP_FRAME)
                keep_frame(&heard, &d);
        }
    }
    heard.noise = d.noise;
    free(buf);
    return heard;
}

static void require_same(const struct heard *a, const struct heard *b)
{
    REQUIRE(a->frames == b->frames && a->bad == b->bad && a->noise == b->noise);
    REQUIRE(a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0);
}

/* `bytes` as the payload of a frame, from a decoder that has just heard anything at all. */
static void round_trip(const uint8_t *bytes, size_t len, const uint8_t *before, size_t before_len)
{
    uint8_t *out = malloc(ef_slip_encoded_max(len));
    uint8_t *buf = malloc(len + 1);
    struct ef_slip_decoder d;
    size_t used = 0;
    REQUIRE(out && buf);
    size_t n = ef_slip_encode(out, bytes, len);
    REQUIRE(n >= len + 2 && n <= ef_slip_encoded_max(len));
    REQUIRE(out[0] == EF_SLIP_END && out[n - 1] == EF_SLIP_END &&
            !memchr(out + 1, EF_SLIP_END, n - 2));
    ef_slip_decoder_init(&d, buf, len + 1);
    for (size_t at = 0; at < before_len; at += used)
        ef_slip_decode(&d, before + at, before_len - at, &used);
    /* Half a frame from before ends at this one's END. */
    enum ef_slip_event event = ef_slip_decode(&d, out, n, &used);
    if (used == 1)
        event = ef_slip_decode(&d, out + 1, n - 1, &used);
    REQUIRE(len > 0 ? event == EF_SLIP_FRAME : event == EF_SLIP_MORE);
    REQUIRE(len == 0 || (d.len == len && memcmp(d.buf, bytes, len) == 0));
    free(buf);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    size_t cap = (size_t)1 + fuzz_u16(&in) % CAP_MAX;
    struct fuzz_input sizes = in;
    struct heard whole = decode(in.at, in.left, cap, in.left + 1, sizes);
    struct heard bytes = decode(in.at, in.left, cap, 1, sizes);
    struct heard pieces = decode(in.at, in.left, cap, 0, sizes);
    require_same(&whole, &bytes);
    require_same(&whole, &pieces);
    size_t half = in.left / 2;
    round_trip(in.at, in.left, NULL, 0);
    round_trip(in.at + half, in.left - half, in.at, half);
    free(whole.bytes);
    free(bytes.bytes);
    free(pieces.bytes);
    return 0;
}
