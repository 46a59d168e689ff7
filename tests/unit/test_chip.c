/* Which chip answers. */
#include "fake_loader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum ef_err detect(struct fake_loader *fake, const struct ef_chip **found)
{
    struct ef_security security;
    return ef_chip_detect(&fake->esp, found, &security);
}

static void detect_each(void **state)
{
    (void)state;
    for (enum ef_chip_id chip_id = 0; chip_id < EF_CHIP_COUNT; chip_id++) {
        const struct ef_chip *chip = ef_chip_by_id(chip_id);
        const struct ef_chip *found;
        for (int stub = 0; stub < 2; stub++) {
            struct fake_loader *fake = fake_new(chip);
            fake->stub = fake->esp.stub = stub != 0;
            assert_int_equal(detect(fake, &found), EF_OK);
            assert_ptr_equal(found, chip);
            assert_int_equal(fake->esp.rom_status, chip->rom_status_bytes);
            assert_int_equal(fake->esp.stub, stub != 0);
            /* Nothing is left on the line: the next command gets its own answer. */
            uint32_t value = 0;
            fake_set(fake, 0x1234, 0x5678);
            assert_int_equal(ef_command_read_reg(&fake->esp, 0x1234, &value), EF_OK);
            assert_int_equal(value, 0x5678);
            free(fake);
        }
    }
}

static void detect_drains_and_syncs(void **state)
{
    (void)state;
    static const uint8_t WANT[] = {EF_OP_GET_SECURITY_INFO, EF_OP_SYNC, EF_OP_READ_REG};
    struct fake_loader *fake = fake_new(ef_chip_by_id(EF_CHIP_ESP8266));
    const struct ef_chip *found;
    assert_int_equal(detect(fake, &found), EF_OK);
    assert_int_equal(fake->op_count, sizeof(WANT));
    assert_memory_equal(fake->ops, WANT, sizeof(WANT));
    free(fake);
}

/* The first thing that the ROM sent before: a late, good reply under SYNC's opcode. */
static void detect_passes_stale_replies(void **state)
{
    (void)state;
    for (enum ef_chip_id chip_id = 0; chip_id < EF_CHIP_COUNT; chip_id++) {
        struct fake_loader *fake = fake_new(ef_chip_by_id(chip_id));
        const struct ef_chip *found;
        fake_reply(fake, EF_OP_SYNC, 0x20120707, NULL, 0, 0, 0);
        assert_int_equal(detect(fake, &found), EF_OK);
        assert_int_equal(found->id, chip_id);
        free(fake);
    }
}

static void detect_after_lost_requests(void **state)
{
    (void)state;
    static const enum ef_op OPS[] = {EF_OP_GET_SECURITY_INFO, EF_OP_READ_REG, EF_OP_SYNC};
    for (enum ef_chip_id chip_id = 0; chip_id < EF_CHIP_COUNT; chip_id++) {
        for (size_t i = 0; i < COUNT(OPS); i++) {
            struct fake_loader *fake = fake_new(ef_chip_by_id(chip_id));
            const struct ef_chip *found;
            fake->lose_op = OPS[i];
            fake->lose = 2;
            assert_int_equal(detect(fake, &found), EF_OK);
            assert_int_equal(found->id, chip_id);
            free(fake);
        }
    }
}

static void detect_unknown(void **state)
{
    (void)state;
    const struct ef_chip *found;
    struct fake_loader *fake = fake_new(NULL);
    fake->security_len = 20;
    fake->security[12] = 99;
    assert_int_equal(detect(fake, &found), EF_UNSUPPORTED);
    assert_null(found);
    fake->security_len = 0;
    fake_set(fake, 0x40001000, 0x12345678);
    assert_int_equal(detect(fake, &found), EF_UNSUPPORTED);
    free(fake);
}

