/*
 * SLIP framing (RFC 1055) as Espressif's boot loaders speak it: END (C0) before and
 * behind every frame, C0 as DB DC and DB as DB DD inside. No allocation, never blocks;
 * one decoder belongs to one thread at a time.
 */
#ifndef ESPFLASHFS_SLIP_H
#define ESPFLASHFS_SLIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EF_SLIP_END = 0xC0, EF_SLIP_ESC = 0xDB, EF_SLIP_ESC_END = 0xDC, EF_SLIP_ESC_ESC = 0xDD };

/* The most bytes that `len` bytes of payload become. */
static inline size_t ef_slip_encoded_max(size_t len)
{
    return 2 * len + 2;
}

/* Frames `in` into `out`, which holds ef_slip_encoded_max(len) bytes. Returns the length. */
size_t ef_slip_encode(uint8_t *out, const uint8_t *in, size_t len);

/* Escapes `in` without ENDs; for frames built from several parts. Returns the length. */
size_t ef_slip_escape(uint8_t *out, const uint8_t *in, size_t len);

enum ef_slip_event {
    EF_SLIP_MORE,  /* all input was taken, no frame is complete */
    EF_SLIP_FRAME, /* decoder->buf holds a frame of decoder->len bytes, until the next call */
    EF_SLIP_BAD    /* a wrong escape, or a frame over the buffer: dropped up to its END */
};

struct ef_slip_decoder {
    uint8_t *buf; /* the caller's */
    size_t cap;
    size_t len;    /* payload bytes of the frame so far */
    bool in_frame; /* an END has opened a frame */
    bool escaped;  /* the last byte was ESC */
    bool overrun;  /* this frame is to be dropped */
    bool deliver;  /* the last call returned EF_SLIP_FRAME: start afresh */
    size_t noise;  /* bytes seen before the first END */
};

void ef_slip_decoder_init(struct ef_slip_decoder *d, uint8_t *buf, size_t cap);

/*
 * Takes bytes from `in` up to the end of a frame; *used tells how many. Empty frames are
 * passed over, so that END END between frames is harmless.
 */
enum ef_slip_event ef_slip_decode(struct ef_slip_decoder *d, const uint8_t *in, size_t len,
                                  size_t *used);

#endif
