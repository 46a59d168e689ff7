/*
 * A line: bytes to and from a board, with deadlines. One shape, several kinds:
 * socket://HOST:PORT, rfc2217://HOST:PORT, a tty through termios (a pty, mostly), a serial port
 * through libserialport.
 *
 * A line belongs to one thread at a time. Every blocking call ends at
 * its deadline. A hang-up is EF_GONE, never a silent zero.
 */
#ifndef ESPFLASHFS_LINE_H
#define ESPFLASHFS_LINE_H

#include "espflashfs/clock.h"
#include "espflashfs/error.h"
#include "espflashfs/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ef_line;

enum { EF_PORT_NAME_MAX = 256 };

enum ef_modem_line { EF_DTR, EF_RTS };

struct ef_line_ops {
    /* Waits for at least one byte; *got bytes are in buf. EF_TIMEOUT, EF_GONE. */
    enum ef_err (*read)(struct ef_line *line, uint8_t *buf, size_t cap, ef_deadline deadline,
                        size_t *got);
    /* Returns when the system took all bytes. EF_TIMEOUT, EF_GONE. */
    enum ef_err (*write)(struct ef_line *line, const uint8_t *buf, size_t len,
                         ef_deadline deadline);
    /* NULL where the far end owns the baud. Output is drained first. */
    enum ef_err (*set_baud)(struct ef_line *line, uint32_t baud);
    /* NULL where there are no modem lines. true = asserted. Both change at once, or, on a line
     * with `one_by_one`, one right after the other. */
    enum ef_err (*set_lines)(struct ef_line *line, bool dtr, bool rts);
    /* One of them, the other left as it is. NULL where set_lines is. */
    enum ef_err (*set_one_line)(struct ef_line *line, enum ef_modem_line which, bool on);
    /* Has what waits for the host at the far end dropped. NULL where reading it is enough. */
    enum ef_err (*purge)(struct ef_line *line);
    void (*close)(struct ef_line *line);
};

struct ef_line {
    const struct ef_line_ops *ops;
    char name[EF_PORT_NAME_MAX]; /* as the user spelt it */
    const char *kind;            /* "socket", "rfc2217", "tty", "serial" */
    _Atomic uint32_t baud;       /* in force; 0 where the far end owns it. Any thread may look */
    uint16_t usb_vid, usb_pid;   /* of the USB device behind the port; 0 where there is none */
    char usb_serial[64];         /* its serial number, or "" */
    bool one_by_one;             /* this line cannot change both modem lines at once */
    struct ef_log *log;
    uint64_t bytes_in, bytes_out;
};

/*
 * Opens `spec` (a path, or another spelling that ports.h tells of) exclusively at `baud` (8N1,
 * no flow control), or connects to it within 5 s.
 * Failures are logged with what to do next: EF_MISSING (no such port, name not resolved),
 * EF_ACCESS, EF_BUSY (held by another program, named where known), EF_GONE (refused),
 * EF_TIMEOUT, EF_INVALID (spelling), EF_UNSUPPORTED (a server without RFC 2217). The caller owns
 * *line: ef_line_close.
 */
enum ef_err ef_line_open(const char *spec, uint32_t baud, struct ef_log *log,
                         struct ef_line **line);

enum ef_err ef_line_read(struct ef_line *line, uint8_t *buf, size_t cap, ef_deadline deadline,
                         size_t *got);
enum ef_err ef_line_write(struct ef_line *line, const uint8_t *buf, size_t len,
                          ef_deadline deadline);

/* EF_UNSUPPORTED where the line cannot. */
enum ef_err ef_line_set_baud(struct ef_line *line, uint32_t baud);
enum ef_err ef_line_set_lines(struct ef_line *line, bool dtr, bool rts);
enum ef_err ef_line_set_one_line(struct ef_line *line, enum ef_modem_line which, bool on);
bool ef_line_has_modem_lines(const struct ef_line *line);

/* Reads and drops what is there and what still comes within `quiet_ms` of silence (at most 1 s). */
enum ef_err ef_line_drain(struct ef_line *line, int quiet_ms);

void ef_line_close(struct ef_line *line);

#endif
