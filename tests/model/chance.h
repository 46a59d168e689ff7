/*
 * What each byte of a flash may be. Mostly one value; more after a write that failed, or that
 * nobody has proven to be on the chip yet. Not locked: see truth.h.
 */
#ifndef EF_MODEL_CHANCE_H
#define EF_MODEL_CHANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHANCE_MAX = 8, CHANCE_SECTOR = 4096 };

/* Other values of a sector's bytes than `base` has. More than CHANCE_MAX: any value. */
struct chance_more {
    uint8_t count[CHANCE_SECTOR];
    uint8_t value[CHANCE_MAX][CHANCE_SECTOR];
};

struct chance {
    uint32_t size; /* bytes, whole sectors */
    uint8_t *base;
    struct chance_more **more; /* of each sector, NULL: base alone */
};

/* Ends the program without memory. */
void chance_init(struct chance *c, uint32_t size);
void chance_free(struct chance *c);

/* The bytes are those of `data`. */
void chance_put(struct chance *c, uint32_t off, uint32_t len, const uint8_t *data);

/* They may be: each is what it may have been, or that. */
void chance_may(struct chance *c, uint32_t off, uint32_t len, const uint8_t *data);

bool chance_allows(const struct chance *c, uint32_t off, uint8_t byte);

/* True where each of the bytes may be what `data` has; else *at is the first that may not. */
bool chance_match(const struct chance *c, uint32_t off, uint32_t len, const uint8_t *data,
                  uint32_t *at);

/* True where a byte of the range may be anything, so that nothing is said by a match. */
bool chance_is_open(const struct chance *c, uint32_t off, uint32_t len);

/* True where all bytes of the range have one value each. */
bool chance_is_certain(const struct chance *c, uint32_t off, uint32_t len);

#endif
