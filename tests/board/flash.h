/*
 * The flash as the chip's loaders use it: the NOR with the time that its operations take,
 * and a REJECT line for what it would not do. Times go to board->cpu_ns and flash_busy_ns.
 */
#ifndef EB_FLASH_H
#define EB_FLASH_H

#include "result.h"

#include <stddef.h>
#include <stdint.h>

struct eb_board;

enum { EB_FLASH_3_BYTES = 1 << 24 }; /* what three bytes of address reach */

/*
 * Starts the next erase of a region: a 64 KiB block where one fits, else a sector; moves
 * *addr and *remaining on. Waits for the erase before, not for this one.
 */
enum eb_result eb_flash_erase_next(struct eb_board *board, uint32_t *addr, uint32_t *remaining);

/* Sector by sector and block by block, and waits to the end. */
enum eb_result eb_flash_erase(struct eb_board *board, uint32_t addr, uint32_t len);
void eb_flash_erase_chip(struct eb_board *board);

enum eb_result eb_flash_program(struct eb_board *board, uint32_t addr, const uint8_t *data,
                                uint32_t len);
enum eb_result eb_flash_read(struct eb_board *board, uint32_t addr, uint8_t *out, uint32_t len);
enum eb_result eb_flash_md5(struct eb_board *board, uint32_t addr, uint32_t len,
                            uint8_t digest[16]);

#endif
