/* What efuses and registers make of a chip. */
#include "fake_loader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct identity_case {
    enum ef_chip_id chip;
    uint32_t baud;
    struct fake_reg regs[9];
    const char *description, *features, *crystal, *mac;
};

/* The words that are behind the wording of `esptool flash_id`. */
static const struct identity_case CASES[] = {
    {EF_CHIP_ESP8266,
     115200,
     {{0x3FF00050, 0},
      {0x3FF00054, 0x02000000},
      {0x3FF00058, 0x5A00B000},
      {0x3FF0005C, 0x0418FE34},
      {0x60000014, 0x15D}},
     "ESP8266EX",
     "Wi-Fi, 160MHz",
     "26MHz", /* 20.1 MHz: what the recorded transcript shows as well */
     "18:fe:34:00:00:00"},
    {EF_CHIP_ESP8266,
     115200,
     {{0x3FF00050, 0xBDE5C099},
      {0x3FF00054, 0x3F01EA36},
      {0x3FF00058, 0x2827688D},
      {0x3FF0005C, 0},
      {0x60000014, 0x262}},
     "ESP8285N08",
     "Wi-Fi, 160MHz, Embedded Flash",
     "40MHz",
     "ac:d0:74:ea:36:bd"},
    {EF_CHIP_ESP8266,
     74880,
     {{0x3FF00050, 0x0EBC5572},
      {0x3FF00054, 0xE00090CE},
      {0x3FF00058, 0xAF7A6245},
      {0x60000014, 0x17F}},
     "ESP8285H08",
     "Wi-Fi, 160MHz, Embedded Flash",
     "26MHz",
     "18:fe:34:90:ce:0e"},
    {EF_CHIP_ESP8266,
     115200,
     {{0x3FF00050, 0xC3BAA2D9},
      {0x3FF00054, 0xFB01EA77},
      {0x3FF00058, 0xFFFEFFFF},
      {0x3FF0005C, 0x249F3275},
      {0x60000014, 0x371}},
     "ESP8285N16",
     "Wi-Fi, 160MHz, Embedded Flash",
     "48MHz",
     "9f:32:75:ea:77:c3"},
    {EF_CHIP_ESP8266,
     115200,
     {{0x3FF00050, 0x20000020},
      {0x3FF00054, 0x00000001},
      {0x3FF00058, 0x00010000},
      {0x3FF0005C, 0x02000000},
      {0x60000014, 0x1C3}},
     "ESP8285H16",
     "Wi-Fi, 160MHz, Embedded Flash",
     "26MHz",
     "00:00:00:00:01:20"},
    {EF_CHIP_ESP8266,
     115200,
     {{0x3FF00050, 0xCC170C31},
      {0x3FF00054, 0x00012000},
      {0x3FF00058, 0xEB07C30D},
      {0x3FF0005C, 0xEC983704},
      {0x60000014, 0x2EC}},
     "ESP8285",
     "Wi-Fi, 160MHz, Embedded Flash",
     "40MHz",
     "98:37:04:20:00:cc"},
    {EF_CHIP_ESP32,
     115200,
     {{0x3FF5A004, 0xC40A2400}, {0x3FF5A008, 0x00FE1001}, {0x3FF40014, 0x15A}},
     "ESP32-D0WDQ6 (revision v0.0)",
     "Wi-Fi, BT, Dual Core + LP Core, Coding Scheme None",
     "40MHz",
     "10:01:c4:0a:24:00"},
    {EF_CHIP_ESP32,
     115200,
     {{0x3FF5A004, 0x0A240001},
      {0x3FF5A008, 0x00FE30AE},
      {0x3FF5A00C, 0x0000A000},
      {0x3FF5A010, 0x00001136},
      {0x3FF40014, 0x15B}},
     "ESP32-D0WDQ6 (revision v1.0)",
     "Wi-Fi, BT, Dual Core + LP Core, 240MHz, Vref calibration in eFuse, Coding Scheme None",
     "40MHz",
     "30:ae:0a:24:00:01"},
    {EF_CHIP_ESP32,
     230400,
     {{0x3FF5A004, 0xF7AD0B51},
      {0x3FF5A00C, 0xD648B2D0},
      {0x3FF5A010, 0x084C5B99},
      {0x3FF5A014, 0x00100000},
      {0x3FF5A018, 0xB5F1C61B},
      {0x3FF6607C, 0xAD5F9C37},
      {0x3FF40014, 0x88000093}},
     "ESP32-D0WD-V3 (revision v3.0)",
     "Wi-Fi, BT, Dual Core + LP Core, 160MHz, Vref calibration in eFuse, "
     "Coding Scheme None (may contain encoding data)",
     "40MHz",
     "00:00:f7:ad:0b:51"},
    {EF_CHIP_ESP32,
     115200,
     {{0x3FF5A008, 0x73ECC176},
      {0x3FF5A00C, 0xEE450393},
      {0x3FF5A010, 0x3A636BEC},
      {0x3FF5A014, 0x00080000},
      {0x3FF5A018, 0xE3B83411},
      {0x3FF6607C, 0x58C46183},
      {0x3FF40014, 0x81C0016A}},
     "ESP32-S0WD (revision v0.0)",
     "Wi-Fi, Single Core + LP Core, Vref calibration in eFuse, Coding Scheme 3/4",
     "40MHz",
     "c1:76:00:00:00:00"},
    {EF_CHIP_ESP32,
     230400,
     {{0x3FF5A004, 0xE9BA4816},
      {0x3FF5A008, 0xB0486FB3},
      {0x3FF5A00C, 0xD38FFB08},
      {0x3FF5A014, 0x166F39D9},
      {0x3FF5A018, 0x43737B58},
      {0x3FF40014, 0x896000A6}},
     "ESP32-PICO-D4 (revision v1.2)",
     "Wi-Fi, BT, Dual Core + LP Core, 160MHz, Embedded Flash, BLK3 partially reserved, "
     "Coding Scheme None",
     "40MHz",
     "6f:b3:e9:ba:48:16"},
    {EF_CHIP_ESP32,
     74880,
     {{0x3FF5A004, 0xD1A5FCFD},
      {0x3FF5A008, 0xCAFEDCC0},
      {0x3FF5A00C, 0x66F1FD82},
      {0x3FF5A010, 0x0F2EB0B9},
      {0x3FF5A014, 0xC7849B9A},
      {0x3FF5A018, 0xE2DA87FF},
      {0x3FF6607C, 0xD89C77F9},
      {0x3FF40014, 0xE510010C}},
     "ESP32-PICO-V3-02 (revision v0.3)",
     "Wi-Fi, Dual Core + LP Core, 160MHz, Embedded Flash, Embedded PSRAM, "
     "Vref calibration in eFuse, BLK3 partially reserved, "
     "Coding Scheme None (may contain encoding data)",
     "26MHz",
     "dc:c0:d1:a5:fc:fd"},
    {EF_CHIP_ESP32,
     230400,
     {{0x3FF5A004, 0x2E9C82B1},
      {0x3FF5A00C, 0x126A1E48},
      {0x3FF5A010, 0x9E115E4B},
      {0x3FF5A014, 0x21DA8978},
      {0x3FF5A018, 0xDF1461AA},
      {0x3FF6607C, 0xC60A3CAB},
      {0x3FF40014, 0xF5C000D2}},
     "ESP32-D0WDR2-V3 (revision v0.1)",
     "Wi-Fi, BT, Dual Core + LP Core, Vref calibration in eFuse, "
     "Coding Scheme Repeat (UNSUPPORTED)",
     "48MHz",
     "00:00:2e:9c:82:b1"},
    {EF_CHIP_ESP32C3,
     115200,
     {{0x60008844, 0x24FE1001}, {0x60008848, 0xC40A}, {0x60008850, 0x000C0000}},
     "ESP32-C3 (QFN32) (revision v0.3)",
     "Wi-Fi, BT 5 (LE), Single Core, 160MHz",
     "40MHz",
     "c4:0a:24:fe:10:01"},
    {EF_CHIP_ESP32C3,
     115200,
     {{0x60008844, 0x24FE1001},
      {0x60008848, 0xC40A},
      {0x60008850, 0x08300000},
      {0x60008854, 1},
      {0x60008858, 0x01800000}},
     "ESP8685 (QFN28) (revision v1.12)",
     "Wi-Fi, BT 5 (LE), Single Core, 160MHz, Embedded Flash 4MB (XMC)",
     "40MHz",
     "c4:0a:24:fe:10:01"},
    {EF_CHIP_ESP32C3,
     115200,
     {{0x60008844, 0xEFB9F2C6},
      {0x60008848, 0x9FAD3BF4},
      {0x60008850, 0xB86D152D},
      {0x60008858, 0x9FC32BB5}},
     "ESP8686 (QFN24) (revision v3.11)",
     "Wi-Fi, BT 5 (LE), Single Core, 160MHz, Unknown Embedded Flash ()",
     "40MHz",
     "3b:f4:ef:b9:f2:c6"},
};

