/* Looking for a board where no port is given, and the list of ports. */
#ifndef ESPFLASHFS_DISCOVER_H
#define ESPFLASHFS_DISCOVER_H

#include "espflashfs/session.h"

/* What stands in for the system's serial ports: ef_ports_named's list. */
#define EF_PORTS_VARIABLE "ESPFLASHFS_PORTS"

/*
 * Opens the session on the first port that answers as Espressif; config->port is not looked at.
 * Its name is kept in `found`, which must outlive the session. Each port tried is logged with
 * what came of it, the time it took and the bytes it was sent.
 * `names` is NULL, or what EF_PORTS_VARIABLE holds. Blocks for some 2 s a port, or for as long
 * as ef_session_open does on a likely port that is the only one. EF_MISSING, logged.
 */
enum ef_err ef_discover(const struct ef_session_config *config, const char *names,
                        struct ef_log *log, struct ef_session *session,
                        char found[EF_PORT_NAME_MAX]);

/* --list: a table of all ports on standard output, in the order they would be tried. */
void ef_discover_list(const char *names);

#endif
