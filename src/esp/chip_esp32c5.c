#include "chip_rows.h"

enum { EFUSE = 0x600B4800, BLOCK1 = EFUSE + 0x44, PCR_SYSCLK_CONF = 0x60096110 };

static const struct ef_rule NAMES[] = {
    {.text = "ESP32-C5", .when = {{EF_FACT_PACKAGE, 0}}}, {.text = "Unknown ESP32-C5"}, {0}};

static const struct ef_rule FEATURES[] = {
    {.text = "Wi-Fi 6 (dual-band)"},   {.text = "BT 5 (LE)"}, {.text = "IEEE802.15.4"},
    {.text = "Single Core + LP Core"}, {.text = "240MHz"},    {0}};

static const struct ef_chip_rows ROWS = {
    .fields = {[EF_FACT_MAJOR] = {{{BLOCK1 + 4 * 2, 4, 2}}, NULL},
               [EF_FACT_MINOR] = {{{BLOCK1 + 4 * 2, 0, 4}}, NULL},
               [EF_FACT_PACKAGE] = {{{BLOCK1 + 4 * 2, 26, 3}}, NULL}},
    .names = NAMES,
    .features = FEATURES,
    .mac_layout = EF_MAC_EXT,
    .mac_reg = BLOCK1,
    .clocks_per_crystal = 1,
    .clkdiv_reg = 0x60000014,
};

const struct ef_chip EF_CHIP_ROW_ESP32C5 = {
    .id = EF_CHIP_ESP32C5,
    .name = "ESP32-C5",
    .option = "esp32c5",
    .security_chip_id = 23,
    .rom_status_bytes = 4,
    .rom_can_flash = true,
    .rom_encrypt_word = true,
    .rom_clock = {.mhz_in = {PCR_SYSCLK_CONF, 24, 7}},
    .boot_addr = 0x2000,
    .flash_max_bytes = 128 * EF_MIB,
    .rom_flash_max_bytes = 16 * EF_MIB,
    .spi = EF_SPI_REGS_SINCE_S2(0x60003000),
    .guard = {.crypt_count = {EFUSE + 0x34, 16, 3},
              .secure_boot = {EFUSE + 0x38, 25, 1},
              .no_manual_encrypt = {EFUSE + 0x30, 20, 1}},
    .usb = {.uartdev_reg = 0x4085F514, .uartdev_serial_jtag = 3},
    .watchdog = EF_WATCHDOG_REGS_LP(0x600B1C00, 0x18),
    .rows = &ROWS,
};
