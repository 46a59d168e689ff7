/* A serial port through libserialport: it opens and configures, this program does the I/O. */
#include "fd_line.h"

#include <errno.h>
#include <fcntl.h>
#include <libserialport.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

bool ef_serialport_knows(const char *path)
{
    struct sp_port *port;
    if (sp_get_port_by_name(path, &port) != SP_OK)
        return false;
    sp_free_port(port);
    return true;
}

static enum ef_err configure(struct sp_port *port, uint32_t baud)
{
    bool ok = sp_set_bits(port, 8) == SP_OK && sp_set_parity(port, SP_PARITY_NONE) == SP_OK &&
              sp_set_stopbits(port, 1) == SP_OK &&
              sp_set_flowcontrol(port, SP_FLOWCONTROL_NONE) == SP_OK &&
              sp_set_baudrate(port, (int)baud) == SP_OK;
    return ok ? EF_OK : EF_UNSUPPORTED;
}

static enum ef_err serial_set_baud(struct ef_line *line, uint32_t baud)
{
    struct ef_fd_line *self = (struct ef_fd_line *)line;
    ef_fd_drain_output(self->fd);
    return sp_set_baudrate(self->port, (int)baud) == SP_OK ? EF_OK : EF_UNSUPPORTED;
}

static void serial_close(struct ef_line *line)
{
    struct ef_fd_line *self = (struct ef_fd_line *)line;
    sp_close(self->port);
    sp_free_port(self->port);
    free(self);
}

static const struct ef_line_ops SERIAL_PORT = {.read = ef_fd_line_read,
                                               .write = ef_fd_line_write,
                                               .set_baud = serial_set_baud,
                                               .set_lines = ef_fd_line_set_lines,
                                               .set_one_line = ef_fd_line_set_one_line,
                                               .close = serial_close};
static const struct ef_line_ops SERIAL_PORT_NO_MODEM = {.read = ef_fd_line_read,
                                                        .write = ef_fd_line_write,
                                                        .set_baud = serial_set_baud,
                                                        .close = serial_close};

static enum ef_err open_locked(struct sp_port *port, const char *path, struct ef_log *log, int *fd)
{
    if (sp_open(port, SP_MODE_READ_WRITE) != SP_OK)
        return ef_open_failed(path, errno, log);
    sp_get_port_handle(port, fd);
    fcntl(*fd, F_SETFD, FD_CLOEXEC);
    return ef_fd_lock(*fd, path, log);
}

enum ef_err ef_serialport_open(const char *path, uint32_t baud, struct ef_log *log,
                               struct ef_line **line)
{
    struct sp_port *port;
    if (sp_get_port_by_name(path, &port) != SP_OK)
        return ef_open_failed(path, ENOENT, log);
    int fd = -1;
    enum ef_err err = open_locked(port, path, log, &fd);
    if (err != EF_OK)
        goto out;
    err = configure(port, baud);
    if (err != EF_OK) {
        ef_log(log, EF_LOG_ERROR, "%s cannot be set to %u baud 8N1: %s", path, (unsigned)baud,
               strerror(errno));
        goto out;
    }
    tcflush(fd, TCIOFLUSH);
    struct ef_fd_line *self = calloc(1, sizeof(*self));
    if (!self) {
        err = EF_NOMEM;
        goto out;
    }
    self->fd = fd;
    self->port = port;
    self->line.kind = "serial";
    self->line.ops = ef_fd_has_modem_lines(fd) ? &SERIAL_PORT : &SERIAL_PORT_NO_MODEM;
    *line = &self->line;
    return EF_OK;
out:
    if (fd >= 0)
        sp_close(port);
    sp_free_port(port);
    return err;
}

/* A board sits behind a USB bridge or its own USB; a PC's ttyS ports are left alone. */
static bool likely_board(const char *name)
{
    return strstr(name, "ttyUSB") || strstr(name, "ttyACM");
}

size_t ef_line_list_ports(char names[][EF_PORT_NAME_MAX], size_t cap)
{
    struct sp_port **list;
    size_t n = 0;
    if (sp_list_ports(&list) != SP_OK)
        return 0;
    for (size_t i = 0; list[i] && n < cap; i++)
        if (likely_board(sp_get_port_name(list[i])))
            snprintf(names[n++], EF_PORT_NAME_MAX, "%s", sp_get_port_name(list[i]));
    sp_free_port_list(list);
    return n;
}
