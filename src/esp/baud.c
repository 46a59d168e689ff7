#include "session_steps.h"

#include "espflashfs/bytes.h"

/* The chip needs a moment to switch, and sends garbage while it does: esptool waits as long. */
enum { SWITCH_WAIT_MS = 50, QUIET_MS = 10 };

/* Something that answers with a known value, at the baud in force. */
static enum ef_err probe(struct ef_session *s)
{
    uint32_t value;
    return ef_command_read_reg(&s->esp, s->chip->spi.base + s->chip->spi.usr, &value);
}

static enum ef_err switch_host(struct ef_session *s, uint32_t baud)
{
    enum ef_err err = ef_line_set_baud(s->line, baud);
    if (err != EF_OK)
        return err;
    ef_clock_sleep_ms(SWITCH_WAIT_MS);
    return ef_link_resync(&s->link, QUIET_MS);
}

enum ef_err ef_baud_change(struct ef_session *s, uint32_t baud)
{
    uint32_t old = s->line->baud;
    uint8_t payload[8];
    ef_put_le32(payload, baud);
    ef_put_le32(payload + 4, s->esp.stub ? old : 0);
    enum ef_err err = ef_command(&s->esp, EF_OP_CHANGE_BAUDRATE, payload, sizeof(payload), 0, 0,
                                 EF_COMMAND_TIMEOUT_MS, NULL);
    if (err != EF_OK)
        return err;
    err = switch_host(s, baud);
    if (err == EF_OK && probe(s) == EF_OK)
        return EF_OK;
    ef_log(s->log, EF_LOG_WARN, "no answer at %u baud: try a lower baud=", (unsigned)baud);
    return err == EF_OK ? EF_TIMEOUT : err;
}
