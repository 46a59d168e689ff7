/*
 * What the rows of the chip table share: the identify function of each chip and the
 * helpers that these are built from. Private to src/esp. Everything here blocks no longer
 * than ef_command_read_reg does, on the line worker's thread.
 */
#ifndef EF_CHIP_ROWS_H
#define EF_CHIP_ROWS_H

#include "espflashfs/chip.h"

enum ef_err ef_chip_identify_esp8266(struct ef_esp *esp, struct ef_identity *id);
enum ef_err ef_chip_identify_esp32(struct ef_esp *esp, struct ef_identity *id);
enum ef_err ef_chip_identify_esp32c3(struct ef_esp *esp, struct ef_identity *id);

/* Reads `count` registers, 4 bytes apart. */
enum ef_err ef_chip_read_words(struct ef_esp *esp, uint32_t addr, uint32_t *words, size_t count);

/* Appends one feature to the comma-separated list. */
void ef_chip_add_feature(struct ef_identity *id, const char *feature);

/*
 * The crystal from the UART's clock divider: the baud that both ends agree on times the
 * divider is the clock that drives the UART, `clocks_per_crystal` times the crystal's.
 */
enum ef_err ef_chip_crystal_by_uart(struct ef_esp *esp, uint32_t clkdiv_reg,
                                    uint32_t clocks_per_crystal, struct ef_identity *id);

/* The efuse layout of every chip but the ESP8266: bytes 2-5 in the low word, 0-1 in the high. */
void ef_chip_mac_from_words(struct ef_identity *id, uint32_t low, uint32_t high);

#endif