/* Each chip's word for itself, and what is left of it in Secure Download Mode. */
static void detect_security(void **state)
{
    (void)state;
    static const uint8_t REPLY[20] = {0x05, 0x02, 0, 0, 0x07, 1, 2, 3, 4, 9, 10, 11};
    for (enum ef_chip_id chip_id = EF_CHIP_ESP32S2; chip_id < EF_CHIP_COUNT; chip_id++) {
        struct fake_loader *fake = fake_new(ef_chip_by_id(chip_id));
        const struct ef_chip *found;
        struct ef_security security;
        struct ef_identity id;
        memcpy(fake->security, REPLY, 12);
        ef_put_le32(fake->security + 16, 0x103);
        fake->no_registers = true;
        assert_int_equal(ef_chip_detect(&fake->esp, &found, &security), EF_OK);
        assert_int_equal(found->id, chip_id);
        assert_true(security.known && security.secure_download);
        assert_int_equal(security.flags, 0x205);
        assert_int_equal(security.crypt_count, 7);
        assert_memory_equal(security.key_purpose, REPLY + 5, EF_KEY_PURPOSES);
        bool s2 = chip_id == EF_CHIP_ESP32S2;
        assert_int_equal(security.has_chip_id, !s2);
        assert_int_equal(security.chip_id, s2 ? 0 : found->security_chip_id);
        assert_int_equal(security.eco, s2 ? 0 : 0x103);
        assert_int_equal(ef_chip_identify(&fake->esp, found, &security, &id), EF_OK);
        assert_false(id.registers_read);
        assert_string_equal(id.features, "");
        assert_string_equal(id.crystal, "");
        assert_string_equal(id.description + strlen(found->name), " in Secure Download Mode");
        fake->security[0] = 0x01;
        fake->no_registers = false;
        assert_int_equal(ef_chip_detect(&fake->esp, &found, &security), EF_OK);
        assert_int_equal(found->id, chip_id);
        assert_true(security.known && !security.secure_download);
        free(fake);
    }
}

/* No security information and no registers: that leaves one chip. Once is no proof. */
static void detect_locked_esp32s2(void **state)
{
    (void)state;
    const struct ef_chip *found;
    struct ef_security security;
    struct fake_loader *fake = fake_new(ef_chip_by_id(EF_CHIP_ESP32));
    fake->refuse_op = EF_OP_READ_REG;
    fake->refuse_status = 0x05;
    fake->refuse = 1;
    assert_int_equal(ef_chip_detect(&fake->esp, &found, &security), EF_OK);
    assert_int_equal(found->id, EF_CHIP_ESP32);
    assert_false(security.known || security.secure_download);
    fake->refuse_status = 0x07;
    fake->refuse = UINT32_MAX;
    assert_int_equal(ef_chip_detect(&fake->esp, &found, &security), EF_UNSUPPORTED);
    fake->refuse = 0;
    fake->no_registers = true;
    assert_int_equal(ef_chip_detect(&fake->esp, &found, &security), EF_OK);
    assert_int_equal(found->id, EF_CHIP_ESP32S2);
    assert_true(!security.known && security.secure_download);
    free(fake);
}

/* Where a chip's rows differ between its revisions. */
static void revisions(void **state)
{
    (void)state;
    static const struct {
        enum ef_chip_id chip;
        uint16_t revision;
        const char *stub;
        uint32_t uartdev_reg;
        bool secure_boot;
    } ROWS[] = {
        {EF_CHIP_ESP32P4, 103, "esp32p4-rev1", 0x4FF3FEC8, false},
        {EF_CHIP_ESP32P4, 300, "esp32p4", 0x4FFBFEC8, false},
        {EF_CHIP_ESP32C2, 0, NULL, 0, false},
        {EF_CHIP_ESP32C2, 100, "esp32c2", 0, false},
        {EF_CHIP_ESP32C3, 100, "esp32c3", 0x3FCDF07C, false},
        {EF_CHIP_ESP32C3, 101, "esp32c3", 0x3FCDF078, false},
        {EF_CHIP_ESP32C3, 101, NULL, 0x3FCDF078, true},
        {EF_CHIP_ESP32C61, 2, "esp32c61", 0x4084F5EC, false},
        {EF_CHIP_ESP32C61, 3, "esp32c61", 0x4084F5E4, false},
        {EF_CHIP_ESP32S3, 0, "esp32s3", 0x3FCEF14C, true},
    };
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        const struct ef_chip *chip = ef_chip_by_id(ROWS[i].chip);
        struct ef_identity id = {.registers_read = true,
                                 .revision = ROWS[i].revision,
                                 .secure_boot = ROWS[i].secure_boot};
        const char *stub = ef_chip_stub_option(chip, &id);
        assert_string_equal(stub ? stub : "none", ROWS[i].stub ? ROWS[i].stub : "none");
        assert_int_equal(ef_chip_uartdev_reg(chip, &id), ROWS[i].uartdev_reg);
        bool c61_v0_2 = ROWS[i].chip == EF_CHIP_ESP32C61 && ROWS[i].revision == 2;
        assert_int_equal(ef_chip_uartdev_serial_jtag(chip, &id),
                         c61_v0_2 ? 3 : chip->usb.uartdev_serial_jtag);
    }
}

