/* Integers in byte buffers, ranges that do not overflow, blank flash. */
#include "espflashfs/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void little_endian(void **state)
{
    (void)state;
    uint8_t bytes[4] = {0x01, 0x82, 0xF3, 0xE4};
    assert_int_equal(ef_le16(bytes), 0x8201);
    assert_int_equal(ef_le32(bytes), 0xE4F38201);
    ef_put_le32(bytes, 0x89ABCDEF);
    assert_memory_equal(bytes, "\xEF\xCD\xAB\x89", 4);
    ef_put_le16(bytes, 0xFE01);
    assert_memory_equal(bytes, "\x01\xFE\xAB\x89", 4);
}

static void smaller_and_aligned(void **state)
{
    (void)state;
    assert_int_equal(ef_min_u32(3, 4), 3);
    assert_int_equal(ef_min_u32(UINT32_MAX, 4), 4);
    assert_int_equal(ef_align_down(0x1FFF, 0x1000), 0x1000);
    assert_int_equal(ef_align_down(0x1000, 0x1000), 0x1000);
    assert_int_equal(ef_align_down(UINT32_MAX, 0x10000), 0xFFFF0000);
}

static void ranges(void **state)
{
    (void)state;
    assert_true(ef_range_fits(0, 0, 0));
    assert_true(ef_range_fits(0, 16, 16));
    assert_true(ef_range_fits(16, 0, 16));
    assert_true(ef_range_fits(15, 1, 16));
    assert_false(ef_range_fits(15, 2, 16));
    assert_false(ef_range_fits(17, 0, 16));
    assert_false(ef_range_fits(0, 17, 16));
    assert_false(ef_range_fits(UINT64_MAX, 2, 16));
    assert_false(ef_range_fits(2, UINT64_MAX, 16));
    assert_false(ef_range_fits(UINT64_MAX - 7, 8, 16));
    assert_true(ef_range_fits(UINT64_MAX - 8, 8, UINT64_MAX));
}

static void blank(void **state)
{
    (void)state;
    uint8_t bytes[257];
    memset(bytes, 0xFF, sizeof(bytes));
    for (size_t len = 0; len <= sizeof(bytes); len++)
        assert_true(ef_bytes_blank(bytes, len));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = 0x7F;
        assert_false(ef_bytes_blank(bytes, sizeof(bytes)));
        assert_true(ef_bytes_blank(bytes, i));
        bytes[i] = 0xFF;
    }
    memset(bytes, 0, sizeof(bytes));
    assert_false(ef_bytes_blank(bytes, sizeof(bytes)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(little_endian),
        cmocka_unit_test(smaller_and_aligned),
        cmocka_unit_test(ranges),
        cmocka_unit_test(blank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
