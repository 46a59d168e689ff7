/* Telnet's framing: whole, in single bytes, and as a hostile far end sends it. */
#include "espflashfs/telnet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What a stream decodes to, as text: data in hex, commands as <verb option>, [option: bytes]. */
struct story {
    char text[4096];
    size_t len;
};

static void tell(struct story *story, const char *text)
{
    size_t len = strlen(text);
    assert_true(len < sizeof(story->text) - story->len);
    memcpy(story->text + story->len, text, len + 1);
    story->len += len;
}

static void tell_number(struct story *story, const char *format, unsigned number)
{
    char text[16];
    snprintf(text, sizeof(text), format, number);
    tell(story, text);
}

static void tell_bytes(struct story *story, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        tell_number(story, "%02x", bytes[i]);
}

static void decode(struct story *story, struct ef_telnet *telnet, const uint8_t *in, size_t len)
{
    while (len > 0) {
        size_t used = 0;
        enum ef_telnet_event event = ef_telnet_decode(telnet, in, len, &used);
        assert_true(used > 0 && used <= len);
        if (event == EF_TELNET_DATA) {
            assert_true(telnet->data >= in && telnet->data + telnet->data_len <= in + used);
            tell_bytes(story, telnet->data, telnet->data_len);
        } else if (event == EF_TELNET_COMMAND) {
            tell_number(story, "<%u ", telnet->verb);
            tell_number(story, "%u>", telnet->option);
        } else if (event == EF_TELNET_SUBNEGOTIATION) {
            tell_number(story, "[%u: ", telnet->option);
            tell_bytes(story, telnet->sub, telnet->sub_len);
            tell(story, "]");
        } else if (event == EF_TELNET_BAD) {
            tell(story, "!");
        } else {
            assert_int_equal(used, len);
        }
        in += used;
        len -= used;
    }
}

/* Decodes as one piece, in single bytes, and split in two at every place. */
static void expect(const uint8_t *in, size_t len, const char *wanted)
{
    for (size_t cut = 0; cut <= len; cut++) {
        struct story story = {.len = 0};
        struct ef_telnet telnet;
        ef_telnet_init(&telnet);
        decode(&story, &telnet, in, cut);
        decode(&story, &telnet, in + cut, len - cut);
        assert_string_equal(story.text, wanted);
    }
    struct story story = {.len = 0};
    struct ef_telnet telnet;
    ef_telnet_init(&telnet);
    for (size_t i = 0; i < len; i++)
        decode(&story, &telnet, in + i, 1);
    assert_string_equal(story.text, wanted);
}

#define EXPECT(wanted, ...)                                                                        \
    do {                                                                                           \
        const uint8_t in_[] = {__VA_ARGS__};                                                       \
        expect(in_, sizeof(in_), wanted);                                                          \
    } while (0)

static void data(void **state)
{
    (void)state;
    EXPECT("6162", 'a', 'b');
    EXPECT("61ff62", 'a', 255, 255, 'b');
    EXPECT("ffff", 255, 255, 255, 255);
    EXPECT("0d000a", '\r', 0, '\n'); /* binary: CR NUL stays */
    EXPECT("6162", 'a', 255, 241, 'b');
    EXPECT("", 255);
}

static void commands(void **state)
{
    (void)state;
    EXPECT("<253 44>", 255, 253, 44);
    EXPECT("61<251 0><254 3>62", 'a', 255, 251, 0, 255, 254, 3, 'b');
    EXPECT("<252 255>61", 255, 252, 255, 'a');
}

static void subnegotiations(void **state)
{
    (void)state;
    EXPECT("61[44: 6500001c20]62", 'a', 255, 250, 44, 101, 0, 0, 0x1C, 0x20, 255, 240, 'b');
    EXPECT("[44: 01ff00]", 255, 250, 44, 1, 255, 255, 0, 255, 240);
    EXPECT("[44: ]", 255, 250, 44, 255, 240);
    /* SE alone is a value as any other. */
    EXPECT("[44: f0]", 255, 250, 44, 240, 255, 240);
}

static void broken_off(void **state)
{
    (void)state;
    EXPECT("!<251 1>61", 255, 250, 44, 5, 255, 251, 1, 'a');
    EXPECT("![44: 02]", 255, 250, 44, 1, 255, 250, 44, 2, 255, 240);
    EXPECT("!61", 255, 250, 44, 1, 255, 241, 'a');
}

static void too_long(void **state)
{
    (void)state;
    enum { LONG = 1000 };
    uint8_t in[LONG + 6] = {255, 250, 44};
    in[LONG + 3] = 255;
    in[LONG + 4] = 240;
    in[LONG + 5] = 'a';
    struct story story = {.len = 0};
    struct ef_telnet telnet;
    ef_telnet_init(&telnet);
    decode(&story, &telnet, in, sizeof(in));
    assert_string_equal(story.text, "!61");
    /* One byte less than too long. */
    story = (struct story){.len = 0};
    decode(&story, &telnet, in, 3 + EF_TELNET_SUB_CAP);
    decode(&story, &telnet, in + LONG + 3, 2);
    assert_true(story.len == strlen("[44: ]") + 2 * EF_TELNET_SUB_CAP);
}

/* Any bytes at all: every one is taken, and nothing is read past the end. */
static void noise(void **state)
{
    (void)state;
    struct ef_telnet telnet;
    uint32_t seed = 1;
    ef_telnet_init(&telnet);
    for (int i = 0; i < 100000; i++) {
        uint8_t in[5];
        size_t used;
        for (size_t j = 0; j < sizeof(in); j++) {
            seed = seed * 1664525 + 1013904223;
            in[j] =
                (seed >> 24 & 3) != 0 ? (uint8_t)(seed >> 16) : (uint8_t)(250 + (seed >> 16) % 6);
        }
        for (size_t at = 0; at < sizeof(in); at += used) {
            ef_telnet_decode(&telnet, in + at, sizeof(in) - at, &used);
            assert_true(used > 0 && used <= sizeof(in) - at);
            assert_true(telnet.sub_len <= EF_TELNET_SUB_CAP);
        }
    }
}

static void writing(void **state)
{
    (void)state;
    static const uint8_t VALUE[4] = {0, 0xFF, 0x10, 0xFF};
    static const uint8_t WANTED[] = {255, 250, 44, 1, 0, 255, 255, 0x10, 255, 255, 255, 240};
    uint8_t out[64];
    assert_int_equal(ef_com_port_put(out, EF_COM_SET_BAUDRATE, VALUE, sizeof(VALUE)),
                     sizeof(WANTED));
    assert_memory_equal(out, WANTED, sizeof(WANTED));
    assert_int_equal(ef_telnet_escape(out, VALUE, sizeof(VALUE)), 6);
    assert_memory_equal(out, "\0\377\377\020\377\377", 6);
    ef_telnet_put_command(out, EF_TELNET_DO, EF_TELNET_COM_PORT);
    assert_memory_equal(out, "\377\375\054", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data),       cmocka_unit_test(commands), cmocka_unit_test(subnegotiations),
        cmocka_unit_test(broken_off), cmocka_unit_test(too_long), cmocka_unit_test(noise),
        cmocka_unit_test(writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
