/* The simulated boards' chips: what tells them apart, guards them, and limits their loaders. */
#include "drive.h"

#include "espflashfs/bytes.h"
#include "espflashfs/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MIB = 1 << 20, BLOCK = 0x400, STATUS_GUARDED = 0x0105, MAC_LEN = 6 };

#define WORDS(...)                                                                                 \
    sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), (const uint32_t[])                       \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static const char *const CHIPS[] = {"esp8266",  "esp32",   "esp32s2", "esp32s3",
                                    "esp32c2",  "esp32c3", "esp32c5", "esp32c6",
                                    "esp32c61", "esp32h2", "esp32p4"};
enum { CHIP_COUNT = sizeof(CHIPS) / sizeof(CHIPS[0]) };

static struct eb_drive *new_board(const char *chip, const char *variant, uint32_t size)
{
    struct eb_drive *drive = eb_drive_new(chip, size);
    assert_non_null(drive);
    assert_non_null(drive->config.chip);
    if (variant) {
        drive->config.variant = eb_chip_find_variant(drive->config.chip, variant);
        assert_non_null(drive->config.variant);
    }
    return drive;
}

static struct eb_drive *start(const char *chip, const char *variant, uint32_t size)
{
    struct eb_drive *drive = new_board(chip, variant, size);
    assert_true(eb_drive_start(drive));
    return drive;
}

static uint32_t read_reg(struct eb_drive *drive, uint32_t addr)
{
    assert_true(eb_drive_words(drive, EF_OP_READ_REG, WORDS(addr)));
    assert_int_equal(eb_drive_status(drive, 0), 0);
    return ef_le32(drive->frame + 4);
}

static void write_reg(struct eb_drive *drive, uint32_t addr, uint32_t value)
{
    assert_true(eb_drive_words(drive, EF_OP_WRITE_REG, WORDS(addr, value, 0xFFFFFFFF, 0)));
    assert_int_equal(eb_drive_status(drive, 0), 0);
}

static void attach(struct eb_drive *drive, uint32_t size)
{
    assert_true(eb_drive_words(drive, EF_OP_SPI_ATTACH, WORDS(0, 0)));
    assert_true(eb_drive_words(drive, EF_OP_SPI_SET_PARAMS,
                               WORDS(0, size, 0x10000, 0x1000, 0x100, 0xFFFF)));
    assert_int_equal(eb_drive_status(drive, 0), 0);
}

static uint32_t flash_id(struct eb_drive *drive)
{
    const struct eb_spi_layout *spi = &drive->config.chip->spi;
    write_reg(drive, spi->base + spi->usr, 0x90000000);
    write_reg(drive, spi->base + spi->usr2, 0x7000009F);
    write_reg(drive, spi->base + spi->w0, 0);
    write_reg(drive, spi->base, 1U << 18);
    return read_reg(drive, spi->base + spi->w0);
}

static void finish(struct eb_drive *drive, unsigned rejects)
{
    assert_int_equal(eb_drive_rejects(drive), rejects);
    eb_drive_free(drive);
}

/* Every variant holds its chip's MAC, whatever else shares the words with it. */
static void test_each_chip_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < CHIP_COUNT; i++) {
        const struct eb_chip *chip = eb_chip_find(CHIPS[i]);
        assert_non_null(chip);
        for (const struct eb_variant *v = chip->variants; v && v->name; v++)
            eb_drive_free(start(CHIPS[i], v->name, MIB));
        struct eb_drive *drive = start(CHIPS[i], NULL, MIB);
        assert_int_equal(read_reg(drive, EB_CHIP_MAGIC_ADDR), chip->magic);
        if (chip->mac_addr != 0) {
            uint32_t low = read_reg(drive, chip->mac_addr);
            uint32_t high = read_reg(drive, chip->mac_addr + 4);
            uint8_t mac[MAC_LEN] = {(uint8_t)(high >> 8), (uint8_t)high,       (uint8_t)(low >> 24),
                                    (uint8_t)(low >> 16), (uint8_t)(low >> 8), (uint8_t)low};
            assert_memory_equal(mac, chip->mac, MAC_LEN);
        }
        finish(drive, 0);
    }
}

