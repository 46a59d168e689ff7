#include "chip_rows.h"

enum { EFUSE = 0x600B0800, BLOCK1 = EFUSE + 0x44 };

static const struct ef_rule NAMES[] = {
    {.text = "ESP32-C6 (QFN40)", .when = {{EF_FACT_PACKAGE, 0}}},
    {.text = "ESP32-C6FH4 (QFN32)", .when = {{EF_FACT_PACKAGE, 1}, {EF_FACT_FLASH_CAP, 1}}},
    {.text = "ESP32-C6FH8 (QFN32)", .when = {{EF_FACT_PACKAGE, 1}, {EF_FACT_FLASH_CAP, 2}}},
    {.text = "Unknown ESP32-C6"},
    {0}};

/* esptool calls a package without flash "Unknown" as well. */
static const struct ef_rule FEATURES[] = {
    {.text = "Wi-Fi 6"},
    {.text = "BT 5 (LE)"},
    {.text = "IEEE802.15.4"},
    {.text = "Single Core + LP Core"},
    {.text = "160MHz"},
    {.text = "Embedded Flash 4MB", .when = {{EF_FACT_FLASH_CAP, 1}}},
    {.text = "Embedded Flash 8MB", .when = {{EF_FACT_FLASH_CAP, 2}}, .otherwise = true},
    {.text = "Unknown Embedded Flash", .otherwise = true},
    {0}};

static const struct ef_chip_rows ROWS = {
    .fields = {[EF_FACT_MAJOR] = {{{BLOCK1 + 4 * 3, 22, 2}}, NULL},
               [EF_FACT_MINOR] = {{{BLOCK1 + 4 * 3, 18, 4}}, NULL},
               [EF_FACT_PACKAGE] = {{{BLOCK1 + 4 * 3, 24, 3}}, NULL},
               [EF_FACT_FLASH_CAP] = {{{BLOCK1 + 4 * 4, 0, 3}}, NULL}},
    .names = NAMES,
    .features = FEATURES,
    .mac_layout = EF_MAC_EXT,
    .mac_reg = BLOCK1,
    .crystal_mhz = 40,
};

const struct ef_chip EF_CHIP_ROW_ESP32C6 = {
    .id = EF_CHIP_ESP32C6,
    .name = "ESP32-C6",
    .option = "esp32c6",
    .security_chip_id = 13,
    .rom_status_bytes = 4,
    .rom_can_flash = true,
    .rom_encrypt_word = true,
    .flash_max_bytes = 16 * EF_MIB,
    .rom_flash_max_bytes = 16 * EF_MIB,
    .spi = EF_SPI_REGS_SINCE_S2(0x60003000),
    .guard = {.crypt_count = {EFUSE + 0x34, 18, 3},
              .secure_boot = {EFUSE + 0x38, 20, 1},
              .no_manual_encrypt = {EFUSE + 0x30, 20, 1}},
    .usb = {.uartdev_reg = 0x4087F580, .uartdev_serial_jtag = 3},
    .watchdog = EF_WATCHDOG_REGS_LP(0x600B1C00, 0x18),
    .rows = &ROWS,
};
