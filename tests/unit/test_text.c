/* Numbers that people type, and text from outside made safe to show. */
#include "espflashfs/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void good_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
    } CASES[] = {
        {"0", 0},
        {"00", 0},
        {"7", 7},
        {"010", 10}, /* no octal */
        {"4096", 4096},
        {"0x1000", 0x1000},
        {"0X1000", 0x1000},
        {"0xabCDef", 0xABCDEF},
        {"0x1b", 0x1B}, /* a digit, not a unit */
        {"1k", 1024},
        {"1K", 1024},
        {"64kB", 65536},
        {"64KiB", 65536},
        {"4m", UINT64_C(4) << 20},
        {"4M", UINT64_C(4) << 20},
        {"4MB", UINT64_C(4) << 20},
        {"4MiB", UINT64_C(4) << 20},
        {"0x10k", 16 * 1024},
        {"0k", 0},
        {"18446744073709551615", UINT64_MAX},
        {"0xffffffffffffffff", UINT64_MAX},
        {"18014398509481983k", UINT64_MAX - 1023},
        {"17592186044415M", UINT64_MAX - (1024 * 1024 - 1)},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        uint64_t value = 1;
        assert_int_equal(ef_text_to_u64(CASES[i].text, &value), EF_OK);
        assert_int_equal(value, CASES[i].value);
    }
}

static void bad_numbers(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"",
                                        " ",
                                        " 1",
                                        "1 ",
                                        "1 k",
                                        "+1",
                                        "-1",
                                        "-0",
                                        "x",
                                        "0x",
                                        "0xg",
                                        "0x k",
                                        "0x-1",
                                        "0x+1",
                                        "0x0x1",
                                        "1x",
                                        "abc",
                                        "1.5M",
                                        "1,5M",
                                        "1e3",
                                        "10b",
                                        "1g",
                                        "1kk",
                                        "1ki",
                                        "1kbb",
                                        "1kibi",
                                        "1iB",
                                        "1MiBs",
                                        "k",
                                        "MiB",
                                        "0b101",
                                        "18446744073709551616",
                                        "0x10000000000000000",
                                        "18014398509481984k",
                                        "17592186044416M",
                                        "18446744073709551615M",
                                        "99999999999999999999999999",
                                        "4096\n",
                                        "\xB2"};
    for (size_t i = 0; i < COUNT(TEXTS); i++) {
        uint64_t value = 42;
        assert_int_equal(ef_text_to_u64(TEXTS[i], &value), EF_INVALID);
        assert_int_equal(value, 42);
    }
}

static void escapes(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } CASES[] = {
        {"", ""},
        {"plain ~text", "plain ~text"},
        {"a\nb", "a\\x0ab"},
        {"\r\t\033[31m", "\\x0d\\x09\\x1b[31m"},
        {"\x7F\x80\xFF", "\\x7f\\x80\\xff"},
        {"\xC3\xA9", "\\xc3\\xa9"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char out[64];
        ef_text_escape(out, sizeof(out), CASES[i].in);
        assert_string_equal(out, CASES[i].out);
    }
}

/* Whatever the room, the text ends inside it and no escape is cut in half. */
static void escapes_cut_to_fit(void **state)
{
    (void)state;
    static const char IN[] = "ab\ncd\x80";
    static const char *const OUT[] = {"",          "",
                                      "a",         "ab",
                                      "ab",        "ab",
                                      "ab",        "ab\\x0a",
                                      "ab\\x0ac",  "ab\\x0acd",
                                      "ab\\x0acd", "ab\\x0acd",
                                      "ab\\x0acd", "ab\\x0acd\\x80"};
    for (size_t cap = 1; cap < COUNT(OUT); cap++) {
        char out[32];
        memset(out, '#', sizeof(out));
        ef_text_escape(out, cap, IN);
        assert_string_equal(out, OUT[cap]);
        for (size_t i = cap; i < sizeof(out); i++)
            assert_int_equal(out[i], '#');
    }
}

static void hex(void **state)
{
    (void)state;
    static const uint8_t BYTES[] = {0x00, 0x0F, 0xA5, 0xFF};
    char out[2 * sizeof(BYTES) + 1];
    ef_text_hex(out, BYTES, sizeof(BYTES));
    assert_string_equal(out, "000fa5ff");
    ef_text_hex(out, BYTES, 0);
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_numbers), cmocka_unit_test(bad_numbers),
        cmocka_unit_test(escapes),      cmocka_unit_test(escapes_cut_to_fit),
        cmocka_unit_test(hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
