/* The simulated flash: NOR semantics, alignment, counters, files, faked sizes. */
#include "nor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIZE = 1 << 20 };

static int open_nor(void **state)
{
    char why[256];
    struct eb_nor *nor = calloc(1, sizeof(*nor));
    *state = nor;
    return nor ? eb_nor_open(nor, NULL, SIZE, why, sizeof(why)) : -1;
}

static int close_nor(void **state)
{
    eb_nor_close(*state);
    free(*state);
    return 0;
}

static void test_fresh_flash_is_blank(void **state)
{
    const struct eb_nor *nor = *state;
    for (uint32_t i = 0; i < SIZE; i++)
        assert_int_equal(nor->bytes[i], 0xFF);
    assert_int_equal(nor->sector_erases, 0);
}

static void test_programming_only_clears_bits(void **state)
{
    struct eb_nor *nor = *state;
    uint32_t bad;
    const uint8_t first[] = {0xF0, 0x0F};
    const uint8_t fewer[] = {0x80, 0x0F};
    const uint8_t more[] = {0x80, 0x1F};
    assert_int_equal(eb_nor_program(nor, 0x100, first, 2, &bad), EB_OK);
    assert_int_equal(eb_nor_program(nor, 0x100, fewer, 2, &bad), EB_OK);
    assert_int_equal(eb_nor_program(nor, 0x100, more, 2, &bad), EB_FLASH_FAILED);
    assert_int_equal(bad, 0x101);
    assert_memory_equal(nor->bytes + 0x100, fewer, 2);
    assert_int_equal(eb_nor_erase_sector(nor, 0), EB_OK);
    assert_int_equal(eb_nor_program(nor, 0x100, more, 2, &bad), EB_OK);
}

static void test_programs_are_counted_by_page(void **state)
{
    struct eb_nor *nor = *state;
    uint32_t bad;
    uint8_t data[600] = {0};
    assert_int_equal(eb_nor_program(nor, 0x1080, data, 600, &bad), EB_OK);
    assert_int_equal(nor->programs, 3);
    assert_int_equal(nor->sectors[1].programs, 3);
    assert_int_equal(nor->sectors[0].programs, 0);
}

static void test_erases_are_aligned_and_counted(void **state)
{
    struct eb_nor *nor = *state;
    assert_int_equal(eb_nor_erase_sector(nor, 0x800), EB_MISALIGNED);
    assert_int_equal(eb_nor_erase_block(nor, 0x1000), EB_MISALIGNED);
    assert_int_equal(eb_nor_erase_sector(nor, SIZE), EB_OUT_OF_RANGE);
    assert_int_equal(nor->erase_ops, 0);
    assert_int_equal(eb_nor_erase_sector(nor, 0x3000), EB_OK);
    assert_int_equal(eb_nor_erase_block(nor, 0x10000), EB_OK);
    assert_int_equal(nor->erase_ops, 2);
    assert_int_equal(nor->sector_erases, 17);
    assert_int_equal(nor->sectors[3].erases, 1);
    assert_int_equal(nor->sectors[16].erases, 1);
    assert_int_equal(nor->sectors[31].erases, 1);
    assert_int_equal(nor->sectors[32].erases, 0);
    eb_nor_erase_chip(nor);
    assert_int_equal(nor->erase_ops, 3);
    assert_int_equal(nor->sector_erases, 17 + SIZE / EB_NOR_SECTOR);
}

static void test_an_erase_stays_in_its_sector(void **state)
{
    struct eb_nor *nor = *state;
    uint32_t bad;
    uint8_t zeros[3 * EB_NOR_SECTOR] = {0};
    assert_int_equal(eb_nor_program(nor, 0, zeros, sizeof(zeros), &bad), EB_OK);
    assert_int_equal(eb_nor_erase_sector(nor, EB_NOR_SECTOR), EB_OK);
    assert_int_equal(nor->bytes[0xFFF], 0);
    assert_int_equal(nor->bytes[0x1000], 0xFF);
    assert_int_equal(nor->bytes[0x1FFF], 0xFF);
    assert_int_equal(nor->bytes[0x2000], 0);
}

enum { SEEDS = 64 };

/* Sector 1 of three zeroed ones. True if what is left is neither old nor new. */
static bool erase_without_power(struct eb_nor *nor, uint64_t seed)
{
    memset(nor->bytes, 0, (size_t)3 * EB_NOR_SECTOR);
    eb_nor_fail_power(nor, 1, seed);
    assert_int_equal(eb_nor_erase_sector(nor, EB_NOR_SECTOR), EB_OK);
    assert_true(nor->powerless);
    assert_int_equal(nor->bytes[0xFFF], 0);
    assert_int_equal(nor->bytes[0x2000], 0);
    bool old = true;
    bool blank = true;
    for (uint32_t i = 0; i < EB_NOR_SECTOR; i++) {
        old = old && nor->bytes[EB_NOR_SECTOR + i] == 0;
        blank = blank && nor->bytes[EB_NOR_SECTOR + i] == 0xFF;
    }
    assert_false(blank);
    return !old;
}

static void test_an_erase_without_power_is_half_done(void **state)
{
    struct eb_nor *nor = *state;
    int torn = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        torn += erase_without_power(nor, seed);
    assert_true(torn > SEEDS / 4 && torn < SEEDS);
    assert_int_equal(nor->erase_ops, SEEDS);
}

