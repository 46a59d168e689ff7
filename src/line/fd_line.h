/* What every line behind a file descriptor shares: reads and writes through poll(2). */
#ifndef ESPFLASHFS_FD_LINE_H
#define ESPFLASHFS_FD_LINE_H

#include "espflashfs/line.h"

#include <termios.h>

struct ef_fd_line {
    struct ef_line line; /* first, so that a struct ef_line * is one of these */
    int fd;              /* non-blocking */
    int guard;           /* tty.c: the descriptor that holds the lock; may be `fd` itself */
    void *port;          /* tty.c: libserialport's, which owns `fd`; or NULL */
    bool asserted[2];    /* by ef_modem_line: on purpose, rather than by the opening */
    bool restore;        /* tty.c: `before` is to be in force again after the close */
    struct termios before;
};

/* Allocates a line around `fd` (taken over, also on failure). NULL without memory. */
struct ef_fd_line *ef_fd_line_new(int fd, const char *kind, const struct ef_line_ops *ops);

enum ef_err ef_fd_line_read(struct ef_line *line, uint8_t *buf, size_t cap, ef_deadline deadline,
                            size_t *got);
enum ef_err ef_fd_line_write(struct ef_line *line, const uint8_t *buf, size_t len,
                             ef_deadline deadline);
void ef_fd_line_close(struct ef_line *line);

/* Both modem lines by one TIOCMSET, as a reset circuit wants them. */
enum ef_err ef_fd_line_set_lines(struct ef_line *line, bool dtr, bool rts);
enum ef_err ef_fd_line_set_one_line(struct ef_line *line, enum ef_modem_line which, bool on);

/* What a failed ioctl's errno means: EF_UNSUPPORTED, or that the device left (EF_GONE). */
enum ef_err ef_fd_error(int error);

/*
 * Waits until the driver has sent all output, which tcdrain(3) does without a deadline. False
 * where some is left after 1 s.
 */
bool ef_fd_drain_output(int fd);

/* True if `fd` has modem lines at all (a pty has none). */
bool ef_fd_has_modem_lines(int fd);

/*
 * Raw, 8N1, no flow control, and `baud`: any rate. Where
 * the driver takes another rate than that, the old one is back, and EF_UNSUPPORTED. EF_GONE.
 */
enum ef_err ef_fd_configure(int fd, uint32_t baud);
enum ef_err ef_tty_set_baud(struct ef_line *line, uint32_t baud);

/* EF_BUSY, logged with the holder, where another program has the tty behind `fd`. */
enum ef_err ef_fd_lock(int fd, const char *path, struct ef_log *log);

/* From here on nobody else can open it. */
void ef_fd_exclude(int fd);

/* Before the descriptor is closed: others may open it again, and close(2) waits for nothing. */
void ef_fd_release(int fd);

/* Writes "NAME (process PID)" of another process that has the tty open; false if none is seen. */
bool ef_find_holder(int fd, char *who, size_t cap);

/* The same of the living process that a lock file (LCK..ttyUSB0) names. */
bool ef_find_lock_file_holder(const char *lock_file, char *who, size_t cap);

/* Logs why opening `path` failed with `error` and what to do about it. */
enum ef_err ef_open_failed(const char *path, int error, struct ef_log *log);

/* One opener a kind; see ef_line_open. */
enum ef_err ef_socket_open(const char *spec, struct ef_log *log, struct ef_line **line);
enum ef_err ef_rfc2217_open(const char *spec, uint32_t baud, struct ef_log *log,
                            struct ef_line **line);
enum ef_err ef_tty_open(const char *path, uint32_t baud, struct ef_log *log, struct ef_line **line);

/*
 * Opens the tty at `path` through libserialport as well, which wants the kernel's own name, an
 * entry in /sys/class/tty, and modem lines that answer. Its struct sp_port, or NULL.
 */
void *ef_serialport_open(const char *path, int *fd);
void ef_serialport_close(void *port);

/* The USB ids behind the tty at `path`, whatever it is called here; 0 where it has none. */
void ef_serialport_usb_ids(const char *path, struct ef_line *line);

#endif
