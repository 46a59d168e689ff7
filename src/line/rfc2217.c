/*
 * rfc2217://HOST:PORT: a network serial server whose baud and modem lines are set from here.
 * Each change is waited for until the server has acknowledged it, so that a reset keeps its
 * order and its waits; what the board sends meanwhile is kept for the next read.
 */
#include "rfc2217.h"

#include "espflashfs/bytes.h"

#include <stdio.h>
#include <string.h>

enum {
    WRITE_CHUNK = 1024,
    REQUEST_MAX = 16,
    SEND_TIMEOUT_MS = 1000, /* for a few bytes that are no data */
    PURGE_TIMEOUT_MS = 1000,
    BAUD_TOLERANCE = 40 /* one in: what a UART stands */
};

static struct ef_rfc2217 *self_of(struct ef_line *line)
{
    return (struct ef_rfc2217 *)line;
}

enum ef_err ef_rfc2217_send(struct ef_rfc2217 *self, const uint8_t *bytes, size_t len)
{
    return ef_fd_line_write(&self->fd.line, bytes, len, ef_deadline_in(SEND_TIMEOUT_MS));
}

static enum ef_err send_command(struct ef_rfc2217 *self, uint8_t verb, uint8_t option)
{
    uint8_t command[EF_TELNET_COMMAND_LEN];
    ef_telnet_put_command(command, verb, option);
    return ef_rfc2217_send(self, command, sizeof(command));
}

static enum ef_rfc2217_answer *offered(struct ef_rfc2217 *self, uint8_t option)
{
    if (option == EF_TELNET_COM_PORT)
        return &self->com_port;
    return option == EF_TELNET_BINARY ? &self->binary_out : NULL;
}

/* What the server wants of this side. Each option that is known here was offered at the start. */
static enum ef_err take_do(struct ef_rfc2217 *self, uint8_t verb, uint8_t option)
{
    enum ef_rfc2217_answer *answer = offered(self, option);
    if (verb == EF_TELNET_DO) {
        if (answer)
            *answer = EF_RFC2217_YES;
        else if (option != EF_TELNET_SUPPRESS_GO_AHEAD)
            return send_command(self, EF_TELNET_WONT, option);
        return EF_OK;
    }
    bool was_on = answer && *answer == EF_RFC2217_YES;
    if (answer)
        *answer = EF_RFC2217_NO;
    return was_on ? send_command(self, EF_TELNET_WONT, option) : EF_OK;
}

/* What it does itself. Some servers say WILL about the COM port, where the RFC has DO. */
static enum ef_err take_will(struct ef_rfc2217 *self, uint8_t verb, uint8_t option)
{
    if (option == EF_TELNET_BINARY)
        self->binary_in = verb == EF_TELNET_WILL ? EF_RFC2217_YES : EF_RFC2217_NO;
    else if (option == EF_TELNET_COM_PORT && verb == EF_TELNET_WILL &&
             self->com_port != EF_RFC2217_YES)
        self->com_port = EF_RFC2217_YES;
    else if (option != EF_TELNET_SUPPRESS_GO_AHEAD && option != EF_TELNET_COM_PORT &&
             verb == EF_TELNET_WILL)
        return send_command(self, EF_TELNET_DONT, option);
    return EF_OK;
}

static enum ef_err take_command(struct ef_rfc2217 *self)
{
    uint8_t verb = self->telnet.verb;
    self->speaks_telnet = true;
    if (verb == EF_TELNET_DO || verb == EF_TELNET_DONT)
        return take_do(self, verb, self->telnet.option);
    return take_will(self, verb, self->telnet.option);
}

/*
 * An acknowledgement that is waited for, or none: states of lines and modem that a server tells
 * unasked, and its wish to suspend sending, which TCP has its own means for.
 */
