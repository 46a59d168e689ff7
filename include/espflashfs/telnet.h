/*
 * Telnet's framing (RFC 854), as far as the COM port option (RFC 2217) needs it: data with
 * FF doubled, WILL/WONT/DO/DONT, and subnegotiations. Which options to agree to is the
 * caller's. No allocation, never blocks; one decoder belongs to one thread at a time.
 */
#ifndef ESPFLASHFS_TELNET_H
#define ESPFLASHFS_TELNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ef_telnet_byte {
    EF_TELNET_SE = 240,
    EF_TELNET_SB = 250,
    EF_TELNET_WILL = 251,
    EF_TELNET_WONT = 252,
    EF_TELNET_DO = 253,
    EF_TELNET_DONT = 254,
    EF_TELNET_IAC = 255
};

enum ef_telnet_option {
    EF_TELNET_BINARY = 0,
    EF_TELNET_SUPPRESS_GO_AHEAD = 3,
    EF_TELNET_COM_PORT = 44
};

/* What a client of the COM port option says; the server's answers are these plus 100. */
enum ef_com_port_command {
    EF_COM_SIGNATURE = 0,
    EF_COM_SET_BAUDRATE = 1,
    EF_COM_SET_DATASIZE = 2,
    EF_COM_SET_PARITY = 3,
    EF_COM_SET_STOPSIZE = 4,
    EF_COM_SET_CONTROL = 5,
    EF_COM_NOTIFY_LINESTATE = 6,
    EF_COM_NOTIFY_MODEMSTATE = 7,
    EF_COM_FLOWCONTROL_SUSPEND = 8,
    EF_COM_FLOWCONTROL_RESUME = 9,
    EF_COM_SET_LINESTATE_MASK = 10,
    EF_COM_SET_MODEMSTATE_MASK = 11,
    EF_COM_PURGE_DATA = 12,
    EF_COM_SERVER = 100
};

/* Values of EF_COM_SET_CONTROL. */
enum ef_com_port_control {
    EF_COM_FLOW_QUERY = 0,
    EF_COM_FLOW_NONE = 1,
    EF_COM_DTR_QUERY = 7,
    EF_COM_DTR_ON = 8,
    EF_COM_DTR_OFF = 9,
    EF_COM_RTS_QUERY = 10,
    EF_COM_RTS_ON = 11,
    EF_COM_RTS_OFF = 12
};

/* Values of EF_COM_PURGE_DATA. */
enum ef_com_port_purge { EF_COM_PURGE_RX = 1, EF_COM_PURGE_TX = 2, EF_COM_PURGE_BOTH = 3 };

enum ef_telnet_event {
    EF_TELNET_MORE,           /* all input was taken */
    EF_TELNET_DATA,           /* `data` points to `data_len` bytes of the input, unescaped */
    EF_TELNET_COMMAND,        /* `verb` (WILL … DONT) about `option` */
    EF_TELNET_SUBNEGOTIATION, /* of `option`; `sub_len` bytes in `sub`, until the next call */
    EF_TELNET_BAD             /* a subnegotiation too long, or broken off: dropped */
};

/* A signature is the longest that this program cares for. */
enum { EF_TELNET_SUB_CAP = 64 };

struct ef_telnet {
    uint8_t state; /* telnet.c's */
    bool overrun;
    uint8_t verb, option;
    uint8_t sub[EF_TELNET_SUB_CAP];
    size_t sub_len;
    const uint8_t *data;
    size_t data_len;
};

void ef_telnet_init(struct ef_telnet *telnet);

/* Takes bytes from `in` up to the next event; *used tells how many. */
enum ef_telnet_event ef_telnet_decode(struct ef_telnet *telnet, const uint8_t *in, size_t len,
                                      size_t *used);

/* Doubles each FF; `out` holds 2 * len bytes. Returns the length. */
size_t ef_telnet_escape(uint8_t *out, const uint8_t *in, size_t len);

enum { EF_TELNET_COMMAND_LEN = 3, EF_COM_PORT_VALUE_MAX = 32 };

/* IAC verb option. */
void ef_telnet_put_command(uint8_t out[EF_TELNET_COMMAND_LEN], uint8_t verb, uint8_t option);

/*
 * A subnegotiation of the COM port option with `len` (at most EF_COM_PORT_VALUE_MAX) bytes of
 * value; `out` holds 6 + 2 * len bytes. Returns the length.
 */
size_t ef_com_port_put(uint8_t *out, uint8_t command, const uint8_t *value, size_t len);

#endif
