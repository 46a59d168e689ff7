/*
 * How a chip's efuses become words: where each fact lies, and rules that turn facts into
 * text. A chip is a row of these tables in its chip_NAME.c. Private to src/esp.
 */
#ifndef EF_CHIP_ROWS_H
#define EF_CHIP_ROWS_H

#include "espflashfs/chip.h"

/* What fields of efuses and registers tell. What a chip has no field for is 0. */
enum ef_fact {
    EF_FACT_NONE, /* ends a list of conditions */
    EF_FACT_MAJOR,
    EF_FACT_MINOR,
    EF_FACT_MINOR_LOW, /* without the bit that came later */
    EF_FACT_BLOCK_MAJOR,
    EF_FACT_BLOCK_MINOR,
    EF_FACT_PACKAGE,
    EF_FACT_EMBEDDED, /* flash in the package, ESP8285 */
    EF_FACT_FLASH_CAP,
    EF_FACT_FLASH_VENDOR,
    EF_FACT_FLASH_HOT, /* the flash's temperature grade, ESP8285 */
    EF_FACT_PSRAM_CAP,
    EF_FACT_PSRAM_VENDOR,
    EF_FACT_ONE_CORE,
    EF_FACT_NO_BT,
    EF_FACT_SPEED_RATED,
    EF_FACT_SPEED_LOW,
    EF_FACT_ADC_VREF,
    EF_FACT_BLOCK3_RESERVED,
    EF_FACT_CODING,
    EF_FACT_BLOCK2_VERSION,
    EF_FACT_OCTAL,
    EF_FACT_RTC_FORCE, /* the flash's voltage, as firmware set it ... */
    EF_FACT_RTC_HIGH,
    EF_FACT_RTC_ON,
    EF_FACT_VDD_FORCE, /* ... as efuses set it ... */
    EF_FACT_VDD_ON,
    EF_FACT_VDD_TIE,
    EF_FACT_VDD_STRAP, /* ... and as the pin set it at the last reset */
    EF_FACT_COUNT
};

enum { EF_FIELD_PARTS = 3, EF_RULE_CONDITIONS = 3 };

/* A number in up to three places, lowest bits first; `map`, where given, looks it up. */
struct ef_field {
    struct ef_bits parts[EF_FIELD_PARTS];
    const uint8_t *map;
};

struct ef_condition {
    uint8_t fact, value;
};

/*
 * A text that applies if all conditions hold. `otherwise`: and no rule of the chain that
 * it continues did. A list of rules ends with text NULL; an empty text says nothing.
 */
struct ef_rule {
    const char *text;
    struct ef_condition when[EF_RULE_CONDITIONS];
    bool otherwise;
    uint8_t vendor; /* fact that picks the vendor's name to put behind, in brackets */
};

enum ef_mac_layout {
    EF_MAC_PLAIN, /* low word: bytes 2-5; high word: bytes 0-1 */
    EF_MAC_EXT,   /* and the high half of the high word: the middle of the 8-byte address */
    EF_MAC_ESP8266
};

struct ef_chip_rows {
    struct ef_field fields[EF_FACT_COUNT];
    bool no_revision;
    struct ef_condition revision_zero[EF_RULE_CONDITIONS]; /* the fields were used otherwise */
    const struct ef_rule *names, *features, *flash_type, *flash_voltage;
    const char *const *flash_vendors; /* an entry for each value of the field */
    const char *const *psram_vendors;
    enum ef_mac_layout mac_layout;
    uint32_t mac_reg;
    uint8_t crystal_mhz; /* 0: measured with the UART's clock divider */
    uint8_t clocks_per_crystal;
    uint32_t clkdiv_reg;
};

/* Every chip since the ESP32-S2 has this layout. */
#define EF_SPI_REGS_SINCE_S2(address)                                                              \
    {                                                                                              \
        .base = (address), .usr = 0x18, .usr1 = 0x1C, .usr2 = 0x20, .mosi_dlen = 0x24,             \
        .miso_dlen = 0x28, .w0 = 0x58                                                              \
    }

/* The flash's voltage where firmware does not force it: the ESP32, ESP32-S2 and ESP32-S3. */
#define EF_RULES_FLASH_VOLTAGE                                                                     \
    {.text = "OFF (set by eFuse)", .when = {{EF_FACT_VDD_FORCE, 1}, {EF_FACT_VDD_ON, 0}}},         \
        {.text = "1.8V (set by eFuse)", .when = {{EF_FACT_VDD_FORCE, 1}, {EF_FACT_VDD_TIE, 0}}},   \
        {.text = "3.3V (set by eFuse)", .when = {{EF_FACT_VDD_FORCE, 1}}},                         \
        {.text = "1.8V (set by a strapping pin)", .when = {{EF_FACT_VDD_STRAP, 1}}},               \
    {                                                                                              \
        .text = "3.3V (set by a strapping pin)"                                                    \
    }

#define EF_RULES_FLASH_TYPE                                                                        \
    {.text = "octal (8 data lines)", .when = {{EF_FACT_OCTAL, 1}}},                                \
    {                                                                                              \
        .text = "quad (4 data lines)"                                                              \
    }

enum { EF_MIB = 1024 * 1024 };

#define EF_WATCHDOG_KEY UINT32_C(0x50D83AA1)
#define EF_SUPER_WATCHDOG_KEY UINT32_C(0x8F1D312A)

/* Chips with a low-power watchdog of its own; the write protection moved once. */
#define EF_WATCHDOG_REGS_LP(base, protect)                                                         \
    {                                                                                              \
        .config0 = (base), .config1 = (base) + 4, .wprotect = (base) + (protect),                  \
        .key = EF_WATCHDOG_KEY, .swd_config = (base) + (protect) + 4,                              \
        .swd_wprotect = (base) + (protect) + 8, .swd_key = EF_WATCHDOG_KEY,                        \
        .swd_auto_feed = UINT32_C(1) << 18                                                         \
    }

extern const struct ef_chip EF_CHIP_ROW_ESP8266;
extern const struct ef_chip EF_CHIP_ROW_ESP32;
extern const struct ef_chip EF_CHIP_ROW_ESP32S2;
extern const struct ef_chip EF_CHIP_ROW_ESP32S3;
extern const struct ef_chip EF_CHIP_ROW_ESP32C2;
extern const struct ef_chip EF_CHIP_ROW_ESP32C3;
extern const struct ef_chip EF_CHIP_ROW_ESP32C5;
extern const struct ef_chip EF_CHIP_ROW_ESP32C6;
extern const struct ef_chip EF_CHIP_ROW_ESP32C61;
extern const struct ef_chip EF_CHIP_ROW_ESP32H2;
extern const struct ef_chip EF_CHIP_ROW_ESP32P4;

#endif
