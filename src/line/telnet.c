#include "espflashfs/telnet.h"

#include <string.h>

enum state { PLAIN, AFTER_IAC, WANT_OPTION, WANT_SUB_OPTION, IN_SUB, SUB_AFTER_IAC };

void ef_telnet_init(struct ef_telnet *telnet)
{
    *telnet = (struct ef_telnet){.state = PLAIN};
}

static enum ef_telnet_event after_iac(struct ef_telnet *t, const uint8_t *byte)
{
    t->state = PLAIN;
    if (*byte == EF_TELNET_IAC) {
        t->data = byte;
        t->data_len = 1;
        return EF_TELNET_DATA;
    }
    if (*byte == EF_TELNET_SB) {
        t->state = WANT_SUB_OPTION;
    } else if (*byte >= EF_TELNET_WILL) {
        t->verb = *byte;
        t->state = WANT_OPTION;
    }
    /* What is left has two bytes: NOP, GA, AYT and their like, that a serial line can ignore. */
    return EF_TELNET_MORE;
}

static void put_sub(struct ef_telnet *t, uint8_t byte)
{
    if (t->sub_len < sizeof(t->sub))
        t->sub[t->sub_len++] = byte;
    else
        t->overrun = true;
}

static enum ef_telnet_event in_sub(struct ef_telnet *t, const uint8_t *byte)
{
    if (t->state == IN_SUB) {
        if (*byte == EF_TELNET_IAC)
            t->state = SUB_AFTER_IAC;
        else
            put_sub(t, *byte);
        return EF_TELNET_MORE;
    }
    if (*byte == EF_TELNET_IAC) {
        t->state = IN_SUB;
        put_sub(t, *byte);
        return EF_TELNET_MORE;
    }
    if (*byte == EF_TELNET_SE) {
        t->state = PLAIN;
        return t->overrun ? EF_TELNET_BAD : EF_TELNET_SUBNEGOTIATION;
    }
    /* Its end got lost; this byte belongs to a command of its own. */
    after_iac(t, byte);
    return EF_TELNET_BAD;
}

static enum ef_telnet_event take(struct ef_telnet *t, const uint8_t *byte)
{
    switch (t->state) {
    case AFTER_IAC:
        return after_iac(t, byte);
    case WANT_OPTION:
        t->option = *byte;
        t->state = PLAIN;
        return EF_TELNET_COMMAND;
    case WANT_SUB_OPTION:
        t->option = *byte;
        t->sub_len = 0;
        t->overrun = false;
        t->state = IN_SUB;
        return EF_TELNET_MORE;
    case IN_SUB:
    case SUB_AFTER_IAC:
        return in_sub(t, byte);
    default:
        t->state = AFTER_IAC;
        return EF_TELNET_MORE;
    }
}

enum ef_telnet_event ef_telnet_decode(struct ef_telnet *telnet, const uint8_t *in, size_t len,
                                      size_t *used)
{
    for (size_t i = 0; i < len; i++) {
        if (telnet->state == PLAIN && in[i] != EF_TELNET_IAC) {
            const uint8_t *iac = memchr(in + i, EF_TELNET_IAC, len - i);
            telnet->data = in + i;
            telnet->data_len = iac ? (size_t)(iac - telnet->data) : len - i;
            *used = i + telnet->data_len;
            return EF_TELNET_DATA;
        }
        enum ef_telnet_event event = take(telnet, in + i);
        if (event != EF_TELNET_MORE) {
            *used = i + 1;
            return event;
        }
    }
    *used = len;
    return EF_TELNET_MORE;
}

size_t ef_telnet_escape(uint8_t *out, const uint8_t *in, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (in[i] == EF_TELNET_IAC)
            out[n++] = EF_TELNET_IAC;
        out[n++] = in[i];
    }
    return n;
}

void ef_telnet_put_command(uint8_t out[EF_TELNET_COMMAND_LEN], uint8_t verb, uint8_t option)
{
    out[0] = EF_TELNET_IAC;
    out[1] = verb;
    out[2] = option;
}

size_t ef_com_port_put(uint8_t *out, uint8_t command, const uint8_t *value, size_t len)
{
    const uint8_t begin[] = {EF_TELNET_IAC, EF_TELNET_SB, EF_TELNET_COM_PORT, command};
    memcpy(out, begin, sizeof(begin));
    size_t n = sizeof(begin) + ef_telnet_escape(out + sizeof(begin), value, len);
    out[n++] = EF_TELNET_IAC;
    out[n++] = EF_TELNET_SE;
    return n;
}
