/* rfc2217://HOST:PORT, from its spelling to a port that is set up. */
#include "rfc2217.h"

#include "tcp.h"

#include <stdlib.h>

enum { WHY_CAP = 256 };

/* Offers, and waits until the server has answered all of them. */
static enum ef_err negotiate(struct ef_rfc2217 *self)
{
    static const uint8_t OFFER[] = {EF_TELNET_IAC, EF_TELNET_WILL, EF_TELNET_COM_PORT,
                                    EF_TELNET_IAC, EF_TELNET_WILL, EF_TELNET_BINARY,
                                    EF_TELNET_IAC, EF_TELNET_DO,   EF_TELNET_BINARY,
                                    EF_TELNET_IAC, EF_TELNET_WILL, EF_TELNET_SUPPRESS_GO_AHEAD,
                                    EF_TELNET_IAC, EF_TELNET_DO,   EF_TELNET_SUPPRESS_GO_AHEAD};
    ef_deadline deadline = ef_deadline_in(self->options.timeout_ms);
    enum ef_err err = ef_rfc2217_send(self, OFFER, sizeof(OFFER));
    while (err == EF_OK && self->com_port != EF_RFC2217_NO &&
           (self->com_port == EF_RFC2217_OPEN || self->binary_in == EF_RFC2217_OPEN ||
            self->binary_out == EF_RFC2217_OPEN))
        err = ef_rfc2217_is_over(self, deadline) ? EF_TIMEOUT
                                                 : ef_rfc2217_step(self, NULL, 0, NULL, deadline);
    if (self->com_port == EF_RFC2217_NO)
        return EF_UNSUPPORTED;
    /* One that is silent about binary mode only may well pass every byte. */
    if (err == EF_TIMEOUT && self->com_port == EF_RFC2217_YES)
        err = EF_OK;
    if (err == EF_OK && (self->binary_in != EF_RFC2217_YES || self->binary_out != EF_RFC2217_YES))
        ef_log(self->fd.line.log, EF_LOG_WARN,
               "%s: the server does not agree to binary mode: bytes may be damaged",
               self->fd.line.name);
    return err;
}

static enum ef_err set_up(struct ef_rfc2217 *self, uint32_t baud)
{
    static const struct {
        uint8_t command, value;
    } SETTINGS[] = {{EF_COM_SET_DATASIZE, 8},
                    {EF_COM_SET_PARITY, 1},
                    {EF_COM_SET_STOPSIZE, 1},
                    {EF_COM_SET_CONTROL, EF_COM_FLOW_NONE}};
    enum ef_err err = ef_rfc2217_ask_baud(self, baud);
    for (size_t i = 0; i < sizeof(SETTINGS) / sizeof(SETTINGS[0]) && err == EF_OK; i++) {
        uint32_t value = 0;
        err = ef_rfc2217_set_byte(self, SETTINGS[i].command, SETTINGS[i].value,
                                  self->options.timeout_ms, &value);
        /* Not all tell the flow control that they have. */
        if (err == EF_OK && value != SETTINGS[i].value &&
            i + 1 < sizeof(SETTINGS) / sizeof(SETTINGS[0]))
            err = EF_UNSUPPORTED;
    }
    return err;
}

static void explain_negotiation(struct ef_rfc2217 *self, enum ef_err err)
{
    const struct ef_line *line = &self->fd.line;
    if (err == EF_GONE && self->kept_len > 0)
        ef_log(line->log, EF_LOG_ERROR, "%s: closed from the other side, which said: %.*s",
               line->name, (int)(self->kept_len < 100 ? self->kept_len : 100),
               (const char *)self->kept);
    else if (err == EF_GONE)
        ef_log(line->log, EF_LOG_ERROR,
               "%s: closed from the other side: is another program connected to it?", line->name);
    else
        ef_log(line->log, EF_LOG_ERROR,
               "%s: %s there, but not RFC 2217: if that port passes bytes and nothing else, use "
               "socket://HOST:PORT; if it serves one program at a time, end the other",
               line->name, self->speaks_telnet ? "telnet is spoken" : "something listens");
}

static void explain_set_up(const struct ef_rfc2217 *self, enum ef_err err, uint32_t baud)
{
    const struct ef_line *line = &self->fd.line;
    if (err == EF_UNSUPPORTED)
        ef_log(line->log, EF_LOG_ERROR, "%s: the server cannot set its port to %u baud 8N1",
               line->name, (unsigned)baud);
    else if (err == EF_TIMEOUT)
        ef_log(line->log, EF_LOG_ERROR,
               "%s: the server did not acknowledge the port's settings within %d ms: try "
               "?timeout=10",
               line->name, self->options.timeout_ms);
    else
        ef_log(line->log, EF_LOG_ERROR, "%s: closed from the other side", line->name);
}

static enum ef_err start(struct ef_rfc2217 *self, uint32_t baud)
{
    enum ef_err err = negotiate(self);
    if (err != EF_OK) {
        explain_negotiation(self, err);
        return err;
    }
    err = set_up(self, baud);
    if (err == EF_OK)
        err = ef_rfc2217_purge(&self->fd.line);
    if (err != EF_OK)
        explain_set_up(self, err, baud);
    return err;
}

enum ef_err ef_rfc2217_open(const char *spec, uint32_t baud, struct ef_log *log,
                            struct ef_line **line)
{
    struct ef_tcp_address address;
    struct ef_rfc2217_options options;
    char why[WHY_CAP] = "write it as rfc2217://HOST:PORT";
    if (ef_tcp_parse(spec, &address) != EF_OK ||
        !ef_rfc2217_parse_options(address.query, &options, why, sizeof(why))) {
        ef_log(log, EF_LOG_ERROR, "%s: %s", spec, why);
        return EF_INVALID;
    }
    struct ef_rfc2217 *self = calloc(1, sizeof(*self));
    if (!self)
        return EF_NOMEM;
    self->options = options;
    ef_rfc2217_init(self, spec, log);
    enum ef_err err = ef_tcp_connect(spec, &address, log, &self->fd.fd);
    if (err != EF_OK) {
        free(self);
        return err;
    }
    err = start(self, baud);
    if (err == EF_OK)
        *line = &self->fd.line;
    else
        ef_fd_line_close(&self->fd.line);
    return err;
}
