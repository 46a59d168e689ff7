/*
 * A flash as operations. Implementations (stub, ROM) and wrappers (verify, retry) have one
 * shape and stack: a wrapper owns the flash below it.
 *
 * All calls come from one thread (the line worker's, or the one that opens and closes the
 * mount) and block until done or failed; how long is bounded by the size of the request and
 * the chip's own times. Addresses and lengths are bytes; write and erase take whole sectors.
 * The ef_flash_* functions check every argument at each level of the stack, so that an
 * implementation may rely on them.
 */
#ifndef ESPFLASHFS_FLASH_H
#define ESPFLASHFS_FLASH_H

#include "espflashfs/error.h"
#include "espflashfs/flash_md5.h"
#include "espflashfs/guard.h"
#include "espflashfs/log.h"
#include "espflashfs/presence.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EF_SECTOR = 4096,           /* the smallest erase of the NOR chips in use */
    EF_BLOCK = 65536,           /* the larger erase that loaders use where it fits */
    EF_READ_PIECE_MAX = 131072, /* the most that a read proves at a time ... */
    EF_READ_PIECE_SHARED = 8192 /* ... and where the line is shared: see struct ef_read */
};

struct ef_flash;

/* One read; the caller's until the call returns. */
struct ef_read {
    uint32_t addr, len;
    uint8_t
        *buf; /* len bytes; where `rolling`, read_piece bytes in which pieces follow each other */
    bool rolling;  /* only the pieces are wanted, each while `piece` runs */
    uint32_t done; /* out: bytes from addr on that are read and proven, also on failure */
    /* Called after each proven piece, in order; may be NULL. An error ends the read with it. */
    enum ef_err (*piece)(void *user, uint32_t addr, const uint8_t *bytes, uint32_t len);
    /* Asked now and then; true ends the read with EF_INTERRUPTED. May be NULL. */
    bool (*stop)(void *user);
    /*
     * Asked at each piece: true while somebody is likely to have this read stopped soon. Then
     * what is under way, and is lost, is kept small, at some cost. May be NULL.
     */
    bool (*shared)(void *user);
    /*
     * NULL, or told the chip's digest of bytes that have come, before the piece that they are of
     * is delivered: for a layer that can ask for it, by a request of its own, on the way.
     */
    void (*digest)(void *user, const struct ef_digest *digest, const uint8_t *bytes);
    void *user;
};

struct ef_flash_ops {
    enum ef_err (*read)(struct ef_flash *f, struct ef_read *r);
    /* The sectors hold `data` afterwards, whatever they held: erased, then programmed. */
    enum ef_err (*write)(struct ef_flash *f, uint32_t addr, uint32_t len, const uint8_t *data);
    /* The whole chip where the range is the whole chip and the loader has a command for it. */
    enum ef_err (*erase)(struct ef_flash *f, uint32_t addr, uint32_t len);
    /*
     * MD5s of any ranges, computed by the chip; several are under way at once where that saves
     * time. All or none. EF_UNSUPPORTED: this one computes none.
     */
    enum ef_err (*digest)(struct ef_flash *f, struct ef_digest *list, size_t count);
    /* Brings the line back in step after a failure. EF_FOREIGN: another board answers. */
    enum ef_err (*recover)(struct ef_flash *f);
    /* Of the bottom: one look whether a board that is gone is back, as ef_session_return. */
    enum ef_err (*rejoin)(struct ef_flash *f, bool (*stop)(void *user), void *user);
    void (*free)(struct ef_flash *f);
};

struct ef_flash {
    const struct ef_flash_ops *ops;
    const char *name;       /* of the layer, for the log */
    uint32_t size;          /* bytes */
    uint32_t read_piece;    /* bytes proven at a time by read */
    bool read_digested;     /* read delivers what the chip sent: only from where is unproven */
    bool read_proven;       /* what read delivers needs no more proof */
    bool read_asks_digests; /* read tells digests of all of many pieces, at little cost */
    bool erases_ahead;      /* write erases first, as far as its command says on arrival */
    struct ef_digest front; /* of the front of the last write, asked for on the way; len 0: none */
    uint64_t strays;        /* times that a write or erase may have hit other sectors than meant */
    uint64_t slowdowns;     /* times that recover went on at a lower rate of the line */
    uint64_t absences; /* times that the board was reset or away, and what it held may not hold */
    /* Of the top, set for each request: asked while a board that is gone is waited for; true ends
     * that wait with EF_GONE. NULL: nobody is in a hurry. */
    bool (*stop_waiting)(void *user);
    void *stop_user;
    struct ef_flash *below; /* owned; NULL at the bottom */
    struct ef_log *log;
};

/*
 * EF_INVALID for an empty, misaligned (write, erase) or out-of-range request; otherwise what
 * the layer returns.
 */
enum ef_err ef_flash_read(struct ef_flash *f, struct ef_read *r);
enum ef_err ef_flash_write(struct ef_flash *f, uint32_t addr, uint32_t len, const uint8_t *data);
enum ef_err ef_flash_erase(struct ef_flash *f, uint32_t addr, uint32_t len);
enum ef_err ef_flash_digests(struct ef_flash *f, struct ef_digest *list, size_t count);
enum ef_err ef_flash_digest(struct ef_flash *f, uint32_t addr, uint32_t len,
                            uint8_t md5[EF_DIGEST_BYTES]);
