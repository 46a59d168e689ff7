/*
 * The chip's own MD5 of ranges of its flash, one attempt each. The line worker's thread;
 * blocks as long as the chip needs, 8 s for a MiB at most. EF_REJECTED where the loader
 * cannot.
 */
#ifndef ESPFLASHFS_FLASH_MD5_H
#define ESPFLASHFS_FLASH_MD5_H

#include "espflashfs/error.h"

#include <stddef.h>
#include <stdint.h>

enum { EF_DIGEST_BYTES = 16 };

/* A range in bytes, and its MD5. */
struct ef_digest {
    uint32_t addr, len;
    uint8_t md5[EF_DIGEST_BYTES];
};

struct ef_session;

enum ef_err ef_session_md5(struct ef_session *session, struct ef_digest *digest);

/*
 * Both asked for at once: the second request travels while the chip computes. Two in flight
 * are answered by every loader tried, a third may get lost (protocol.md). Where one reply is
 * missing nobody knows which, so that both count for nothing.
 */
enum ef_err ef_session_md5_pair(struct ef_session *session, struct ef_digest *first,
                                struct ef_digest *second);

/*
 * `count` of them, each of EF_GLIMPSE_MAX bytes at most, to a stub behind a UART: all requests go
 * out one behind the other, with a pause in which the stub answers the one before. Where a reply
 * is missing all count for nothing.
 */
enum { EF_GLIMPSE_MAX = 256, EF_GLIMPSES_IN_FLIGHT = 8 };

enum ef_err ef_session_md5_glimpses(struct ef_session *session, struct ef_digest *list,
                                    size_t count);

/*
 * One in two halves, for a frame to be sent while a stub computes: it may follow the first half at
 * once where the stub was idle.
 */
enum ef_err ef_session_md5_ask(struct ef_session *session, const struct ef_digest *digest);
enum ef_err ef_session_md5_hear(struct ef_session *session, struct ef_digest *digest);

#endif
