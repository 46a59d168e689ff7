#include "wire_out.h"

#include "clock.h"

#include <string.h>

enum { TOLERANCE = 40 };

/* Two ends that differ in their baud hear noise. */
void sw_wire_garble(const struct sw_wire *w, uint8_t *bytes, size_t len)
{
    uint32_t host = w->open ? w->open->baud : 0;
    uint32_t board = eb_board_baud(w->board);
    uint32_t off = host > board ? host - board : board - host;
    for (size_t i = 0; host != 0 && off > board / TOLERANCE && i < len; i++)
        bytes[i] ^= (uint8_t)(0x55 + i * 7);
}

void sw_out_clear(struct sw_wire *w)
{
    w->out.len = w->out.pos = 0;
    w->out.pieces = 0;
    w->out.held_until_ns = 0;
}

void sw_out_put(struct sw_wire *w, const uint8_t *bytes, size_t len, int64_t at_ns)
{
    if (w->out.pos == w->out.len)
        w->out.len = w->out.pos = w->out.pieces = 0;
    if (len > SW_WIRE_OUT_CAP - w->out.len || w->out.pieces == SW_WIRE_PIECES || len == 0)
        return; /* nobody reads: as on a line */
    memcpy(w->out.bytes + w->out.len, bytes, len);
    sw_wire_garble(w, w->out.bytes + w->out.len, len);
    w->out.len += len;
    if (at_ns < w->out.held_until_ns)
        at_ns = w->out.held_until_ns;
    w->out.piece[w->out.pieces].end = w->out.len;
    w->out.piece[w->out.pieces++].at_ns = at_ns;
}

/* The chip is off: what it had not sent by now never comes. */
void sw_out_cut(void *ctx, int64_t now_ns)
{
    struct sw_wire *w = ctx;
    while (w->out.pieces > 0 && w->out.piece[w->out.pieces - 1].at_ns > now_ns &&
           !w->out.held_until_ns)
        w->out.pieces--;
    size_t end = w->out.pieces ? w->out.piece[w->out.pieces - 1].end : w->out.pos;
    w->out.len = end > w->out.pos ? end : w->out.pos;
}

/* How many bytes are there, and when the next ones will be (0: none are on their way). */
size_t sw_out_ready(const struct sw_wire *w, int64_t *next_ns)
{
    int64_t now = sw_clock_now_ns();
    size_t end = w->out.pos;
    *next_ns = 0;
    for (size_t i = 0; i < w->out.pieces && *next_ns == 0; i++) {
        if (w->out.piece[i].at_ns > now)
            *next_ns = w->out.piece[i].at_ns;
        else if (w->out.piece[i].end > end)
            end = w->out.piece[i].end;
    }
    return end - w->out.pos;
}
