/*
 * ESP32-C5, C6, C61, H2 and P4: efuses and watchdogs of one kind, in different places. Bits
 * of block 1: of C5 and C61 word 2: minor 0-3, major 4-5, package 26-28. Of P4 word 2: the
 * same, but package 20-22 and major's high bit 23. Of C6 word 3: minor 18-21, major 22-23,
 * package 24-26; word 4: flash 0-2. Of H2 word 3: minor 18-20, major 21-22; word 4: package.
 */
#include "chips_rows.h"

/* The upper half of the MAC's second word: the two bytes that make an EUI-64 of it. */
#define MAC_EXTENSION 0xFFFE0000U

#define LATE_ROM (EB_ROM_FLASH | EB_ROM_SECURITY_INFO | EB_ROM_ENCRYPT_WORD)
#define LATE_SPI(at)                                                                               \
    {                                                                                              \
        .base = (at), .usr = 0x18, .usr1 = 0x1C, .usr2 = 0x20, .w0 = 0x58                          \
    }

/* The key is the same for both watchdogs. */
#define LATE_WATCHDOG(at, moved)                                                                   \
    {                                                                                              \
        .protect = (at) + 0x18 + (moved), .config = (at), .key = 0x50D83AA1,                       \
        .super_protect = (at) + 0x20 + (moved), .super_config = (at) + 0x1C + (moved),             \
        .super_feed = 1U << 18, .super_key = 0x50D83AA1                                            \
    }

#define LATE_SECURITY(at)                                                                          \
    {                                                                                              \
        .crypt_cnt = {(at) + 0x34, 7U << 18}, .no_manual_encrypt = {(at) + 0x30, 1U << 20},        \
        .secure_boot = {                                                                           \
            (at) + 0x38,                                                                           \
            1U << 20                                                                               \
        }                                                                                          \
    }

/* PCR_SYSCLK_CONF tells in bits 24-30 which crystal the ROM goes by, in MHz. */
static const struct eb_register C5_PRESETS[] = {
    {0x600B484C, 1U << 4}, {0x600B4848, MAC_EXTENSION}, {0x60096110, 48U << 24}, {0, 0}};
static const struct eb_register C5_40M[] = {{0x60096110, 48U << 24}, {0, 0}};

/* Its crystal is 48 MHz, and its ROM goes by that. */
static const struct eb_variant C5_VARIANTS[] = {
    {.name = "esp32c5-40m", .efuses = C5_40M, .crystal_hz = 40000000},
    {0},
};

const struct eb_chip EB_CHIP_ESP32C5 = {
    .option = "esp32c5",
    .magic = 0x1101406F,
    .rom_has = LATE_ROM,
    .rom_status_len = 4,
    .security_len = 20,
    .security_chip_id = 23,
    .security_eco = 100,
    .stub_4_byte = true,
    .spi = LATE_SPI(0x60003000),
    .clkdiv_addr = 0x60000014,
    .crystal_hz = 48000000,
    .uart_clocks_per_crystal = 1,
    .rom_crystal_hz = 48000000,
    .mac = {0xD0, 0xCF, 0x13, 0x61, 0x0E, 0x94},
    .mac_addr = 0x600B4844,
    .uart_no = {.addr = 0x4085F514, .value = {[EB_USB_JTAG] = 3}},
    .watchdog = LATE_WATCHDOG(0x600B1C00, 0),
    .security = {.crypt_cnt = {0x600B4834, 7U << 16},
                 .no_manual_encrypt = {0x600B4830, 1U << 20},
                 .secure_boot = {0x600B4838, 1U << 25}},
    .presets = C5_PRESETS,
    .variants = C5_VARIANTS,
    .boot_log = "ESP-ROM:esp32c5-eco2-20250121\r\nBuild:Jan 21 2025\r\n"
                "rst:0x1 (POWERON),boot:0x18 (SPI_FAST_FLASH_BOOT)\r\nSPI mode:DIO, clock div:1\r\n"
                "load:0x408556b0,len:0x1738\r\nentry 0x4084bba0\r\n",
};

static const struct eb_register C6_PRESETS[] = {
    {0x600B0850, 1U << 18}, {0x600B0848, MAC_EXTENSION}, {0, 0}};
static const struct eb_register C6_FH4[] = {
    {0x600B0850, 2U << 18 | 1U << 24}, {0x600B0854, 1}, {0, 0}};
static const struct eb_register C6_FH8[] = {
    {0x600B0850, 2U << 18 | 1U << 24}, {0x600B0854, 2}, {0, 0}};

