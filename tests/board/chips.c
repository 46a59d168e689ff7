#include "chips.h"

#include <stdio.h>
#include <string.h>

enum { MAGIC_ADDR = 0x40001000 };

static uint32_t be24(const uint8_t *p)
{
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | be24(p + 1);
}

static void store_mac_esp8266(struct eb_registers *regs, const uint8_t mac[6])
{
    eb_registers_write(regs, 0x3FF00050, (uint32_t)mac[5] << 24);
    eb_registers_write(regs, 0x3FF00054, 0x02000000U | (uint32_t)mac[3] << 8 | mac[4]);
    eb_registers_write(regs, 0x3FF0005C, 0x04000000U | be24(mac));
}

/* CRC-8 as 1-Wire has it: the ESP32's efuses keep it beside the MAC. */
static uint8_t mac_crc(const uint8_t mac[6])
{
    uint8_t crc = 0;
    for (int i = 0; i < 6; i++) {
        crc ^= mac[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (uint8_t)((crc & 1) != 0 ? (crc >> 1) ^ 0x8C : crc >> 1);
    }
    return crc;
}

static void store_mac_esp32(struct eb_registers *regs, const uint8_t mac[6])
{
    eb_registers_write(regs, 0x3FF5A004, be32(mac + 2));
    eb_registers_write(regs, 0x3FF5A008,
                       (uint32_t)mac_crc(mac) << 16 | (uint32_t)mac[0] << 8 | mac[1]);
}

static void store_mac_esp32c3(struct eb_registers *regs, const uint8_t mac[6])
{
    eb_registers_write(regs, 0x60008844, be32(mac + 2));
    eb_registers_write(regs, 0x60008848, (uint32_t)mac[0] << 8 | mac[1]);
}

/* As the transcripts read them. */
static const struct eb_register ESP8266_PRESETS[] = {
    {0x3FF00058, 0x5A00B000}, {0x6000021C, 0x00000004}, {0, 0}};
static const struct eb_register ESP32_PRESETS[] = {
    {0x3FF42024, 0x70000000}, {0x3FF44038, 0x0000000F}, {0x3FF6607C, 0x96042000}, {0, 0}};
static const struct eb_register ESP32C3_PRESETS[] = {
    {0x60002018, 0x800000C0}, {0x60002020, 0x70000000}, {0x60008850, 0x000C0000}, {0, 0}};

static const struct eb_chip CHIPS[] = {
    {
        .option = "esp8266",
        .magic = 0xFFF0C101,
        .rom_has = EB_ROM_ERASE_BUG,
        .rom_status_len = 2,
        .spi = {.base = 0x60000200, .usr = 0x1C, .usr1 = 0x20, .usr2 = 0x24, .w0 = 0x40},
        .clkdiv_addr = 0x60000014,
        .uart_clock_hz = 52000000,
        .mac = {0x18, 0xFE, 0x34, 0x00, 0x00, 0x00},
        .store_mac = store_mac_esp8266,
        .presets = ESP8266_PRESETS,
        .boot_log = "\r\n ets Jan  8 2013,rst cause:2, boot mode:(3,6)\r\n\r\n"
                    "load 0x4010f000, len 3424, room 16 \r\ntail 0\r\nchksum 0x2e\r\n"
                    "csum 0x2e\r\nv00012345\r\n~ld\r\n",
    },
    {
        .option = "esp32",
        .magic = 0x00F01D83,
        .rom_has = EB_ROM_FLASH,
        .rom_status_len = 4,
        .spi = {.base = 0x3FF42000, .usr = 0x1C, .usr1 = 0x20, .usr2 = 0x24, .w0 = 0x80},
        .clkdiv_addr = 0x3FF40014,
        .uart_clock_hz = 40000000,
        .mac = {0x24, 0x0A, 0xC4, 0x00, 0x01, 0x10},
        .store_mac = store_mac_esp32,
        .presets = ESP32_PRESETS,
        .boot_log = "ets Jun  8 2016 00:22:57\r\n\r\n"
                    "rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"
                    "configsip: 0, SPIWP:0xee\r\nmode:DIO, clock div:2\r\n"
                    "load:0x3fff0030,len:7176\r\nentry 0x40080568\r\n",
    },
    {
        .option = "esp32c3",
        .magic = 0x1B31506F,
        .rom_has = EB_ROM_FLASH | EB_ROM_SECURITY_INFO | EB_ROM_ENCRYPT_WORD,
        .rom_status_len = 4,
        .security_chip_id = 5,
        .spi = {.base = 0x60002000, .usr = 0x18, .usr1 = 0x1C, .usr2 = 0x20, .w0 = 0x58},
        .clkdiv_addr = 0x60000014,
        .uart_clock_hz = 40000000,
        .mac = {0x60, 0x55, 0xF9, 0x24, 0x0A, 0xC4},
        .store_mac = store_mac_esp32c3,
        .presets = ESP32C3_PRESETS,
        .boot_log = "ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\n"
                    "rst:0x1 (POWERON),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nSPIWP:0xee\r\n"
                    "mode:DIO, clock div:1\r\nload:0x3fcd5820,len:0x1708\r\n"
                    "entry 0x403cc710\r\n",
    },
};

enum { CHIP_COUNT = sizeof(CHIPS) / sizeof(CHIPS[0]) };

const struct eb_chip *eb_chip_find(const char *option)
{
    for (size_t i = 0; i < CHIP_COUNT; i++) {
        if (strcmp(CHIPS[i].option, option) == 0)
            return &CHIPS[i];
    }
    return NULL;
}

void eb_chip_names(char *out, size_t cap)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < CHIP_COUNT && len < cap; i++)
        len += (size_t)snprintf(out + len, cap - len, "%s%s", i ? ", " : "", CHIPS[i].option);
}

void eb_chip_preset(const struct eb_chip *chip, struct eb_registers *regs, const uint8_t mac[6])
{
    eb_registers_write(regs, MAGIC_ADDR, chip->magic);
    for (const struct eb_register *preset = chip->presets; preset->addr != 0; preset++)
        eb_registers_write(regs, preset->addr, preset->value);
    chip->store_mac(regs, mac);
}

void eb_chip_set_clkdiv(const struct eb_chip *chip, struct eb_registers *regs, uint32_t baud)
{
    eb_registers_write(regs, chip->clkdiv_addr, chip->uart_clock_hz / baud);
}
