/*
 * A network serial server as RFC 2217 has it, in front of the board's UART: baud and modem
 * lines come as telnet subnegotiations among the bytes, and act in their place among them.
 */
#include "endpoint.h"

#include "espflashfs/bytes.h"
#include "espflashfs/telnet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    OPTION_COUNT = 3,
    FIRST_BAUD = 9600, /* as ser2net's: a client that sets none hears noise */
    REPLY_MAX = 64,
    WRITE_MAX = 4096,
    MODEM_CD = 0x80,
    MODEM_DSR = 0x20,
    MODEM_CTS = 0x10
};

static const uint8_t OPTIONS[OPTION_COUNT] = {EF_TELNET_BINARY, EF_TELNET_SUPPRESS_GO_AHEAD,
                                              EF_TELNET_COM_PORT};

/* One side of one option. */
struct agreement {
    bool on, asked;
};

struct server {
    const struct eb_endpoint_kind *socket;
    struct ef_telnet telnet;
    struct agreement here[OPTION_COUNT], there[OPTION_COUNT];
    uint32_t baud;
    bool dtr, rts;
    bool told_of_binary;
    uint8_t in[4096]; /* as it came, not yet decoded */
    size_t in_pos, in_len;
    uint8_t out[2 * WRITE_MAX + 8192]; /* escaped, not yet taken by the host */
    size_t out_len;
};

static struct server *server_of(const struct eb_endpoint *endpoint)
{
    return endpoint->state;
}

static int flush(struct eb_endpoint *endpoint)
{
    struct server *s = server_of(endpoint);
    while (s->out_len > 0) {
        ssize_t n = send(endpoint->fd, s->out, s->out_len, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        s->out_len -= (size_t)n;
        memmove(s->out, s->out + n, s->out_len);
    }
    return 0;
}

/* There is room: a host that asks without listening is cut off before, see take_events. */
static void put(struct server *s, const uint8_t *bytes, size_t len)
{
    memcpy(s->out + s->out_len, bytes, len);
    s->out_len += len;
}

static void put_command(struct server *s, uint8_t verb, uint8_t option)
{
    uint8_t command[EF_TELNET_COMMAND_LEN];
    ef_telnet_put_command(command, verb, option);
    put(s, command, sizeof(command));
}

static void answer(struct server *s, uint8_t command, const uint8_t *value, size_t len)
{
    uint8_t reply[REPLY_MAX];
    put(s, reply, ef_com_port_put(reply, (uint8_t)(EF_COM_SERVER + command), value, len));
}

static void answer_byte(struct server *s, uint8_t command, uint8_t value)
{
    answer(s, command, &value, 1);
}

static int index_of(uint8_t option)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (OPTIONS[i] == option)
            return i;
    }
    return -1;
}

/* `yes` and `no` answer a request that is news; an answer to one's own request is none. */
static void agree(struct server *s, struct agreement *side, bool wanted, uint8_t option,
                  uint8_t yes, uint8_t no)
{
    if (!side) {
        if (wanted)
            put_command(s, no, option);
        return;
    }
    if (wanted != side->on && !side->asked)
        put_command(s, wanted ? yes : no, option);
    side->on = wanted;
    side->asked = false;
}

static void take_command(struct server *s)
{
    uint8_t option = s->telnet.option;
    int i = index_of(option);
    bool wanted = s->telnet.verb == EF_TELNET_WILL || s->telnet.verb == EF_TELNET_DO;
    if (s->telnet.verb == EF_TELNET_WILL || s->telnet.verb == EF_TELNET_WONT)
        agree(s, i < 0 ? NULL : &s->there[i], wanted, option, EF_TELNET_DO, EF_TELNET_DONT);
    else
        agree(s, i < 0 ? NULL : &s->here[i], wanted, option, EF_TELNET_WILL, EF_TELNET_WONT);
}

static void set_lines(struct eb_endpoint *endpoint, bool dtr, bool rts)
{
    struct server *s = server_of(endpoint);
    s->dtr = dtr;
    s->rts = rts;
    if (endpoint->on_lines)
        endpoint->on_lines(endpoint->on_lines_ctx, dtr, rts);
}

/* Flow control and break are not the board's: they are told to be off. */
static void take_control(struct eb_endpoint *endpoint, uint8_t value)
{
    enum {
        BREAK_QUERY = 4,
        BREAK_OFF = 6,
        IN_FLOW_QUERY = 13,
        IN_FLOW_NONE = 14,
        IN_FLOW_MAX = 19
    };
    struct server *s = server_of(endpoint);
    if (value == EF_COM_DTR_ON || value == EF_COM_DTR_OFF)
        set_lines(endpoint, value == EF_COM_DTR_ON, s->rts);
    if (value == EF_COM_RTS_ON || value == EF_COM_RTS_OFF)
        set_lines(endpoint, s->dtr, value == EF_COM_RTS_ON);
    uint8_t reply = EF_COM_FLOW_NONE;
    if (value >= EF_COM_DTR_QUERY && value <= EF_COM_DTR_OFF)
        reply = s->dtr ? EF_COM_DTR_ON : EF_COM_DTR_OFF;
    else if (value >= EF_COM_RTS_QUERY && value <= EF_COM_RTS_OFF)
        reply = s->rts ? EF_COM_RTS_ON : EF_COM_RTS_OFF;
    else if (value >= BREAK_QUERY && value <= BREAK_OFF)
        reply = BREAK_OFF;
    else if (value >= IN_FLOW_QUERY && value <= IN_FLOW_MAX)
        reply = IN_FLOW_NONE;
    answer_byte(s, EF_COM_SET_CONTROL, reply);
}

