/* A device that leaves the bus while its chip is reset, and comes back. */
#include "connect_steps.h"

#include <string.h>

enum { LOOK_EVERY_MS = 50, QUIET_MS = 10 };

/* A raw socket's far end does not hang up because a chip was reset. */
static bool can_come_back(const struct ef_line *line)
{
    static const char *const KINDS[] = {"serial", "tty", "rfc2217"};
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++)
        if (strcmp(line->kind, KINDS[i]) == 0)
            return true;
    return false;
}

/* The node may be there before its permissions are: whatever fails is tried again. */
static struct ef_line *open_when_back(struct ef_session *s, ef_deadline deadline)
{
    struct ef_line *line = NULL;
    while (ef_deadline_left_ms(deadline) > 0) {
        if (ef_line_open(s->config.port, EF_ROM_BAUD, NULL, &line) == EF_OK) {
            line->log = s->log;
            return line;
        }
        ef_clock_sleep_ms(LOOK_EVERY_MS);
    }
    /* Once more, to be told why not. */
    return ef_line_open(s->config.port, EF_ROM_BAUD, s->log, &line) == EF_OK ? line : NULL;
}

enum ef_err ef_connect_reopen(struct ef_session *s, ef_deadline deadline)
{
    /* Once the board is at work, other threads look at the line. */
    if (!can_come_back(s->line) || s->rates.working != 0)
        return EF_GONE;
    ef_log(s->log, EF_LOG_INFO, "%s has left: waiting for it to come back", s->config.port);
    s->bytes_in += s->line->bytes_in;
    s->bytes_out += s->line->bytes_out;
    ef_line_close(s->line);
    s->line = open_when_back(s, deadline);
    if (!s->line) {
        ef_log(s->log, EF_LOG_ERROR,
               "%s did not come back: plug the board in again, then try again", s->config.port);
        return EF_GONE;
    }
    s->link.line = s->line;
    /* Opening asserts both lines. RTS goes first: alone it would reset the chip again. */
    if (ef_line_has_modem_lines(s->line)) {
        ef_line_set_one_line(s->line, EF_RTS, false);
        ef_line_set_one_line(s->line, EF_DTR, false);
    }
    return ef_link_resync(&s->link, QUIET_MS);
}