static enum ef_err identify(struct fake_loader *fake, const struct ef_chip *chip,
                            struct ef_identity *id)
{
    static const struct ef_security OPEN;
    return ef_chip_identify(&fake->esp, chip, &OPEN, id);
}

static void identity_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        const struct identity_case *c = &CASES[i];
        const struct ef_chip *chip = ef_chip_by_id(c->chip);
        struct fake_loader *fake = fake_new(chip);
        fake->line.baud = c->baud;
        for (size_t r = 0; r < COUNT(c->regs) && c->regs[r].addr != 0; r++)
            fake_set(fake, c->regs[r].addr, c->regs[r].value);
        struct ef_identity id;
        char mac[18];
        assert_int_equal(identify(fake, chip, &id), EF_OK);
        snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", id.mac[0], id.mac[1], id.mac[2],
                 id.mac[3], id.mac[4], id.mac[5]);
        assert_string_equal(id.description, c->description);
        assert_string_equal(id.features, c->features);
        assert_string_equal(id.crystal, c->crystal);
        assert_string_equal(mac, c->mac);
        free(fake);
    }
}

static void mac_of_nothing(void **state)
{
    (void)state;
    struct ef_identity id;
    static const uint32_t LOW_WORD[EF_CHIP_COUNT] = {
        [EF_CHIP_ESP32] = 0x3FF5A004,   [EF_CHIP_ESP32S2] = 0x3F41A044,
        [EF_CHIP_ESP32S3] = 0x60007044, [EF_CHIP_ESP32C2] = 0x60008840,
        [EF_CHIP_ESP32C3] = 0x60008844, [EF_CHIP_ESP32C5] = 0x600B4844,
        [EF_CHIP_ESP32C6] = 0x600B0844, [EF_CHIP_ESP32C61] = 0x600B4844,
        [EF_CHIP_ESP32H2] = 0x600B0844, [EF_CHIP_ESP32P4] = 0x5012D044};
    for (enum ef_chip_id chip_id = EF_CHIP_ESP32; chip_id < EF_CHIP_COUNT; chip_id++) {
        const struct ef_chip *chip = ef_chip_by_id(chip_id);
        uint32_t low = LOW_WORD[chip_id];
        struct fake_loader *fake = fake_new(chip);
        assert_int_equal(identify(fake, chip, &id), EF_FRAMING);
        fake_set(fake, low, UINT32_MAX);
        fake_set(fake, low + 4, UINT32_MAX);
        assert_int_equal(identify(fake, chip, &id), EF_FRAMING);
        fake_set(fake, low, 0xFFFFFFFE);
        assert_int_equal(identify(fake, chip, &id), EF_OK);
        free(fake);
    }
    const struct ef_chip *chip = ef_chip_by_id(EF_CHIP_ESP8266);
    struct fake_loader *fake = fake_new(chip);
    fake_set(fake, 0x3FF00054, 0x00020000); /* no prefix, and a range that has none */
    assert_int_equal(identify(fake, chip, &id), EF_FRAMING);
    free(fake);
}

