/* A board that nothing but fingers can bring into its boot loader. */
#include "connect_steps.h"

#include <stdio.h>

enum { PATIENCE_MS = 60000, ASK_EVERY_MS = 250, DOT_EVERY_MS = 3000 };

/* A sign of life on the terminal, where one is looked at. */
static void show(struct ef_session *s, const char *text)
{
    if (s->log && s->log->to_stderr)
        fputs(text, stderr);
}

/* What comes in until the deadline is of no use but as a sign that the device is there. */
static enum ef_err listen_until(struct ef_session *s, ef_deadline deadline)
{
    const uint8_t *frame;
    size_t len;
    enum ef_err err;
    do {
        err = ef_link_receive(&s->link, deadline, &frame, &len);
    } while ((err == EF_OK || err == EF_FRAMING) && ef_deadline_left_ms(deadline) > 0);
    return err == EF_GONE ? EF_GONE : EF_TIMEOUT;
}

static enum ef_err sync_until(struct ef_session *s, ef_deadline end)
{
    enum ef_err err = EF_TIMEOUT;
    ef_deadline next_dot = ef_deadline_in(DOT_EVERY_MS);
    while (err == EF_TIMEOUT && ef_deadline_left_ms(end) > 0) {
        ef_deadline next = ef_deadline_min(end, ef_deadline_in(ASK_EVERY_MS));
        err = ef_esp_sync(&s->esp, 1);
        if (err == EF_TIMEOUT)
            err = listen_until(s, next);
        if (err == EF_GONE)
            err = ef_connect_reopen(s, end) == EF_OK ? EF_TIMEOUT : EF_GONE;
        if (ef_deadline_left_ms(next_dot) == 0) {
            show(s, ".");
            next_dot = ef_deadline_in(DOT_EVERY_MS);
        }
    }
    return err;
}

enum ef_err ef_connect_ask(struct ef_session *s)
{
    ef_log(s->log, EF_LOG_WARN,
           "%s: the board is not in its boot loader: hold BOOT (GPIO0 to GND), tap RESET (or plug "
           "it in), release BOOT. Waiting for %d s; Ctrl-C ends it",
           s->config.port, PATIENCE_MS / 1000);
    ef_deadline give_up = s->esp.give_up;
    s->esp.give_up = 0;
    enum ef_err err = sync_until(s, ef_deadline_in(PATIENCE_MS));
    s->esp.give_up = give_up ? give_up + PATIENCE_MS : 0;
    show(s, "\n");
    if (err == EF_OK)
        ef_log(s->log, EF_LOG_INFO, "the board's boot loader answers: BOOT can be let go");
    return err;
}
