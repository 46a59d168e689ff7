#include "watchdog.h"

#include "board_state.h"

enum { ENABLED = 1U << 31 };

static const int64_t BARKS_AFTER_NS = 3LL * 1000 * 1000 * 1000;
static const int64_t NOT_STARTED = -1;

static const struct eb_watchdog_layout *layout(const struct eb_board *board)
{
    return &board->config.chip->watchdog;
}

void eb_watchdog_arm(struct eb_board *board)
{
    const struct eb_watchdog_layout *at = layout(board);
    board->watchdog_ns = EB_NEVER;
    if (board->config.usb != EB_USB_JTAG || at->config == 0)
        return;
    eb_registers_write(&board->regs, at->config, ENABLED);
    board->watchdog_ns = NOT_STARTED;
}

bool eb_watchdog_unlocked(const struct eb_board *board, uint32_t addr)
{
    const struct eb_watchdog_layout *at = layout(board);
    if (at->config == 0)
        return true;
    if (addr == at->config)
        return eb_registers_read(&board->regs, at->protect) == at->key;
    if (addr == at->super_config)
        return eb_registers_read(&board->regs, at->super_protect) == at->super_key;
    return true;
}

static bool quiet(const struct eb_board *board)
{
    const struct eb_watchdog_layout *at = layout(board);
    return (eb_registers_read(&board->regs, at->config) & ENABLED) == 0 &&
           (eb_registers_read(&board->regs, at->super_config) & at->super_feed) != 0;
}

int64_t eb_watchdog_run(struct eb_board *board, int64_t now_ns)
{
    if (board->watchdog_ns == EB_NEVER)
        return EB_NEVER;
    bool loader = board->mode == EB_MODE_ROM || board->mode == EB_MODE_STUB;
    if (!loader || quiet(board)) {
        if (loader)
            eb_event(&board->log, "WATCHDOGS off");
        board->watchdog_ns = EB_NEVER;
        return EB_NEVER;
    }
    if (board->watchdog_ns == NOT_STARTED)
        board->watchdog_ns = now_ns + BARKS_AFTER_NS;
    if (board->watchdog_ns > now_ns)
        return board->watchdog_ns;
    int64_t at_ns = board->watchdog_ns;
    eb_event(&board->log, "WATCHDOG resets the chip into its firmware");
    eb_board_boot(board, false, at_ns);
    board->watchdog_ns = EB_NEVER;
    return EB_NEVER;
}
