/* The FUSE front: the only room that knows fuse.h. Main thread only. */
#ifndef ESPFLASHFS_FRONT_H
#define ESPFLASHFS_FRONT_H

#include "espflashfs/node.h"

struct ef_front;

/*
 * Takes FUSE's own options from `args` (argv[0] and what follows). NULL if one is unknown
 * or wrong, which libfuse has then said on standard error.
 */
struct ef_front *ef_front_new(int argc, char **argv, struct ef_mount *mount);

/* Mounts. 0, or -1 with a message from libfuse on standard error. */
int ef_front_mount(struct ef_front *front, const char *mountpoint);

/* Forks into the background. 0 or -1. Before threads start. */
int ef_front_daemonize(void);

/* Serves until umount or SIGINT, SIGTERM, SIGHUP; then unmounts. 0 or -1. */
int ef_front_serve(struct ef_front *front);

void ef_front_unmount(struct ef_front *front);
void ef_front_free(struct ef_front *front);

/* Prints the options that libfuse takes. */
void ef_front_help(void);

/* "3.14.0" */
const char *ef_front_library_version(void);

#endif