enum ef_err ef_flash_recover(struct ef_flash *f);
/* EF_GONE where the bottom knows no way. */
enum ef_err ef_flash_rejoin(struct ef_flash *f, bool (*stop)(void *user), void *user);

/* The strays, the slowdowns and the absences, counted in the whole stack. */
uint64_t ef_flash_strays(const struct ef_flash *f);
uint64_t ef_flash_slowdowns(const struct ef_flash *f);
uint64_t ef_flash_absences(const struct ef_flash *f);

/*
 * What the bottom says of the front of the write before this call: the chip's digest of it, taken
 * when it was on the flash. Its length is 0 where it was not asked for.
 */
const struct ef_digest *ef_flash_front(const struct ef_flash *f);

/* Where the next piece of a read goes. */
static inline uint8_t *ef_read_at(const struct ef_read *r)
{
    return r->rolling ? r->buf : r->buf + r->done;
}

/* What is left of it, as a read of its own: its `done` counts on in this one. */
static inline struct ef_read ef_read_rest(const struct ef_read *r)
{
    struct ef_read rest = *r;
    rest.addr += r->done;
    rest.buf = ef_read_at(r);
    rest.len -= r->done;
    return rest;
}

/* `len` more bytes at ef_read_at are there: hands them on and counts them. */
static inline enum ef_err ef_read_deliver(struct ef_read *r, uint32_t len)
{
    enum ef_err err = r->piece ? r->piece(r->user, r->addr + r->done, ef_read_at(r), len) : EF_OK;
    if (err == EF_OK)
        r->done += len;
    return err;
}

static inline bool ef_read_is_shared(const struct ef_read *r)
{
    return r->shared && r->shared(r->user);
}

/* The length of the next piece: pieces end at multiples of `piece`, a power of two. */
static inline uint32_t ef_read_next_len(const struct ef_read *r, uint32_t piece)
{
    uint32_t at = r->addr + r->done;
    uint32_t left = r->len - r->done;
    uint32_t to_end = piece - (at & (piece - 1));
    return left < to_end ? left : to_end;
}

/* Frees the whole stack. NULL is fine. */
void ef_flash_free(struct ef_flash *f);

/*
 * Refuses (EF_GUARDED) what `guard`, which must outlive it, does not let through. Lies right
 * on the bottom. Takes `below` over, also on failure.
 */
struct ef_flash *ef_flash_guard_new(struct ef_flash *below, const struct ef_guard *guard);

struct ef_session;

/* The bottom of a stack: the session's loader. NULL without memory. The session is not owned. */
struct ef_flash *ef_flash_stub_new(struct ef_session *session);
struct ef_flash *ef_flash_rom_new(struct ef_session *session);
/* In Secure Download Mode: only writes and erases; read and digest are EF_UNSUPPORTED. */
struct ef_flash *ef_flash_blind_new(struct ef_session *session);

/*
 * Proves what the layer below says, by the chip's own digest (EF_VERIFY else). A command's
 * address and length cross the line without a checksum, so that one flipped bit makes the
 * chip read, write or erase elsewhere and truly report success. Therefore
 * - a read is proven by a separate request for the digest of the range;
 * - a write or an erase by the digest of the range afterwards; an erase (and a write that
 *   erases ahead) also by the first that is not blank behind it;
 * - a digest that is no such proof and says "blank", which any blank range would give, is asked
 *   for twice; one of less than a sector is a hint and never a proof.
 * Where a write or erase fails its proof, `strays` counts: other sectors may have been hit.
 * Takes `below` over, also on failure (NULL).
 */
struct ef_flash *ef_flash_verify_new(struct ef_flash *below);

/*
 * Repeats what failed for a transient reason, after bringing the line back in step; every
 * operation here is safe to repeat. Gives up after five attempts without progress at one
 * rate of the line. A board that does not answer any more is EF_GONE. Takes `below` over, also on
 * failure.
 */
struct ef_flash *ef_flash_retry_new(struct ef_flash *below);

/*
 * The top, decision 9: where the board is gone (EF_GONE, EF_FOREIGN from below), waits until it is
 * back, for `wait_ms` from when it was missed, and goes on: a read where it was, a write or an
 * erase from its beginning. After that time requests fail with EF_GONE, each after one look, so
 * that a board that comes back later is worked with again. `presence`, which must outlive it, is
 * kept current. A request that the board leaves five times without progress is given up.
 * Takes `below` over, also on failure.
 */
struct ef_flash *ef_flash_reconnect_new(struct ef_flash *below, int wait_ms,
                                        struct ef_presence *presence);

/* MD5 of host bytes, of `len` bytes of erased flash, and of the one before the other. Any thread.
 */
void ef_digest_bytes(const uint8_t *bytes, uint32_t len, uint8_t md5[EF_DIGEST_BYTES]);
void ef_digest_blank(uint32_t len, uint8_t md5[EF_DIGEST_BYTES]);
void ef_digest_then_blank(const uint8_t *bytes, uint32_t len, uint32_t blank_len,
                          uint8_t md5[EF_DIGEST_BYTES]);

#endif
