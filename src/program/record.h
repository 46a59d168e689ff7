/*
 * The record of a mount that runs, by which umount.espflashfs finds the driver and learns how it
 * ends. A file that is locked (flock) for as long as the driver lives, killed or not:
 *
 *     /run/espflashfs/mount.XXXXXX           of root
 *     /run/user/UID/espflashfs/mount.XXXXXX  of another user
 *     /tmp/espflashfs-UID/mount.XXXXXX       where those cannot be
 *
 * Nothing in the environment has a part in its place, since root has to find it too. It is there
 * before the mount is, and holds a line of each of these as it comes true:
 *
 *     mountpoint DIR     absolute; a line break in it is a `?`
 *     process PID
 *     writing SECTORS    unmounted, and that many were not on the chip
 *     ended STATUS       the exit status; then the file is deleted
 *
 * Whoever has it open before the mount ends can wait for the lock and read on. A lock that is
 * free without `ended`: the driver was killed. Main thread only.
 */
#ifndef ESPFLASHFS_RECORD_H
#define ESPFLASHFS_RECORD_H

#include "espflashfs/log.h"

struct ef_record {
    int fd;
    char *folder, *path; /* NULL: none is kept */
};

/* `record` is all zeros. Warns where none can be kept: the mount works without, and umount says
 * that it cannot tell. */
void ef_record_start(struct ef_record *record, const char *mountpoint, struct ef_log *log);

/* One line more, without its end. Nothing where none is kept. */
void ef_record_add(struct ef_record *record, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds `ended`, and lets go. Nothing may be left to do but to exit. */
void ef_record_end(struct ef_record *record, int status);

#endif
