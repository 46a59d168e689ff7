#include "chip_rows.h"

enum {
    EFUSE = 0x3FF5A000, /* block 0 */
    WORD3 = EFUSE + 4 * 3,
    WORD4 = EFUSE + 4 * 4,
    WORD5 = EFUSE + 4 * 5,
    WORD6 = EFUSE + 4 * 6,
    APB_CTL_DATE = 0x3FF6607C,
    RTC_SDIO_CONF = 0x3FF48074,
    GPIO_STRAP = 0x3FF44038,
    RTC_CALI_CFG1 = 0x3FF5F06C
};

static const uint8_t ANY_BIT[4] = {0, 1, 1, 1};
static const uint8_t NOT_ZERO[32] = {0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                     1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

/* Three bits in three registers; Espressif counts them up from the low end as revisions come. */
static const uint8_t MAJOR_BY_BITS[8] = {[1] = 1, [3] = 2, [7] = 3};

static const struct ef_rule NAMES[] = {
    {.text = "ESP32-S0WDQ6", .when = {{EF_FACT_PACKAGE, 0}, {EF_FACT_ONE_CORE, 1}}},
    {.text = "ESP32-D0WDQ6-V3", .when = {{EF_FACT_PACKAGE, 0}, {EF_FACT_MAJOR, 3}}},
    {.text = "ESP32-D0WDQ6", .when = {{EF_FACT_PACKAGE, 0}}},
    {.text = "ESP32-S0WD", .when = {{EF_FACT_PACKAGE, 1}, {EF_FACT_ONE_CORE, 1}}},
    {.text = "ESP32-D0WD-V3", .when = {{EF_FACT_PACKAGE, 1}, {EF_FACT_MAJOR, 3}}},
    {.text = "ESP32-D0WD", .when = {{EF_FACT_PACKAGE, 1}}},
    {.text = "ESP32-D2WD", .when = {{EF_FACT_PACKAGE, 2}}},
    {.text = "ESP32-U4WDH", .when = {{EF_FACT_PACKAGE, 4}}},
    {.text = "ESP32-PICO-V3", .when = {{EF_FACT_PACKAGE, 5}, {EF_FACT_MAJOR, 3}}},
    {.text = "ESP32-PICO-D4", .when = {{EF_FACT_PACKAGE, 5}}},
    {.text = "ESP32-PICO-V3-02", .when = {{EF_FACT_PACKAGE, 6}}},
    {.text = "ESP32-D0WDR2-V3", .when = {{EF_FACT_PACKAGE, 7}}},
    {.text = "Unknown ESP32"},
    {0}};

static const struct ef_rule FEATURES[] = {
    {.text = "Wi-Fi"},
    {.text = "BT", .when = {{EF_FACT_NO_BT, 0}}},
    {.text = "Single Core + LP Core", .when = {{EF_FACT_ONE_CORE, 1}}},
    {.text = "Dual Core + LP Core", .otherwise = true},
    {.text = "160MHz", .when = {{EF_FACT_SPEED_RATED, 1}, {EF_FACT_SPEED_LOW, 1}}},
    {.text = "240MHz", .when = {{EF_FACT_SPEED_RATED, 1}}, .otherwise = true},
    {.text = "Embedded Flash", .when = {{EF_FACT_PACKAGE, 2}}},
    {.text = "Embedded Flash", .when = {{EF_FACT_PACKAGE, 4}}},
    {.text = "Embedded Flash", .when = {{EF_FACT_PACKAGE, 5}}},
    {.text = "Embedded Flash", .when = {{EF_FACT_PACKAGE, 6}}},
    {.text = "Embedded PSRAM", .when = {{EF_FACT_PACKAGE, 6}}},
    {.text = "Vref calibration in eFuse", .when = {{EF_FACT_ADC_VREF, 1}}},
    {.text = "BLK3 partially reserved", .when = {{EF_FACT_BLOCK3_RESERVED, 1}}},
    {.text = "Coding Scheme None", .when = {{EF_FACT_CODING, 0}}},
    {.text = "Coding Scheme 3/4", .when = {{EF_FACT_CODING, 1}}},
    {.text = "Coding Scheme Repeat (UNSUPPORTED)", .when = {{EF_FACT_CODING, 2}}},
    {.text = "Coding Scheme None (may contain encoding data)", .when = {{EF_FACT_CODING, 3}}},
    {0}};

static const struct ef_rule FLASH_VOLTAGE[] = {
    {.text = "1.9V (set by RTC_CNTL)", .when = {{EF_FACT_RTC_FORCE, 1}, {EF_FACT_RTC_HIGH, 1}}},
    {.text = "1.8V (set by RTC_CNTL)", .when = {{EF_FACT_RTC_FORCE, 1}, {EF_FACT_RTC_ON, 1}}},
    {.text = "OFF (set by RTC_CNTL)", .when = {{EF_FACT_RTC_FORCE, 1}}},
    EF_RULES_FLASH_VOLTAGE,
    {0}};

static const struct ef_chip_rows ROWS = {
    .fields = {[EF_FACT_MAJOR] = {{{WORD3, 15, 1}, {WORD5, 20, 1}, {APB_CTL_DATE, 31, 1}},
                                  MAJOR_BY_BITS},
               [EF_FACT_MINOR] = {{{WORD5, 24, 2}}, NULL},
               [EF_FACT_PACKAGE] = {{{WORD3, 9, 3}, {WORD3, 2, 1}}, NULL},
               [EF_FACT_ONE_CORE] = {{{WORD3, 0, 1}}, NULL},
               [EF_FACT_NO_BT] = {{{WORD3, 1, 1}}, NULL},
               [EF_FACT_SPEED_LOW] = {{{WORD3, 12, 1}}, NULL},
               [EF_FACT_SPEED_RATED] = {{{WORD3, 13, 1}}, NULL},
               [EF_FACT_BLOCK3_RESERVED] = {{{WORD3, 14, 1}}, NULL},
               [EF_FACT_ADC_VREF] = {{{WORD4, 8, 5}}, NOT_ZERO},
               [EF_FACT_CODING] = {{{WORD6, 0, 2}}, NULL},
               [EF_FACT_RTC_FORCE] = {{{RTC_SDIO_CONF, 22, 1}}, NULL},
               [EF_FACT_RTC_HIGH] = {{{RTC_SDIO_CONF, 29, 2}}, ANY_BIT},
               [EF_FACT_RTC_ON] = {{{RTC_SDIO_CONF, 31, 1}}, NULL},
               [EF_FACT_VDD_ON] = {{{WORD4, 14, 1}}, NULL},
               [EF_FACT_VDD_TIE] = {{{WORD4, 15, 1}}, NULL},
               [EF_FACT_VDD_FORCE] = {{{WORD4, 16, 1}}, NULL},
               [EF_FACT_VDD_STRAP] = {{{GPIO_STRAP, 5, 1}}, NULL}},
    .names = NAMES,
    .features = FEATURES,
    .flash_voltage = FLASH_VOLTAGE,
    .mac_reg = EFUSE + 4,
    .clocks_per_crystal = 1,
    .clkdiv_reg = 0x3FF40014,
};

const struct ef_chip EF_CHIP_ROW_ESP32 = {
    .id = EF_CHIP_ESP32,
    .name = "ESP32",
    .option = "esp32",
    .magic = 0x00F01D83,
    .security_chip_id = -1,
    .rom_status_bytes = 4,
    .rom_can_flash = true,
    .rom_clock = {.cycles = {RTC_CALI_CFG1, 7, 25}, .rc_rate = {WORD4, 0, 8}},
    .boot_addr = 0x1000,
    .flash_max_bytes = 16 * EF_MIB,
    .rom_flash_max_bytes = 16 * EF_MIB,
    .spi = {.base = 0x3FF42000,
            .usr = 0x1C,
            .usr1 = 0x20,
            .usr2 = 0x24,
            .mosi_dlen = 0x28,
            .miso_dlen = 0x2C,
            .w0 = 0x80},
    .pads = {[EF_PAD_CLK] = {WORD5, 0, 5},
             [EF_PAD_Q] = {WORD5, 5, 5},
             [EF_PAD_D] = {WORD5, 10, 5},
             [EF_PAD_CS] = {WORD5, 15, 5},
             [EF_PAD_HD] = {WORD3, 4, 5}},
    .guard = {.crypt_count = {EFUSE, 20, 7},
              .secure_boot = {WORD6, 4, 1},
              .secure_boot_v2 = {WORD6, 5, 1},
              .secure_boot_v2_from = 300,
              .no_manual_encrypt = {WORD6, 7, 1}},
    .rows = &ROWS,
};
