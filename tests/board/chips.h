/* The chips that the board can be, as data: one row a chip, presets of efuses a variant. */
#ifndef EB_CHIPS_H
#define EB_CHIPS_H

#include "registers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bits of eb_chip.rom_has: commands that only later ROMs know, and habits. */
enum {
    EB_ROM_FLASH = 1 << 0,         /* SPI_ATTACH, SPI_SET_PARAMS, deflate, MD5, slow read, baud */
    EB_ROM_SECURITY_INFO = 1 << 1, /* GET_SECURITY_INFO, and a Secure Download Mode */
    EB_ROM_ENCRYPT_WORD = 1 << 2,  /* FLASH_BEGIN and DEFL_BEGIN carry a fifth word */
    EB_ROM_ERASE_BUG = 1 << 3,     /* an erase counts its head sectors twice */
    EB_ROM_TOLD_PADS = 1 << 4      /* attaches the pins it is told: in-package flash has others */
};

enum { EB_CHIP_MAGIC_ADDR = 0x40001000 }; /* the register that tells older chips apart */

/* What the host's cable ends in. */
enum eb_usb_kind { EB_USB_NONE, EB_USB_OTG, EB_USB_JTAG, EB_USB_KIND_COUNT };

/* The ROM's variable that tells which port it talks through, 0 for no such port. */
struct eb_uart_no {
    uint32_t addr;
    uint8_t value[EB_USB_KIND_COUNT];
};

/* The RTC's watchdog and the super watchdog: writes need the key in `protect` first. */
struct eb_watchdog_layout {
    uint32_t protect, config, key;
    uint32_t super_protect, super_config, super_feed, super_key;
};

/* Bits of a register; mask 0: the chip has no such thing. */
struct eb_field {
    uint32_t addr, mask;
};

struct eb_security_layout {
    struct eb_field crypt_cnt; /* flash encryption is on while an odd number of bits is set */
    struct eb_field no_manual_encrypt;
    struct eb_field secure_boot;
    struct eb_field secure_boot_v1;
};

struct eb_variant {
    const char *name;                 /* "esp32-pico-d4" */
    const struct eb_register *efuses; /* over the chip's presets; up to address 0; may be NULL */
    uint32_t flash_size;              /* bytes, unless the command line says another; 0: 4 MiB */
    uint32_t flash_id;                /* as struct eb_registers has it; 0: by the size */
    uint32_t crystal_hz;              /* 0: the chip's */
    uint32_t stub_start;              /* 0: the chip's */
    uint32_t magic;                   /* 0: the chip's */
    uint32_t uart_no_addr;            /* 0: the chip's */
    struct eb_power_rule power[EB_POWER_RULES]; /* address 0: the flash always has power */
    bool stub_dies;                             /* the current stub does not run on this revision */
};

struct eb_chip {
    const char *option; /* "esp32c3" */
    uint32_t magic;
    unsigned rom_has;
    uint8_t rom_status_len;
    uint8_t security_len; /* of GET_SECURITY_INFO's answer: 12 has no chip id and no version */
    uint8_t security_chip_id, security_eco;
    bool stub_4_byte; /* its stub addresses more than 16 MiB */
    struct eb_spi_layout spi;
    uint32_t clkdiv_addr;
    uint32_t crystal_hz;
    uint32_t uart_clocks_per_crystal; /* CLKDIV divides that many times the crystal */
    uint32_t rom_crystal_hz; /* what the ROM takes it for when it sets a baud; 0: the truth */
    uint8_t mac[6];
    uint32_t mac_addr; /* the efuse word of its last four bytes; 0: store_mac knows */
    void (*store_mac)(struct eb_registers *regs, const uint8_t mac[6]);
    struct eb_uart_no uart_no;
    struct eb_watchdog_layout watchdog;
    struct eb_security_layout security;
    uint32_t stub_start;               /* where the code of a stub for it begins; 0: not judged */
    const struct eb_register *presets; /* up to an entry with address 0 */
    const struct eb_variant *variants; /* up to an entry without a name; may be NULL */
    const char *boot_log;              /* what its firmware prints first */
};

/* NULL if there is no such chip. */
const struct eb_chip *eb_chip_find(const char *option);
/* NULL if the chip has no such variant. */
const struct eb_variant *eb_chip_find_variant(const struct eb_chip *chip, const char *name);

/* One line a chip: its name, and its variants'. */
void eb_chip_list(char *out, size_t cap);

/* Magic, efuses, presets and MAC into fresh registers. `variant` may be NULL. */
void eb_chip_preset(const struct eb_chip *chip, const struct eb_variant *variant,
                    struct eb_registers *regs, const uint8_t mac[6]);

uint32_t eb_chip_crystal_hz(const struct eb_chip *chip, const struct eb_variant *variant);

/* Where the code of a stub for it begins; 0: not judged. */
uint32_t eb_chip_stub_start(const struct eb_chip *chip, const struct eb_variant *variant);

/*
 * What ROMs of EB_ROM_TOLD_PADS want in SPI_ATTACH's first word: the efuses' pins of an
 * in-package flash, 0 for one outside.
 */
uint32_t eb_chip_spi_pads(const struct eb_registers *regs);

#endif
