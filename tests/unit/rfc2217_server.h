/*
 * A server of RFC 2217 in a thread, on a free port of the loopback: it serves one client, as
 * its manners are, and notes what it is asked.
 */
#ifndef EF_TEST_RFC2217_SERVER_H
#define EF_TEST_RFC2217_SERVER_H

#include "espflashfs/line.h"

#include "espflashfs/bytes.h"
#include "espflashfs/telnet.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the server does unlike a good one. */
struct manners {
    const char *says;      /* text, instead of telnet, and then it hangs up */
    bool silent;           /* it says nothing at all */
    bool refuses_com_port; /* DONT */
    bool refuses_binary;   /* DONT, WONT */
    bool talks_in_bytes;   /* one send(2) a byte: splits at every place */
    bool no_control_ack;   /* SET_CONTROL of lines is done, and not acknowledged */
    bool no_purge_ack;
    bool lines_stay_off;    /* acknowledged as off, whatever was asked */
    uint32_t baud_max;      /* what is above is not taken: the old one is acknowledged */
    uint8_t leaves_at;      /* a byte of data at which it hangs up */
    const char *before_ack; /* data that comes before each acknowledgement */
    bool opens_sub;         /* before the flood: a subnegotiation that never ends */
    const uint8_t *flood;   /* in place of telnet, for as long as it is taken */
    size_t flood_len;
};

struct room {
    struct manners manners;
    int listener, peer;
    pthread_t thread;
    bool running;
    char spec[128];
    struct ef_line *line;
    /* The server's; to be read once it has ended. */
    char events[4096];
    uint8_t data[4096];
    size_t data_len;
    uint32_t baud;
};

static inline void note(struct room *room, const char *format, unsigned value)
{
    size_t len = strlen(room->events);
    snprintf(room->events + len, sizeof(room->events) - len, format, value);
}

static inline bool say(struct room *room, const uint8_t *bytes, size_t len)
{
    size_t piece = room->manners.talks_in_bytes ? 1 : len;
    for (size_t at = 0; at < len; at += piece) {
        if (send(room->peer, bytes + at, piece, MSG_NOSIGNAL) != (ssize_t)piece)
            return false;
    }
    return true;
}

static inline void say_command(struct room *room, uint8_t verb, uint8_t option)
{
    uint8_t command[EF_TELNET_COMMAND_LEN];
    ef_telnet_put_command(command, verb, option);
    say(room, command, sizeof(command));
}

static inline void acknowledge(struct room *room, uint8_t command, const uint8_t *value, size_t len)
{
    uint8_t reply[32];
    if (room->manners.before_ack)
        say(room, (const uint8_t *)room->manners.before_ack, strlen(room->manners.before_ack));
    say(room, reply, ef_com_port_put(reply, (uint8_t)(EF_COM_SERVER + command), value, len));
}

static inline void take_verb(struct room *room, uint8_t verb, uint8_t option)
{
    bool com_port = option == EF_TELNET_COM_PORT;
    bool no = com_port ? room->manners.refuses_com_port
                       : option == EF_TELNET_BINARY && room->manners.refuses_binary;
    if (verb == EF_TELNET_WILL)
        say_command(room, no ? EF_TELNET_DONT : EF_TELNET_DO, option);
    else if (verb == EF_TELNET_DO)
        say_command(room, no ? EF_TELNET_WONT : EF_TELNET_WILL, option);
    else
        note(room, verb == EF_TELNET_WONT ? "wont %u\n" : "dont %u\n", option);
}

static inline void take_control(struct room *room, uint8_t value)
{
    bool lines = value >= EF_COM_DTR_ON && value <= EF_COM_RTS_OFF;
    note(room, "control %u\n", value);
    if (lines && room->manners.no_control_ack)
        return;
    if (lines && room->manners.lines_stay_off)
        value = value <= EF_COM_DTR_OFF ? EF_COM_DTR_OFF : EF_COM_RTS_OFF;
    acknowledge(room, EF_COM_SET_CONTROL, &value, 1);
}

static inline void take_sub(struct room *room, const uint8_t *sub, size_t len)
{
    uint8_t baud[4];
    if (sub[0] == EF_COM_SET_BAUDRATE && len == 5) {
        note(room, "baud %u\n", ef_be32(sub + 1));
        if (room->manners.baud_max == 0 || ef_be32(sub + 1) <= room->manners.baud_max)
            room->baud = ef_be32(sub + 1);
        ef_put_be32(baud, room->baud);
        acknowledge(room, sub[0], baud, sizeof(baud));
    } else if (sub[0] == EF_COM_SET_CONTROL && len == 2) {
        take_control(room, sub[1]);
    } else if (sub[0] == EF_COM_PURGE_DATA && len == 2) {
        note(room, "purge %u\n", sub[1]);
        if (!room->manners.no_purge_ack)
            acknowledge(room, sub[0], sub + 1, 1);
    } else {
        note(room, "set %u\n", sub[0]);
        acknowledge(room, sub[0], sub + 1, len - 1);
    }
}

/* Data is noted, and comes back. */
static inline void take_data(struct room *room, const uint8_t *data, size_t len)
{
    uint8_t escaped[2 * 512];
    assert(len <= 512 && len <= sizeof(room->data) - room->data_len);
    memcpy(room->data + room->data_len, data, len);
    room->data_len += len;
    say(room, escaped, ef_telnet_escape(escaped, data, len));
}

static inline void serve(struct room *room)
{
    uint8_t in[512];
    struct ef_telnet telnet;
    ef_telnet_init(&telnet);
    ssize_t n;
    while ((n = recv(room->peer, in, sizeof(in), 0)) > 0) {
        size_t used;
        for (size_t at = 0; at < (size_t)n; at += used) {
            switch (ef_telnet_decode(&telnet, in + at, (size_t)n - at, &used)) {
            case EF_TELNET_DATA:
                if (telnet.data[0] == room->manners.leaves_at)
                    return;
                take_data(room, telnet.data, telnet.data_len);
                break;
            case EF_TELNET_COMMAND:
                take_verb(room, telnet.verb, telnet.option);
                break;
            case EF_TELNET_SUBNEGOTIATION:
                take_sub(room, telnet.sub, telnet.sub_len);
                break;
            case EF_TELNET_MORE:
            case EF_TELNET_BAD:
                break;
            }
        }
    }
}

static inline void *run(void *arg)
{
    static const uint8_t OPEN_SUB[] = {EF_TELNET_IAC, EF_TELNET_SB, EF_TELNET_COM_PORT, 101};
    struct room *room = arg;
    room->peer = accept(room->listener, NULL, NULL);
    const struct manners *m = &room->manners;
    if (m->says) {
        say(room, (const uint8_t *)m->says, strlen(m->says));
    } else if (m->silent) {
        uint8_t sink[64];
        while (recv(room->peer, sink, sizeof(sink), 0) > 0) {
        }
    } else if (m->flood) {
        if (m->opens_sub)
            say(room, OPEN_SUB, sizeof(OPEN_SUB));
        while (say(room, m->flood, m->flood_len)) {
        }
    } else {
        say_command(room, EF_TELNET_WILL, 1); /* ECHO, as ser2net says first */
        serve(room);
    }
    close(room->peer);
    return NULL;
}

#endif
