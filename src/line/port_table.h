/* USB ids that tell what a port is. Each table ends with a row whose `what` is NULL. */
#ifndef ESPFLASHFS_PORT_TABLE_H
#define ESPFLASHFS_PORT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

enum { EF_VID_ESPRESSIF = 0x303A };

struct ef_port_kind {
    uint16_t vid;
    int32_t pid; /* -1: any */
    const char *what;
};

extern const struct ef_port_kind EF_PORT_BRIDGES[];
extern const struct ef_port_kind EF_PORT_STRANGERS[];
extern const struct ef_port_kind EF_PORT_EXCEPTIONS[];

/* Lower-case words in product names; ends with NULL. */
extern const char *const EF_PORT_STRANGE_WORDS[];

/* The row that fits, or NULL. */
const struct ef_port_kind *ef_port_kind_find(const struct ef_port_kind *table, uint16_t vid,
                                             uint16_t pid);

#endif
