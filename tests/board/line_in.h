/*
 * Host to board: bytes on their way over a serial line of the board's baud. A byte reaches
 * the board one byte time after the one before it, or after it was sent; faults of
 * direction IN and a wrong baud befall it there. One thread, never blocks.
 */
#ifndef EB_LINE_IN_H
#define EB_LINE_IN_H

#include "board.h"

enum { EB_LINE_IN_CAP = 65536 };

struct eb_line_in {
    struct eb_board *board;
    uint8_t bytes[EB_LINE_IN_CAP]; /* not yet at the board */
    size_t len, pos;
    int64_t sent_ns;    /* when the newest of them was handed over */
    int64_t free_ns;    /* when the line is free for the next byte */
    uint32_t host_baud; /* the far end's; 0 follows the board's */
    bool baud_counts;   /* it garbles even where the line has no rate */
};

void eb_line_in_init(struct eb_line_in *line, struct eb_board *board);

/* How many bytes eb_line_in_put takes now. */
size_t eb_line_in_room(const struct eb_line_in *line);
void eb_line_in_put(struct eb_line_in *line, const uint8_t *bytes, size_t len, int64_t now_ns);

/*
 * Hands the board what has arrived by `now_ns`, each byte at its own time. Returns when to
 * come again (the next frame's end, or the last byte), EB_NEVER if nothing is on its way.
 */
int64_t eb_line_in_advance(struct eb_line_in *line, int64_t now_ns);

/* Forgets what is on its way. */
void eb_line_in_clear(struct eb_line_in *line);

/* Garbles bytes, of either direction, if the host is at one baud and the board at another. */
void eb_line_garble(const struct eb_line_in *line, uint8_t *bytes, size_t len);

#endif
