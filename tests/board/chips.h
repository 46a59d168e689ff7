/* The chips that the board can be, as data: one row a chip. */
#ifndef EB_CHIPS_H
#define EB_CHIPS_H

#include "registers.h"

#include <stdbool.h>
#include <stdint.h>

/* Bits of eb_chip.rom_has: commands that only later ROMs know. */
enum {
    EB_ROM_FLASH = 1 << 0,         /* SPI_ATTACH, SPI_SET_PARAMS, deflate, MD5, slow read, baud */
    EB_ROM_SECURITY_INFO = 1 << 1, /* GET_SECURITY_INFO */
    EB_ROM_ENCRYPT_WORD = 1 << 2,  /* FLASH_BEGIN and DEFL_BEGIN carry a fifth word */
    EB_ROM_ERASE_BUG = 1 << 3      /* an erase counts its head sectors twice */
};

struct eb_chip {
    const char *option; /* "esp32c3" */
    uint32_t magic;     /* register 0x40001000 */
    unsigned rom_has;
    uint8_t rom_status_len;
    uint8_t security_chip_id;
    struct eb_spi_layout spi;
    uint32_t clkdiv_addr;
    uint32_t uart_clock_hz; /* what CLKDIV divides; ESP8266: twice its 26 MHz crystal */
    uint8_t mac[6];
    /* Writes `mac` as this chip's efuses spell it. */
    void (*store_mac)(struct eb_registers *regs, const uint8_t mac[6]);
    const struct eb_register *presets; /* up to an entry with address 0 */
    const char *boot_log;              /* what its firmware prints first */
};

/* NULL if there is no such chip. */
const struct eb_chip *eb_chip_find(const char *option);

/* "esp8266, esp32, esp32c3" */
void eb_chip_names(char *out, size_t cap);

/* Magic, efuses, presets and MAC into fresh registers. */
void eb_chip_preset(const struct eb_chip *chip, struct eb_registers *regs, const uint8_t mac[6]);

/* CLKDIV as it stands after the UART was set to `baud`. */
void eb_chip_set_clkdiv(const struct eb_chip *chip, struct eb_registers *regs, uint32_t baud);

#endif
