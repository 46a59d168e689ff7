#include "espflashfs/line.h"

#include "fd_line.h"
#include "port_system.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DRAIN_MAX_MS = 1000 };

/* A path, or what stands for one: ids or a serial number, looked up anew at each opening. */
static enum ef_err open_device(const char *spec, uint32_t baud, struct ef_log *log,
                               struct ef_line **line)
{
    char name[EF_PORT_NAME_MAX];
    struct ef_port *ports = calloc(EF_PORTS_MAX, sizeof(*ports));
    if (!ports)
        return EF_NOMEM;
    size_t count = ef_ports_system(ports, EF_PORTS_MAX);
    ef_ports_sort(ports, count);
    enum ef_err err = ef_port_find(spec, ports, count, log, name);
    free(ports);
    if (err != EF_OK)
        return err;
    if (strcmp(spec, name) != 0)
        ef_log(log, EF_LOG_INFO, "%s is %s", spec, name);
    return ef_tty_open(name, baud, log, line);
}

static enum ef_err open_kind(const char *spec, uint32_t baud, struct ef_log *log,
                             struct ef_line **line)
{
    if (strncmp(spec, "socket://", 9) == 0)
        return ef_socket_open(spec, log, line);
    if (strncmp(spec, "rfc2217://", 10) == 0)
        return ef_rfc2217_open(spec, baud, log, line);
    if (strstr(spec, "://")) {
        ef_log(log, EF_LOG_ERROR,
               "%s: not a kind of port this program knows: use a device path, "
               "socket://HOST:PORT or rfc2217://HOST:PORT",
               spec);
        return EF_INVALID;
    }
    return open_device(spec, baud, log, line);
}

enum ef_err ef_line_open(const char *spec, uint32_t baud, struct ef_log *log, struct ef_line **line)
{
    if (strlen(spec) >= sizeof((*line)->name)) {
        ef_log(log, EF_LOG_ERROR, "the port's name is too long");
        return EF_INVALID;
    }
    enum ef_err err = open_kind(spec, baud, log, line);
    if (err != EF_OK)
        return err;
    snprintf((*line)->name, sizeof((*line)->name), "%s", spec);
    (*line)->log = log;
    (*line)->baud = (*line)->ops->set_baud ? baud : 0;
    return EF_OK;
}

enum ef_err ef_line_read(struct ef_line *line, uint8_t *buf, size_t cap, ef_deadline deadline,
                         size_t *got)
{
    *got = 0;
    enum ef_err err = line->ops->read(line, buf, cap, deadline, got);
    line->bytes_in += *got;
    return err;
}

enum ef_err ef_line_write(struct ef_line *line, const uint8_t *buf, size_t len,
                          ef_deadline deadline)
{
    enum ef_err err = line->ops->write(line, buf, len, deadline);
    if (err == EF_OK)
        line->bytes_out += len;
    return err;
}

enum ef_err ef_line_set_baud(struct ef_line *line, uint32_t baud)
{
    if (!line->ops->set_baud)
        return EF_UNSUPPORTED;
    enum ef_err err = line->ops->set_baud(line, baud);
    if (err == EF_OK)
        line->baud = baud;
    return err;
}

enum ef_err ef_line_set_lines(struct ef_line *line, bool dtr, bool rts)
{
    return line->ops->set_lines ? line->ops->set_lines(line, dtr, rts) : EF_UNSUPPORTED;
}

enum ef_err ef_line_set_one_line(struct ef_line *line, enum ef_modem_line which, bool on)
{
    return line->ops->set_one_line ? line->ops->set_one_line(line, which, on) : EF_UNSUPPORTED;
}

bool ef_line_has_modem_lines(const struct ef_line *line)
{
    return line->ops->set_lines != NULL;
}

enum ef_err ef_line_drain(struct ef_line *line, int quiet_ms)
{
    uint8_t sink[512];
    ef_deadline end = ef_deadline_in(DRAIN_MAX_MS);
    enum ef_err purged = line->ops->purge ? line->ops->purge(line) : EF_OK;
    if (purged != EF_OK)
        return purged;
    for (;;) {
        size_t got;
        enum ef_err err = ef_line_read(line, sink, sizeof(sink),
                                       ef_deadline_min(end, ef_deadline_in(quiet_ms)), &got);
        if (err == EF_TIMEOUT || (err == EF_OK && ef_deadline_left_ms(end) == 0))
            return EF_OK;
        if (err != EF_OK)
            return err;
    }
}

void ef_line_close(struct ef_line *line)
{
    if (line)
        line->ops->close(line);
}
