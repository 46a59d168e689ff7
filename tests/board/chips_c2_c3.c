/*
 * ESP32-C2 and ESP32-C3. Bits of C3's efuse block 1: word 3: minor's low bits 18-20, package
 * 21-23, flash 27-29; word 4: flash vendor 0-2; word 5: minor's high bit 23, major 24-25. Of
 * C2's block 2, which begins with the MAC: word 1: minor 16-19, major 20-21, package 22-24;
 * word 7: flash vendor 24-26, flash 29-31.
 */
#include "chips_rows.h"

enum {
    C2_WORD1 = 0x60008844,
    C2_WORD7 = 0x6000885C,
    C3_WORD3 = 0x60008850,
    C3_WORD4 = 0x60008854,
    C3_WORD5 = 0x60008858
};

static const struct eb_register C2_PRESETS[] = {
    {C2_WORD1, 1U << 20 | 2U << 16}, {0x60002018, 0x800000C0}, {0x60002020, 0x70000000}, {0, 0}};
static const struct eb_register C2_H4[] = {
    {C2_WORD1, 1U << 20 | 2U << 16 | 1U << 22}, {C2_WORD7, 1U << 29 | 1U << 24}, {0, 0}};
static const struct eb_register C2_V2[] = {{C2_WORD1, 2U << 20}, {0, 0}};
static const struct eb_register C2_V0[] = {{C2_WORD1, 0}, {0, 0}};

static const struct eb_variant C2_VARIANTS[] = {
    {.name = "esp32c2-40m", .crystal_hz = 40000000},
    {.name = "esp8684h4", .efuses = C2_H4, .flash_id = 0x164020},
    {.name = "esp32c2-v2.0", .efuses = C2_V2, .magic = 0x0C21E06F},
    {.name = "esp32c2-v0.0", .efuses = C2_V0, .magic = 0x6F51306F, .stub_dies = true},
    {0},
};

const struct eb_chip EB_CHIP_ESP32C2 = {
    .option = "esp32c2",
    .magic = 0x7C41A06F,
    .rom_has = EB_ROM_FLASH | EB_ROM_SECURITY_INFO | EB_ROM_ENCRYPT_WORD,
    .rom_status_len = 4,
    .security_len = 20,
    .security_chip_id = 12,
    .security_eco = 1,
    .spi = {.base = 0x60002000, .usr = 0x18, .usr1 = 0x1C, .usr2 = 0x20, .w0 = 0x58},
    .clkdiv_addr = 0x60000014,
    .crystal_hz = 26000000,
    .uart_clocks_per_crystal = 1,
    .rom_crystal_hz = 40000000,
    .mac = {0x08, 0x3A, 0x8D, 0x49, 0xB3, 0x5C},
    .mac_addr = 0x60008840,
    .security = {.crypt_cnt = {0x60008830, 7U << 7},
                 .no_manual_encrypt = {0x60008830, 1U << 6},
                 .secure_boot = {0x60008830, 1U << 21}},
    .presets = C2_PRESETS,
    .variants = C2_VARIANTS,
    .boot_log = "ESP-ROM:esp8684-api2-20220127\r\nBuild:Jan 27 2022\r\n"
                "rst:0x1 (POWERON),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nSPIWP:0xee\r\n"
                "mode:DIO, clock div:2\r\nload:0x3fcd5c80,len:0x1518\r\n"
                "entry 0x403acb66\r\n",
};

/* As the transcripts read them. */
static const struct eb_register C3_PRESETS[] = {
    {0x60002018, 0x800000C0}, {0x60002020, 0x70000000}, {C3_WORD3, 3U << 18}, {0, 0}};
static const struct eb_register C3_FH4[] = {{C3_WORD3, 4U << 18 | 1U << 27}, {C3_WORD4, 1}, {0, 0}};
static const struct eb_register C3_8685[] = {
    {C3_WORD3, 4U << 18 | 1U << 21 | 2U << 27}, {C3_WORD4, 2}, {0, 0}};
static const struct eb_register C3_V1_1[] = {{C3_WORD3, 1U << 18}, {C3_WORD5, 1U << 24}, {0, 0}};

static const struct eb_variant C3_VARIANTS[] = {
    {.name = "esp32c3fh4", .efuses = C3_FH4, .flash_id = 0x164020},
    {.name = "esp8685", .efuses = C3_8685, .flash_size = 2 << 20},
    {.name = "esp32c3-v1.1", .efuses = C3_V1_1, .magic = 0x4361606F, .uart_no_addr = 0x3FCDF078},
    {0},
};

const struct eb_chip EB_CHIP_ESP32C3 = {
    .option = "esp32c3",
    .magic = 0x1B31506F,
    .rom_has = EB_ROM_FLASH | EB_ROM_SECURITY_INFO | EB_ROM_ENCRYPT_WORD,
    .rom_status_len = 4,
    .security_len = 20,
    .security_chip_id = 5,
    .security_eco = 3,
    .spi = {.base = 0x60002000, .usr = 0x18, .usr1 = 0x1C, .usr2 = 0x20, .w0 = 0x58},
    .clkdiv_addr = 0x60000014,
    .crystal_hz = 40000000,
    .uart_clocks_per_crystal = 1,
    .mac = {0x60, 0x55, 0xF9, 0x24, 0x0A, 0xC4},
    .mac_addr = 0x60008844,
    .uart_no = {.addr = 0x3FCDF07C, .value = {[EB_USB_JTAG] = 3}},
    .watchdog = {.protect = 0x600080A8,
                 .config = 0x60008090,
                 .key = 0x50D83AA1,
                 .super_protect = 0x600080B0,
                 .super_config = 0x600080AC,
                 .super_feed = 1U << 31,
                 .super_key = 0x8F1D312A},
    .security = {.crypt_cnt = {0x60008834, 7U << 18},
                 .no_manual_encrypt = {0x60008830, 1U << 20},
                 .secure_boot = {0x60008838, 1U << 20}},
    .presets = C3_PRESETS,
    .variants = C3_VARIANTS,
    .boot_log = "ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\n"
                "rst:0x1 (POWERON),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nSPIWP:0xee\r\n"
                "mode:DIO, clock div:1\r\nload:0x3fcd5820,len:0x1708\r\n"
                "entry 0x403cc710\r\n",
};
