#include "line_out.h"

#include "espflashfs/slip.h"

#include <stdlib.h>
#include <string.h>

void eb_line_out_init(struct eb_line_out *line, int64_t latency_ns)
{
    *line = (struct eb_line_out){.latency_ns = latency_ns};
}

void eb_line_out_free(struct eb_line_out *line)
{
    free(line->bytes);
    *line = (struct eb_line_out){0};
}

void eb_line_out_clear(struct eb_line_out *line)
{
    line->len = 0;
    line->pos = 0;
    line->held = 0;
    line->in_frame = false;
}

void eb_line_out_cut(struct eb_line_out *line, int64_t now_ns)
{
    while (line->len > line->pos && line->bytes[line->len - 1].at_ns > now_ns)
        line->len--;
    line->held = 0;
    line->in_frame = false;
}

static void make_room(struct eb_line_out *line, size_t len)
{
    size_t waiting = line->len - line->pos;
    if (waiting > 0)
        memmove(line->bytes, line->bytes + line->pos, waiting * sizeof(*line->bytes));
    line->len = waiting;
    line->pos = 0;
    if (line->cap - line->len >= len)
        return;
    size_t cap = 2 * (line->len + len);
    struct eb_timed_byte *grown = realloc(line->bytes, cap * sizeof(*grown));
    if (!grown)
        abort();
    line->bytes = grown;
    line->cap = cap;
}

/* Another byte is in `bytes`: how many of the last ones stay behind now? */
static void hold_back(struct eb_line_out *line, uint8_t byte)
{
    bool end = byte == EF_SLIP_END;
    bool frame_ends = end && line->in_frame;
    line->held = line->held == EB_USB_PACKET ? 1 : line->held + 1;
    line->in_frame = end ? !line->in_frame : line->in_frame;
    /* What lies outside frames is nobody's: it goes out as it comes. */
    if (frame_ends ? line->held < EB_USB_PACKET : !line->in_frame)
        line->held = 0;
}

void eb_line_out_put(void *ctx, const uint8_t *bytes, size_t len, int64_t start_ns, int64_t byte_ns)
{
    struct eb_line_out *line = ctx;
    if (line->cap - line->len < len)
        make_room(line, len);
    for (size_t i = 0; i < len; i++) {
        struct eb_timed_byte *timed = &line->bytes[line->len++];
        timed->at_ns = start_ns + (int64_t)(i + 1) * byte_ns;
        timed->byte = bytes[i];
        if (line->usb_hold)
            hold_back(line, bytes[i]);
    }
}

/* When the bridge hands its next packet over, were no more bytes to come; and its length. */
static int64_t packet_due_ns(const struct eb_line_out *line, size_t *packet_len)
{
    size_t waiting = line->len - line->held - line->pos;
    const struct eb_timed_byte *first = &line->bytes[line->pos];
    if (line->latency_ns == 0) {
        *packet_len = 1;
        return first->at_ns;
    }
    int64_t timer_ns = first->at_ns + line->latency_ns;
    if (waiting >= EB_BRIDGE_PACKET && first[EB_BRIDGE_PACKET - 1].at_ns <= timer_ns) {
        *packet_len = EB_BRIDGE_PACKET;
        return first[EB_BRIDGE_PACKET - 1].at_ns;
    }
    size_t n = 1;
    while (n < waiting && n < EB_BRIDGE_PACKET && first[n].at_ns <= timer_ns)
        n++;
    *packet_len = n;
    return timer_ns;
}

size_t eb_line_out_take(struct eb_line_out *line, int64_t now_ns, uint8_t *out, size_t cap)
{
    size_t taken = 0;
    while (line->pos < line->len - line->held) {
        size_t n;
        if (packet_due_ns(line, &n) > now_ns || taken + n > cap)
            break;
        for (size_t i = 0; i < n; i++)
            out[taken++] = line->bytes[line->pos++].byte;
    }
    if (line->pos == line->len) {
        line->len = 0;
        line->pos = 0;
    }
    return taken;
}

int64_t eb_line_out_next_ns(const struct eb_line_out *line)
{
    size_t n;
    return line->pos < line->len - line->held ? packet_due_ns(line, &n) : INT64_MAX;
}
