/* How a board is left when its session ends. */
#include "session_steps.h"

#include "espflashfs/reset.h"

#include <string.h>

enum { REBOOT_WAIT_MS = 50, SYNCS = 5 };

static void reset_into_firmware(struct ef_session *s)
{
    bool usb = s->config.before == EF_BEFORE_USB_RESET;
    const char *custom = s->config.hard_reset_sequence;
    const char *steps = custom ? custom : ef_reset_way_to_firmware(s->line, usb)->steps;
    struct ef_reset_sequence sequence;
    char why[EF_RESET_WHY_MAX];
    if (ef_reset_parse(steps, &sequence, why) != EF_OK) {
        ef_log(s->log, EF_LOG_ERROR, "reset sequence `%s`: %s", steps, why);
        return;
    }
    enum ef_err err = ef_reset_play(s->line, &sequence);
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

void ef_session_leave_board(struct ef_session *s)
{
    /* What never answered may be no board. */
    if (s->config.trial == EF_TRIAL_GENTLE && !s->chip)
        return;
    bool reset = s->config.after == EF_AFTER_HARD_RESET;
    if (reset && ef_line_has_modem_lines(s->line)) {
        reset_into_firmware(s);
        return;
    }
    if (!s->chip)
        return;
    /* The next program to open the port expects the ROM's baud. */
    if (s->line->baud != 0 && s->line->baud != EF_ROM_BAUD)
        ef_baud_change(s, EF_ROM_BAUD);
    if (s->config.after == EF_AFTER_NO_RESET && s->esp.stub)
        leave_in_rom(s);
    if (reset && s->flash_size)
        ef_log(s->log, EF_LOG_INFO,
               "this line cannot reset the board: it stays in its loader until it is reset by "
               "hand");
}
