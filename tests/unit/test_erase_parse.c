/* What `erase` understands, and what it refuses with a reason and a way out. */
#include "espflashfs/node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { SIZE = 4 * 1024 * 1024 };

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

struct text {
    const char *bytes;
    size_t len;
};

static void good(void **state)
{
    (void)state;
    static const struct {
        struct text text;
        uint64_t off, len;
    } CASES[] = {
        {TEXT("all"), 0, SIZE},
        {TEXT("all\n"), 0, SIZE},
        {TEXT("  all \r\n"), 0, SIZE},
        {TEXT("\tall\t"), 0, SIZE},
        {TEXT("0 4096"), 0, 4096},
        {TEXT("0 4096\n"), 0, 4096},
        {TEXT("0x10000 64k\n"), 0x10000, 65536},
        {TEXT("0x10000\t0x1000\r\n"), 0x10000, 4096},
        {TEXT("\n0x10000\n0x1000\n"), 0x10000, 4096},
        {TEXT("4k 4k"), 4096, 4096},
        {TEXT("1M 2M"), 1048576, 2097152},
        {TEXT("1MiB 1MB"), 1048576, 1048576},
        {TEXT("0 4M"), 0, SIZE},
        {TEXT("0x3ff000 4096"), 0x3FF000, 4096},
        {TEXT("0000 04096"), 0, 4096},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct ef_erase_request r = {1, 1};
        char why[256];
        assert_int_equal(
            ef_erase_parse(CASES[i].text.bytes, CASES[i].text.len, SIZE, &r, why, sizeof(why)),
            EF_OK);
        assert_int_equal(r.off, CASES[i].off);
        assert_int_equal(r.len, CASES[i].len);
    }
}

static const struct text BAD[] = {
    TEXT(""),
    TEXT(" "),
    TEXT("\n"),
    TEXT(" \t\r\n "),
    TEXT("ALL"),
    TEXT("All"),
    TEXT("alll"),
    TEXT("al"),
    TEXT("all all"),
    TEXT("all 4096"),
    TEXT("all please"),
    TEXT("al l"),
    TEXT("everything"),
    TEXT("*"),
    TEXT("nvs"),
    TEXT("0"),
    TEXT("4096"),
    TEXT("0x10000"),
    TEXT("0 0"),
    TEXT("4096 0"),
    TEXT("0 1"),
    TEXT("0 4095"),
    TEXT("0 4097"),
    TEXT("1 4096"),
    TEXT("4095 4096"),
    TEXT("0x800 0x1000"),
    TEXT("0x1000 0x800"),
    TEXT("-4096 4096"),
    TEXT("4096 -4096"),
    TEXT("+0 4096"),
    TEXT("0 4096 4096"),
    TEXT("0 4096 now"),
    TEXT("0 4096 # all"),
    TEXT("0,4096"),
    TEXT("0, 4096"),
    TEXT("0-4096"),
    TEXT("0 - 4096"),
    TEXT("0+4096"),
    TEXT("0 4 k"),
    TEXT("0 4g"),
    TEXT("0 4kk"),
    TEXT("0 1.5M"),
    TEXT("0 0x"),
    TEXT("0x 4096"),
    TEXT("0b0 4096"),
    TEXT("ten 4096"),
    TEXT("0 sixteen"),
    TEXT("0 4M4k"),
    TEXT("0 4100k"),
    TEXT("0 0x401000"),
    TEXT("4M 4k"),
    TEXT("0x400000 4096"),
    TEXT("0x3ff000 8192"),
    TEXT("0x100000000 4096"),
    TEXT("0 0x100001000"),
    TEXT("0xfffffffffffff000 4096"),
    TEXT("4096 0xfffffffffffff000"),
    TEXT("0xfffffffffffff000 0x2000"),
    TEXT("0x10000000000000000 4096"),
    TEXT("0 18446744073709551616"),
    TEXT("99999999999999999999 4k"),
    TEXT("all\0"),
    TEXT("\0all"),
    TEXT("0 4096\0 5"),
    TEXT("\033[2Jall"),
    TEXT("all;reboot"),
    TEXT("all\xC2\xA0"),
    TEXT("erase all"),
    TEXT("offset=0 length=4096"),
};

static void bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        struct ef_erase_request r = {0};
        char why[256] = "";
        assert_int_equal(ef_erase_parse(BAD[i].bytes, BAD[i].len, SIZE, &r, why, sizeof(why)),
                         EF_INVALID);
        assert_non_null(strstr(why, "nothing was erased"));
        assert_non_null(strstr(why, "OFFSET LENGTH"));
        /* Nothing that was sent reaches a terminal raw. */
        for (const char *c = why; *c; c++)
            assert_in_range(*c, 0x20, 0x7E);
    }
}

static void too_long(void **state)
{
    (void)state;
    struct ef_erase_request r;
    char why[256];
    char text[300];
    memset(text, ' ', sizeof(text));
    text[0] = 'a';
    text[1] = text[2] = 'l';
    assert_int_equal(ef_erase_parse(text, 256, SIZE, &r, why, sizeof(why)), EF_OK);
    assert_int_equal(ef_erase_parse(text, 257, SIZE, &r, why, sizeof(why)), EF_INVALID);
    memset(text, 'x', sizeof(text));
    assert_int_equal(ef_erase_parse(text, 256, SIZE, &r, why, sizeof(why)), EF_INVALID);
    assert_int_equal(ef_erase_parse(text, SIZE_MAX, SIZE, &r, why, sizeof(why)), EF_INVALID);
}

/* The text is not terminated: the kernel hands over a buffer and a length. */
static void not_terminated(void **state)
{
    (void)state;
    static const char TEXT_AND_MORE[] = {'0', ' ', '4', '0', '9', '6', '9', '9'};
    struct ef_erase_request r;
    char why[256];
    assert_int_equal(ef_erase_parse(TEXT_AND_MORE, 6, SIZE, &r, why, sizeof(why)), EF_OK);
    assert_int_equal(r.len, 4096);
}

static void reason_cut_to_fit(void **state)
{
    (void)state;
    struct ef_erase_request r;
    char why[16];
    memset(why, '#', sizeof(why));
    assert_int_equal(ef_erase_parse("x", 1, SIZE, &r, why, 10), EF_INVALID);
    assert_int_equal(strlen(why), 9);
    assert_int_equal(why[10], '#');
}

static void reasons(void **state)
{
    (void)state;
    static const struct {
        struct text text;
        const char *says;
    } CASES[] = {
        {TEXT("nvs"), "`nvs`"},        {TEXT("0x10000"), "a length must follow"},
        {TEXT("0 4097"), "4096"},      {TEXT("5 4096"), "`5`"},
        {TEXT("0 0"), "zero"},         {TEXT("0 8M"), "4194304 bytes"},
        {TEXT("0 4k x"), "too many"},  {TEXT(""), "empty"},
        {TEXT("a\x01z"), "`a\\x01z`"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct ef_erase_request r;
        char why[256];
        ef_erase_parse(CASES[i].text.bytes, CASES[i].text.len, SIZE, &r, why, sizeof(why));
        assert_non_null(strstr(why, CASES[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good),
        cmocka_unit_test(bad),
        cmocka_unit_test(too_long),
        cmocka_unit_test(not_terminated),
        cmocka_unit_test(reason_cut_to_fit),
        cmocka_unit_test(reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
