#include "chip_rows.h"

enum { EFUSE = 0x60008800, BLOCK2 = EFUSE + 0x40, RTC_CNTL = 0x60008000 };

static const struct ef_rule NAMES[] = {{.text = "ESP32-C2", .when = {{EF_FACT_PACKAGE, 0}}},
                                       {.text = "ESP8684H", .when = {{EF_FACT_PACKAGE, 1}}},
                                       {.text = "Unknown ESP32-C2"},
                                       {0}};

static const struct ef_rule FEATURES[] = {
    {.text = "Wi-Fi"},
    {.text = "BT 5 (LE)"},
    {.text = "Single Core"},
    {.text = "120MHz"},
    {.text = "", .when = {{EF_FACT_FLASH_CAP, 0}}},
    {.text = "Embedded Flash 4MB",
     .when = {{EF_FACT_FLASH_CAP, 1}},
     .otherwise = true,
     .vendor = EF_FACT_FLASH_VENDOR},
    {.text = "Embedded Flash 2MB",
     .when = {{EF_FACT_FLASH_CAP, 2}},
     .otherwise = true,
     .vendor = EF_FACT_FLASH_VENDOR},
    {.text = "Embedded Flash 1MB",
     .when = {{EF_FACT_FLASH_CAP, 3}},
     .otherwise = true,
     .vendor = EF_FACT_FLASH_VENDOR},
    {.text = "Unknown Embedded Flash", .otherwise = true, .vendor = EF_FACT_FLASH_VENDOR},
    {0}};

static const char *const FLASH_VENDORS[8] = {NULL, "XMC", "GD", "FM", "TT", "ZBIT", NULL, NULL};

static const struct ef_chip_rows ROWS = {
    .fields = {[EF_FACT_MAJOR] = {{{BLOCK2 + 4 * 1, 20, 2}}, NULL},
               [EF_FACT_MINOR] = {{{BLOCK2 + 4 * 1, 16, 4}}, NULL},
               [EF_FACT_PACKAGE] = {{{BLOCK2 + 4 * 1, 22, 3}}, NULL},
               [EF_FACT_FLASH_CAP] = {{{BLOCK2 + 4 * 7, 29, 3}}, NULL},
               [EF_FACT_FLASH_VENDOR] = {{{BLOCK2 + 4 * 7, 24, 3}}, NULL}},
    .names = NAMES,
    .features = FEATURES,
    .flash_vendors = FLASH_VENDORS,
    .mac_reg = BLOCK2,
    .clocks_per_crystal = 1,
    .clkdiv_reg = 0x60000014,
};

const struct ef_chip EF_CHIP_ROW_ESP32C2 = {
    .id = EF_CHIP_ESP32C2,
    .name = "ESP32-C2",
    .option = "esp32c2",
    .security_chip_id = 12,
    .rom_status_bytes = 4,
    .rom_can_flash = true,
    .rom_encrypt_word = true,
    .rom_clock = {.mhz = 40},
    .flash_max_bytes = 16 * EF_MIB,
    .rom_flash_max_bytes = 16 * EF_MIB,
    .stub_from = 1, /* the stub gave up the first samples, v0.0 */
    .spi = EF_SPI_REGS_SINCE_S2(0x60002000),
    .guard = {.crypt_count = {EFUSE + 0x30, 7, 3},
              .secure_boot = {EFUSE + 0x30, 21, 1},
              .no_manual_encrypt = {EFUSE + 0x30, 6, 1}},
    .watchdog = {.config0 = RTC_CNTL + 0x84,
                 .config1 = RTC_CNTL + 0x88,
                 .wprotect = RTC_CNTL + 0x9C,
                 .key = EF_WATCHDOG_KEY},
    .rows = &ROWS,
};