static void take_sub(struct ef_rfc2217 *self)
{
    const struct ef_telnet *t = &self->telnet;
    if (t->option != EF_TELNET_COM_PORT || t->sub_len < 1)
        return;
    const uint8_t *bytes = t->sub + 1;
    size_t len = t->sub_len - 1;
    if (len != 1 && len != sizeof(uint32_t))
        return;
    uint32_t value = len == 1 ? bytes[0] : ef_be32(bytes);
    for (int i = 0; i < EF_RFC2217_ACKS; i++) {
        struct ef_rfc2217_ack *ack = &self->ack[i];
        if (ack->waiting && t->sub[0] == EF_COM_SERVER + ack->command && value >= ack->low &&
            value <= ack->high) {
            ack->value = value;
            ack->waiting = false;
            return;
        }
    }
}

static void keep(struct ef_rfc2217 *self, const uint8_t *data, size_t len)
{
    size_t room = EF_RFC2217_KEPT_CAP - self->kept_len;
    if (len > room) {
        ef_log(self->fd.line.log, EF_LOG_DEBUG, "%s: %zu bytes dropped, nobody reads",
               self->fd.line.name, len - room);
        len = room;
    }
    memcpy(self->kept + self->kept_len, data, len);
    self->kept_len += len;
}

enum ef_err ef_rfc2217_step(struct ef_rfc2217 *self, uint8_t *buf, size_t cap, size_t *got,
                            ef_deadline deadline)
{
    if (self->raw_pos == self->raw_len) {
        self->raw_pos = self->raw_len = 0;
        enum ef_err err = ef_fd_line_read(&self->fd.line, self->raw, EF_RFC2217_RAW_CAP, deadline,
                                          &self->raw_len);
        if (err != EF_OK)
            return err;
    }
    size_t len = self->raw_len - self->raw_pos;
    if (buf && len > cap - *got)
        len = cap - *got;
    size_t used;
    struct ef_telnet *t = &self->telnet;
    enum ef_telnet_event event = ef_telnet_decode(t, self->raw + self->raw_pos, len, &used);
    self->raw_pos += used;
    switch (event) {
    case EF_TELNET_DATA:
        if (!buf) {
            keep(self, t->data, t->data_len);
            break;
        }
        memcpy(buf + *got, t->data, t->data_len);
        *got += t->data_len;
        break;
    case EF_TELNET_COMMAND:
        return take_command(self);
    case EF_TELNET_SUBNEGOTIATION:
        take_sub(self);
        break;
    case EF_TELNET_MORE:
    case EF_TELNET_BAD:
        break;
    }
    return EF_OK;
}

/* A server that sends without end, but nothing of use, never times out by itself. */
bool ef_rfc2217_is_over(const struct ef_rfc2217 *self, ef_deadline deadline)
{
    return self->raw_pos == self->raw_len && ef_deadline_left_ms(deadline) == 0;
}

static enum ef_err rfc2217_read(struct ef_line *line, uint8_t *buf, size_t cap,
                                ef_deadline deadline, size_t *got)
{
    struct ef_rfc2217 *self = self_of(line);
    size_t waiting = self->kept_len - self->kept_pos;
    if (waiting > 0) {
        *got = waiting < cap ? waiting : cap;
        memcpy(buf, self->kept + self->kept_pos, *got);
        self->kept_pos += *got;
        if (self->kept_pos == self->kept_len)
            self->kept_pos = self->kept_len = 0;
        return EF_OK;
    }
    enum ef_err err = EF_OK;
    do {
        err = ef_rfc2217_step(self, buf, cap, got, deadline);
        if (err == EF_OK && *got == 0 && ef_rfc2217_is_over(self, deadline))
            err = EF_TIMEOUT;
    } while (err == EF_OK && (*got == 0 || (*got < cap && self->raw_pos < self->raw_len)));
    return *got > 0 ? EF_OK : err;
}

static enum ef_err rfc2217_write(struct ef_line *line, const uint8_t *buf, size_t len,
                                 ef_deadline deadline)
{
    uint8_t escaped[2 * WRITE_CHUNK];
    enum ef_err err = EF_OK;
    while (len > 0 && err == EF_OK) {
        size_t n = len < WRITE_CHUNK ? len : WRITE_CHUNK;
        err = ef_fd_line_write(line, escaped, ef_telnet_escape(escaped, buf, n), deadline);
        buf += n;
        len -= n;
    }
    return err;
}

