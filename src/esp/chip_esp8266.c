#include "chip_rows.h"

enum { EFUSE = 0x3FF00050 };

static const uint8_t ANY_BIT[4] = {0, 1, 1, 1};

/* Bit 0: small, bit 1: large, bit 2: twice that, bit 3: nothing known. Mebibytes. */
static const uint8_t FLASH_MIB[16] = {[1] = 1, [2] = 2, [5] = 2, [6] = 4};

static const struct ef_rule NAMES[] = {
    {.text = "ESP8266EX", .when = {{EF_FACT_EMBEDDED, 0}}},
    {.text = "ESP8285H08", .when = {{EF_FACT_FLASH_CAP, 1}, {EF_FACT_FLASH_HOT, 1}}},
    {.text = "ESP8285N08", .when = {{EF_FACT_FLASH_CAP, 1}}},
    {.text = "ESP8285H16", .when = {{EF_FACT_FLASH_CAP, 2}, {EF_FACT_FLASH_HOT, 1}}},
    {.text = "ESP8285N16", .when = {{EF_FACT_FLASH_CAP, 2}}},
    {.text = "ESP8285"},
    {0}};

static const struct ef_rule FEATURES[] = {
    {.text = "Wi-Fi"},
    {.text = "160MHz"},
    {.text = "Embedded Flash", .when = {{EF_FACT_EMBEDDED, 1}}},
    {0}};

static const struct ef_chip_rows ROWS = {
    .fields = {[EF_FACT_EMBEDDED] = {{{EFUSE, 4, 1}, {EFUSE + 8, 16, 1}}, ANY_BIT},
               [EF_FACT_FLASH_HOT] = {{{EFUSE, 5, 1}}, NULL},
               [EF_FACT_FLASH_CAP] = {{{EFUSE, 4, 1}, {EFUSE + 12, 25, 3}}, FLASH_MIB}},
    .no_revision = true,
    .names = NAMES,
    .features = FEATURES,
    .mac_layout = EF_MAC_ESP8266,
    .mac_reg = EFUSE,
    .clocks_per_crystal = 2,
    .clkdiv_reg = 0x60000014,
};

const struct ef_chip EF_CHIP_ROW_ESP8266 = {
    .id = EF_CHIP_ESP8266,
    .name = "ESP8266",
    .option = "esp8266",
    .magic = 0xFFF0C101,
    .security_chip_id = -1,
    .rom_status_bytes = 2,
    .flash_max_bytes = 16 * EF_MIB,
    .spi = {.base = 0x60000200, .usr = 0x1C, .usr1 = 0x20, .usr2 = 0x24, .w0 = 0x40},
    .rows = &ROWS,
};
