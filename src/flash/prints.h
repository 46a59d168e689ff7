/*
 * Prints: the chip's own digest of the first sector of each piece of the flash. Private to
 * src/flash; the worker's thread.
 *
 * They prove a read at next to no cost. A transfer carries its own MD5, so what is left to
 * fear is that its request was damaged: one flipped bit of the address, and the chip truly
 * sends another place. Then what came begins with that place's bytes. Where no place that one
 * flipped bit leads to begins as this piece does, bytes that begin as it does are its own.
 */
#ifndef ESPFLASHFS_PRINTS_H
#define ESPFLASHFS_PRINTS_H

#include "espflashfs/flash.h"

struct ef_prints {
    uint32_t piece; /* bytes, a power of two */
    struct ef_print {
        bool known;
        uint8_t md5[EF_DIGEST_BYTES];
    } * list; /* owned; the last piece may be shorter */
    uint32_t count;
    bool complete;
};

enum ef_proof {
    EF_PROOF_YES,
    EF_PROOF_NO,   /* these are other bytes */
    EF_PROOF_DOUBT /* another place could have given them: ask for a digest of all */
};

/* EF_NOMEM. */
enum ef_err ef_prints_init(struct ef_prints *p, uint32_t size, uint32_t piece);
void ef_prints_free(struct ef_prints *p);

/* Asks `below` for what is missing, two at a time; `stop` (of `r`) is asked between. */
enum ef_err ef_prints_take(struct ef_prints *p, struct ef_flash *below, const struct ef_read *r);

/* A digest that was asked for anyway: kept if it is a print. */
void ef_prints_note(struct ef_prints *p, const struct ef_digest *digest);

/* True if [addr, addr+len) is a whole piece that no other place is mistaken for by its print. */
bool ef_prints_tell(const struct ef_prints *p, uint32_t addr, uint32_t len);

/* Of a piece that ef_prints_tell is true for. */
enum ef_proof ef_prints_prove(struct ef_prints *p, uint32_t addr, const uint8_t *bytes);

/* The range changes, or may have. */
void ef_prints_forget(struct ef_prints *p, uint32_t addr, uint32_t len);

#endif
