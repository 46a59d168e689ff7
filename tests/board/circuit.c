/* Between the host's modem lines and the chip: what resets it, and what it then boots. */
#include "board_state.h"

void eb_board_set_lines(struct eb_board *board, bool dtr, bool rts, int64_t now_ns)
{
    (void)now_ns;
    eb_event(&board->log, "LINES DTR %d RTS %d", dtr, rts);
}
