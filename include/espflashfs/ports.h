/*
 * The serial ports of this machine: which there are, on which of them a board may be and in
 * what order to ask, and the ways to name one.
 *
 * Any thread. Nothing here sends a byte; only ef_ports_list looks at the system.
 */
#ifndef ESPFLASHFS_PORTS_H
#define ESPFLASHFS_PORTS_H

#include "espflashfs/line.h"

enum { EF_PORTS_MAX = 64 };

enum ef_port_bus { EF_PORT_NATIVE, EF_PORT_USB, EF_PORT_BLUETOOTH, EF_PORT_NETWORK };

/* What a port is to a search for boards; the likeliest first. */
enum ef_port_rank {
    EF_PORT_ESPRESSIF, /* the chip's own USB, or a bridge of Espressif's */
    EF_PORT_BRIDGE,    /* a USB bridge that is found on boards */
    EF_PORT_NAMED,     /* the user says that a board may be there */
    EF_PORT_OTHER_USB,
    EF_PORT_BUILT_IN /* a UART of the machine */
};

struct ef_port {
    char name[EF_PORT_NAME_MAX]; /* device path, or a URL */
    char product[128];           /* the USB device's own name for itself, or "" */
    char serial[128];            /* its serial number, or "" */
    uint16_t vid, pid;           /* 0 where it is no USB device */
    enum ef_port_bus bus;
    enum ef_port_rank rank;
    char skip[160]; /* why it is not asked; "" where it is */
};

/*
 * The ports that really exist, ranked and sorted, with what is surely no board or held by
 * another program marked. Returns how many, `cap` at most.
 */
size_t ef_ports_list(struct ef_port *ports, size_t cap);

/*
 * The same of the ports that `names` lists, parted by blanks or commas: device paths or URLs.
 * They keep their order, and only a held one is skipped.
 */
size_t ef_ports_named(const char *names, struct ef_port *ports, size_t cap);

/* Fills in rank and skip of a port from what else is known of it. */
void ef_port_judge(struct ef_port *port);

/* By rank, then by name, ttyUSB2 before ttyUSB10. */
void ef_ports_sort(struct ef_port *ports, size_t count);

/* True where a reset over the modem lines may be tried unasked. */
bool ef_port_is_likely(const struct ef_port *port);

/* "10C4:EA60", or "-" where it is no USB device. */
void ef_port_ids(const struct ef_port *port, char text[10]);

/*
 * The port that `spec` names, one of `ports`, copied to `name`:
 *   hwid=VID:PID, hwid=VID:PID:SERIAL   hexadecimal ids, as lsusb prints them
 *   SERIAL                              a USB serial number, or how one begins
 *   anything with a slash               a path or a URL: itself, whatever `ports` holds
 * Upper and lower case are one. EF_MISSING, logged with what there is; EF_INVALID, logged, for
 * a bad spelling, an empty one too, or where several fit (they are named).
 */
enum ef_err ef_port_find(const char *spec, const struct ef_port *ports, size_t count,
                         struct ef_log *log, char name[EF_PORT_NAME_MAX]);

/* True where `word` can only be a port: not the name of a folder to mount on. */
bool ef_port_is_spelling(const char *word);

#endif
