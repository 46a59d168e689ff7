/* How a board is left when its session ends. */
#include "session_steps.h"

#include "espflashfs/reset.h"

#include <string.h>

enum { REBOOT_WAIT_MS = 50, WATCHDOG_WAIT_MS = 500, SYNCS = 5 };

/* Ticks of the slow clock, 15 ms or so; the first stage resets all there is. */
enum { WATCHDOG_TICKS = 2000 };
static const uint32_t WATCHDOG_ON = UINT32_C(1) << 31 | UINT32_C(5) << 28 | 1 << 8 | 2;

/*
 * Firmware that went to its loader by itself set a flag, which a reset through built-in USB
 * leaves set: the chip would come back in the loader.
 */
static void clear_loader_flag(struct ef_session *s)
{
    const struct ef_boot_regs *boot = &s->chip->boot;
    uint32_t option;
    if (boot->option_reg == 0 || ef_command_read_reg(&s->esp, boot->option_reg, &option) != EF_OK)
        return;
    if (option & boot->option_force_loader_mask)
        ef_command_write_reg(&s->esp, boot->option_reg, option & ~boot->option_force_loader_mask);
}

/* RTS over USB-OTG does not have GPIO0 sampled again; the watchdog's reset does. */
static bool reset_by_watchdog(struct ef_session *s)
{
    const struct ef_watchdog_regs *watchdog = &s->chip->watchdog;
    if (watchdog->config0 == 0)
        return false;
    enum ef_err err = ef_command_write_reg(&s->esp, watchdog->wprotect, watchdog->key);
    if (err == EF_OK)
        err = ef_command_write_reg(&s->esp, watchdog->config1, WATCHDOG_TICKS);
    if (err != EF_OK)
        return false;
    /* It may be off before it has replied. */
    ef_command_write_reg(&s->esp, watchdog->config0, WATCHDOG_ON);
    ef_clock_sleep_ms(WATCHDOG_WAIT_MS);
    return true;
}

/* True if that was all that the board needs. */
static bool reset_usb(struct ef_session *s)
{
    if (!s->chip || s->wire == EF_WIRE_UART || !s->identity.registers_read)
        return false;
    clear_loader_flag(s);
    return s->wire == EF_WIRE_USB_OTG && reset_by_watchdog(s);
}

/* Who talks to the board next, and cannot reset it either, expects the ROM's baud. */
static void go_back_to_rom_baud(struct ef_session *s)
{
    if (s->chip && ef_session_has_baud(s) && s->line->baud != EF_ROM_BAUD)
        ef_baud_change(s, EF_ROM_BAUD);
}

/* By the modem lines. A sequence that is none is EF_INVALID, logged. */
static enum ef_err play_reset(struct ef_session *s)
{
    bool usb = s->config.before == EF_BEFORE_USB_RESET || s->wire != EF_WIRE_UART;
    const char *custom = s->config.hard_reset_sequence;
    const char *steps = custom ? custom : ef_reset_way_to_firmware(s->line, usb)->steps;
    struct ef_reset_sequence sequence;
    char why[EF_RESET_WHY_MAX];
    if (ef_reset_parse(steps, &sequence, why) != EF_OK) {
        ef_log(s->log, EF_LOG_ERROR, "reset sequence `%s`: %s", steps, why);
        return EF_INVALID;
    }
    /* A tty keeps its baud: `cat` of the port then shows what the firmware says. */
    if (s->line->baud != 0 && s->line->baud != EF_ROM_BAUD)
        ef_line_set_baud(s->line, EF_ROM_BAUD);
    return ef_reset_play(s->line, &sequence);
}

static void reset_into_firmware(struct ef_session *s)
{
    enum ef_err err = EF_OK;
    go_back_to_rom_baud(s);
    if (s->config.hard_reset_sequence || !reset_usb(s))
        err = play_reset(s);
    if (err == EF_INVALID)
        return;
    if (!s->answered && !s->chip)
        return; /* whether anything was reset is not known */
    /* Built-in USB leaves the bus with the reset that was asked for. */
    if (err == EF_OK || err == EF_GONE)
        ef_log(s->log, EF_LOG_INFO, "the board was reset and runs its firmware");
    else
        ef_log(s->log, EF_LOG_WARN, "the board could not be reset: %s", ef_err_text(err));
}

/*
 * The older stubs reboot at a FLASH_END of 0, into the loader since GPIO0 was sampled low; the
 * newer ones take it and stay. SYNC tells which it was.
 */
static void leave_in_rom(struct ef_session *s)
{
    static const uint8_t NOTHING[16];
    static const uint8_t REBOOT[4];
    enum ef_err err = ef_command(&s->esp, EF_OP_FLASH_BEGIN, NOTHING, sizeof(NOTHING), 0, 0,
                                 EF_COMMAND_TIMEOUT_MS, NULL);
    if (err == EF_OK)
        err = ef_command(&s->esp, EF_OP_FLASH_END, REBOOT, sizeof(REBOOT), 0, 0,
                         EF_COMMAND_TIMEOUT_MS, NULL);
    if (err == EF_OK) {
        ef_clock_sleep_ms(REBOOT_WAIT_MS);
        err = ef_esp_sync(&s->esp, SYNCS);
    }
    if (err != EF_OK)
        ef_log(s->log, EF_LOG_WARN, "leaving the stub: %s: reset the board before the next use",
               ef_err_text(err));
    else
        ef_log(s->log, EF_LOG_INFO, "the board is left with its %s",
               s->esp.stub ? "stub running: this one cannot go back to the ROM" : "ROM's loader");
}

void ef_session_let_go(struct ef_session *s)
{
    bool was_reset =
        s->config.before == EF_BEFORE_DEFAULT_RESET || s->config.before == EF_BEFORE_USB_RESET;
    if (was_reset && s->config.after == EF_AFTER_HARD_RESET && ef_line_has_modem_lines(s->line))
        play_reset(s);
}

void ef_session_leave_board(struct ef_session *s)
{
    /* What never answered may be no board, and what was not reset to be connected to is not reset
     * for having been silent. */
    bool untouched = s->config.trial == EF_TRIAL_GENTLE || s->config.before == EF_BEFORE_NO_RESET ||
                     s->config.before == EF_BEFORE_NO_RESET_NO_SYNC;
    if (!s->answered && untouched)
        return;
    bool reset = s->config.after == EF_AFTER_HARD_RESET;
    if (reset && ef_line_has_modem_lines(s->line)) {
        reset_into_firmware(s);
        return;
    }
    if (!s->chip)
        return;
    go_back_to_rom_baud(s);
    if (s->config.after == EF_AFTER_NO_RESET && s->esp.stub)
        leave_in_rom(s);
    if (reset && s->flash_size)
        ef_log(s->log, EF_LOG_INFO,
               "this line cannot reset the board: it stays in its loader until it is reset by "
               "hand");
}
