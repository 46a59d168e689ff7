/*
 * A NOR flash in a file: erasing sets whole sectors to FF, programming only clears bits.
 * It counts what each sector went through, and can lose power in the middle. Nothing here knows
 * time or a loader. One thread; the file is mapped shared, so that other processes see each change
 * at once.
 */
#ifndef EB_NOR_H
#define EB_NOR_H

#include "result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EB_NOR_PAGE = 256, EB_NOR_SECTOR = 4096, EB_NOR_BLOCK = 65536 };

struct eb_nor_sector {
    uint32_t erases;
    uint32_t programs; /* page programs */
};

struct eb_nor {
    uint8_t *bytes;
    uint32_t size;  /* what the file holds */
    uint32_t claim; /* what the flash id says; addresses past `size` repeat (a fake chip) */
    struct eb_nor_sector *sectors;
    uint64_t sector_erases;
    uint64_t erase_ops; /* erase commands: a sector, a block or the chip */
    uint64_t programs;
    uint64_t power_op; /* power fails in the erase command or page program of this number ... */
    uint64_t dice;     /* ... and this picks what is left behind */
    int pulse_fd;      /* one byte goes there as each operation begins; -1: none */
    bool powerless;    /* it did: nothing is erased or programmed any more, EB_OK or not */
};

/*
 * Maps `path`, made of FF if it does not exist; NULL gives memory of its own. `size` is in
 * bytes and a multiple of 64 KiB. 0, or -1 with a sentence in `why`.
 */
int eb_nor_open(struct eb_nor *nor, const char *path, uint32_t size, char *why, size_t why_cap);
void eb_nor_close(struct eb_nor *nor);

/* `addr` must be aligned to what is erased: EB_MISALIGNED, EB_OUT_OF_RANGE. */
enum eb_result eb_nor_erase_sector(struct eb_nor *nor, uint32_t addr);
enum eb_result eb_nor_erase_block(struct eb_nor *nor, uint32_t addr);
void eb_nor_erase_chip(struct eb_nor *nor);

/*
 * Programs page by page. EB_FLASH_FAILED where a bit would have to go from 0 to 1: then
 * nothing of that page or behind it is programmed, and *bad_addr is the byte.
 */
enum eb_result eb_nor_program(struct eb_nor *nor, uint32_t addr, const uint8_t *data, uint32_t len,
                              uint32_t *bad_addr);

/*
 * Power is to fail in the `op`-th operation from now on, counted from 1, erase commands and page
 * programs together; 0: not at all. What that leaves is as on a real flash and depends on `seed`:
 * of an erase, bytes that were not reached, cleared ones (cells are programmed before they are
 * erased) or some bits that are not 1 yet; of a program, some of its bits. Gives power back.
 */
void eb_nor_fail_power(struct eb_nor *nor, uint64_t op, uint64_t seed);

/* Copies; EB_OUT_OF_RANGE past the claimed size. */
enum eb_result eb_nor_read(const struct eb_nor *nor, uint32_t addr, uint8_t *out, uint32_t len);

#endif
