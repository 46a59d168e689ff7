/* What every line behind a file descriptor shares: reads and writes through poll(2). */
#ifndef ESPFLASHFS_FD_LINE_H
#define ESPFLASHFS_FD_LINE_H

#include "espflashfs/line.h"

struct ef_fd_line {
    struct ef_line line; /* first, so that a struct ef_line * is one of these */
    int fd;              /* non-blocking */
    void *port;          /* serialport.c: its struct sp_port */
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

/* Waits until the driver has sent all output, 1 s at most; tcdrain(3) has no deadline. */
void ef_fd_drain_output(int fd);

/* True if `fd` has modem lines at all (a pty has none). */
bool ef_fd_has_modem_lines(int fd);

/* Takes the tty behind `fd` for this process alone, or EF_BUSY, logged with the holder. */
enum ef_err ef_fd_lock(int fd, const char *path, struct ef_log *log);

/* Before the descriptor is closed. Harmless where nothing was locked. */
void ef_fd_unlock(int fd);

/* Logs why opening `path` failed with `error` and what to do about it. */
enum ef_err ef_open_failed(const char *path, int error, struct ef_log *log);

/* One opener a kind; see ef_line_open. */
enum ef_err ef_socket_open(const char *spec, struct ef_log *log, struct ef_line **line);
enum ef_err ef_tty_open(const char *path, uint32_t baud, struct ef_log *log, struct ef_line **line);
enum ef_err ef_serialport_open(const char *path, uint32_t baud, struct ef_log *log,
                               struct ef_line **line);

/* True if libserialport can take the tty at `path` (it wants an entry in /sys/class/tty). */
bool ef_serialport_knows(const char *path);

#endif
