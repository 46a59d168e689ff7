#include "chip_rows.h"

enum { EFUSE = 0x600B0800, BLOCK1 = EFUSE + 0x44 };

static const struct ef_rule NAMES[] = {
    {.text = "ESP32-H2", .when = {{EF_FACT_PACKAGE, 0}}}, {.text = "Unknown ESP32-H2"}, {0}};

static const struct ef_rule FEATURES[] = {{.text = "BT 5 (LE)"},
                                          {.text = "IEEE802.15.4"},
                                          {.text = "Single Core"},
                                          {.text = "96MHz"},
                                          {0}};

static const struct ef_chip_rows ROWS = {
    .fields = {[EF_FACT_MAJOR] = {{{BLOCK1 + 4 * 3, 21, 2}}, NULL},
               [EF_FACT_MINOR] = {{{BLOCK1 + 4 * 3, 18, 3}}, NULL},
               [EF_FACT_PACKAGE] = {{{BLOCK1 + 4 * 4, 0, 3}}, NULL}},
    .names = NAMES,
    .features = FEATURES,
    .mac_layout = EF_MAC_EXT,
    .mac_reg = BLOCK1,
    .crystal_mhz = 32,
};

const struct ef_chip EF_CHIP_ROW_ESP32H2 = {
    .id = EF_CHIP_ESP32H2,
    .name = "ESP32-H2",
    .option = "esp32h2",
    .security_chip_id = 16,
    .rom_status_bytes = 4,
    .rom_can_flash = true,
    .rom_encrypt_word = true,
    .flash_max_bytes = 16 * EF_MIB,
    .rom_flash_max_bytes = 16 * EF_MIB,
    .spi = EF_SPI_REGS_SINCE_S2(0x60003000),
    .guard = {.crypt_count = {EFUSE + 0x34, 18, 3},
              .secure_boot = {EFUSE + 0x38, 20, 1},
              .no_manual_encrypt = {EFUSE + 0x30, 20, 1}},
    .usb = {.uartdev_reg = 0x4084FEFC, .uartdev_serial_jtag = 3},
    .watchdog = EF_WATCHDOG_REGS_LP(0x600B1C00, 0x1C),
    .rows = &ROWS,
};