static void test_a_variant_sets_words(void **state)
{
    (void)state;
    struct eb_drive *drive = new_board("esp32c2", "esp8684h4", 4 * MIB);
    const struct eb_register mine[] = {{0x6000885C, 0xA5000000}};
    drive->config.efuses = mine;
    drive->config.efuse_count = 1;
    assert_true(eb_drive_start(drive));
    /* The package's bits and the MAC's share this word. */
    assert_int_equal(read_reg(drive, 0x60008844), 0x0052083A);
    assert_int_equal(read_reg(drive, 0x6000885C), 0xA5000000);
    finish(drive, 0);
}

static void test_security_info_lengths(void **state)
{
    (void)state;
    for (size_t i = 2; i < CHIP_COUNT; i++) {
        struct eb_drive *drive = start(CHIPS[i], NULL, MIB);
        size_t len = i == 2 ? 12 : 20; /* the ESP32-S2's is short */
        assert_true(eb_drive_words(drive, EF_OP_GET_SECURITY_INFO, 0, NULL));
        assert_int_equal(drive->frame_len, 8 + len + 4);
        if (len == 20)
            assert_int_equal(ef_le32(drive->frame + 8 + 12), drive->config.chip->security_chip_id);
        finish(drive, 0);
    }
}

/* Named as the command line has it. */
static struct eb_drive *start_guarded(const char *chip, const char *security)
{
    struct eb_drive *drive = new_board(chip, NULL, MIB);
    assert_true(eb_security_parse(security, &drive->config.security));
    assert_null(eb_security_foreign(drive->config.chip, drive->config.security));
    assert_true(eb_drive_start(drive));
    return drive;
}

static uint32_t field(struct eb_drive *drive, const struct eb_field *field)
{
    return read_reg(drive, field->addr) & field->mask;
}

static void test_security_states(void **state)
{
    (void)state;
    for (size_t i = 1; i < CHIP_COUNT; i++) {
        const struct eb_security_layout *at = &eb_chip_find(CHIPS[i])->security;
        uint32_t lowest = at->crypt_cnt.mask & -at->crypt_cnt.mask;
        struct eb_drive *drive = start_guarded(CHIPS[i], "none");
        assert_int_equal(field(drive, &at->crypt_cnt), 0);
        assert_int_equal(field(drive, &at->secure_boot), 0);
        finish(drive, 0);
        drive = start_guarded(CHIPS[i], "flash-encryption-dev");
        assert_int_equal(field(drive, &at->crypt_cnt), lowest);
        assert_int_equal(field(drive, &at->no_manual_encrypt), 0);
        finish(drive, 0);
        drive = start_guarded(CHIPS[i], "flash-encryption-release+secure-boot");
        assert_int_equal(field(drive, &at->crypt_cnt), at->crypt_cnt.mask);
        assert_int_equal(field(drive, &at->no_manual_encrypt), at->no_manual_encrypt.mask);
        assert_int_equal(field(drive, &at->secure_boot), at->secure_boot.mask);
        if (eb_drive_words(drive, EF_OP_GET_SECURITY_INFO, 0, NULL)) {
            assert_int_equal(ef_le32(drive->frame + 8), 1);
            assert_int_equal(drive->frame[8 + 4], 7);
        }
        finish(drive, 0);
    }
    unsigned security;
    assert_false(eb_security_parse("secure", &security));
    assert_false(eb_security_parse("secure-boot+", &security));
    assert_non_null(eb_security_foreign(eb_chip_find("esp8266"), EB_SECURITY_BOOT));
    assert_non_null(eb_security_foreign(eb_chip_find("esp32"), EB_SECURITY_DOWNLOAD));
    assert_non_null(eb_security_foreign(eb_chip_find("esp32c3"), EB_SECURITY_BOOT_V1));
}

static void drain(struct eb_drive *drive)
{
    while (eb_drive_take(drive)) {
    }
}

