#include "line_in.h"

#include "espflashfs/slip.h"

#include <string.h>

enum { TOLERANCE = 40 };

static const int64_t NS_PER_MS = 1000000;

void eb_line_in_init(struct eb_line_in *line, struct eb_board *board)
{
    line->board = board;
    line->len = 0;
    line->pos = 0;
    line->sent_ns = 0;
    line->free_ns = 0;
    line->host_baud = 0;
    line->baud_counts = false;
}

void eb_line_in_clear(struct eb_line_in *line)
{
    line->len = 0;
    line->pos = 0;
}

size_t eb_line_in_room(const struct eb_line_in *line)
{
    return EB_LINE_IN_CAP - (line->len - line->pos);
}

void eb_line_in_put(struct eb_line_in *line, const uint8_t *bytes, size_t len, int64_t now_ns)
{
    if (line->pos == line->len && line->free_ns < now_ns)
        line->free_ns = now_ns;
    memmove(line->bytes, line->bytes + line->pos, line->len - line->pos);
    line->len -= line->pos;
    line->pos = 0;
    memcpy(line->bytes + line->len, bytes, len);
    line->len += len;
    line->sent_ns = now_ns;
}

void eb_line_garble(const struct eb_line_in *line, uint8_t *bytes, size_t len)
{
    uint32_t host_baud = line->host_baud;
    uint32_t baud = eb_board_baud(line->board);
    uint32_t off = host_baud > baud ? host_baud - baud : baud - host_baud;
    /* A UART stands a few percent. */
    if (host_baud == 0 || (eb_board_byte_ns(line->board) == 0 && !line->baud_counts) ||
        off <= baud / TOLERANCE)
        return;
    for (size_t i = 0; i < len; i++) {
        uint8_t noise = (uint8_t)eb_faults_random(eb_board_faults(line->board));
        bytes[i] ^= noise != 0 ? noise : 0x55;
    }
}

static void deliver(struct eb_line_in *line, uint8_t byte)
{
    struct eb_faults *faults = eb_board_faults(line->board);
    struct eb_fault_effect effect = eb_faults_byte(faults, EB_IN, byte);
    line->free_ns += (int64_t)effect.delay_ms * NS_PER_MS;
    if (effect.delay_ms == 0) {
        eb_line_garble(line, effect.bytes, effect.len);
        eb_board_input(line->board, effect.bytes, effect.len, line->free_ns);
        return;
    }
    /* A delayed byte goes back to the head of the line; it was counted already. */
    line->pos--;
    line->bytes[line->pos] = effect.bytes[0];
}

int64_t eb_line_in_advance(struct eb_line_in *line, int64_t now_ns)
{
    while (line->pos < line->len) {
        int64_t at_ns = line->free_ns + eb_board_byte_ns(line->board);
        if (at_ns > now_ns)
            break;
        line->free_ns = at_ns;
        deliver(line, line->bytes[line->pos++]);
    }
    if (line->pos == line->len)
        return EB_NEVER;
    const uint8_t *from = line->bytes + line->pos;
    const uint8_t *end = memchr(from, EF_SLIP_END, line->len - line->pos);
    size_t ahead = end ? (size_t)(end - from) + 1 : line->len - line->pos;
    return line->free_ns + (int64_t)ahead * eb_board_byte_ns(line->board);
}