static void crystal_behind_a_socket(void **state)
{
    (void)state;
    const struct ef_chip *chip = ef_chip_by_id(EF_CHIP_ESP8266);
    struct fake_loader *fake = fake_new(chip);
    struct ef_identity id;
    fake->line.baud = 0;
    fake_set(fake, 0x3FF0005C, 0x18FE34);
    fake_set(fake, 0x60000014, 0x2B6); /* 40 MHz at 115200 */
    assert_int_equal(identify(fake, chip, &id), EF_OK);
    assert_string_equal(id.crystal, "40MHz");
    free(fake);
}

/* The ESP32's ROM is told where the flash in the package is; esptool's words for it. */
static void pads_of_in_package_flash(void **state)
{
    (void)state;
    const struct ef_chip *chip = ef_chip_by_id(EF_CHIP_ESP32);
    struct fake_loader *fake = fake_new(chip);
    struct ef_identity id;
    fake_set(fake, 0x3FF5A004, 1);
    assert_int_equal(identify(fake, chip, &id), EF_OK);
    assert_int_equal(id.pads, 0);
    fake_set(fake, 0x3FF5A00C, 0xFFFFFE0F | 11U << 4);
    fake_set(fake, 0x3FF5A014, 0xFFF00000 | 6U | 17U << 5 | 8U << 10 | 16U << 15);
    assert_int_equal(identify(fake, chip, &id), EF_OK);
    assert_int_equal(id.pads, 11U << 24 | 16U << 18 | 8U << 12 | 17U << 6 | 6U);
    free(fake);
}