static void test_secure_download_mode(void **state)
{
    (void)state;
    static const uint8_t CLOSED[] = {EF_OP_MEM_BEGIN, EF_OP_MEM_END, EF_OP_WRITE_REG,
                                     EF_OP_READ_FLASH_SLOW, EF_OP_SPI_FLASH_MD5};
    for (size_t i = 2; i < CHIP_COUNT; i++) {
        struct eb_drive *drive = start_guarded(CHIPS[i], "secure-download");
        /* As for a command that it does not know: eight errors under the opcode before. */
        for (size_t k = 0; k < sizeof(CLOSED); k++) {
            assert_false(eb_drive_words(drive, CLOSED[k], WORDS(0, 0, 0, 0)));
            assert_int_equal(eb_drive_status(drive, 0), STATUS_GUARDED);
            drain(drive);
        }
        /* A host may ask which chip it is, and is not told. */
        assert_false(eb_drive_words(drive, EF_OP_READ_REG, WORDS(EB_CHIP_MAGIC_ADDR)));
        drain(drive);
        assert_true(eb_drive_words(drive, EF_OP_GET_SECURITY_INFO, 0, NULL));
        assert_int_equal(ef_le32(drive->frame + 8), 4);
        attach(drive, MIB);
        assert_true(eb_drive_words(drive, EF_OP_FLASH_BEGIN, WORDS(BLOCK, 1, BLOCK, 0, 0)));
        uint8_t data[BLOCK] = {0x5A};
        assert_true(eb_drive_data(drive, EF_OP_FLASH_DATA, 0, data, sizeof(data)));
        assert_int_equal(eb_drive_status(drive, 0), 0);
        assert_int_equal(eb_board_nor(drive->board)->bytes[0], 0x5A);
        finish(drive, sizeof(CLOSED));
    }
}

static void test_a_fake_flash_repeats(void **state)
{
    (void)state;
    struct eb_drive *drive = new_board("esp32", NULL, 4 * MIB);
    drive->config.real_size = MIB;
    assert_true(eb_drive_start(drive));
    attach(drive, 4 * MIB);
    assert_int_equal(flash_id(drive), 0x1640C8);
    memcpy(eb_board_nor_to_fill(drive->board)->bytes + 0x2000, "here", 4);
    assert_true(eb_drive_words(drive, EF_OP_READ_FLASH_SLOW, WORDS(3 * MIB + 0x2000, 64)));
    assert_memory_equal(drive->frame + 8, "here", 4);
    assert_true(eb_drive_words(drive, EF_OP_FLASH_BEGIN, WORDS(BLOCK, 1, BLOCK, MIB + 0x2000)));
    assert_int_equal(eb_drive_status(drive, 0), 0);
    assert_int_equal(eb_board_nor(drive->board)->bytes[0x2000], 0xFF);
    assert_int_equal(eb_board_nor(drive->board)->sectors[2].erases, 1);
    finish(drive, 0);
}

static void test_three_address_bytes_wrap(void **state)
{
    (void)state;
    /* The ROM sends three bytes, and so does the stub of most chips. */
    struct eb_drive *drive = start("esp32s3", "esp32s3-32m", 32 * MIB);
    attach(drive, 32 * MIB);
    assert_int_equal(flash_id(drive), 0x3980C2);
    memcpy(eb_board_nor_to_fill(drive->board)->bytes, "low ", 4);
    memcpy(eb_board_nor_to_fill(drive->board)->bytes + 16 * MIB, "high", 4);
    assert_true(eb_drive_words(drive, EF_OP_READ_FLASH_SLOW, WORDS(16 * MIB, 64)));
    assert_memory_equal(drive->frame + 8, "low ", 4);
    assert_true(eb_drive_start_stub(drive));
    assert_true(eb_drive_words(drive, EF_OP_READ_FLASH, WORDS(16 * MIB, 4, 4096, 1)));
    assert_true(eb_drive_take(drive));
    assert_memory_equal(drive->frame, "high", 4);
    finish(drive, 1);
    drive = start("esp32c6", NULL, 32 * MIB);
    assert_true(eb_drive_start_stub(drive));
    assert_true(eb_drive_words(drive, EF_OP_ERASE_REGION, WORDS(16 * MIB, 0x1000)));
    assert_int_equal(eb_board_nor(drive->board)->sectors[0].erases, 1);
    finish(drive, 1);
}

