/* Reading the flash's id through the SPI controller, and what an id tells. */
#include "fake_loader.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void read_and_restore(void **state)
{
    (void)state;
    for (enum ef_chip_id chip_id = 0; chip_id < EF_CHIP_COUNT; chip_id++) {
        const struct ef_chip *chip = ef_chip_by_id(chip_id);
        for (int stub = 0; stub < 2; stub++) {
            struct fake_loader *fake = fake_new(chip);
            uint32_t id = 0;
            fake->stub = fake->esp.stub = stub != 0;
            fake->flash_id = 0xAA1640C8; /* what lies above the id is not part of it */
            fake_set(fake, chip->spi.base + chip->spi.usr, 0x800000C0);
            fake_set(fake, chip->spi.base + chip->spi.usr2, 0x70000000);
            fake_set(fake, chip->spi.base + chip->spi.w0, 0x11111111);
            assert_int_equal(ef_flash_id_read(&fake->esp, chip, &id), EF_OK);
            assert_int_equal(id, 0x1640C8);
            assert_int_equal(fake_get(fake, chip->spi.base + chip->spi.usr), 0x800000C0);
            assert_int_equal(fake_get(fake, chip->spi.base + chip->spi.usr2), 0x70000000);
            free(fake);
        }
    }
}

static void busy_for_ever(void **state)
{
    (void)state;
    const struct ef_chip *chip = ef_chip_by_id(EF_CHIP_ESP32C3);
    struct fake_loader *fake = fake_new(chip);
    uint32_t id = 0x1234;
    fake->spi_stays_busy = true;
    fake_set(fake, chip->spi.base + chip->spi.usr, 0x800000C0);
    assert_int_equal(ef_flash_id_read(&fake->esp, chip, &id), EF_TIMEOUT);
    assert_int_equal(id, 0x1234);
    assert_int_equal(fake_get(fake, chip->spi.base + chip->spi.usr), 0x800000C0);
    free(fake);
}

static void refused_write(void **state)
{
    (void)state;
    const struct ef_chip *chip = ef_chip_by_id(EF_CHIP_ESP32);
    struct fake_loader *fake = fake_new(chip);
    uint32_t id;
    fake->refuse_op = EF_OP_WRITE_REG;
    fake->refuse = 1;
    fake->refuse_status = 0x06;
    assert_int_equal(ef_flash_id_read(&fake->esp, chip, &id), EF_REJECTED);
    free(fake);
}

static void lost_replies(void **state)
{
    (void)state;
    const struct ef_chip *chip = ef_chip_by_id(EF_CHIP_ESP32);
    struct fake_loader *fake = fake_new(chip);
    uint32_t id;
    fake->lose_op = EF_OP_WRITE_REG;
    fake->lose = 2;
    assert_int_equal(ef_flash_id_read(&fake->esp, chip, &id), EF_OK);
    assert_int_equal(id, 0x1640C8);
    free(fake);
}

static void sizes(void **state)
{
    (void)state;
    static const struct {
        uint32_t id;
        uint64_t size;
    } CASES[] = {
        {0x1640C8, UINT64_C(4) << 20},
        {0x1240EF, UINT64_C(256) << 10},
        {0x1340EF, UINT64_C(512) << 10},
        {0x1840EF, UINT64_C(16) << 20},
        {0x1C40EF, UINT64_C(256) << 20},
        {0x2020C2, UINT64_C(64) << 20},
        {0x21BB20, UINT64_C(128) << 20},
        {0x22BB20, UINT64_C(256) << 20},
        {0x3225C2, UINT64_C(256) << 10},
        {0x3628C2, UINT64_C(4) << 20},
        {0x3A25C2, UINT64_C(64) << 20},
        {0x01841F, UINT64_C(512) << 10}, /* Adesto: by the type byte's low bits */
        {0x01891F, UINT64_C(16) << 20},
        {0x16831F, 0},
        {0x168A1F, 0},
        {0x1140EF, 0},
        {0x1D40EF, 0},
        {0x1F40EF, 0},
        {0x2340EF, 0},
        {0x3140EF, 0},
        {0x3B40EF, 0},
        {0x0040EF, 0},
        {0xFF40EF, 0},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        uint64_t size = 1;
        assert_int_equal(ef_flash_id_size(CASES[i].id, &size), EF_OK);
        assert_int_equal(size, CASES[i].size);
    }
}

static void no_flash(void **state)
{
    (void)state;
    static const uint32_t IDS[] = {0xFFFFFF, 0x000000, 0xFFFF3F};
    for (size_t i = 0; i < COUNT(IDS); i++) {
        uint64_t size = 1;
        assert_int_equal(ef_flash_id_size(IDS[i], &size), EF_MISSING);
        assert_int_equal(size, 0);
    }
}

static void makers(void **state)
{
    (void)state;
    assert_string_equal(ef_flash_id_maker(0x1640C8), "GigaDevice");
    assert_string_equal(ef_flash_id_maker(0x1640EF), "Winbond");
    assert_string_equal(ef_flash_id_maker(0x164020), "XMC");
    assert_string_equal(ef_flash_id_maker(0x18BA20), "Micron");
    assert_string_equal(ef_flash_id_maker(0x18BAC8), "GigaDevice");
    assert_string_equal(ef_flash_id_maker(0x1340E0), "BergMicro");
    assert_string_equal(ef_flash_id_maker(0x164077), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_and_restore),
        cmocka_unit_test(busy_for_ever),
        cmocka_unit_test(refused_write),
        cmocka_unit_test(lost_replies),
        cmocka_unit_test(sizes),
        cmocka_unit_test(no_flash),
        cmocka_unit_test(makers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
