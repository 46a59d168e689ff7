/*
 * Chips as data, and what one board says it is. Adding a chip is one table row.
 * Everything here talks through a struct ef_esp: line worker's thread, deadlines of
 * ef_command.
 */
#ifndef ESPFLASHFS_CHIP_H
#define ESPFLASHFS_CHIP_H

#include "espflashfs/command.h"

enum ef_chip_id { EF_CHIP_ESP8266, EF_CHIP_ESP32, EF_CHIP_ESP32C3, EF_CHIP_COUNT };

/* The SPI controller's registers, as offsets from `base`; 0 where the chip has none. */
struct ef_spi_regs {
    uint32_t base;
    uint16_t usr, usr1, usr2, mosi_dlen, miso_dlen, w0;
};

struct ef_identity;

struct ef_chip {
    enum ef_chip_id id;
    const char *name;         /* "ESP32-C3" */
    const char *option;       /* "esp32c3": chip= and the stub's file name */
    uint32_t magic;           /* register 0x40001000, 0 if known by security info */
    int32_t security_chip_id; /* GET_SECURITY_INFO's, -1 if none */
    uint8_t rom_status_bytes; /* 2 or 4 */
    bool rom_can_flash;       /* the ROM alone may read, erase and write (not the ESP8266's) */
    bool rom_encrypt_word;    /* FLASH_BEGIN has a fifth word on the ROM */
    struct ef_spi_regs spi;
    /* Fills in what registers tell: description, features, crystal, MAC. */
    enum ef_err (*identify)(struct ef_esp *esp, struct ef_identity *id);
};

struct ef_identity {
    char description[64]; /* "ESP32-D0WDQ6 (revision v1.0)" */
    char features[192];   /* "Wi-Fi, BT, Dual Core + LP Core, 240MHz, ..." */
    char crystal[16];     /* "40MHz" */
    uint8_t mac[6];
};

/* NULL if `option` names no chip. Case, '-' and '_' do not matter. */
const struct ef_chip *ef_chip_by_option(const char *option);
const struct ef_chip *ef_chip_by_id(enum ef_chip_id id);

/*
 * Asks a synced loader what it is: GET_SECURITY_INFO, then register 0x40001000.
 * An older chip's ROM answers the unknown command with eight error replies; they are
 * drained and the loader synced again. EF_UNSUPPORTED (logged with the values read) for
 * a chip that is not in the table. Sets esp->rom_status.
 */
enum ef_err ef_chip_detect(struct ef_esp *esp, const struct ef_chip **chip);

/* Fills *id. The MAC is checked not to be all zero or all ones (EF_FRAMING). */
enum ef_err ef_chip_identify(struct ef_esp *esp, const struct ef_chip *chip,
                             struct ef_identity *id);

/*
 * The JEDEC id of the SPI flash: manufacturer in bits 0-7, device type 8-15, size byte
 * 16-23. Saves and restores the controller's USR and USR2.
 */
enum ef_err ef_flash_id_read(struct ef_esp *esp, const struct ef_chip *chip, uint32_t *id);

/*
 * Size in bytes from an id, 0 if the id's size byte is unknown (ask for size=).
 * EF_MISSING for ids of no flash at all (FFFFFF, 000000, FFFF3F): wiring or power.
 */
enum ef_err ef_flash_id_size(uint32_t id, uint64_t *size_bytes);

/* "GigaDevice", ...; "unknown" else. */
const char *ef_flash_id_maker(uint32_t id);

#endif