static void test_a_baud_by_the_wrong_crystal(void **state)
{
    (void)state;
    struct eb_drive *drive = start("esp32c2", NULL, MIB);
    assert_int_equal(read_reg(drive, 0x60000014), 26000000 / 115200);
    assert_true(eb_drive_words(drive, EF_OP_CHANGE_BAUDRATE, WORDS(921600 * 40 / 26, 0)));
    assert_in_range(eb_board_baud(drive->board), 921590, 921600);
    assert_true(eb_drive_start_stub(drive));
    assert_true(eb_drive_words(drive, EF_OP_CHANGE_BAUDRATE, WORDS(460800, 921600)));
    assert_int_equal(eb_board_baud(drive->board), 460800);
    finish(drive, 0);
    drive = start("esp32c2", "esp32c2-40m", MIB);
    assert_true(eb_drive_words(drive, EF_OP_CHANGE_BAUDRATE, WORDS(921600, 0)));
    assert_int_equal(eb_board_baud(drive->board), 921600);
    finish(drive, 0);
}

static void test_in_package_flash_wants_its_pins(void **state)
{
    (void)state;
    struct eb_drive *drive = start("esp32", "esp32-pico-d4", 4 * MIB);
    attach(drive, 4 * MIB);
    assert_int_equal(flash_id(drive), 0xFFFFFF);
    uint32_t pads = 11U << 24 | 16U << 18 | 8U << 12 | 17U << 6 | 6U;
    assert_true(eb_drive_words(drive, EF_OP_SPI_ATTACH, WORDS(pads, 0)));
    assert_int_equal(flash_id(drive), 0x1640C8);
    finish(drive, 0);
    drive = start("esp32", "esp32-pico-d4", 4 * MIB);
    assert_true(eb_drive_start_stub(drive)); /* reads the pins from the efuses itself */
    assert_int_equal(flash_id(drive), 0x1640C8);
    finish(drive, 0);
}

/* Uploads one word to `entry` and starts it there. */
static bool starts_at(struct eb_drive *drive, uint32_t entry)
{
    static const uint8_t CODE[4] = {0};
    return eb_drive_words(drive, EF_OP_MEM_BEGIN, WORDS(sizeof(CODE), 1, sizeof(CODE), entry)) &&
           eb_drive_data(drive, EF_OP_MEM_DATA, 0, CODE, sizeof(CODE)) &&
           eb_drive_words(drive, EF_OP_MEM_END, WORDS(0, entry)) &&
           eb_drive_status(drive, 0) == 0 && eb_drive_take(drive);
}

static void test_a_stub_for_another_revision_dies(void **state)
{
    (void)state;
    static const struct {
        const char *variant;
        uint32_t mine, other;
    } CASES[] = {{"esp32p4-v1.3", 0x4FF11456, 0x4FF51456},
                 {"esp32p4-v3.0", 0x4FF51456, 0x4FF11456}};
    for (size_t i = 0; i < 2; i++) {
        struct eb_drive *drive = start("esp32p4", CASES[i].variant, MIB);
        assert_true(starts_at(drive, CASES[i].mine));
        assert_int_equal(eb_board_mode(drive->board), EB_MODE_STUB);
        finish(drive, 0);
        drive = start("esp32p4", CASES[i].variant, MIB);
        assert_false(starts_at(drive, CASES[i].other));
        assert_int_equal(eb_board_mode(drive->board), EB_MODE_FIRMWARE);
        finish(drive, 1);
    }
    struct eb_drive *drive = start("esp32c2", "esp32c2-v0.0", MIB);
    assert_false(eb_drive_start_stub(drive));
    finish(drive, 1);
}

static void test_a_flash_without_power(void **state)
{
    (void)state;
    struct eb_drive *drive = start("esp32p4", "esp32p4-v3.1", MIB);
    attach(drive, MIB);
    assert_int_equal(flash_id(drive), 0xFFFFFF);
    write_reg(drive, 0x5011010C, 1);
    write_reg(drive, 0x501153FC, 3);
    assert_int_equal(flash_id(drive), 0x1440C8);
    finish(drive, 0);
    drive = start("esp32p4", "esp32p4-v3.2", MIB);
    attach(drive, MIB);
    assert_int_equal(flash_id(drive), 0xFFFFFF);
    write_reg(drive, 0x501153FC, 0);
    assert_int_equal(flash_id(drive), 0x1440C8);
    finish(drive, 0);
}

