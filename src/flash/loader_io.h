/* What stub and ROM do alike on the wire. Private to src/flash. */
#ifndef ESPFLASHFS_LOADER_IO_H
#define ESPFLASHFS_LOADER_IO_H

#include "espflashfs/flash.h"
#include "espflashfs/session.h"

struct ef_loader_flash {
    struct ef_flash flash; /* first */
    struct ef_session *session;
    unsigned depth; /* ROM: reads in flight */
    bool in_pairs;  /* a row of glimpses got lost: none is asked for any more */
    bool other_cut; /* stub: the last read failed on built-in USB: the next one is cut otherwise */
};

/*
 * Built-in USB sends packets of 64 bytes, and a host hands a full one on only when another
 * follows: of a frame that is a multiple of 64 bytes long when encoded, the last packet gets
 * stuck until the chip sends more. While a packet of flash is read, the early
 * acknowledgement makes it send more; a short frame may be stuck as a whole. That ends as a
 * timeout, and would again, since the same bytes are encoded alike: so what is read after a
 * failure is cut into other frames.
 */
void ef_loader_note_read(struct ef_loader_flash *self, enum ef_err err);

/* A bottom layer for `session`, NULL without memory. */
struct ef_loader_flash *ef_loader_flash_new(struct ef_session *session, const char *name,
                                            const struct ef_flash_ops *ops);

struct ef_session *ef_loader_session(struct ef_flash *f);

/* A deadline for work on `len` bytes: 3 s and `s_per_mib` for each MiB. Milliseconds. */
int ef_loader_timeout_ms(uint32_t len, int s_per_mib);

/* From protocol.md, "Deadlines". */
enum { EF_ERASE_S_PER_MIB = 40 };

/*
 * Erases and programs [addr, addr+len) by one compressed transfer in blocks of
 * `block_size`. Returns when the loader took the last block; on a stub it still works.
 * `front` (NULL on a ROM): out, the chip's digest of as much of the range as could be asked for
 * while the line was busy.
 */
enum ef_err ef_loader_write(struct ef_session *s, uint32_t addr, uint32_t len, const uint8_t *data,
                            uint32_t block_size, struct ef_digest *front);

/* The same on a ROM, in plain blocks; each is on the flash when it is answered. */
enum ef_err ef_loader_write_plain(struct ef_session *s, uint32_t addr, uint32_t len,
                                  const uint8_t *data);

/* On a ROM, a FLASH_BEGIN erases up front, and nothing says that data must follow. */
enum ef_err ef_loader_erase_by_begin(struct ef_session *s, uint32_t addr, uint32_t len);

enum { EF_ROM_WRITE_BLOCK = 0x400 };

/* The payload of FLASH_BEGIN and FLASH_DEFL_BEGIN as this loader wants it; returns its length. */
size_t ef_loader_begin_payload(const struct ef_session *s, uint8_t payload[20], uint32_t size,
                               uint32_t blocks, uint32_t block_size, uint32_t addr);

enum ef_err ef_loader_digest(struct ef_flash *f, struct ef_digest *list, size_t count);
enum ef_err ef_loader_recover(struct ef_flash *f);
enum ef_err ef_loader_rejoin(struct ef_flash *f, bool (*stop)(void *user), void *user);
void ef_loader_free(struct ef_flash *f);

#endif
