#include "chip_rows.h"

enum {
    EFUSE = 0x3F41A000,
    BLOCK1 = EFUSE + 0x44,
    BLOCK2 = EFUSE + 0x5C,
    RTC_CNTL = 0x3F408000,
    GPIO_STRAP = 0x3F404038
};

/* The package is not asked: flash and PSRAM in it make the name. */
static const struct ef_rule NAMES[] = {
    {.text = "ESP32-S2", .when = {{EF_FACT_FLASH_CAP, 0}, {EF_FACT_PSRAM_CAP, 0}}},
    {.text = "ESP32-S2FH2", .when = {{EF_FACT_FLASH_CAP, 1}, {EF_FACT_PSRAM_CAP, 0}}},
    {.text = "ESP32-S2FH4", .when = {{EF_FACT_FLASH_CAP, 2}, {EF_FACT_PSRAM_CAP, 0}}},
    {.text = "ESP32-S2FNR2", .when = {{EF_FACT_FLASH_CAP, 2}, {EF_FACT_PSRAM_CAP, 1}}},
    {.text = "ESP32-S2R2", .when = {{EF_FACT_FLASH_CAP, 0}, {EF_FACT_PSRAM_CAP, 1}}},
    {.text = "Unknown ESP32-S2"},
    {0}};

static const struct ef_rule FEATURES[] = {
    {.text = "Wi-Fi"},
    {.text = "Single Core"},
    {.text = "240MHz"},
    {.text = "No Embedded Flash", .when = {{EF_FACT_FLASH_CAP, 0}}},
    {.text = "Embedded Flash 2MB", .when = {{EF_FACT_FLASH_CAP, 1}}, .otherwise = true},
    {.text = "Embedded Flash 4MB", .when = {{EF_FACT_FLASH_CAP, 2}}, .otherwise = true},
    {.text = "Unknown Embedded Flash", .otherwise = true},
    {.text = "No Embedded PSRAM", .when = {{EF_FACT_PSRAM_CAP, 0}}},
    {.text = "Embedded PSRAM 2MB", .when = {{EF_FACT_PSRAM_CAP, 1}}, .otherwise = true},
    {.text = "Embedded PSRAM 4MB", .when = {{EF_FACT_PSRAM_CAP, 2}}, .otherwise = true},
    {.text = "Unknown Embedded PSRAM", .otherwise = true},
    {.text = "No calibration in BLK2 of efuse", .when = {{EF_FACT_BLOCK2_VERSION, 0}}},
    {.text = "ADC and temperature sensor calibration in BLK2 of eFuse V1",
     .when = {{EF_FACT_BLOCK2_VERSION, 1}},
     .otherwise = true},
    {.text = "ADC and temperature sensor calibration in BLK2 of eFuse V2",
     .when = {{EF_FACT_BLOCK2_VERSION, 2}},
     .otherwise = true},
    {.text = "Unknown calibration in BLK2", .otherwise = true},
    {0}};

static const struct ef_rule FLASH_TYPE[] = {EF_RULES_FLASH_TYPE, {0}};
static const struct ef_rule FLASH_VOLTAGE[] = {EF_RULES_FLASH_VOLTAGE, {0}};

static const struct ef_chip_rows ROWS = {
    .fields = {[EF_FACT_MAJOR] = {{{BLOCK1 + 4 * 3, 18, 2}}, NULL},
               [EF_FACT_MINOR] = {{{BLOCK1 + 4 * 4, 4, 3}, {BLOCK1 + 4 * 3, 20, 1}}, NULL},
               [EF_FACT_FLASH_CAP] = {{{BLOCK1 + 4 * 3, 21, 4}}, NULL},
               [EF_FACT_PSRAM_CAP] = {{{BLOCK1 + 4 * 3, 28, 4}}, NULL},
               [EF_FACT_BLOCK2_VERSION] = {{{BLOCK2 + 4 * 4, 4, 3}}, NULL},
               [EF_FACT_OCTAL] = {{{EFUSE + 0x3C, 9, 1}}, NULL},
               [EF_FACT_VDD_ON] = {{{EFUSE + 0x34, 4, 1}}, NULL},
               [EF_FACT_VDD_TIE] = {{{EFUSE + 0x34, 5, 1}}, NULL},
               [EF_FACT_VDD_FORCE] = {{{EFUSE + 0x34, 6, 1}}, NULL},
               [EF_FACT_VDD_STRAP] = {{{GPIO_STRAP, 4, 1}}, NULL}},
    .names = NAMES,
    .features = FEATURES,
    .flash_type = FLASH_TYPE,
    .flash_voltage = FLASH_VOLTAGE,
    .mac_reg = BLOCK1,
    .crystal_mhz = 40,
};

const struct ef_chip EF_CHIP_ROW_ESP32S2 = {
    .id = EF_CHIP_ESP32S2,
    .name = "ESP32-S2",
    .option = "esp32s2",
    .magic = 0x000007C6,
    .security_chip_id = -1,
    .rom_status_bytes = 4,
    .rom_can_flash = true,
    .rom_encrypt_word = true,
    .boot_addr = 0x1000,
    .flash_max_bytes = 16 * EF_MIB,
    .rom_flash_max_bytes = 16 * EF_MIB,
    .spi = EF_SPI_REGS_SINCE_S2(0x3F402000),
    .guard = {.crypt_count = {EFUSE + 0x34, 18, 3},
              .secure_boot = {EFUSE + 0x38, 20, 1},
              .no_manual_encrypt = {EFUSE + 0x30, 19, 1}},
    .usb = {.uartdev_reg = 0x3FFFFD14, .uartdev_otg = 2, .otg_pid = 0x0002},
    /* No USB-Serial-JTAG, so these run out on nobody; a reset over USB-OTG needs them. */
    .watchdog = {.config0 = RTC_CNTL + 0x94,
                 .config1 = RTC_CNTL + 0x98,
                 .wprotect = RTC_CNTL + 0xAC,
                 .key = EF_WATCHDOG_KEY},
    .boot = {.strap_reg = GPIO_STRAP,
             .strap_boot_mask = 1 << 3,
             .option_reg = RTC_CNTL + 0x128,
             .option_force_loader_mask = 1},
    .rows = &ROWS,
};