static void test_usb_otg_takes_small_blocks(void **state)
{
    (void)state;
    struct eb_drive *drive = new_board("esp32s2", NULL, MIB);
    drive->config.usb = EB_USB_OTG;
    assert_true(eb_drive_start(drive));
    assert_int_equal(read_reg(drive, 0x3FFFFD14), 2);
    assert_true(eb_drive_words(drive, EF_OP_MEM_BEGIN, WORDS(0x1800, 1, 0x1800, 0x40028000)));
    assert_int_equal(eb_drive_status(drive, 0), 0x0106);
    assert_true(eb_drive_words(drive, EF_OP_MEM_BEGIN, WORDS(0x1800, 3, 0x800, 0x40028000)));
    assert_int_equal(eb_drive_status(drive, 0), 0);
    eb_drive_free(drive);
    drive = new_board("esp32s2", NULL, MIB);
    drive->config.usb = EB_USB_OTG;
    assert_true(eb_drive_start(drive) && eb_drive_start_stub(drive));
    assert_true(eb_drive_words(drive, EF_OP_FLASH_BEGIN, WORDS(0x4000, 1, 0x4000, 0)));
    assert_int_equal(eb_drive_status(drive, 0), 0xC200);
    assert_true(eb_drive_words(drive, EF_OP_FLASH_BEGIN, WORDS(0x4000, 8, 0x800, 0)));
    assert_int_equal(eb_drive_status(drive, 0), 0);
    finish(drive, 1);
}

static struct eb_drive *start_on_usb_jtag(const char *chip)
{
    struct eb_drive *drive = new_board(chip, NULL, MIB);
    drive->config.usb = EB_USB_JTAG;
    assert_true(eb_drive_start(drive));
    (void)read_reg(drive, EB_CHIP_MAGIC_ADDR); /* its time begins */
    return drive;
}

static void test_watchdogs_on_built_in_usb(void **state)
{
    (void)state;
    static const char *const WITH[] = {"esp32s3", "esp32c3",  "esp32c5", "esp32c6",
                                       "esp32h2", "esp32c61", "esp32p4"};
    for (size_t i = 0; i < sizeof(WITH) / sizeof(WITH[0]); i++) {
        const struct eb_watchdog_layout *at = &eb_chip_find(WITH[i])->watchdog;
        struct eb_drive *drive = start_on_usb_jtag(WITH[i]);
        write_reg(drive, at->config, 0); /* without the key: lost */
        eb_drive_wait(drive, 4000);
        assert_int_equal(eb_board_mode(drive->board), EB_MODE_FIRMWARE);
        assert_int_equal(eb_drive_logged(drive, "WATCHDOG "), 1);
        assert_int_equal(eb_drive_logged(drive, "LOST write "), 1);
        eb_drive_free(drive);

        drive = start_on_usb_jtag(WITH[i]);
        write_reg(drive, at->protect, at->key);
        write_reg(drive, at->config, 0);
        write_reg(drive, at->protect, 0);
        write_reg(drive, at->super_protect, at->super_key);
        write_reg(drive, at->super_config, at->super_feed);
        write_reg(drive, at->super_protect, 0);
        eb_drive_wait(drive, 10000);
        assert_int_equal(eb_board_mode(drive->board), EB_MODE_ROM);
        assert_int_equal(eb_drive_logged(drive, "WATCHDOGS off"), 1);
        assert_int_equal(read_reg(drive, at->super_config), at->super_feed);
        finish(drive, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_chip_answers),
        cmocka_unit_test(test_a_variant_sets_words),
        cmocka_unit_test(test_security_info_lengths),
        cmocka_unit_test(test_security_states),
        cmocka_unit_test(test_secure_download_mode),
        cmocka_unit_test(test_a_fake_flash_repeats),
        cmocka_unit_test(test_three_address_bytes_wrap),
        cmocka_unit_test(test_a_baud_by_the_wrong_crystal),
        cmocka_unit_test(test_in_package_flash_wants_its_pins),
        cmocka_unit_test(test_a_stub_for_another_revision_dies),
        cmocka_unit_test(test_a_flash_without_power),
        cmocka_unit_test(test_usb_otg_takes_small_blocks),
        cmocka_unit_test(test_watchdogs_on_built_in_usb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
