/*
 * A serial port through libserialport: it finds, describes and opens it. Settings and I/O are
 * this program's (tty.c, fd_line.c): the library's blocking read takes a hang-up for silence.
 *
 * Opening raises DTR and RTS, both at once: Linux does so by itself. On the usual auto-reset
 * circuit both asserted is as good as neither, so a running board goes on running.
 * Closing drops both together, or changes neither (tty.c).
 */
#include "fd_line.h"
#include "port_system.h"

#include <fcntl.h>
#include <libgen.h>
#include <libserialport.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/*
 * The kernel's own name (/dev/ttyUSB0) of the tty at `path`, which may be a link, or in a
 * container another name for the same device; false where there is no such tty.
 */
static bool kernel_name(const char *path, char *name, size_t cap)
{
    struct stat st;
    char device[64];
    char target[PATH_MAX];
    if (stat(path, &st) != 0 || !S_ISCHR(st.st_mode))
        return false;
    snprintf(device, sizeof(device), "/sys/dev/char/%u:%u", major(st.st_rdev), minor(st.st_rdev));
    ssize_t n = readlink(device, target, sizeof(target) - 1);
    if (n <= 0)
        return false;
    target[n] = '\0';
    return strstr(target, "/tty/") && snprintf(name, cap, "/dev/%s", basename(target)) < (int)cap;
}

/* The library's description of the tty at `path`; NULL where it knows none. */
static struct sp_port *describe(const char *path)
{
    char name[EF_PORT_NAME_MAX];
    struct sp_port *port;
    if (!kernel_name(path, name, sizeof(name)) || sp_get_port_by_name(name, &port) != SP_OK)
        return NULL;
    return port;
}

/* True if the library, which opens by the kernel's name, would open the very tty at `path`. */
static bool opens_same(const struct sp_port *port, const char *path)
{
    struct stat a;
    struct stat b;
    return stat(path, &a) == 0 && stat(sp_get_port_name(port), &b) == 0 && a.st_rdev == b.st_rdev;
}

void *ef_serialport_open(const char *path, int *fd)
{
    struct sp_port *port = describe(path);
    if (!port)
        return NULL;
    if (!opens_same(port, path) || sp_open(port, SP_MODE_READ_WRITE) != SP_OK ||
        sp_get_port_handle(port, fd) != SP_OK) {
        sp_free_port(port);
        return NULL;
    }
    fcntl(*fd, F_SETFD, FD_CLOEXEC);
    return port;
}

void ef_serialport_close(void *port)
{
    sp_close(port);
    sp_free_port(port);
}

static void copy_text(char *to, size_t cap, const char *from)
{
    snprintf(to, cap, "%s", from ? from : "");
}

static void fill_in(struct ef_port *port, const struct sp_port *from)
{
    int vid;
    int pid;
    switch (sp_get_port_transport(from)) {
    case SP_TRANSPORT_USB:
        port->bus = EF_PORT_USB;
        break;
    case SP_TRANSPORT_BLUETOOTH:
        port->bus = EF_PORT_BLUETOOTH;
        break;
    case SP_TRANSPORT_NATIVE:
        port->bus = EF_PORT_NATIVE;
        break;
    }
    copy_text(port->product, sizeof(port->product), sp_get_port_usb_product(from));
    copy_text(port->serial, sizeof(port->serial), sp_get_port_usb_serial(from));
    if (sp_get_port_usb_vid_pid(from, &vid, &pid) == SP_OK) {
        port->vid = (uint16_t)vid;
        port->pid = (uint16_t)pid;
    }
}

void ef_port_describe(struct ef_port *port)
{
    struct sp_port *from = describe(port->name);
    if (!from)
        return;
    fill_in(port, from);
    sp_free_port(from);
}

void ef_serialport_usb_ids(const char *path, struct ef_line *line)
{
    struct ef_port port = {0};
    snprintf(port.name, sizeof(port.name), "%s", path);
    ef_port_describe(&port);
    line->usb_vid = port.vid;
    line->usb_pid = port.pid;
    snprintf(line->usb_serial, sizeof(line->usb_serial), "%.*s", (int)sizeof(line->usb_serial) - 1,
             port.serial);
}

size_t ef_ports_system(struct ef_port *ports, size_t cap)
{
    struct sp_port **list;
    size_t n = 0;
    if (sp_list_ports(&list) != SP_OK)
        return 0;
    for (size_t i = 0; list[i] && n < cap; i++) {
        struct ef_port *port = &ports[n++];
        memset(port, 0, sizeof(*port));
        copy_text(port->name, sizeof(port->name), sp_get_port_name(list[i]));
        fill_in(port, list[i]);
    }
    sp_free_port_list(list);
    return n;
}