static void test_a_program_without_power_is_half_done(void **state)
{
    struct eb_nor *nor = *state;
    uint8_t data[2 * EB_NOR_PAGE];
    uint32_t bad;
    int torn = 0;
    memset(data, 0x55, sizeof(data));
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        memset(nor->bytes, 0xFF, sizeof(data));
        eb_nor_fail_power(nor, 1, seed);
        assert_int_equal(eb_nor_program(nor, 0, data, sizeof(data), &bad), EB_OK);
        assert_true(nor->powerless);
        torn += memcmp(nor->bytes, data, EB_NOR_PAGE) != 0;
        for (uint32_t i = 0; i < EB_NOR_PAGE; i++)
            assert_int_equal(nor->bytes[i] & 0x55, 0x55);
        for (uint32_t i = EB_NOR_PAGE; i < sizeof(data); i++)
            assert_int_equal(nor->bytes[i], 0xFF);
    }
    assert_true(torn > SEEDS / 2);
}

static void test_power_fails_where_it_is_told_to(void **state)
{
    struct eb_nor *nor = *state;
    const uint8_t data[EB_NOR_PAGE] = {0};
    uint32_t bad;
    eb_nor_fail_power(nor, 3, 1);
    assert_int_equal(eb_nor_erase_block(nor, 0), EB_OK);
    assert_int_equal(eb_nor_program(nor, 0, data, sizeof(data), &bad), EB_OK);
    assert_false(nor->powerless);
    assert_memory_equal(nor->bytes, data, sizeof(data));
    assert_int_equal(eb_nor_program(nor, EB_NOR_PAGE, data, sizeof(data), &bad), EB_OK);
    assert_true(nor->powerless);
    uint8_t left[SIZE];
    memcpy(left, nor->bytes, SIZE);
    assert_int_equal(eb_nor_erase_sector(nor, 0), EB_OK);
    assert_int_equal(eb_nor_program(nor, 0x8000, data, sizeof(data), &bad), EB_OK);
    eb_nor_erase_chip(nor);
    assert_memory_equal(nor->bytes, left, SIZE);
    eb_nor_fail_power(nor, 0, 0);
    eb_nor_erase_chip(nor);
    assert_int_equal(nor->bytes[0], 0xFF);
}

static void test_who_counts_hears_each_operation(void **state)
{
    struct eb_nor *nor = *state;
    const uint8_t data[2 * EB_NOR_PAGE] = {0};
    uint8_t heard[8];
    uint32_t bad;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    nor->pulse_fd = ends[1];
    assert_int_equal(eb_nor_erase_sector(nor, 0), EB_OK);
    assert_int_equal(eb_nor_program(nor, 0, data, sizeof(data), &bad), EB_OK);
    eb_nor_erase_chip(nor);
    close(ends[1]);
    assert_int_equal(read(ends[0], heard, sizeof(heard)), 4);
    close(ends[0]);
    eb_nor_erase_chip(nor);
    assert_int_equal(nor->pulse_fd, -1);
    assert_int_equal(nor->erase_ops, 3);
}

static void test_a_fake_chip_repeats(void **state)
{
    struct eb_nor *nor = *state;
    uint32_t bad;
    uint8_t byte = 0x42;
    uint8_t seen;
    assert_int_equal(eb_nor_read(nor, SIZE, &seen, 1), EB_OUT_OF_RANGE);
    nor->claim = 4 * SIZE;
    assert_int_equal(eb_nor_program(nor, 3 * SIZE + 5, &byte, 1, &bad), EB_OK);
    assert_int_equal(eb_nor_read(nor, SIZE + 5, &seen, 1), EB_OK);
    assert_int_equal(seen, 0x42);
    assert_int_equal(nor->bytes[5], 0x42);
}

static void test_the_file_is_made_kept_and_checked(void **state)
{
    (void)state;
    char folder[] = "board-nor-XXXXXX";
    char path[64];
    char why[256];
    uint32_t bad;
    struct eb_nor nor;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/flash.bin", folder);
    assert_int_equal(eb_nor_open(&nor, path, SIZE, why, sizeof(why)), 0);
    assert_int_equal(nor.bytes[SIZE - 1], 0xFF);
    assert_int_equal(eb_nor_program(&nor, 7, (const uint8_t *)"x", 1, &bad), EB_OK);
    eb_nor_close(&nor);
    assert_int_equal(eb_nor_open(&nor, path, 2 * SIZE, why, sizeof(why)), -1);
    assert_non_null(strstr(why, "holds 1048576 bytes"));
    assert_int_equal(eb_nor_open(&nor, path, SIZE, why, sizeof(why)), 0);
    assert_int_equal(nor.bytes[7], 'x');
    eb_nor_close(&nor);
    assert_int_equal(eb_nor_open(&nor, path, 1000, why, sizeof(why)), -1);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fresh_flash_is_blank, open_nor, close_nor),
        cmocka_unit_test_setup_teardown(test_programming_only_clears_bits, open_nor, close_nor),
        cmocka_unit_test_setup_teardown(test_programs_are_counted_by_page, open_nor, close_nor),
        cmocka_unit_test_setup_teardown(test_erases_are_aligned_and_counted, open_nor, close_nor),
        cmocka_unit_test_setup_teardown(test_an_erase_stays_in_its_sector, open_nor, close_nor),
        cmocka_unit_test_setup_teardown(test_an_erase_without_power_is_half_done, open_nor,
                                        close_nor),
        cmocka_unit_test_setup_teardown(test_a_program_without_power_is_half_done, open_nor,
                                        close_nor),
        cmocka_unit_test_setup_teardown(test_power_fails_where_it_is_told_to, open_nor, close_nor),
        cmocka_unit_test_setup_teardown(test_who_counts_hears_each_operation, open_nor, close_nor),
        cmocka_unit_test_setup_teardown(test_a_fake_chip_repeats, open_nor, close_nor),
        cmocka_unit_test(test_the_file_is_made_kept_and_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
