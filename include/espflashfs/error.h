/*
 * The kinds of failure below the mount, and their one mapping to errno.
 *
 * Every fallible function in this program returns EF_OK (0) or a negative
 * enum ef_err. The kind matters because a retry depends on it: a timeout, a
 * broken frame or a failed digest may heal by trying again, a refusal may not.
 * A failure is logged once, where it is found.
 */
#ifndef ESPFLASHFS_ERROR_H
#define ESPFLASHFS_ERROR_H

#include <stdbool.h>

enum ef_err {
    EF_OK = 0,
    EF_TIMEOUT = -1,      /* a deadline passed with no (whole) answer */
    EF_FRAMING = -2,      /* an answer came, but not one this protocol knows */
    EF_REJECTED = -3,     /* the chip answered with an error status */
    EF_VERIFY = -4,       /* a digest did not match the bytes */
    EF_GONE = -5,         /* the line hung up, the device left */
    EF_GUARDED = -6,      /* refused here: it would brick or return nonsense */
    EF_INTERRUPTED = -7,  /* the caller asked to stop */
    EF_INVALID = -8,      /* the caller's argument is wrong */
    EF_NOMEM = -9,        /* the host is out of memory */
    EF_BUSY = -10,        /* somebody else holds the port */
    EF_ACCESS = -11,      /* no permission for a port or a file */
    EF_MISSING = -12,     /* a port, file or stub that does not exist */
    EF_UNSUPPORTED = -13, /* this chip, loader or line cannot do that */
    EF_NO_SPACE = -14,    /* the host's disk is full */
    EF_READ_ONLY = -15,   /* the host's disk cannot be written to */
    EF_FOREIGN = -16      /* a board answers, but not the one that was mounted */
};

/* A short lower-case phrase for messages, e.g. "timed out". Any thread, never blocks. */
const char *ef_err_text(enum ef_err err);

/* The positive errno that a user of the mount sees for `err`; 0 for EF_OK. */
int ef_err_to_errno(enum ef_err err);

/* True where repeating the operation on a line brought back in step may succeed. */
bool ef_err_is_transient(enum ef_err err);

#endif
