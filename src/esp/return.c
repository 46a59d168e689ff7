/*
 * A board that left in the middle of work, or was reset: it is worked with again once it is
 * certain to be the one that was mounted. Modules are changed while their adapter stays; what
 * is cached, and what is still to be written, belongs to the board that was mounted.
 */
#include "baud.h"
#include "connect_steps.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WHAT_MAX = 40 };

/* Of a board that is there but will not do. Looked at again and again, it is told of once. */
__attribute__((format(printf, 2, 3))) static void tell_once(struct ef_session *s,
                                                            const char *format, ...)
{
    char text[sizeof(s->told)];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (strcmp(s->told, text) == 0)
        return;
    memcpy(s->told, text, sizeof(text));
    ef_log(s->log, EF_LOG_ERROR, "%s", text);
}

static enum ef_err refuse(struct ef_session *s, const char *what)
{
    tell_once(s,
              "another board answers, %s: bring the one that was mounted back, or unmount and "
              "mount this one",
              what);
    return EF_FOREIGN;
}

/* Where registers cannot be read, this is all that tells two boards apart. */
static enum ef_err expect_same_chip(struct ef_session *s)
{
    const struct ef_chip *last = NULL;
    for (int i = 0; i < EF_IDENTIFY_TRIES; i++) {
        const struct ef_chip *chip;
        struct ef_security security;
        enum ef_err err = ef_chip_detect(&s->esp, &chip, &security);
        if (err != EF_OK || chip == s->chip)
            return err;
        if (last && chip == last)
            return refuse(s, last->name);
        last = chip;
    }
    return EF_VERIFY;
}

static enum ef_err expect_same_mac(struct ef_session *s)
{
    uint8_t last[EF_MAC_BYTES] = {0};
    uint8_t mac[EF_MAC_BYTES];
    if (!s->identity.registers_read)
        return EF_OK;
    for (int i = 0; i < EF_IDENTIFY_TRIES; i++) {
        enum ef_err err = ef_chip_read_mac(&s->esp, s->chip, mac);
        if (err != EF_OK || memcmp(mac, s->identity.mac, sizeof(mac)) == 0)
            return err;
        if (i > 0 && memcmp(mac, last, sizeof(mac)) == 0) {
            char what[WHAT_MAX];
            snprintf(what, sizeof(what), "MAC %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
                     mac[2], mac[3], mac[4], mac[5]);
            return refuse(s, what);
        }
        memcpy(last, mac, sizeof(last));
    }
    return EF_VERIFY;
}

/* Another chip may have been soldered to the same module. */
static enum ef_err expect_same_flash(struct ef_session *s)
{
    uint32_t id;
    if (s->guard.secure_download)
        return EF_OK;
    enum ef_err err = ef_flash_id_read_sure(s, &id);
    if (err != EF_OK || id == s->flash_id)
        return err;
    char what[WHAT_MAX];
    snprintf(what, sizeof(what), "or another flash, id %06x", (unsigned)id);
    return refuse(s, what);
}

/* `returned`: the line was closed meanwhile, and anything may be behind it. */
static enum ef_err set_up(struct ef_session *s, bool returned)
{
    s->loader_ready = false;
    enum ef_err err = returned ? expect_same_chip(s) : EF_OK;
    if (err == EF_OK)
        err = expect_same_mac(s);
    if (err == EF_OK)
        err = ef_loader_start(s);
    if (err == EF_OK && returned)
        err = expect_same_flash(s);
    if (err == EF_OK)
        err = ef_flash_set_params(s);
    if (err == EF_OK)
        err = ef_baud_resume(s);
    s->loader_ready = err == EF_OK;
    return err;
}

enum ef_err ef_session_set_up_again(struct ef_session *s)
{
    if (s->loader_ready && s->with_stub && s->esp.stub)
        return ef_baud_resume(s);
    if (s->with_stub && !s->esp.stub) {
        /* The ROM answers where a stub was: the chip has been reset. */
        ef_log(s->log, EF_LOG_WARN, "the chip was reset: starting its loader again");
        s->was_away = true;
        if (!s->stub.text)
            return EF_GONE;
    }
    /* A ROM does not tell whether it was reset: what it must be told is told again. */
    return set_up(s, false);
}

void ef_session_note_at_work(struct ef_session *s)
{
    s->absences += s->was_away;
    s->was_away = false;
    s->told[0] = '\0';
    s->baud = s->line->baud;
}

/* As at the start, but briefly: there is always another look. */
static enum ef_err find_loader(struct ef_session *s)
{
    struct ef_boot_report report = {0};
    enum ef_trial trial = s->config.trial;
    s->config.trial = EF_TRIAL_BRIEF;
    enum ef_err err = ef_connect_quietly(s, &report);
    s->config.trial = trial;
    return err;
}

/* A loader answers: can it be the one to work with? */
static enum ef_err expect_usable(struct ef_session *s)
{
    const char *why = NULL;
    if (s->with_stub && !s->esp.stub && !s->stub.text)
        why = "its ROM answers, and there is no stub to start: set stub=, and mount again";
    if (!s->with_stub && s->esp.stub)
        why = "a stub answers where the ROM was worked with: reset it into its boot loader";
    if (!why)
        return EF_OK;
    tell_once(s, "the board is back, but %s", why);
    return EF_UNSUPPORTED;
}

enum ef_err ef_session_return(struct ef_session *s, bool (*stop)(void *user), void *user)
{
    s->was_away = true;
    s->loader_ready = false;
    s->esp.stop = stop;
    s->esp.stop_user = user;
    enum ef_err err = ef_connect_open_again(s, false);
    if (err == EF_OK)
        err = find_loader(s);
    s->esp.stop = NULL;
    if (err == EF_OK)
        err = expect_usable(s);
    if (err == EF_OK)
        err = set_up(s, true);
    if (err == EF_OK)
        ef_session_note_at_work(s);
    if (err == EF_FOREIGN) {
        ef_session_let_go(s);
        ef_connect_close_line(s);
    }
    return err;
}
