/* A line to a server of RFC 2217: rfc2217_open.c begins it, rfc2217.c works it. */
#ifndef ESPFLASHFS_RFC2217_H
#define ESPFLASHFS_RFC2217_H

#include "fd_line.h"

#include "espflashfs/telnet.h"

/* What a spelling may say behind its `?`: the options that pyserial has there. */
struct ef_rfc2217_options {
    bool ign_set_control; /* changes of modem lines are not waited for */
    int timeout_ms;       /* for each answer of the server */
};

/* `query` may be NULL. False, with a sentence in `why` (at least 192 bytes), if it is wrong. */
bool ef_rfc2217_parse_options(const char *query, struct ef_rfc2217_options *options, char *why,
                              size_t why_cap);

enum ef_rfc2217_answer { EF_RFC2217_OPEN, EF_RFC2217_YES, EF_RFC2217_NO };

/* An acknowledgement to come: of `command`, with a value from `low` to `high`. */
struct ef_rfc2217_ack {
    bool waiting;
    uint8_t command;
    uint32_t low, high, value;
};

enum { EF_RFC2217_RAW_CAP = 4096, EF_RFC2217_KEPT_CAP = 16384, EF_RFC2217_ACKS = 2 };

struct ef_rfc2217 {
    struct ef_fd_line fd; /* first */
    struct ef_rfc2217_options options;
    struct ef_telnet telnet;
    enum ef_rfc2217_answer com_port, binary_in, binary_out;
    bool speaks_telnet;
    bool refuses_lines, knows_no_purge;
    struct ef_rfc2217_ack ack[EF_RFC2217_ACKS];
    uint8_t raw[EF_RFC2217_RAW_CAP]; /* as it came */
    size_t raw_pos, raw_len;
    uint8_t kept[EF_RFC2217_KEPT_CAP]; /* data that came while something else was waited for */
    size_t kept_pos, kept_len;
};

/* Ready to negotiate; `fd` is set by the caller. */
void ef_rfc2217_init(struct ef_rfc2217 *self, const char *spec, struct ef_log *log);

enum ef_err ef_rfc2217_send(struct ef_rfc2217 *self, const uint8_t *bytes, size_t len);

/* True where all that came was looked at, and no more is to be waited for. */
bool ef_rfc2217_is_over(const struct ef_rfc2217 *self, ef_deadline deadline);

/*
 * Takes what comes up to one event. Data goes to `buf` behind the *got bytes there, or is kept
 * where that is NULL. EF_TIMEOUT, EF_GONE.
 */
enum ef_err ef_rfc2217_step(struct ef_rfc2217 *self, uint8_t *buf, size_t cap, size_t *got,
                            ef_deadline deadline);

/* One setting of one byte, acknowledged with any value: *value. EF_TIMEOUT, EF_GONE. */
enum ef_err ef_rfc2217_set_byte(struct ef_rfc2217 *self, uint8_t command, uint8_t wanted,
                                int timeout_ms, uint32_t *value);

/* EF_UNSUPPORTED where the server acknowledged another baud. */
enum ef_err ef_rfc2217_ask_baud(struct ef_rfc2217 *self, uint32_t baud);

enum ef_err ef_rfc2217_purge(struct ef_line *line);

#endif