static struct ef_rfc2217_ack *expect(struct ef_rfc2217 *self, int i, uint8_t command, uint32_t low,
                                     uint32_t high)
{
    self->ack[i] =
        (struct ef_rfc2217_ack){.waiting = true, .command = command, .low = low, .high = high};
    return &self->ack[i];
}

static enum ef_err await_acks(struct ef_rfc2217 *self, int timeout_ms)
{
    ef_deadline deadline = ef_deadline_in(timeout_ms);
    enum ef_err err = EF_OK;
    while (err == EF_OK && (self->ack[0].waiting || self->ack[1].waiting))
        err = ef_rfc2217_is_over(self, deadline) ? EF_TIMEOUT
                                                 : ef_rfc2217_step(self, NULL, 0, NULL, deadline);
    self->ack[0].waiting = self->ack[1].waiting = false;
    return err;
}

enum ef_err ef_rfc2217_set_byte(struct ef_rfc2217 *self, uint8_t command, uint8_t wanted,
                                int timeout_ms, uint32_t *value)
{
    uint8_t request[REQUEST_MAX];
    struct ef_rfc2217_ack *ack = expect(self, 0, command, 0, UINT8_MAX);
    enum ef_err err = ef_rfc2217_send(self, request, ef_com_port_put(request, command, &wanted, 1));
    if (err == EF_OK)
        err = await_acks(self, timeout_ms);
    *value = ack->value;
    return err;
}

enum ef_err ef_rfc2217_ask_baud(struct ef_rfc2217 *self, uint32_t baud)
{
    uint8_t value[4];
    uint8_t request[REQUEST_MAX];
    ef_put_be32(value, baud);
    struct ef_rfc2217_ack *ack = expect(self, 0, EF_COM_SET_BAUDRATE, 0, UINT32_MAX);
    enum ef_err err = ef_rfc2217_send(
        self, request, ef_com_port_put(request, EF_COM_SET_BAUDRATE, value, sizeof(value)));
    if (err == EF_OK)
        err = await_acks(self, self->options.timeout_ms);
    if (err != EF_OK)
        return err;
    uint32_t off = ack->value > baud ? ack->value - baud : baud - ack->value;
    if (off <= baud / BAUD_TOLERANCE)
        return EF_OK;
    ef_log(self->fd.line.log, EF_LOG_DEBUG, "%s: asked for %u baud, the server set %u",
           self->fd.line.name, (unsigned)baud, (unsigned)ack->value);
    return EF_UNSUPPORTED;
}

/* After a refusal the old baud is in force again. */
static enum ef_err rfc2217_set_baud(struct ef_line *line, uint32_t baud)
{
    struct ef_rfc2217 *self = self_of(line);
    enum ef_err err = ef_rfc2217_ask_baud(self, baud);
    if (err == EF_TIMEOUT)
        ef_log(line->log, EF_LOG_WARN, "%s: the server did not acknowledge %u baud within %d ms",
               line->name, (unsigned)baud, self->options.timeout_ms);
    if (err == EF_UNSUPPORTED && line->baud != 0 &&
        ef_rfc2217_ask_baud(self, line->baud) == EF_GONE)
        err = EF_GONE;
    return err;
}

static uint8_t control_value(enum ef_modem_line which, bool on)
{
    if (which == EF_DTR)
        return on ? EF_COM_DTR_ON : EF_COM_DTR_OFF;
    return on ? EF_COM_RTS_ON : EF_COM_RTS_OFF;
}

static size_t put_control(struct ef_rfc2217 *self, uint8_t *request, int i,
                          enum ef_modem_line which, bool on)
{
    uint8_t value = control_value(which, on);
    if (which == EF_DTR)
        expect(self, i, EF_COM_SET_CONTROL, EF_COM_DTR_ON, EF_COM_DTR_OFF);
    else
        expect(self, i, EF_COM_SET_CONTROL, EF_COM_RTS_ON, EF_COM_RTS_OFF);
    return ef_com_port_put(request, EF_COM_SET_CONTROL, &value, 1);
}