static const struct eb_variant C6_VARIANTS[] = {
    {.name = "esp32c6fh4", .efuses = C6_FH4, .flash_id = 0x164020},
    {.name = "esp32c6fh8", .efuses = C6_FH8, .flash_size = 8 << 20},
    {0},
};

const struct eb_chip EB_CHIP_ESP32C6 = {
    .option = "esp32c6",
    .magic = 0x2CE0806F,
    .rom_has = LATE_ROM,
    .rom_status_len = 4,
    .security_len = 20,
    .security_chip_id = 13,
    .security_eco = 1,
    .spi = LATE_SPI(0x60003000),
    .clkdiv_addr = 0x60000014,
    .crystal_hz = 40000000,
    .uart_clocks_per_crystal = 1,
    .mac = {0x40, 0x4C, 0xCA, 0x51, 0x2F, 0x60},
    .mac_addr = 0x600B0844,
    .uart_no = {.addr = 0x4087F580, .value = {[EB_USB_JTAG] = 3}},
    .watchdog = LATE_WATCHDOG(0x600B1C00, 0),
    .security = LATE_SECURITY(0x600B0800),
    .presets = C6_PRESETS,
    .variants = C6_VARIANTS,
    .boot_log = "ESP-ROM:esp32c6-20220919\r\nBuild:Sep 19 2022\r\n"
                "rst:0x1 (POWERON),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nSPIWP:0xee\r\n"
                "mode:DIO, clock div:2\r\nload:0x4086c410,len:0xd48\r\nentry 0x4086c410\r\n",
};

static const struct eb_register C61_PRESETS[] = {
    {0x600B484C, 1U << 4}, {0x600B4848, MAC_EXTENSION}, {0, 0}};

const struct eb_chip EB_CHIP_ESP32C61 = {
    .option = "esp32c61",
    .magic = 0x2421606F,
    .rom_has = LATE_ROM,
    .rom_status_len = 4,
    .security_len = 20,
    .security_chip_id = 20,
    .security_eco = 100,
    .stub_4_byte = true,
    .spi = LATE_SPI(0x60003000),
    .clkdiv_addr = 0x60000014,
    .crystal_hz = 40000000,
    .uart_clocks_per_crystal = 1,
    .mac = {0x98, 0xA3, 0x16, 0x7D, 0x40, 0x1C},
    .mac_addr = 0x600B4844,
    .uart_no = {.addr = 0x4084F5E4, .value = {[EB_USB_JTAG] = 4}},
    .watchdog = LATE_WATCHDOG(0x600B1C00, 0),
    .security = {.crypt_cnt = {0x600B4830, 7U << 23},
                 .no_manual_encrypt = {0x600B4830, 1U << 14},
                 .secure_boot = {0x600B4834, 1U << 26}},
    .presets = C61_PRESETS,
    .boot_log = "ESP-ROM:esp32c61-20240925\r\nBuild:Sep 25 2024\r\n"
                "rst:0x1 (POWERON),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nSPI mode:DIO, clock div:2\r\n"
                "load:0x40852b20,len:0x15a4\r\nentry 0x40848c98\r\n",
};

static const struct eb_register H2_PRESETS[] = {
    {0x600B0850, 2U << 18}, {0x600B0848, MAC_EXTENSION}, {0, 0}};
static const struct eb_register H2_V1_2[] = {{0x600B0850, 2U << 18 | 1U << 21}, {0, 0}};

static const struct eb_variant H2_VARIANTS[] = {
    {.name = "esp32h2-v1.2", .efuses = H2_V1_2},
    {0},
};

const struct eb_chip EB_CHIP_ESP32H2 = {
    .option = "esp32h2",
    .magic = 0xD7B73E80,
    .rom_has = LATE_ROM,
    .rom_status_len = 4,
    .security_len = 20,
    .security_chip_id = 16,
    .security_eco = 2,
    .spi = LATE_SPI(0x60003000),
    .clkdiv_addr = 0x60000014,
    .crystal_hz = 32000000,
    .uart_clocks_per_crystal = 1,
    .mac = {0x60, 0x55, 0xF9, 0xF7, 0x2C, 0xA2},
    .mac_addr = 0x600B0844,
    .uart_no = {.addr = 0x4084FEFC, .value = {[EB_USB_JTAG] = 3}},
    .watchdog = LATE_WATCHDOG(0x600B1C00, 4),
    .security = LATE_SECURITY(0x600B0800),
    .presets = H2_PRESETS,
    .variants = H2_VARIANTS,
    .boot_log = "ESP-ROM:esp32h2-20221101\r\nBuild:Nov  1 2022\r\n"
                "rst:0x1 (POWERON),boot:0xc (SPI_FAST_FLASH_BOOT)\r\nSPIWP:0xee\r\n"
                "mode:DIO, clock div:2\r\nload:0x408460e0,len:0x15f4\r\nentry 0x4083cffc\r\n",
};

