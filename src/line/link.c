#include "espflashfs/link.h"

#include <string.h>

void ef_link_init(struct ef_link *link, struct ef_line *line)
{
    memset(link, 0, sizeof(*link));
    link->line = line;
    ef_slip_decoder_init(&link->slip, link->frame, sizeof(link->frame));
}

static enum ef_err send_all(struct ef_link *link, const uint8_t *bytes, size_t len,
                            ef_deadline deadline)
{
    return ef_line_write(link->line, bytes, len, deadline);
}

enum ef_err ef_link_send(struct ef_link *link, const uint8_t *head, size_t head_len,
                         const uint8_t *body, size_t body_len, ef_deadline deadline)
{
    /* Frames go out in pieces of this size, so that no buffer need hold a whole one. */
    enum { PIECE = 1024 };
    uint8_t out[2 * PIECE + 64];
    size_t n = 0;
    out[n++] = EF_SLIP_END;
    const uint8_t *parts[2] = {head, body};
    const size_t lens[2] = {head_len, body_len};
    for (int part = 0; part < 2; part++) {
        for (size_t at = 0; at < lens[part]; at += PIECE) {
            size_t take = lens[part] - at < PIECE ? lens[part] - at : PIECE;
            if (n + 2 * take + 1 > sizeof(out)) {
                enum ef_err err = send_all(link, out, n, deadline);
                if (err != EF_OK)
                    return err;
                n = 0;
            }
            n += ef_slip_escape(out + n, parts[part] + at, take);
        }
    }
    out[n++] = EF_SLIP_END;
    return send_all(link, out, n, deadline);
}

static void keep_noise(struct ef_link *link, const uint8_t *bytes, size_t len)
{
    if (len > EF_LINK_NOISE_MAX) {
        bytes += len - EF_LINK_NOISE_MAX;
        len = EF_LINK_NOISE_MAX;
    }
    size_t keep = link->noise_len;
    if (keep + len > EF_LINK_NOISE_MAX)
        keep = EF_LINK_NOISE_MAX - len;
    memmove(link->noise, link->noise + link->noise_len - keep, keep);
    memcpy(link->noise + keep, bytes, len);
    link->noise_len = keep + len;
    link->noise[link->noise_len] = '\0';
}

/* Reads if nothing is buffered, then decodes up to one event. */
static enum ef_err pump(struct ef_link *link, ef_deadline deadline, enum ef_slip_event *event)
{
    if (link->rx_pos == link->rx_len) {
        link->rx_pos = 0;
        link->rx_len = 0;
        enum ef_err err =
            ef_line_read(link->line, link->rx, sizeof(link->rx), deadline, &link->rx_len);
        if (err != EF_OK)
            return err;
    }
    const uint8_t *from = link->rx + link->rx_pos;
    size_t noise_before = link->slip.noise;
    size_t used;
    *event = ef_slip_decode(&link->slip, from, link->rx_len - link->rx_pos, &used);
    keep_noise(link, from, link->slip.noise - noise_before);
    link->rx_pos += used;
    return EF_OK;
}

enum ef_err ef_link_receive(struct ef_link *link, ef_deadline deadline, const uint8_t **frame,
                            size_t *len)
{
    while (!link->ready) {
        enum ef_slip_event event;
        enum ef_err err = pump(link, deadline, &event);
        if (err != EF_OK)
            return err;
        if (event == EF_SLIP_BAD)
            return EF_FRAMING;
        link->ready = event == EF_SLIP_FRAME;
        /* A line that babbles without end never times out by itself. */
        if (!link->ready && ef_deadline_left_ms(deadline) == 0)
            return EF_TIMEOUT;
    }
    link->ready = false;
    *frame = link->slip.buf;
    *len = link->slip.len;
    return EF_OK;
}

enum ef_err ef_link_wait_begin(struct ef_link *link, ef_deadline deadline)
{
    while (!link->ready && !(link->slip.in_frame && link->slip.len > 0 && !link->slip.deliver)) {
        enum ef_slip_event event;
        enum ef_err err = pump(link, deadline, &event);
        if (err != EF_OK)
            return err;
        if (event == EF_SLIP_BAD)
            return EF_FRAMING;
        link->ready = event == EF_SLIP_FRAME;
        if (!link->ready && ef_deadline_left_ms(deadline) == 0)
            return EF_TIMEOUT;
    }
    return EF_OK;
}

enum ef_err ef_link_resync(struct ef_link *link, int quiet_ms)
{
    enum ef_err err = ef_line_drain(link->line, quiet_ms);
    link->rx_len = 0;
    link->rx_pos = 0;
    link->ready = false;
    ef_slip_decoder_init(&link->slip, link->frame, sizeof(link->frame));
    return err;
}

int ef_link_wire_ms(const struct ef_link *link, size_t bytes)
{
    enum { BITS_PER_BYTE = 10, FAR_END_BAUD = 115200 };
    uint64_t baud = link->line->baud ? link->line->baud : FAR_END_BAUD;
    return (int)(2 * bytes * BITS_PER_BYTE * 1000 / baud);
}
