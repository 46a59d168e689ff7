/*
 * What a loader found when it judged a command, before it is spelt as a ROM's or a
 * stub's status bytes.
 */
#ifndef EB_RESULT_H
#define EB_RESULT_H

enum eb_result {
    EB_OK,
    EB_BAD_LENGTH,     /* the payload's length is not this command's */
    EB_BAD_CHECKSUM,   /* the header's checksum is not the payload's */
    EB_BAD_BLOCK_SIZE, /* blocks larger than the loader's buffer */
    EB_BAD_SEQUENCE,   /* not the block that is due */
    EB_NOT_STARTED,    /* data or end without a begin */
    EB_TOO_MUCH,       /* more data than the begin announced */
    EB_UNFINISHED,     /* an end while data is missing */
    EB_OUT_OF_RANGE,   /* past the end of the flash, or of what the loader believes it to be */
    EB_MISALIGNED,     /* an erase that is not made of whole sectors */
    EB_NOT_ATTACHED,   /* the flash's pins are not connected yet */
    EB_FLASH_FAILED,   /* programming a bit from 0 to 1 */
    EB_BAD_DEFLATE,    /* the compressed stream is damaged */
    EB_BAD_ENTRY,      /* an entry point outside what was uploaded */
    EB_BAD_VALUE,      /* an argument that this loader's command does not take */
    EB_UNKNOWN,        /* no such command */
    EB_GUARDED,        /* not in Secure Download Mode */
    EB_UNSUPPORTED,    /* a stub's command that this chip has no answer to */
    EB_LEAVES_LOADER,  /* FLASH_END to a ROM */
    EB_INJECTED,       /* --fault reject */
    EB_RESULT_COUNT
};

#endif
