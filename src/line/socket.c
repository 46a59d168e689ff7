/* socket://HOST:PORT: raw TCP to a network serial server, which owns baud and modem lines. */
#include "fd_line.h"
#include "tcp.h"

static const struct ef_line_ops SOCKET = {
    .read = ef_fd_line_read, .write = ef_fd_line_write, .close = ef_fd_line_close};

enum ef_err ef_socket_open(const char *spec, struct ef_log *log, struct ef_line **line)
{
    struct ef_tcp_address address;
    if (ef_tcp_parse(spec, &address) != EF_OK || address.query) {
        ef_log(log, EF_LOG_ERROR, "%s: write it as socket://HOST:PORT", spec);
        return EF_INVALID;
    }
    int fd;
    enum ef_err err = ef_tcp_connect(spec, &address, log, &fd);
    if (err != EF_OK)
        return err;
    struct ef_fd_line *self = ef_fd_line_new(fd, "socket", &SOCKET);
    if (!self)
        return EF_NOMEM;
    *line = &self->line;
    return EF_OK;
}
