/*
 * Chips as data, and what one board says it is. Adding a chip is one row.
 * Everything here that takes a struct ef_esp talks through it: line worker's thread,
 * deadlines of ef_command. The rows are constant: any thread.
 */
#ifndef ESPFLASHFS_CHIP_H
#define ESPFLASHFS_CHIP_H

#include "espflashfs/command.h"

enum ef_chip_id {
    EF_CHIP_ESP8266,
    EF_CHIP_ESP32,
    EF_CHIP_ESP32S2,
    EF_CHIP_ESP32S3,
    EF_CHIP_ESP32C2,
    EF_CHIP_ESP32C3,
    EF_CHIP_ESP32C5,
    EF_CHIP_ESP32C6,
    EF_CHIP_ESP32C61,
    EF_CHIP_ESP32H2,
    EF_CHIP_ESP32P4,
    EF_CHIP_COUNT
};

/* The SPI controller's registers, as offsets from `base`; 0 where the chip has none. */
struct ef_spi_regs {
    uint32_t base;
    uint16_t usr, usr1, usr2, mosi_dlen, miso_dlen, w0;
};

/* Adjacent bits of one register. Width 0: the chip has none. */
struct ef_bits {
    uint32_t reg;
    uint8_t shift, width;
};

/* What guards the flash, burnt into efuses. All readable unless in Secure Download Mode. */
struct ef_guard_regs {
    struct ef_bits crypt_count; /* flash encryption is on if an odd number of these is set */
    struct ef_bits secure_boot;
    struct ef_bits secure_boot_v2;    /* the ESP32's second scheme ... */
    uint16_t secure_boot_v2_from;     /* ... which counts from this revision on */
    struct ef_bits no_manual_encrypt; /* the loader will not encrypt: release mode */
};

/* Chips with USB of their own. */
struct ef_usb_facts {
    uint32_t uartdev_reg;       /* a ROM variable: which port it talks through; 0: unknown */
    uint32_t uartdev_reg_old;   /* where it was ... */
    uint16_t uartdev_old_below; /* ... before this revision; 0: it never moved */
    uint8_t uartdev_otg, uartdev_serial_jtag; /* its values; 0: the chip has no such port */
    uint8_t uartdev_serial_jtag_old;          /* where it was; 0: the same */
    uint16_t otg_pid;                         /* with vendor 303A; 0: no USB-OTG in the ROM */
};

/* Watchdogs that run on while the built-in USB-Serial-JTAG is the loader's port. 0: none. */
struct ef_watchdog_regs {
    uint32_t config0, config1, wprotect, key; /* write `key` to `wprotect` to unlock, 0 to lock */
    uint32_t swd_config, swd_wprotect, swd_key, swd_auto_feed; /* the last one is a mask */
};

/* Why the chip booted into its loader. A reset through USB-OTG keeps these. 0: none. */
struct ef_boot_regs {
    uint32_t strap_reg, strap_boot_mask;           /* clear: GPIO0 was low */
    uint32_t option_reg, option_force_loader_mask; /* set: firmware asked for the loader */
};

/*
 * What the ROM takes its crystal for, where that may be wrong: a new baud comes out wrong by
 * the same factor.
 */
struct ef_rom_clock {
    uint8_t mhz;           /* always this much */
    struct ef_bits mhz_in; /* or as much as is read here */
    /* Or what it measured: crystal cycles in some of its RC oscillator's, and the latter's rate. */
    struct ef_bits cycles, rc_rate;
};

/* Clears and sets bits of a register, then waits. */
struct ef_reg_step {
    uint32_t reg, clear, set;
    uint16_t wait_ms;
};

/* Chips that come up with their flash's supply off. `steps` NULL: none does. */
struct ef_flash_power {
    uint16_t from, to;               /* revisions */
    const struct ef_reg_step *steps; /* switch it on; ends with reg 0 */
    struct ef_bits by_rom;           /* set: the ROM does that itself, */
    uint16_t by_rom_from;            /* from this revision on, */
    struct ef_reg_step by_rom_undo;  /* but must not find it done already */
};

/* The pins of a flash, in the order that SPI_ATTACH takes them. */
enum { EF_PAD_CLK, EF_PAD_Q, EF_PAD_D, EF_PAD_CS, EF_PAD_HD, EF_PAD_COUNT };

struct ef_chip_rows; /* how efuses become words; private to src/esp */

struct ef_chip {
    enum ef_chip_id id;
    const char *name;         /* "ESP32-C3" */
    const char *option;       /* "esp32c3": chip= and the stub's file name */
    uint32_t magic;           /* register 0x40001000, 0 if known by security info */
    int32_t security_chip_id; /* GET_SECURITY_INFO's, -1 if none */
    uint8_t rom_status_bytes; /* 2 or 4 */
    bool rom_can_flash;       /* the ROM alone may read, erase and write (not the ESP8266's) */
    bool rom_encrypt_word;    /* FLASH_BEGIN has a fifth word on the ROM */
    struct ef_rom_clock rom_clock;
    uint32_t boot_addr;           /* flash address of the second stage boot loader */
    uint64_t flash_max_bytes;     /* the largest flash that the stub addresses */
    uint64_t rom_flash_max_bytes; /* ... and the ROM */
    const char *stub_option_old;  /* the stub's file name for ... */
    uint16_t stub_old_below;      /* ... revisions below this one */
    uint16_t stub_from;           /* no stub runs on a revision below this one */
    bool stub_not_in_secure_boot; /* nor on a chip with secure boot */
    struct ef_spi_regs spi;
    struct ef_bits pads[EF_PAD_COUNT]; /* where the ROM must be told them: in-package flash */
    struct ef_flash_power flash_power;
    struct ef_guard_regs guard;
    struct ef_usb_facts usb;
    struct ef_watchdog_regs watchdog;
    struct ef_boot_regs boot;
    const struct ef_chip_rows *rows;
};

