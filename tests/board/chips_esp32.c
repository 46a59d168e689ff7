/*
 * ESP32. Of efuse block 0, word 3 (0x3FF5A00C): bit 0 one core only, bit 1 no Bluetooth,
 * bits 2 and 9-11 the package, bit 13 a rated frequency, bit 12 of 160 MHz, bit 15 the
 * revision's bit 0, bits 4-8 the flash's HD pin. Word 4: bits 8-12 VRef calibration. Word 5:
 * pins CLK, Q, D, CS from bit 0 in fives, bit 20 the revision's bit 1, bits 24-25 its minor
 * number. Bit 31 of 0x3FF6607C is the revision's bit 2: 1, 3, 7 mean revision 1, 2, 3.
 */
#include "chips_rows.h"

enum {
    WORD3 = 0x3FF5A00C,
    WORD4 = 0x3FF5A010,
    WORD5 = 0x3FF5A014,
    SYSCON_DATE = 0x3FF6607C,
    PIN_BITS = 5,
    PIN_MASK = 0x1F
};

/* CRC-8 as 1-Wire has it: the efuses keep it beside the MAC. */
static uint8_t mac_crc(const uint8_t mac[6])
{
    uint8_t crc = 0;
    for (int i = 0; i < 6; i++) {
        crc ^= mac[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (uint8_t)((crc & 1) != 0 ? (crc >> 1) ^ 0x8C : crc >> 1);
    }
    return crc;
}

static void store_mac(struct eb_registers *regs, const uint8_t mac[6])
{
    eb_registers_write(regs, 0x3FF5A004, eb_be32(mac + 2));
    eb_registers_write(regs, 0x3FF5A008,
                       (uint32_t)mac_crc(mac) << 16 | (uint32_t)mac[0] << 8 | mac[1]);
}

uint32_t eb_chip_spi_pads(const struct eb_registers *regs)
{
    uint32_t word5 = eb_registers_read(regs, WORD5);
    uint32_t hd = eb_registers_read(regs, WORD3) >> 4 & PIN_MASK;
    uint32_t pads = hd << 24;
    for (unsigned pin = 0; pin < 4; pin++)
        pads |= (word5 >> (PIN_BITS * pin) & PIN_MASK) << (6 * pin);
    return pads;
}

/* CLK 6, Q 17, D 8, CS 16, HD 11: where most packages have their flash. */
#define INSIDE_PINS (6U | 17U << 5 | 8U << 10 | 16U << 15)
#define INSIDE_HD (11U << 4)

/* As the transcripts read them. */
static const struct eb_register PRESETS[] = {
    {0x3FF42024, 0x70000000}, {0x3FF44038, 0x0000000F}, {SYSCON_DATE, 0x96042000}, {0, 0}};

static const struct eb_register D0WDQ6_REV1[] = {
    {WORD3, 0xA000}, {WORD4, 0x0B00}, {WORD5, 0}, {SYSCON_DATE, 0x16042000}, {0, 0}};
static const struct eb_register D0WD_V3[] = {
    {WORD3, 0xA200}, {WORD4, 0x1200}, {WORD5, 0x01100000}, {0, 0}};
static const struct eb_register S0WD[] = {{WORD3, 0xB201}, {SYSCON_DATE, 0x16042000}, {0, 0}};
static const struct eb_register D2WD[] = {
    {WORD3, 0xB400 | INSIDE_HD}, {WORD5, INSIDE_PINS}, {SYSCON_DATE, 0x16042000}, {0, 0}};
static const struct eb_register U4WDH[] = {
    {WORD3, 0xA801 | INSIDE_HD}, {WORD5, 0x01100000 | INSIDE_PINS}, {0, 0}};
static const struct eb_register PICO_D4[] = {{WORD3, 0xAA00 | INSIDE_HD},
                                             {WORD4, 0x0E00},
                                             {WORD5, INSIDE_PINS},
                                             {SYSCON_DATE, 0x16042000},
                                             {0, 0}};
static const struct eb_register PICO_V3[] = {
    {WORD3, 0xAA00 | INSIDE_HD}, {WORD4, 0x0E00}, {WORD5, 0x00100000 | INSIDE_PINS}, {0, 0}};
static const struct eb_register PICO_V3_02[] = {
    {WORD3, 0xAC00 | INSIDE_HD}, {WORD4, 0x0E00}, {WORD5, 0x01100000 | INSIDE_PINS}, {0, 0}};
static const struct eb_register D0WDR2_V3[] = {{WORD3, 0xAE00}, {WORD5, 0x01100000}, {0, 0}};

static const struct eb_variant VARIANTS[] = {
    {.name = "esp32-d0wdq6", .efuses = D0WDQ6_REV1},
    {.name = "esp32-d0wd-v3", .efuses = D0WD_V3},
    {.name = "esp32-s0wd", .efuses = S0WD},
    {.name = "esp32-d2wd", .efuses = D2WD, .flash_size = 2 << 20},
    {.name = "esp32-u4wdh", .efuses = U4WDH, .flash_id = 0x164020},
    {.name = "esp32-pico-d4", .efuses = PICO_D4},
    {.name = "esp32-pico-v3", .efuses = PICO_V3},
    {.name = "esp32-pico-v3-02", .efuses = PICO_V3_02, .flash_size = 8 << 20},
    {.name = "esp32-d0wdr2-v3", .efuses = D0WDR2_V3},
    {.name = "esp32-26m", .crystal_hz = 26000000},
    {0},
};

const struct eb_chip EB_CHIP_ESP32 = {
    .option = "esp32",
    .magic = 0x00F01D83,
    .rom_has = EB_ROM_FLASH | EB_ROM_TOLD_PADS,
    .rom_status_len = 4,
    .spi = {.base = 0x3FF42000, .usr = 0x1C, .usr1 = 0x20, .usr2 = 0x24, .w0 = 0x80},
    .clkdiv_addr = 0x3FF40014,
    .crystal_hz = 40000000,
    .uart_clocks_per_crystal = 1,
    .mac = {0x24, 0x0A, 0xC4, 0x00, 0x01, 0x10},
    .store_mac = store_mac,
    .security = {.crypt_cnt = {0x3FF5A000, 0x7FU << 20},
                 .no_manual_encrypt = {0x3FF5A018, 1U << 7},
                 .secure_boot = {0x3FF5A018, 1U << 5},
                 .secure_boot_v1 = {0x3FF5A018, 1U << 4}},
    .presets = PRESETS,
    .variants = VARIANTS,
    .boot_log = "ets Jun  8 2016 00:22:57\r\n\r\n"
                "rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"
                "configsip: 0, SPIWP:0xee\r\nmode:DIO, clock div:2\r\n"
                "load:0x3fff0030,len:7176\r\nentry 0x40080568\r\n",
};
