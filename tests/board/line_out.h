/*
 * Board to host: bytes with the time they leave the chip, and a USB bridge in front of the
 * host. With a latency, the bridge holds bytes until a packet of 62 is full, or the latency
 * has passed since the packet's first byte. One thread, never blocks.
 *
 * With `usb_hold` it is built-in USB instead, in packets of 64, of which the host's side sees
 * a full one only when more follows: a frame that ends with a full packet keeps that back,
 * since no empty one is sent behind it.
 */
#ifndef EB_LINE_OUT_H
#define EB_LINE_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EB_BRIDGE_PACKET = 62, EB_USB_PACKET = 64 };

struct eb_timed_byte {
    int64_t at_ns;
    uint8_t byte;
};

struct eb_line_out {
    struct eb_timed_byte *bytes; /* owned; grows */
    size_t len, pos, cap;
    int64_t latency_ns;
    bool usb_hold;
    bool in_frame;
    size_t held; /* bytes of the last packet, at the end of `bytes`, not on their way yet */
};

void eb_line_out_init(struct eb_line_out *line, int64_t latency_ns);
void eb_line_out_free(struct eb_line_out *line);

/* As an eb_outlet; `ctx` is the line. Aborts if the host is out of memory. */
void eb_line_out_put(void *ctx, const uint8_t *bytes, size_t len, int64_t start_ns,
                     int64_t byte_ns);

/* Moves to `out` what the host gets by `now_ns`; returns how many bytes, at most `cap`. */
size_t eb_line_out_take(struct eb_line_out *line, int64_t now_ns, uint8_t *out, size_t cap);

/* When eb_line_out_take will have something, INT64_MAX if nothing is on its way. */
int64_t eb_line_out_next_ns(const struct eb_line_out *line);

/* Forgets what has not left the chip by `now_ns`: it was reset. */
void eb_line_out_cut(struct eb_line_out *line, int64_t now_ns);

/* Forgets what is on its way: nobody listens. */
void eb_line_out_clear(struct eb_line_out *line);

#endif
