#include "chip_rows.h"

enum { EFUSE = 0x600B4800, BLOCK1 = EFUSE + 0x44 };

static const struct ef_rule NAMES[] = {
    {.text = "ESP32-C61", .when = {{EF_FACT_PACKAGE, 0}}}, {.text = "Unknown ESP32-C61"}, {0}};

static const struct ef_rule FEATURES[] = {
    {.text = "Wi-Fi 6"}, {.text = "BT 5 (LE)"}, {.text = "Single Core"}, {.text = "160MHz"}, {0}};

static const struct ef_chip_rows ROWS = {
    .fields = {[EF_FACT_MAJOR] = {{{BLOCK1 + 4 * 2, 4, 2}}, NULL},
               [EF_FACT_MINOR] = {{{BLOCK1 + 4 * 2, 0, 4}}, NULL},
               [EF_FACT_PACKAGE] = {{{BLOCK1 + 4 * 2, 26, 3}}, NULL}},
    .names = NAMES,
    .features = FEATURES,
    .mac_reg = BLOCK1,
    .crystal_mhz = 40,
};

const struct ef_chip EF_CHIP_ROW_ESP32C61 = {
    .id = EF_CHIP_ESP32C61,
    .name = "ESP32-C61",
    .option = "esp32c61",
    .security_chip_id = 20,
    .rom_status_bytes = 4,
    .rom_can_flash = true,
    .rom_encrypt_word = true,
    .flash_max_bytes = 128 * EF_MIB,
    .rom_flash_max_bytes = 16 * EF_MIB,
    .spi = EF_SPI_REGS_SINCE_S2(0x60003000),
    .guard = {.crypt_count = {EFUSE + 0x30, 23, 3},
              .secure_boot = {EFUSE + 0x34, 26, 1},
              .no_manual_encrypt = {EFUSE + 0x30, 14, 1}},
    .usb = {.uartdev_reg = 0x4084F5E4,
            .uartdev_reg_old = 0x4084F5EC,
            .uartdev_old_below = 3,
            .uartdev_serial_jtag = 4,
            .uartdev_serial_jtag_old = 3},
    .watchdog = EF_WATCHDOG_REGS_LP(0x600B1C00, 0x18),
    .rows = &ROWS,
};
