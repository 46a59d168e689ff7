/* A device that leaves the bus, while its chip is reset or for longer, and comes back. */
#include "connect_steps.h"

#include <string.h>

enum { LOOK_EVERY_MS = 50, QUIET_MS = 10 };

/* A raw socket's far end does not hang up because a chip was reset. */
static bool leaves_when_reset(const struct ef_line *line)
{
    static const char *const KINDS[] = {"serial", "tty", "rfc2217"};
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++)
        if (strcmp(line->kind, KINDS[i]) == 0)
            return true;
    return false;
}

void ef_connect_close_line(struct ef_session *s)
{
    if (!s->line)
        return;
    s->rates.debt = 0;
    s->rates.debt_at = 0;
    s->bytes_in += s->line->bytes_in;
    s->bytes_out += s->line->bytes_out;
    ef_line_close(s->line);
    s->line = NULL;
}

enum ef_err ef_connect_open_again(struct ef_session *s, bool tell)
{
    ef_connect_close_line(s);
    if (ef_line_open(s->config.port, EF_ROM_BAUD, tell ? s->log : NULL, &s->line) != EF_OK) {
        s->line = NULL;
        return EF_GONE;
    }
    s->line->log = s->log;
    s->link.line = s->line;
    /* Opening asserts both lines. RTS goes first: alone it would reset the chip again. */
    if (ef_line_has_modem_lines(s->line)) {
        ef_line_set_one_line(s->line, EF_RTS, false);
        ef_line_set_one_line(s->line, EF_DTR, false);
    }
    return ef_link_resync(&s->link, QUIET_MS);
}

enum ef_err ef_connect_reopen(struct ef_session *s, ef_deadline deadline)
{
    if (!leaves_when_reset(s->line))
        return EF_GONE;
    ef_log(s->log, EF_LOG_INFO, "%s has left: waiting for it to come back", s->config.port);
    /* The node may be there before its permissions are: whatever fails is tried again. */
    while (ef_deadline_left_ms(deadline) > 0) {
        if (ef_connect_open_again(s, false) == EF_OK)
            return EF_OK;
        if (s->esp.stop && s->esp.stop(s->esp.stop_user))
            return EF_INTERRUPTED;
        ef_clock_sleep_ms(LOOK_EVERY_MS);
    }
    /* Once more, to be told why not. */
    if (ef_connect_open_again(s, true) == EF_OK)
        return EF_OK;
    ef_log(s->log, EF_LOG_ERROR, "%s did not come back: plug the board in again, then try again",
           s->config.port);
    return EF_GONE;
}
