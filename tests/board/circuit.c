#include "circuit.h"

#include "board_state.h"

static const int64_t FINGER_NS = 100LL * 1000 * 1000; /* how long a person holds RESET down */

/* EN goes low: the chip is off from here on, and so is what it had not sent yet. */
static void hold(struct eb_board *board, int64_t now_ns)
{
    board->circuit.boot_ns = EB_NEVER;
    if (board->mode == EB_MODE_HELD)
        return;
    board->mode = EB_MODE_HELD;
    if (board->config.cut)
        board->config.cut(board->config.outlet_ctx, now_ns);
}

/* EN is let go: a capacitor takes its time. */
static void let_go(struct eb_board *board, int64_t now_ns)
{
    board->circuit.boot_ns = now_ns + board->config.en_delay_ns;
}

static bool boots_into_download(const struct eb_circuit_state *circuit, enum eb_circuit kind)
{
    bool io0_low = kind == EB_CIRCUIT_AUTO_RESET && circuit->dtr && !circuit->rts;
    return io0_low || circuit->boot_held || (kind == EB_CIRCUIT_USB_JTAG && circuit->usb_download);
}

bool eb_circuit_step(struct eb_board *board, int64_t now_ns)
{
    struct eb_circuit_state *circuit = &board->circuit;
    int64_t at_ns = circuit->boot_ns;
    if (board->mode != EB_MODE_HELD || at_ns > now_ns)
        return false;
    bool download = boots_into_download(circuit, board->config.circuit);
    circuit->boot_ns = EB_NEVER;
    circuit->boot_held = false;
    eb_event(&board->log, "RESET into %s", download ? "download mode" : "firmware");
    eb_board_boot(board, download, at_ns);
    return true;
}

static bool lines_hold_en(const struct eb_board *board)
{
    const struct eb_circuit_state *circuit = &board->circuit;
    return board->config.circuit == EB_CIRCUIT_AUTO_RESET && circuit->rts && !circuit->dtr;
}

static void auto_reset(struct eb_board *board, bool dtr, bool rts, int64_t now_ns)
{
    if (rts && !dtr)
        hold(board, now_ns);
    else if (board->mode == EB_MODE_HELD && board->circuit.boot_ns == EB_NEVER)
        let_go(board, now_ns);
}

/*
 * The table of the technical reference manuals, chapter "USB Serial/JTAG Controller": RTS and
 * DTR clear clears the flag, DTR alone sets it, RTS alone resets, both do nothing. The flag
 * counts as it is at the reset; a line set again to what it is already does nothing.
 */
static void usb_jtag(struct eb_board *board, bool dtr, bool rts, int64_t now_ns)
{
    bool changed = dtr != board->circuit.dtr || rts != board->circuit.rts;
    if (!rts)
        board->circuit.usb_download = dtr;
    else if (!dtr && changed) {
        hold(board, now_ns);
        let_go(board, now_ns);
    }
}

void eb_board_set_lines(struct eb_board *board, bool dtr, bool rts, int64_t now_ns)
{
    eb_board_advance(board, now_ns);
    eb_event(&board->log, "LINES DTR %d RTS %d", dtr, rts);
    switch (board->config.circuit) {
    case EB_CIRCUIT_AUTO_RESET:
        auto_reset(board, dtr, rts, now_ns);
        break;
    case EB_CIRCUIT_USB_JTAG:
        usb_jtag(board, dtr, rts, now_ns);
        break;
    case EB_CIRCUIT_NONE:
        break;
    }
    board->circuit.dtr = dtr;
    board->circuit.rts = rts;
    board->changed = true;
    eb_board_advance(board, now_ns);
}

void eb_board_press_buttons(struct eb_board *board, int64_t now_ns)
{
    eb_board_advance(board, now_ns);
    eb_event(&board->log, "BUTTONS BOOT held, RESET tapped");
    hold(board, now_ns);
    board->circuit.boot_held = true;
    if (!lines_hold_en(board))
        let_go(board, now_ns + FINGER_NS);
}

void eb_board_restart(struct eb_board *board, int64_t now_ns)
{
    hold(board, now_ns);
    board->circuit.boot_held = !board->config.firmware;
    let_go(board, now_ns);
}

void eb_board_set_power(struct eb_board *board, bool on, int64_t now_ns)
{
    eb_board_advance(board, now_ns);
    eb_event(&board->log, "POWER %s", on ? "on" : "off");
    board->circuit.dtr = board->circuit.rts = board->circuit.usb_download = false;
    if (on)
        eb_board_restart(board, now_ns);
    else
        hold(board, now_ns);
    board->changed = true;
}
