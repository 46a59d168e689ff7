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
        cmocka_unit_test_setup_teardown(test_a_fake_chip_repeats, open_nor, close_nor),
        cmocka_unit_test(test_the_file_is_made_kept_and_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
