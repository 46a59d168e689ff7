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

static void decoder_put(struct ef_slip_decoder *d, const uint8_t *bytes, size_t len)
{
    if (len > d->cap - d->len) {
        len = d->cap - d->len;
        d->overrun = true;
    }
    memcpy(d->buf + d->len, bytes, len);
    d->len += len;
}

/* The byte behind an ESC. */
static void decoder_put_escaped(struct ef_slip_decoder *d, uint8_t byte)
{
    static const uint8_t END = EF_SLIP_END;
    static const uint8_t ESC = EF_SLIP_ESC;
    d->escaped = false;
    if (byte == EF_SLIP_ESC_END)
        decoder_put(d, &END, 1);
    else if (byte == EF_SLIP_ESC_ESC)
        decoder_put(d, &ESC, 1);
    else
        d->overrun = true;
}

/* Up to the first `byte`, or `len`. */
static size_t run_until(const uint8_t *in, size_t len, uint8_t byte)
{
    const uint8_t *at = len ? memchr(in, byte, len) : NULL;
    return at ? (size_t)(at - in) : len;
}

/* Bytes of a frame, without an END. */
static void decoder_take(struct ef_slip_decoder *d, const uint8_t *in, size_t len)
{
    while (len > 0) {
        size_t n = 0;
        if (d->escaped) {
            decoder_put_escaped(d, in[n++]);
        } else {
            n = run_until(in, len, EF_SLIP_ESC);
            decoder_put(d, in, n);
            if (n < len) {
                d->escaped = true;
                n++;
            }
        }
        in += n;
        len -= n;
    }
}

enum ef_slip_event ef_slip_decode(struct ef_slip_decoder *d, const uint8_t *in, size_t len,
                                  size_t *used)
{
    if (d->deliver) {
        d->deliver = false;
        decoder_begin(d);
    }
    for (size_t i = 0; i < len; i++) {
        size_t n = run_until(in + i, len - i, EF_SLIP_END);
        if (d->in_frame)
            decoder_take(d, in + i, n);
        else
            d->noise += n;
        i += n;
        if (i == len)
            break;
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
