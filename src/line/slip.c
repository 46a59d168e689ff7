#include "espflashfs/slip.h"

#include <string.h>

size_t ef_slip_escape(uint8_t *out, const uint8_t *in, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (in[i] == EF_SLIP_END) {
            out[n++] = EF_SLIP_ESC;
            out[n++] = EF_SLIP_ESC_END;
        } else if (in[i] == EF_SLIP_ESC) {
            out[n++] = EF_SLIP_ESC;
            out[n++] = EF_SLIP_ESC_ESC;
        } else {
            out[n++] = in[i];
        }
    }
    return n;
}

size_t ef_slip_encode(uint8_t *out, const uint8_t *in, size_t len)
{
    out[0] = EF_SLIP_END;
    size_t n = 1 + ef_slip_escape(out + 1, in, len);
    out[n++] = EF_SLIP_END;
    return n;
}

void ef_slip_decoder_init(struct ef_slip_decoder *d, uint8_t *buf, size_t cap)
{
    *d = (struct ef_slip_decoder){.buf = buf, .cap = cap};
}

static void decoder_begin(struct ef_slip_decoder *d)
{
    d->len = 0;
    d->escaped = false;
    d->overrun = false;
}

static void decoder_put(struct ef_slip_decoder *d, uint8_t byte)
{
    if (d->len < d->cap)
        d->buf[d->len++] = byte;
    else
        d->overrun = true;
}

static void decoder_take(struct ef_slip_decoder *d, uint8_t byte)
{
    if (d->escaped) {
        d->escaped = false;
        if (byte == EF_SLIP_ESC_END)
            decoder_put(d, EF_SLIP_END);
        else if (byte == EF_SLIP_ESC_ESC)
            decoder_put(d, EF_SLIP_ESC);
        else
            d->overrun = true;
    } else if (byte == EF_SLIP_ESC) {
        d->escaped = true;
    } else {
        decoder_put(d, byte);
    }
}

/* Takes bytes that stand for themselves, as most do, at once; how many. */
static size_t decoder_take_plain(struct ef_slip_decoder *d, const uint8_t *in, size_t len)
{
    size_t n = 0;
    while (n < len && in[n] != EF_SLIP_END && in[n] != EF_SLIP_ESC)
        n++;
    size_t room = d->cap - d->len;
    size_t kept = n < room ? n : room;
    memcpy(d->buf + d->len, in, kept);
    d->len += kept;
    d->overrun = d->overrun || kept < n;
    return n;
}

enum ef_slip_event ef_slip_decode(struct ef_slip_decoder *d, const uint8_t *in, size_t len,
                                  size_t *used)
{
    if (d->deliver) {
        d->deliver = false;
        decoder_begin(d);
    }
    for (size_t i = 0; i < len; i++) {
        if (in[i] != EF_SLIP_END) {
            size_t plain = d->in_frame && !d->escaped ? decoder_take_plain(d, in + i, len - i) : 0;
            if (plain > 0)
                i += plain - 1;
            else if (d->in_frame)
                decoder_take(d, in[i]);
            else
                d->noise++;
            continue;
        }
        if (!d->in_frame || (d->len == 0 && !d->overrun && !d->escaped)) {
            d->in_frame = true;
            decoder_begin(d);
            continue;
        }
        /* This END may also be the next frame's first, if that one's own got lost: stay in a frame.
         */
        bool bad = d->overrun || d->escaped;
        *used = i + 1;
        if (bad) {
            decoder_begin(d);
            return EF_SLIP_BAD;
        }
        d->deliver = true;
        return EF_SLIP_FRAME;
    }
    *used = len;
    return EF_SLIP_MORE;
}
