#include "espflashfs/session.h"

#include "baud.h"
#include "connect_steps.h"

#include <string.h>

enum {
    RECOVER_SYNCS = 10,
    RECOVER_MAX_MS = 30000,
    OPEN_MAX_MS = 120000 /* all rates of a climb on a line that damages most of them take less */
};

static enum ef_err check_chip(struct ef_session *s)
{
    const char *wanted = s->config.chip;
    if (!wanted || strcmp(wanted, "auto") == 0)
        return EF_OK;
    const struct ef_chip *chip = ef_chip_by_option(wanted);
    if (!chip) {
        ef_log(s->log, EF_LOG_ERROR, "chip=%s is not a chip this program knows", wanted);
        return EF_INVALID;
    }
    if (chip != s->chip) {
        ef_log(s->log, EF_LOG_ERROR, "this is an %s, but chip=%s was asked for", s->chip->name,
               wanted);
        return EF_UNSUPPORTED;
    }
    return EF_OK;
}

/*
 * Registers come without a checksum, and the MAC names this board on disk: what counts is
 * what was read twice in a row.
 */
static enum ef_err identify_twice(struct ef_session *s)
{
    struct ef_identity last;
    memset(&s->identity, 0, sizeof(s->identity));
    enum ef_err err = ef_chip_identify(&s->esp, s->chip, &s->security, &s->identity);
    for (int i = 1; i < EF_IDENTIFY_TRIES && err == EF_OK; i++) {
        last = s->identity;
        memset(&s->identity, 0, sizeof(s->identity));
        err = ef_chip_identify(&s->esp, s->chip, &s->security, &s->identity);
        if (err == EF_OK && memcmp(&last, &s->identity, sizeof(last)) == 0)
            return EF_OK;
    }
    if (err == EF_OK)
        ef_log(s->log, EF_LOG_ERROR,
               "the chip's registers read differently each time: check the "
               "wiring, or try a lower baud=");
    return err == EF_OK ? EF_VERIFY : err;
}

static enum ef_err identify(struct ef_session *s)
{
    enum ef_err err = ef_chip_detect(&s->esp, &s->chip, &s->security);
    if (err == EF_OK)
        err = check_chip(s);
    if (err == EF_OK)
        err = ef_security_confirm(s);
    if (err == EF_OK)
        err = identify_twice(s);
    if (err != EF_OK)
        return err;
    const uint8_t *m = s->identity.mac;
    if (!s->identity.registers_read)
        ef_log(s->log, EF_LOG_INFO, "Chip: %s", s->identity.description);
    else
        ef_log(s->log, EF_LOG_INFO, "Chip: %s, MAC %02x:%02x:%02x:%02x:%02x:%02x",
               s->identity.description, m[0], m[1], m[2], m[3], m[4], m[5]);
    return EF_OK;
}

static enum ef_err open_steps(struct ef_session *s)
{
    enum ef_err err = ef_connect(s);
    if (err == EF_OK)
        err = identify(s);
    if (err == EF_OK)
        err = ef_wire_detect(s);
    if (err == EF_OK)
        err = ef_guard_read(s);
    if (err == EF_OK)
        err = ef_loader_choose(s);
    if (err == EF_OK)
        err = ef_loader_start(s);
    if (err != EF_OK)
        return err;
    ef_log(s->log, EF_LOG_INFO, "Loader: %s",
           !s->esp.stub ? "ROM" : (s->stub.path[0] ? s->stub.path : "stub, already running"));
    err = ef_flash_detect(s);
    if (err == EF_OK)
        err = ef_baud_settle(s);
    s->loader_ready = err == EF_OK;
    return err;
}

enum ef_err ef_session_open(const struct ef_session_config *config, struct ef_log *log,
                            struct ef_session *s)
{
    memset(s, 0, sizeof(*s));
    s->config = *config;
    s->log = log;
    /* Without a SYNC to find the rate by, it is the one that was given. */
    bool at_once = config->before == EF_BEFORE_NO_RESET_NO_SYNC && !config->baud_auto;
    enum ef_err err =
        ef_line_open(config->port, at_once ? config->baud : EF_ROM_BAUD, log, &s->line);
    if (err != EF_OK)
        return err;
    s->resettable = ef_line_has_modem_lines(s->line);
    ef_link_init(&s->link, s->line);
    s->esp = (struct ef_esp){.link = &s->link,
                             .log = log,
                             .no_sync = config->before == EF_BEFORE_NO_RESET_NO_SYNC,
                             .rom_status = 2};
    s->esp.give_up = ef_deadline_in(OPEN_MAX_MS);
    err = open_steps(s);
    s->esp.give_up = 0;
    s->config.ask = false; /* nobody watches from here on */
    s->was_away = false;   /* nobody had anything of it before */
    if (err == EF_OK)
        ef_session_note_at_work(s);
    else
        ef_session_close(s);
    return err;
}

static enum ef_err sync_again(struct ef_session *s)
{
    enum ef_err err = ef_command_drain(&s->esp, 50);
    if (err != EF_OK)
        return err;
    bool stub = s->esp.stub;
    err = ef_esp_sync(&s->esp, RECOVER_SYNCS);
    if (err == EF_OK && stub && !s->esp.stub && s->line->baud > EF_ROM_BAUD) {
        /* A chip that was reset is not at this rate: what said so was damaged. */
        s->esp.stub = true;
        return EF_TIMEOUT;
    }
    if (err != EF_TIMEOUT || s->line->baud <= EF_ROM_BAUD)
        return err;
    /* A chip that was reset is back at its ROM's baud. */
    uint32_t working = s->line->baud;
    ef_line_set_baud(s->line, EF_ROM_BAUD);
    err = ef_esp_sync(&s->esp, RECOVER_SYNCS);
    if (err != EF_OK)
        ef_line_set_baud(s->line, working);
    return err;
}

enum ef_err ef_session_recover(struct ef_session *s)
{
    s->esp.give_up = ef_deadline_in(RECOVER_MAX_MS);
    bool slower = ef_baud_count_failure(s) && ef_baud_can_slow_down(s);
    enum ef_err err = slower ? EF_TIMEOUT : sync_again(s);
    if (!slower && err == EF_OK)
        err = ef_session_set_up_again(s);
    while (ef_err_is_transient(err) && ef_baud_can_slow_down(s)) {
        err = ef_baud_slow_down(s);
        if (err == EF_OK)
            err = ef_session_set_up_again(s);
    }
    s->esp.give_up = 0;
    if (err == EF_OK)
        ef_session_note_at_work(s);
    return err;
}

void ef_session_close(struct ef_session *s)
{
    ef_stub_free(&s->stub);
    if (!s->line)
        return;
    ef_session_leave_board(s);
    ef_connect_close_line(s);
}
