/* What the files of the front share. Private to src/fs/front*. Inside a call of libfuse's only. */
#ifndef ESPFLASHFS_FRONT_PRIVATE_H
#define ESPFLASHFS_FRONT_PRIVATE_H

#include "espflashfs/node.h"

struct ef_mount *front_mount(void);

/* Of a caller who leaves by a signal, or because the mount ends. */
struct ef_patience front_patience(void);

#endif