static void take_modem_mask(struct server *s, uint8_t mask)
{
    answer_byte(s, EF_COM_SET_MODEMSTATE_MASK, mask);
    if (mask != 0)
        answer_byte(s, EF_COM_NOTIFY_MODEMSTATE, (MODEM_CD | MODEM_DSR | MODEM_CTS) & mask);
}

static bool take_byte(struct eb_endpoint *endpoint, uint8_t command, uint8_t value)
{
    enum { EIGHT_BITS = 8, NO_PARITY = 1, ONE_STOP_BIT = 1 };
    struct server *s = server_of(endpoint);
    switch (command) {
    case EF_COM_SET_DATASIZE:
        answer_byte(s, command, EIGHT_BITS);
        return value == 0 || value == EIGHT_BITS;
    case EF_COM_SET_PARITY:
        answer_byte(s, command, NO_PARITY);
        return value <= NO_PARITY;
    case EF_COM_SET_STOPSIZE:
        answer_byte(s, command, ONE_STOP_BIT);
        return value <= ONE_STOP_BIT;
    case EF_COM_SET_CONTROL:
        take_control(endpoint, value);
        return true;
    case EF_COM_SET_LINESTATE_MASK:
        answer_byte(s, command, value);
        return true;
    case EF_COM_SET_MODEMSTATE_MASK:
        take_modem_mask(s, value);
        return true;
    case EF_COM_PURGE_DATA:
        if (value < EF_COM_PURGE_RX || value > EF_COM_PURGE_BOTH)
            return false;
        if (endpoint->on_purge)
            endpoint->on_purge(endpoint->on_lines_ctx, (value & EF_COM_PURGE_RX) != 0,
                               (value & EF_COM_PURGE_TX) != 0);
        answer_byte(s, command, value);
        return true;
    default:
        return false;
    }
}

static bool take_com_port(struct eb_endpoint *endpoint, uint8_t command, const uint8_t *value,
                          size_t len)
{
    static const uint8_t SIGNATURE[] = {'e', 's', 'p', 'b', 'o', 'a', 'r', 'd'};
    struct server *s = server_of(endpoint);
    uint8_t baud[4];
    switch (command) {
    case EF_COM_SIGNATURE:
        if (len == 0)
            answer(s, command, SIGNATURE, sizeof(SIGNATURE));
        return true;
    case EF_COM_SET_BAUDRATE:
        if (len != sizeof(baud))
            return false;
        if (ef_be32(value) != 0)
            s->baud = ef_be32(value);
        ef_put_be32(baud, s->baud);
        answer(s, command, baud, sizeof(baud));
        return true;
    case EF_COM_FLOWCONTROL_SUSPEND:
    case EF_COM_FLOWCONTROL_RESUME:
        return len == 0;
    default:
        return len == 1 && take_byte(endpoint, command, value[0]);
    }
}

static void take_sub(struct eb_endpoint *endpoint)
{
    struct server *s = server_of(endpoint);
    const struct ef_telnet *t = &s->telnet;
    int com_port = index_of(EF_TELNET_COM_PORT);
    if (t->option != EF_TELNET_COM_PORT)
        return;
    if (!s->there[com_port].on && !s->here[com_port].on)
        eb_event(endpoint->log, "REJECT a COM port command before the option");
    else if (t->sub_len == 0 || !take_com_port(endpoint, t->sub[0], t->sub + 1, t->sub_len - 1))
        eb_event(endpoint->log, "REJECT COM port command %u with %zu bytes",
                 t->sub_len > 0 ? t->sub[0] : 0U, t->sub_len);
}

static void judge_data(struct eb_endpoint *endpoint)
{
    struct server *s = server_of(endpoint);
    if (s->there[index_of(EF_TELNET_BINARY)].on || s->told_of_binary)
        return;
    s->told_of_binary = true;
    eb_event(endpoint->log, "REJECT data that is not in binary mode");
}

/*
 * Runs what stands before the next data in the bytes read; returns how much data it took to
 * `buf`, 0 where there is none yet, -1 where the host is to be cut off.
 */