/* A server that never acknowledges these is taken at its word from then on. */
static enum ef_err finish_control(struct ef_rfc2217 *self)
{
    struct ef_line *line = &self->fd.line;
    if (self->options.ign_set_control) {
        self->ack[0].waiting = self->ack[1].waiting = false;
        return EF_OK;
    }
    enum ef_err err = await_acks(self, self->options.timeout_ms);
    if (err != EF_TIMEOUT)
        return err;
    ef_log(line->log, EF_LOG_WARN,
           "%s: the server does not acknowledge DTR and RTS: going on without (as with "
           "?ign_set_control)",
           line->name);
    self->options.ign_set_control = true;
    return EF_OK;
}

static enum ef_err judge_control(struct ef_rfc2217 *self, int i, enum ef_modem_line which, bool on)
{
    if (self->options.ign_set_control || self->ack[i].value == control_value(which, on))
        return EF_OK;
    ef_log(self->fd.line.log, EF_LOG_WARN, "%s: the server cannot set %s", self->fd.line.name,
           which == EF_DTR ? "DTR" : "RTS");
    self->refuses_lines = true;
    return EF_UNSUPPORTED;
}

static enum ef_err rfc2217_set_lines(struct ef_line *line, bool dtr, bool rts)
{
    struct ef_rfc2217 *self = self_of(line);
    uint8_t request[2 * REQUEST_MAX];
    if (self->refuses_lines)
        return EF_UNSUPPORTED;
    size_t len = put_control(self, request, 0, EF_DTR, dtr);
    len += put_control(self, request + len, 1, EF_RTS, rts);
    enum ef_err err = ef_rfc2217_send(self, request, len);
    if (err == EF_OK)
        err = finish_control(self);
    if (err == EF_OK)
        err = judge_control(self, 0, EF_DTR, dtr);
    return err == EF_OK ? judge_control(self, 1, EF_RTS, rts) : err;
}

static enum ef_err rfc2217_set_one_line(struct ef_line *line, enum ef_modem_line which, bool on)
{
    struct ef_rfc2217 *self = self_of(line);
    uint8_t request[REQUEST_MAX];
    if (self->refuses_lines)
        return EF_UNSUPPORTED;
    enum ef_err err = ef_rfc2217_send(self, request, put_control(self, request, 0, which, on));
    if (err == EF_OK)
        err = finish_control(self);
    return err == EF_OK ? judge_control(self, 0, which, on) : err;
}

enum ef_err ef_rfc2217_purge(struct ef_line *line)
{
    struct ef_rfc2217 *self = self_of(line);
    uint32_t value;
    if (self->knows_no_purge)
        return EF_OK;
    enum ef_err err =
        ef_rfc2217_set_byte(self, EF_COM_PURGE_DATA, EF_COM_PURGE_RX, PURGE_TIMEOUT_MS, &value);
    if (err == EF_TIMEOUT) {
        ef_log(line->log, EF_LOG_DEBUG, "%s: the server does not acknowledge a purge", line->name);
        self->knows_no_purge = true;
        err = EF_OK;
    }
    self->kept_pos = self->kept_len = 0;
    return err;
}

static const struct ef_line_ops RFC2217 = {.read = rfc2217_read,
                                           .write = rfc2217_write,
                                           .set_baud = rfc2217_set_baud,
                                           .set_lines = rfc2217_set_lines,
                                           .set_one_line = rfc2217_set_one_line,
                                           .purge = ef_rfc2217_purge,
                                           .close = ef_fd_line_close};

void ef_rfc2217_init(struct ef_rfc2217 *self, const char *spec, struct ef_log *log)
{
    self->fd.line =
        (struct ef_line){.ops = &RFC2217, .kind = "rfc2217", .one_by_one = true, .log = log};
    snprintf(self->fd.line.name, sizeof(self->fd.line.name), "%s", spec);
    ef_telnet_init(&self->telnet);
}