static void detect_silence(void **state)
{
    (void)state;
    const struct ef_chip *found;
    struct fake_loader *fake = fake_new(NULL);
    fake->dead = true;
    assert_int_equal(detect(fake, &found), EF_TIMEOUT);
    assert_null(found);
    free(fake);
}

/* Replies that are cut short or carry a length that is not theirs prove nothing. */
static void detect_damaged_reply(void **state)
{
    (void)state;
    static const uint8_t SHORT[] = {0x01, 0x14, 0x00, 0x00, 0, 0, 0, 0, 0};
    static const uint8_t LYING[] = {0x01, 0x14, 0x18, 0x00, 0, 0, 0, 0, 0x01, 0x05};
    static const uint8_t REQUEST[] = {0x00, 0x14, 0x02, 0x00, 0, 0, 0, 0, 0x01, 0x05};
    const struct ef_chip *found;
    struct fake_loader *fake = fake_new(ef_chip_by_id(EF_CHIP_ESP32C3));
    fake_emit(fake, SHORT, sizeof(SHORT));
    fake_emit(fake, LYING, sizeof(LYING));
    fake_emit(fake, REQUEST, sizeof(REQUEST));
    assert_int_equal(detect(fake, &found), EF_OK);
    assert_int_equal(found->id, EF_CHIP_ESP32C3);
    assert_int_equal(fake->op_count, 1);
    free(fake);
}

static void options(void **state)
{
    (void)state;
    static const char *const NONE[] = {"", "-", "esp", "esp32-c33", "esp32c", "esp9", "auto"};
    assert_int_equal(ef_chip_by_option("esp8266")->id, EF_CHIP_ESP8266);
    assert_int_equal(ef_chip_by_option("ESP32")->id, EF_CHIP_ESP32);
    assert_int_equal(ef_chip_by_option("ESP32-C3")->id, EF_CHIP_ESP32C3);
    assert_int_equal(ef_chip_by_option("esp32_c3")->id, EF_CHIP_ESP32C3);
    for (size_t i = 0; i < COUNT(NONE); i++)
        assert_null(ef_chip_by_option(NONE[i]));
    for (enum ef_chip_id id = 0; id < EF_CHIP_COUNT; id++) {
        assert_int_equal(ef_chip_by_id(id)->id, id);
        assert_ptr_equal(ef_chip_by_option(ef_chip_by_id(id)->option), ef_chip_by_id(id));
        assert_ptr_equal(ef_chip_by_option(ef_chip_by_id(id)->name), ef_chip_by_id(id));
    }
    char text[128];
    ef_chip_options_text(text, sizeof(text));
    assert_string_equal(text, "esp8266, esp32, esp32s2, esp32s3, esp32c2, esp32c3, esp32c5, "
                              "esp32c6, esp32c61, esp32h2, esp32p4");
    ef_chip_options_text(text, 10);
    assert_string_equal(text, "esp8266, ");
    assert_null(ef_chip_by_id(EF_CHIP_COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detect_each),
        cmocka_unit_test(detect_drains_and_syncs),
        cmocka_unit_test(detect_passes_stale_replies),
        cmocka_unit_test(detect_after_lost_requests),
        cmocka_unit_test(detect_unknown),
        cmocka_unit_test(detect_security),
        cmocka_unit_test(detect_locked_esp32s2),
        cmocka_unit_test(revisions),
        cmocka_unit_test(detect_silence),
        cmocka_unit_test(detect_damaged_reply),
        cmocka_unit_test(options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