/* Bits of ef_security.flags, by the names that the ROMs give them. */
enum {
    EF_SECURE_BOOT_EN = 1 << 0,
    EF_SECURE_BOOT_AGGRESSIVE_REVOKE = 1 << 1,
    EF_SECURE_DOWNLOAD_ENABLE = 1 << 2,
    EF_SECURE_BOOT_KEY_REVOKE0 = 1 << 3,
    EF_SECURE_BOOT_KEY_REVOKE1 = 1 << 4,
    EF_SECURE_BOOT_KEY_REVOKE2 = 1 << 5,
    EF_SOFT_DIS_JTAG = 1 << 6,
    EF_HARD_DIS_JTAG = 1 << 7,
    EF_DIS_USB = 1 << 8,
    EF_DIS_DOWNLOAD_DCACHE = 1 << 9,
    EF_DIS_DOWNLOAD_ICACHE = 1 << 10,
    EF_KEY_PURPOSES = 7
};

/* The reply to GET_SECURITY_INFO. */
struct ef_security {
    bool known;           /* the chip answers that command: all below is from it */
    bool secure_download; /* Secure Download Mode: no registers, no stub, no flash reads */
    uint32_t flags;
    uint8_t crypt_count; /* flash encryption is on if an odd number of bits is set */
    uint8_t key_purpose[EF_KEY_PURPOSES];
    bool has_chip_id; /* not the ESP32-S2's */
    uint32_t chip_id, eco;
};

enum { EF_MAC_BYTES = 6 };

/* Without padding, so that two can be compared as bytes. */
struct ef_identity {
    char description[64];   /* "ESP32-D0WDQ6 (revision v1.0)" */
    char features[256];     /* "Wi-Fi, BT, Dual Core + LP Core, 240MHz, ..." */
    char crystal[16];       /* "40MHz" */
    char flash_type[32];    /* "octal (8 data lines)", empty where efuses don't tell */
    char flash_voltage[48]; /* "3.3V (set by eFuse)", the same */
    uint32_t pads;          /* SPI_ATTACH's first word to a ROM */
    uint16_t revision;      /* major * 100 + minor */
    uint8_t mac[EF_MAC_BYTES];
    uint8_t mac_ext[2]; /* the middle of the 8-byte address of chips with 802.15.4 */
    bool has_mac_ext;
    uint8_t crystal_mhz;
    bool registers_read;                                   /* false in Secure Download Mode */
    bool flash_encryption, secure_boot, no_manual_encrypt; /* of struct ef_guard_regs */
};

/* NULL if `option` names no chip. Case, '-' and '_' do not matter. */
const struct ef_chip *ef_chip_by_option(const char *option);
const struct ef_chip *ef_chip_by_id(enum ef_chip_id id);

/* "esp8266, esp32, ...": all names that ef_chip_by_option takes, cut off at `cap`. */
void ef_chip_options_text(char *out, size_t cap);

/*
 * Asks a synced loader what it is: GET_SECURITY_INFO, then register 0x40001000.
 * An older chip's ROM answers the unknown command with eight error replies; they are
 * drained and the loader synced again. A chip that refuses both is an ESP32-S2 in Secure
 * Download Mode. EF_UNSUPPORTED (logged with the values read) for a chip that is not in
 * the table. Sets esp->rom_status.
 */
enum ef_err ef_chip_detect(struct ef_esp *esp, const struct ef_chip **chip,
                           struct ef_security *security);

/*
 * Fills *id. The MAC is checked not to be all zero or all ones (EF_FRAMING). In Secure
 * Download Mode nothing is read: the description is all there is.
 */
enum ef_err ef_chip_identify(struct ef_esp *esp, const struct ef_chip *chip,
                             const struct ef_security *security, struct ef_identity *id);

/* One attempt at the MAC alone; its registers have no checksum. */
enum ef_err ef_chip_read_mac(struct ef_esp *esp, const struct ef_chip *chip,
                             uint8_t mac[EF_MAC_BYTES]);

enum ef_err ef_chip_read_bits(struct ef_esp *esp, const struct ef_bits *bits, uint32_t *value);

/* The stub's file name for this one, NULL if none runs on it. */
const char *ef_chip_stub_option(const struct ef_chip *chip, const struct ef_identity *id);

/*
 * What to ask a ROM for, so that it works at `baud`; `baud` itself where its clock is what
 * it believes, or is not known. Reads registers on some chips.
 */
enum ef_err ef_chip_rom_baud(struct ef_esp *esp, const struct ef_chip *chip,
                             const struct ef_identity *id, uint32_t baud, uint32_t *told);

/* Address of the ROM's variable that tells the port in use, 0 if unknown. */
uint32_t ef_chip_uartdev_reg(const struct ef_chip *chip, const struct ef_identity *id);

/* Its value on the built-in USB-Serial-JTAG, 0 if the chip has none. */
uint8_t ef_chip_uartdev_serial_jtag(const struct ef_chip *chip, const struct ef_identity *id);

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
