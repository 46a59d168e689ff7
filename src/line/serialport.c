/*
 * A serial port through libserialport: it finds, describes and opens it. Settings and I/O are
 * this program's (tty.c, fd_line.c): the library's blocking read takes a hang-up for silence.
 *
 * Opening raises DTR and RTS, both at once: Linux does so by itself. On the usual auto-reset
 * circuit both asserted is as good as neither, so a running board goes on running.
 * Closing changes neither (HUPCL is off).
 */
#include "fd_line.h"

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

void ef_serialport_usb_ids(const char *path, uint16_t *vid, uint16_t *pid)
{
    struct sp_port *port = describe(path);
    int ids[2];
    if (port && sp_get_port_usb_vid_pid(port, &ids[0], &ids[1]) == SP_OK) {
        *vid = (uint16_t)ids[0];
        *pid = (uint16_t)ids[1];
    }
    if (port)
        sp_free_port(port);
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
