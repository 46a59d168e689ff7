/*
 * ESP32-S2 and ESP32-S3. The words of efuse block 1 follow the MAC's two; block 2 holds
 * calibration. Bits of S2: word 3: major revision 18-19, minor's high bit 20, flash 21-24,
 * PSRAM 28-31; word 4: minor's low bits 4-6; block 2 word 4: calibration 4-6. Bits of S3:
 * word 3: minor's low bits 18-20, package 21-23, block 1's version 24-26, flash 27-29; word
 * 4: flash vendor 0-2, PSRAM 3-4, its vendor 7-8; word 5: minor's high bit 23, major 24-25.
 */
#include "chips_rows.h"

enum {
    S2_WORD3 = 0x3F41A050,
    S2_WORD4 = 0x3F41A054,
    S2_CALIBRATION = 0x3F41A06C,
    S3_WORD3 = 0x60007050,
    S3_WORD4 = 0x60007054,
    S3_WORD5 = 0x60007058,
    S3_BLOCK2_WORD4 = 0x6000706C,
    S3_FLASH_TYPE = 0x6000703C,
    S3_OCTAL = 1 << 9
};

static const struct eb_register S2_PRESETS[] = {{S2_WORD3, 1U << 18},
                                                {S2_CALIBRATION, 1U << 4},
                                                {0x3F402018, 0x800000C0},
                                                {0x3F402020, 0x70000000},
                                                {0, 0}};
static const struct eb_register S2_V0[] = {
    {S2_WORD3, 0}, {S2_WORD4, 0}, {S2_CALIBRATION, 0}, {0, 0}};
static const struct eb_register S2_FH4[] = {
    {S2_WORD3, 1U << 18 | 2U << 21}, {S2_CALIBRATION, 2U << 4}, {0, 0}};
static const struct eb_register S2_FNR2[] = {{S2_WORD3, 1U << 18 | 2U << 21 | 1U << 28}, {0, 0}};

static const struct eb_variant S2_VARIANTS[] = {
    {.name = "esp32s2-v0.0", .efuses = S2_V0},
    {.name = "esp32s2fh4", .efuses = S2_FH4, .flash_id = 0x164020},
    {.name = "esp32s2fnr2", .efuses = S2_FNR2, .flash_id = 0x164020},
    {0},
};

const struct eb_chip EB_CHIP_ESP32S2 = {
    .option = "esp32s2",
    .magic = 0x000007C6,
    .rom_has = EB_ROM_FLASH | EB_ROM_SECURITY_INFO | EB_ROM_ENCRYPT_WORD,
    .rom_status_len = 4,
    .security_len = 12,
    .spi = {.base = 0x3F402000, .usr = 0x18, .usr1 = 0x1C, .usr2 = 0x20, .w0 = 0x58},
    .clkdiv_addr = 0x3F400014,
    .crystal_hz = 40000000,
    .uart_clocks_per_crystal = 1,
    .mac = {0x7C, 0xDF, 0xA1, 0x02, 0x15, 0x2A},
    .mac_addr = 0x3F41A044,
    .uart_no = {.addr = 0x3FFFFD14, .value = {[EB_USB_OTG] = 2}},
    .security = {.crypt_cnt = {0x3F41A034, 7U << 18},
                 .no_manual_encrypt = {0x3F41A030, 1U << 19},
                 .secure_boot = {0x3F41A038, 1U << 20}},
    .presets = S2_PRESETS,
    .variants = S2_VARIANTS,
    .boot_log = "ESP-ROM:esp32s2-rc4-20191025\r\nBuild:Oct 25 2019\r\n"
                "rst:0x1 (POWERON),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\nSPIWP:0xee\r\n"
                "mode:DIO, clock div:1\r\nload:0x3ffe6108,len:0x1804\r\n"
                "entry 0x4004c190\r\n",
};

static const struct eb_register S3_PRESETS[] = {
    {S3_WORD3, 2U << 18}, {0x60002018, 0x800000C0}, {0x60002020, 0x70000000}, {0, 0}};
/* Its major number reads 1 by mistake: block versions 1 and 1 with minor 0 mean v0.0. */
static const struct eb_register S3_V0[] = {
    {S3_WORD3, 1U << 24}, {S3_WORD5, 1U << 24}, {S3_BLOCK2_WORD4, 1}, {0, 0}};
static const struct eb_register S3_FN8[] = {{S3_WORD3, 2U << 18 | 1U << 27}, {S3_WORD4, 2}, {0, 0}};
static const struct eb_register S3_R8[] = {
    {S3_WORD4, 1U << 3 | 1U << 7}, {S3_FLASH_TYPE, S3_OCTAL}, {0, 0}};
static const struct eb_register S3_32M[] = {
    {S3_WORD4, 1U << 3 | 2U << 7}, {S3_FLASH_TYPE, S3_OCTAL}, {0, 0}};
static const struct eb_register S3_PICO[] = {
    {S3_WORD3, 2U << 18 | 1U << 21 | 1U << 27}, {S3_WORD4, 1 | 1U << 3 | 1U << 7}, {0, 0}};

static const struct eb_variant S3_VARIANTS[] = {
    {.name = "esp32s3-v0.0", .efuses = S3_V0},
    {.name = "esp32s3fn8", .efuses = S3_FN8, .flash_size = 8 << 20},
    {.name = "esp32s3-r8", .efuses = S3_R8, .flash_size = 16 << 20, .flash_id = 0x3880C2},
    {.name = "esp32s3-32m", .efuses = S3_32M, .flash_size = 32 << 20, .flash_id = 0x3980C2},
    {.name = "esp32s3-pico-1", .efuses = S3_PICO, .flash_size = 8 << 20, .flash_id = 0x174020},
    {0},
};

const struct eb_chip EB_CHIP_ESP32S3 = {
    .option = "esp32s3",
    .magic = 0x00000009,
    .rom_has = EB_ROM_FLASH | EB_ROM_SECURITY_INFO | EB_ROM_ENCRYPT_WORD,
    .rom_status_len = 4,
    .security_len = 20,
    .security_chip_id = 9,
    .security_eco = 2,
    .stub_4_byte = true,
    .spi = {.base = 0x60002000, .usr = 0x18, .usr1 = 0x1C, .usr2 = 0x20, .w0 = 0x58},
    .clkdiv_addr = 0x60000014,
    .crystal_hz = 40000000,
    .uart_clocks_per_crystal = 1,
    .mac = {0xF4, 0x12, 0xFA, 0x4E, 0x07, 0xB8},
    .mac_addr = 0x60007044,
    .uart_no = {.addr = 0x3FCEF14C, .value = {[EB_USB_OTG] = 3, [EB_USB_JTAG] = 4}},
    .watchdog = {.protect = 0x600080B0,
                 .config = 0x60008098,
                 .key = 0x50D83AA1,
                 .super_protect = 0x600080B8,
                 .super_config = 0x600080B4,
                 .super_feed = 1U << 31,
                 .super_key = 0x8F1D312A},
    .security = {.crypt_cnt = {0x60007034, 7U << 18},
                 .no_manual_encrypt = {0x60007030, 1U << 20},
                 .secure_boot = {0x60007038, 1U << 20}},
    .presets = S3_PRESETS,
    .variants = S3_VARIANTS,
    .boot_log = "ESP-ROM:esp32s3-20210327\r\nBuild:Mar 27 2021\r\n"
                "rst:0x1 (POWERON),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\nSPIWP:0xee\r\n"
                "mode:DIO, clock div:1\r\nload:0x3fce3810,len:0x178c\r\n"
                "entry 0x403c989c\r\n",
};
