#include "espflashfs/error.h"

#include <errno.h>

const char *ef_err_text(enum ef_err err)
{
    switch (err) {
    case EF_OK:
        return "success";
    case EF_TIMEOUT:
        return "timed out";
    case EF_FRAMING:
        return "garbled answer";
    case EF_REJECTED:
        return "rejected by the chip";
    case EF_VERIFY:
        return "digest mismatch";
    case EF_GONE:
        return "the board is gone";
    case EF_GUARDED:
        return "refused to protect the board";
    case EF_INTERRUPTED:
        return "interrupted";
    case EF_INVALID:
        return "invalid argument";
    case EF_NOMEM:
        return "out of memory";
    case EF_BUSY:
        return "busy";
    case EF_ACCESS:
        return "permission denied";
    case EF_MISSING:
        return "not found";
    case EF_UNSUPPORTED:
        return "not supported";
    case EF_NO_SPACE:
        return "no space left on the host's disk";
    case EF_READ_ONLY:
        return "the host's disk is read-only";
    case EF_FOREIGN:
        return "another board answers";
    }
    return "unknown error";
}

int ef_err_to_errno(enum ef_err err)
{
    switch (err) {
    case EF_OK:
        return 0;
    case EF_GONE:
    case EF_FOREIGN:
        return ENODEV;
    case EF_GUARDED:
        return EPERM;
    case EF_INTERRUPTED:
        return EINTR;
    case EF_INVALID:
        return EINVAL;
    case EF_NOMEM:
        return ENOMEM;
    case EF_BUSY:
        return EBUSY;
    case EF_ACCESS:
        return EACCES;
    case EF_MISSING:
        return ENOENT;
    case EF_UNSUPPORTED:
        return EOPNOTSUPP;
    case EF_NO_SPACE:
        return ENOSPC;
    case EF_READ_ONLY:
        return EROFS;
    case EF_TIMEOUT:
    case EF_FRAMING:
    case EF_REJECTED:
    case EF_VERIFY:
        break;
    }
    return EIO;
}

bool ef_err_is_transient(enum ef_err err)
{
    return err == EF_TIMEOUT || err == EF_FRAMING || err == EF_REJECTED || err == EF_VERIFY;
}
