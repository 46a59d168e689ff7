/* What the system knows of its serial ports; ports.c judges it. */
#ifndef ESPFLASHFS_PORT_SYSTEM_H
#define ESPFLASHFS_PORT_SYSTEM_H

#include "espflashfs/ports.h"

/* The ports that libserialport lists: unranked, in no order. */
size_t ef_ports_system(struct ef_port *ports, size_t cap);

/* Fills in what libserialport knows of the device port->name, whatever it is called here. */
void ef_port_describe(struct ef_port *port);

/* Writes who holds the tty at `path`, without opening it; false if nobody is seen to. */
bool ef_port_holder(const char *path, char *who, size_t cap);

/* True if the kernel prints its messages there. */
bool ef_port_is_console(const char *path);

#endif