/*
 * Two lines of silicon. Revisions before 3 have their RAM's start free for a stub, later ones
 * their ROM's variables there: each has a stub of its own, linked elsewhere.
 */
enum {
    P4_WORD2 = 0x5012D04C,
    P4_STUB_REV1 = 0x4FF10000,
    P4_STUB_REV3 = 0x4FF50000,
    P4_UART_NO_REV3 = 0x4FFBFEC8,
    P4_PAD_GROUP = 0x5011010C,
    P4_PMU_DATE = 0x501153FC,
    P4_FLASH_FORCED_ON = 3
};

static const struct eb_register P4_PRESETS[] = {{P4_WORD2, 1U << 4}, {0, 0}};
static const struct eb_register P4_V1_3[] = {{P4_WORD2, 1U << 4 | 3}, {0, 0}};
static const struct eb_register P4_V3[] = {{P4_WORD2, 3U << 4}, {0, 0}};

static const struct eb_register P4_V3_1[] = {{P4_WORD2, 3U << 4 | 1}, {0, 0}};
static const struct eb_register P4_V3_2[] = {
    {P4_WORD2, 3U << 4 | 2}, {0x5012D034, 1U << 16}, {P4_PMU_DATE, P4_FLASH_FORCED_ON}, {0, 0}};

static const struct eb_variant P4_VARIANTS[] = {
    {.name = "esp32p4-v1.0"},
    {.name = "esp32p4-v1.3", .efuses = P4_V1_3},
    {.name = "esp32p4-v3.0",
     .efuses = P4_V3,
     .stub_start = P4_STUB_REV3,
     .uart_no_addr = P4_UART_NO_REV3},
    /* Its flash is off until somebody switches its pads and its regulator on. */
    {.name = "esp32p4-v3.1",
     .efuses = P4_V3_1,
     .stub_start = P4_STUB_REV3,
     .uart_no_addr = P4_UART_NO_REV3,
     .power = {{P4_PAD_GROUP, 1, 1}, {P4_PMU_DATE, P4_FLASH_FORCED_ON, P4_FLASH_FORCED_ON}}},
    /* Its ROM switches it on, as an efuse bids; what that leaves behind is in the way. */
    {.name = "esp32p4-v3.2",
     .efuses = P4_V3_2,
     .stub_start = P4_STUB_REV3,
     .uart_no_addr = P4_UART_NO_REV3,
     .power = {{P4_PMU_DATE, P4_FLASH_FORCED_ON, 0}}},
    {0},
};

const struct eb_chip EB_CHIP_ESP32P4 = {
    .option = "esp32p4",
    .magic = 0x00000000,
    .rom_has = LATE_ROM,
    .rom_status_len = 4,
    .security_len = 20,
    .security_chip_id = 18,
    .security_eco = 1,
    .stub_4_byte = true,
    .spi = LATE_SPI(0x5008D000),
    .clkdiv_addr = 0x500CA014,
    .crystal_hz = 40000000,
    .uart_clocks_per_crystal = 1,
    .mac = {0x30, 0xED, 0xA0, 0xE0, 0x83, 0x16},
    .mac_addr = 0x5012D044,
    .uart_no = {.addr = 0x4FF3FEC8, .value = {[EB_USB_OTG] = 5, [EB_USB_JTAG] = 6}},
    .watchdog = LATE_WATCHDOG(0x50116000, 0),
    .security = LATE_SECURITY(0x5012D000),
    .stub_start = P4_STUB_REV1,
    .presets = P4_PRESETS,
    .variants = P4_VARIANTS,
    .boot_log =
        "ESP-ROM:esp32p4-eco2-20240710\r\nBuild:Jul 10 2024\r\n"
        "rst:0x1 (POWERON),boot:0x20f (SPI_FAST_FLASH_BOOT)\r\nSPI mode:DIO, clock div:1\r\n"
        "load:0x4ff33ce0,len:0x164c\r\nentry 0x4ff29ed0\r\n",
};
