#include "session_steps.h"

#include "espflashfs/reset.h"

#include <string.h>

enum { RESET_TRIES = 4, SYNCS_PER_RESET = 5, SYNCS_WITHOUT_RESET = 14 };

/* A brief trial takes each of the two reset sequences once; a gentle one is over in 2 s. A GPS
 * receiver speaks once a second. */
enum { BRIEF_RESET_TRIES = 2, BRIEF_SYNCS = 3, LISTEN_MS = 1200 };

/* True if what came in reads like a boot log rather than noise. */
static bool looks_like_text(const char *s, size_t len)
{
    size_t printable = 0;
    for (size_t i = 0; i < len; i++)
        printable += (s[i] >= 0x20 && s[i] < 0x7F) || s[i] == '\n' || s[i] == '\r' || s[i] == '\t';
    return len >= 16 && printable * 10 >= len * 9;
}

static void explain_failure(struct ef_session *s, enum ef_err err)
{
    const char *port = s->config.port;
    size_t len = s->link.noise_len;
    if (err == EF_GONE)
        ef_log(s->log, EF_LOG_ERROR,
               "%s: closed from the other side: is another program connected to it?", port);
    else if (s->line->bytes_in == 0)
        ef_log(s->log, EF_LOG_ERROR,
               "%s: no answer: check power and wiring (TX to RX, GND), hold BOOT (GPIO0 low), tap "
               "RESET, and try again%s",
               port,
               strcmp(s->line->kind, "socket") == 0 ? "; or another program is connected" : "");
    else if (looks_like_text(s->link.noise, len))
        ef_log(s->log, EF_LOG_ERROR,
               "%s: the board runs its firmware and was not reset into its boot loader: hold BOOT "
               "(GPIO0 low), tap RESET, and try again; it says: %.60s",
               port, s->link.noise + (len > 60 ? len - 60 : 0));
    else
        ef_log(s->log, EF_LOG_ERROR,
               "%s: something sends data there (%llu bytes), but no boot loader answers: is it the "
               "right port, at the right baud?",
               port, (unsigned long long)s->line->bytes_in);
}

static enum ef_err sync_after_resets(struct ef_session *s)
{
    enum ef_err err = EF_TIMEOUT;
    bool brief = s->config.trial != EF_TRIAL_FULL;
    int resets = brief ? BRIEF_RESET_TRIES : RESET_TRIES;
    for (int attempt = 0; attempt < resets && err == EF_TIMEOUT; attempt++) {
        err = ef_reset_to_loader(s->line, attempt);
        if (err != EF_OK)
            return err;
        err = ef_esp_sync(&s->esp, brief ? BRIEF_SYNCS : SYNCS_PER_RESET);
    }
    return err;
}

/* A driver that was killed leaves a stub at the rate that it worked at. */
static enum ef_err sync_without_reset(struct ef_session *s)
{
    if (s->config.trial != EF_TRIAL_FULL)
        return ef_esp_sync(&s->esp, BRIEF_SYNCS);
    enum ef_err err = ef_esp_sync(&s->esp, SYNCS_WITHOUT_RESET);
    bool other_baud = s->line->baud != 0 && s->line->baud != s->config.baud;
    if (err != EF_TIMEOUT || !other_baud || ef_line_set_baud(s->line, s->config.baud) != EF_OK)
        return err;
    return ef_esp_sync(&s->esp, SYNCS_PER_RESET);
}

/* A boot loader is silent until it is spoken to. EF_UNSUPPORTED where something speaks. */
static enum ef_err listen_first(struct ef_session *s)
{
    uint8_t heard[64];
    size_t got;
    enum ef_err err = ef_line_read(s->line, heard, sizeof(heard), ef_deadline_in(LISTEN_MS), &got);
    if (err == EF_TIMEOUT)
        return EF_OK;
    if (err != EF_OK)
        return err;
    ef_log(s->log, EF_LOG_INFO,
           "%s: something speaks there unasked, as no boot loader does: left alone. It says: %.*s",
           s->config.port, (int)got, (const char *)heard);
    return EF_UNSUPPORTED;
}

enum ef_err ef_connect(struct ef_session *s)
{
    if (s->config.trial == EF_TRIAL_GENTLE) {
        enum ef_err err = listen_first(s);
        if (err != EF_OK)
            return err;
    }
    bool reset = s->config.trial != EF_TRIAL_GENTLE &&
                 s->config.before == EF_BEFORE_DEFAULT_RESET && ef_line_has_modem_lines(s->line);
    ef_log(s->log, EF_LOG_INFO, "Connecting to %s%s", s->config.port,
           reset ? "" : " (without reset)");
    enum ef_err err = reset ? sync_after_resets(s) : sync_without_reset(s);
    if (err != EF_OK)
        explain_failure(s, err);
    return err;
}
