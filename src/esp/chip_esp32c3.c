#include "chip_rows.h"

enum { EFUSE = 0x60008800, BLOCK1 = EFUSE + 0x44, RTC_CNTL = 0x60008000 };

static const struct ef_rule NAMES[] = {
    {.text = "ESP32-C3 (QFN32)", .when = {{EF_FACT_PACKAGE, 0}}},
    {.text = "ESP8685 (QFN28)", .when = {{EF_FACT_PACKAGE, 1}}},
    {.text = "ESP32-C3 AZ (QFN32)", .when = {{EF_FACT_PACKAGE, 2}}},
    {.text = "ESP8686 (QFN24)", .when = {{EF_FACT_PACKAGE, 3}}},
    {.text = "Unknown ESP32-C3"},
    {0}};

static const struct ef_rule FEATURES[] = {
    {.text = "Wi-Fi"},
    {.text = "BT 5 (LE)"},
    {.text = "Single Core"},
    {.text = "160MHz"},
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
    {.text = "Embedded Flash 8MB",
     .when = {{EF_FACT_FLASH_CAP, 4}},
     .otherwise = true,
     .vendor = EF_FACT_FLASH_VENDOR},
    {.text = "Unknown Embedded Flash", .otherwise = true, .vendor = EF_FACT_FLASH_VENDOR},
    {0}};

static const char *const FLASH_VENDORS[8] = {NULL, "XMC", "GD", "FM", "TT", "ZBIT", NULL, NULL};

static const struct ef_chip_rows ROWS = {
    .fields = {[EF_FACT_MAJOR] = {{{BLOCK1 + 4 * 5, 24, 2}}, NULL},
               [EF_FACT_MINOR] = {{{BLOCK1 + 4 * 3, 18, 3}, {BLOCK1 + 4 * 5, 23, 1}}, NULL},
               [EF_FACT_PACKAGE] = {{{BLOCK1 + 4 * 3, 21, 3}}, NULL},
               [EF_FACT_FLASH_CAP] = {{{BLOCK1 + 4 * 3, 27, 3}}, NULL},
               [EF_FACT_FLASH_VENDOR] = {{{BLOCK1 + 4 * 4, 0, 3}}, NULL}},
    .names = NAMES,
    .features = FEATURES,
    .flash_vendors = FLASH_VENDORS,
    .mac_reg = BLOCK1,
    .crystal_mhz = 40, /* the only one it works with */
};

const struct ef_chip EF_CHIP_ROW_ESP32C3 = {
    .id = EF_CHIP_ESP32C3,
    .name = "ESP32-C3",
    .option = "esp32c3",
    .security_chip_id = 5,
    .rom_status_bytes = 4,
    .rom_can_flash = true,
    .rom_encrypt_word = true,
    .flash_max_bytes = 16 * EF_MIB,
    .rom_flash_max_bytes = 16 * EF_MIB,
    .stub_not_in_secure_boot = true,
    .spi = EF_SPI_REGS_SINCE_S2(0x60002000),
    .guard = {.crypt_count = {EFUSE + 0x34, 18, 3},
              .secure_boot = {EFUSE + 0x38, 20, 1},
              .no_manual_encrypt = {EFUSE + 0x30, 20, 1}},
    .usb = {.uartdev_reg = 0x3FCDF078,
            .uartdev_reg_old = 0x3FCDF07C,
            .uartdev_old_below = 101,
            .uartdev_serial_jtag = 3},
    .watchdog = {.config0 = RTC_CNTL + 0x90,
                 .config1 = RTC_CNTL + 0x94,
                 .wprotect = RTC_CNTL + 0xA8,
                 .key = EF_WATCHDOG_KEY,
                 .swd_config = RTC_CNTL + 0xAC,
                 .swd_wprotect = RTC_CNTL + 0xB0,
                 .swd_key = EF_SUPER_WATCHDOG_KEY,
                 .swd_auto_feed = UINT32_C(1) << 31},
    .rows = &ROWS,
};