/* Where a ROM takes its crystal for another one; the numbers are those that esptool sends. */
static void rom_baud(void **state)
{
    (void)state;
    static const struct {
        enum ef_chip_id chip;
        uint8_t crystal_mhz;
        struct fake_reg regs[2];
        uint32_t baud, told;
    } ROWS[] = {
        {EF_CHIP_ESP32C2, 40, {{0, 0}}, 460800, 460800},
        {EF_CHIP_ESP32C2, 26, {{0, 0}}, 460800, 708923},
        {EF_CHIP_ESP32C5, 48, {{0x60096110, 0xB0FFFFFF}}, 460800, 460800},
        {EF_CHIP_ESP32C5, 48, {{0x60096110, 0x28000000}}, 460800, 384000},
        {EF_CHIP_ESP32C5, 40, {{0x60096110, 0x30000000}}, 460800, 552960},
        {EF_CHIP_ESP32C5, 40, {{0x60096110, 0x03FFFFFF}}, 460800, 460800}, /* 3 MHz: no sense */
        {EF_CHIP_ESP32, 40, {{0x3FF5A010, 0xFF00}}, 921600, 921600},
        {EF_CHIP_ESP32, 40, {{0x3FF5A010, 140}, {0x3FF5F06C, 744 << 7 | 0x7F}}, 921600, 937440},
        {EF_CHIP_ESP32, 26, {{0x3FF5A010, 140}, {0x3FF5F06C, 475 << 7}}, 115200, 115096},
        {EF_CHIP_ESP32S3, 40, {{0, 0}}, 2000000, 2000000},
        {EF_CHIP_ESP32C2, 0, {{0, 0}}, 460800, 460800}, /* Secure Download Mode */
    };
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        const struct ef_chip *chip = ef_chip_by_id(ROWS[i].chip);
        struct fake_loader *fake = fake_new(chip);
        struct ef_identity id = {.crystal_mhz = ROWS[i].crystal_mhz};
        uint32_t told = 0;
        for (size_t r = 0; r < 2 && ROWS[i].regs[r].addr != 0; r++)
            fake_set(fake, ROWS[i].regs[r].addr, ROWS[i].regs[r].value);
        assert_int_equal(ef_chip_rom_baud(&fake->esp, chip, &id, ROWS[i].baud, &told), EF_OK);
        assert_int_equal(told, ROWS[i].told);
        fake->lose_op = EF_OP_READ_REG;
        fake->lose = UINT32_MAX;
        bool reads = chip->rom_clock.mhz_in.width || chip->rom_clock.cycles.width;
        assert_int_equal(ef_chip_rom_baud(&fake->esp, chip, &id, ROWS[i].baud, &told),
                         reads ? EF_TIMEOUT : EF_OK);
        free(fake);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_text),
        cmocka_unit_test(mac_of_nothing),
        cmocka_unit_test(crystal_behind_a_socket),
        cmocka_unit_test(pads_of_in_package_flash),
        cmocka_unit_test(rom_baud),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