static ssize_t take_events(struct eb_endpoint *endpoint, uint8_t *buf, size_t cap)
{
    struct server *s = server_of(endpoint);
    while (s->in_pos < s->in_len) {
        if (sizeof(s->out) - s->out_len < 2 * REPLY_MAX) {
            eb_event(endpoint->log, "REJECT a host that asks and does not listen");
            errno = EPROTO;
            return -1;
        }
        size_t used;
        size_t left = s->in_len - s->in_pos;
        const uint8_t *from = s->in + s->in_pos;
        enum ef_telnet_event event =
            ef_telnet_decode(&s->telnet, from, left < cap ? left : cap, &used);
        s->in_pos += used;
        if (event == EF_TELNET_COMMAND)
            take_command(s);
        else if (event == EF_TELNET_SUBNEGOTIATION)
            take_sub(endpoint);
        else if (event == EF_TELNET_BAD)
            eb_event(endpoint->log, "REJECT a subnegotiation too long or broken off");
        if (event == EF_TELNET_DATA) {
            judge_data(endpoint);
            memcpy(buf, s->telnet.data, s->telnet.data_len);
            return (ssize_t)s->telnet.data_len;
        }
        if (flush(endpoint) < 0)
            return -1;
    }
    return 0;
}

static ssize_t rfc2217_read(struct eb_endpoint *endpoint, uint8_t *buf, size_t cap)
{
    struct server *s = server_of(endpoint);
    for (;;) {
        ssize_t taken = take_events(endpoint, buf, cap);
        if (taken != 0)
            return taken;
        ssize_t n = read(endpoint->fd, s->in, sizeof(s->in));
        if (n <= 0)
            return n;
        s->in_pos = 0;
        s->in_len = (size_t)n;
    }
}

static ssize_t rfc2217_write(struct eb_endpoint *endpoint, const uint8_t *buf, size_t len)
{
    struct server *s = server_of(endpoint);
    if (flush(endpoint) < 0)
        return -1;
    if (s->out_len > 0) {
        errno = EAGAIN;
        return -1;
    }
    size_t n = len < WRITE_MAX ? len : WRITE_MAX;
    s->out_len = ef_telnet_escape(s->out, buf, n);
    return flush(endpoint) < 0 ? -1 : (ssize_t)n;
}

static bool rfc2217_more_in(const struct eb_endpoint *endpoint)
{
    const struct server *s = server_of(endpoint);
    return s->in_pos < s->in_len;
}

static bool rfc2217_more_out(const struct eb_endpoint *endpoint)
{
    return server_of(endpoint)->out_len > 0;
}

static void ask(struct server *s, struct agreement *side, uint8_t verb, uint8_t option)
{
    side->asked = true;
    put_command(s, verb, option);
}

static void greet(struct eb_endpoint *endpoint)
{
    struct server *s = server_of(endpoint);
    for (int i = 0; i < OPTION_COUNT; i++) {
        ask(s, &s->there[i], EF_TELNET_DO, OPTIONS[i]);
        if (OPTIONS[i] != EF_TELNET_COM_PORT)
            ask(s, &s->here[i], EF_TELNET_WILL, OPTIONS[i]);
    }
    flush(endpoint); /* a failure shows at the next read */
}

/* What belongs to one host; the modem lines stay as the last one left them. */
static void forget_host(struct server *s)
{
    ef_telnet_init(&s->telnet);
    memset(s->here, 0, sizeof(s->here));
    memset(s->there, 0, sizeof(s->there));
    s->baud = FIRST_BAUD;
    s->told_of_binary = false;
    s->in_pos = s->in_len = 0;
    s->out_len = 0;
}

static int rfc2217_look(struct eb_endpoint *endpoint, bool *connected)
{
    struct server *s = server_of(endpoint);
    bool before = endpoint->fd >= 0;
    int fd = s->socket->look(endpoint, connected);
    if (*connected && !before)
        greet(endpoint);
    return fd;
}

static uint32_t rfc2217_host_baud(const struct eb_endpoint *endpoint)
{
    return server_of(endpoint)->baud;
}

static void rfc2217_hang_up(struct eb_endpoint *endpoint)
{
    struct server *s = server_of(endpoint);
    s->socket->hang_up(endpoint);
    forget_host(s);
}

static void rfc2217_close(struct eb_endpoint *endpoint)
{
    server_of(endpoint)->socket->close(endpoint);
    free(endpoint->state);
}

static const struct eb_endpoint_kind RFC2217_KIND = {.look = rfc2217_look,
                                                     .host_baud = rfc2217_host_baud,
                                                     .baud_counts = true,
                                                     .read = rfc2217_read,
                                                     .write = rfc2217_write,
                                                     .more_in = rfc2217_more_in,
                                                     .more_out = rfc2217_more_out,
                                                     .hang_up = rfc2217_hang_up,
                                                     .close = rfc2217_close};

int eb_endpoint_open_rfc2217(struct eb_endpoint *endpoint, const char *port, char *why,
                             size_t why_cap)
{
    struct server *s = calloc(1, sizeof(*s));
    if (!s || eb_endpoint_open_socket(endpoint, port, why, why_cap) < 0) {
        free(s);
        return -1;
    }
    s->socket = endpoint->kind;
    forget_host(s);
    endpoint->state = s;
    endpoint->kind = &RFC2217_KIND;
    return 0;
}
