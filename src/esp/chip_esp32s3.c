#include "chip_rows.h"

enum {
    EFUSE = 0x60007000,
    BLOCK1 = EFUSE + 0x44,
    BLOCK2 = EFUSE + 0x5C,
    RTC_CNTL = 0x60008000,
    GPIO_STRAP = 0x60004038
};

static const struct ef_rule NAMES[] = {
    {.text = "ESP32-S3 (QFN56)", .when = {{EF_FACT_PACKAGE, 0}}},
    {.text = "ESP32-S3-PICO-1 (LGA56)", .when = {{EF_FACT_PACKAGE, 1}}},
    {.text = "Unknown ESP32-S3"},
    {0}};

static const struct ef_rule FEATURES[] = {
    {.text = "Wi-Fi"},
    {.text = "BT 5 (LE)"},
    {.text = "Dual Core + LP Core"},
    {.text = "240MHz"},
    {.text = "", .when = {{EF_FACT_FLASH_CAP, 0}}},
    {.text = "Embedded Flash 8MB",
     .when = {{EF_FACT_FLASH_CAP, 1}},
     .otherwise = true,
     .vendor = EF_FACT_FLASH_VENDOR},
    {.text = "Embedded Flash 4MB",
     .when = {{EF_FACT_FLASH_CAP, 2}},
     .otherwise = true,
     .vendor = EF_FACT_FLASH_VENDOR},
    {.text = "Unknown Embedded Flash", .otherwise = true, .vendor = EF_FACT_FLASH_VENDOR},
    {.text = "", .when = {{EF_FACT_PSRAM_CAP, 0}}},
    {.text = "Embedded PSRAM 8MB",
     .when = {{EF_FACT_PSRAM_CAP, 1}},
     .otherwise = true,
     .vendor = EF_FACT_PSRAM_VENDOR},
    {.text = "Embedded PSRAM 2MB",
     .when = {{EF_FACT_PSRAM_CAP, 2}},
     .otherwise = true,
     .vendor = EF_FACT_PSRAM_VENDOR},
    {.text = "Embedded PSRAM 16MB",
     .when = {{EF_FACT_PSRAM_CAP, 3}},
     .otherwise = true,
     .vendor = EF_FACT_PSRAM_VENDOR},
    {.text = "Embedded PSRAM 4MB",
     .when = {{EF_FACT_PSRAM_CAP, 4}},
     .otherwise = true,
     .vendor = EF_FACT_PSRAM_VENDOR},
    {.text = "Unknown Embedded PSRAM", .otherwise = true, .vendor = EF_FACT_PSRAM_VENDOR},
    {0}};

static const struct ef_rule FLASH_TYPE[] = {EF_RULES_FLASH_TYPE, {0}};
static const struct ef_rule FLASH_VOLTAGE[] = {EF_RULES_FLASH_VOLTAGE, {0}};

static const char *const FLASH_VENDORS[8] = {NULL, "XMC", "GD", "FM", "TT", "BY", NULL, NULL};
static const char *const PSRAM_VENDORS[4] = {NULL, "AP_3v3", "AP_1v8", NULL};

static const struct ef_chip_rows ROWS = {
    .fields = {[EF_FACT_MAJOR] = {{{BLOCK1 + 4 * 5, 24, 2}}, NULL},
               [EF_FACT_MINOR] = {{{BLOCK1 + 4 * 3, 18, 3}, {BLOCK1 + 4 * 5, 23, 1}}, NULL},
               [EF_FACT_MINOR_LOW] = {{{BLOCK1 + 4 * 3, 18, 3}}, NULL},
               [EF_FACT_BLOCK_MAJOR] = {{{BLOCK2 + 4 * 4, 0, 2}}, NULL},
               [EF_FACT_BLOCK_MINOR] = {{{BLOCK1 + 4 * 3, 24, 3}}, NULL},
               [EF_FACT_PACKAGE] = {{{BLOCK1 + 4 * 3, 21, 3}}, NULL},
               [EF_FACT_FLASH_CAP] = {{{BLOCK1 + 4 * 3, 27, 3}}, NULL},
               [EF_FACT_FLASH_VENDOR] = {{{BLOCK1 + 4 * 4, 0, 3}}, NULL},
               [EF_FACT_PSRAM_CAP] = {{{BLOCK1 + 4 * 4, 3, 2}, {BLOCK1 + 4 * 5, 19, 1}}, NULL},
               [EF_FACT_PSRAM_VENDOR] = {{{BLOCK1 + 4 * 4, 7, 2}}, NULL},
               [EF_FACT_OCTAL] = {{{EFUSE + 0x3C, 9, 1}}, NULL},
               [EF_FACT_VDD_ON] = {{{EFUSE + 0x34, 4, 1}}, NULL},
               [EF_FACT_VDD_TIE] = {{{EFUSE + 0x34, 5, 1}}, NULL},
               [EF_FACT_VDD_FORCE] = {{{EFUSE + 0x34, 6, 1}}, NULL},
               [EF_FACT_VDD_STRAP] = {{{GPIO_STRAP, 4, 1}}, NULL}},
    /* Chips with efuse block version 1.1 are all v0.0: what is the revision now was used
     * for something else in them. */
    .revision_zero = {{EF_FACT_MINOR_LOW, 0}, {EF_FACT_BLOCK_MAJOR, 1}, {EF_FACT_BLOCK_MINOR, 1}},
    .names = NAMES,
    .features = FEATURES,
    .flash_type = FLASH_TYPE,
    .flash_voltage = FLASH_VOLTAGE,
    .flash_vendors = FLASH_VENDORS,
    .psram_vendors = PSRAM_VENDORS,
    .mac_reg = BLOCK1,
    .crystal_mhz = 40,
};

const struct ef_chip EF_CHIP_ROW_ESP32S3 = {
    .id = EF_CHIP_ESP32S3,
    .name = "ESP32-S3",
    .option = "esp32s3",
    .security_chip_id = 9,
    .rom_status_bytes = 4,
    .rom_can_flash = true,
    .rom_encrypt_word = true,
    .flash_max_bytes = 128 * EF_MIB,
    .rom_flash_max_bytes = 16 * EF_MIB,
    .spi = EF_SPI_REGS_SINCE_S2(0x60002000),
    .guard = {.crypt_count = {EFUSE + 0x34, 18, 3},
              .secure_boot = {EFUSE + 0x38, 20, 1},
              .no_manual_encrypt = {EFUSE + 0x30, 20, 1}},
    .usb = {.uartdev_reg = 0x3FCEF14C,
            .uartdev_otg = 3,
            .uartdev_serial_jtag = 4,
            .otg_pid = 0x0009},
    .watchdog = {.config0 = RTC_CNTL + 0x98,
                 .config1 = RTC_CNTL + 0x9C,
                 .wprotect = RTC_CNTL + 0xB0,
                 .key = EF_WATCHDOG_KEY,
                 .swd_config = RTC_CNTL + 0xB4,
                 .swd_wprotect = RTC_CNTL + 0xB8,
                 .swd_key = EF_SUPER_WATCHDOG_KEY,
                 .swd_auto_feed = UINT32_C(1) << 31},
    .boot = {.strap_reg = GPIO_STRAP,
             .strap_boot_mask = 1 << 3,
             .option_reg = RTC_CNTL + 0x12C,
             .option_force_loader_mask = 1},
    .rows = &ROWS,
};
