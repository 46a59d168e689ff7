/* Reset sequences: from text to steps, what a line sees of them, and which is tried when. */
#include "espflashfs/reset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { CHANGES_MAX = 32 };

/* A line that writes down what is done to it: "D1", "R0", "U10". */
struct recorder {
    struct ef_line line; /* first */
    char seen[CHANGES_MAX * 4];
    int64_t at_ms[CHANGES_MAX];
    size_t count;
    size_t fail_at; /* this change, counted from 1, ends with `err` */
    enum ef_err err;
};

static enum ef_err record(struct recorder *r, const char *what)
{
    if (r->count + 1 == r->fail_at)
        return r->err;
    assert_true(r->count < CHANGES_MAX);
    r->at_ms[r->count++] = ef_clock_now_ms();
    size_t len = strlen(r->seen);
    snprintf(r->seen + len, sizeof(r->seen) - len, "%s%s", len ? " " : "", what);
    return EF_OK;
}

static enum ef_err record_lines(struct ef_line *line, bool dtr, bool rts)
{
    char what[4];
    snprintf(what, sizeof(what), "U%d%d", dtr, rts);
    return record((struct recorder *)line, what);
}

static enum ef_err record_one_line(struct ef_line *line, enum ef_modem_line which, bool on)
{
    char what[4];
    snprintf(what, sizeof(what), "%c%d", which == EF_DTR ? 'D' : 'R', on);
    return record((struct recorder *)line, what);
}

static struct recorder recorder(void)
{
    static const struct ef_line_ops OPS = {.set_lines = record_lines,
                                           .set_one_line = record_one_line};
    return (struct recorder){.line = {.ops = &OPS, .name = "recorder", .kind = "serial"}};
}

static struct ef_reset_sequence parse(const char *text)
{
    struct ef_reset_sequence sequence;
    char why[EF_RESET_WHY_MAX] = "";
    if (ef_reset_parse(text, &sequence, why) != EF_OK)
        fail_msg("%s: %s", text, why);
    return sequence;
}

static void steps_of_esptool(void **state)
{
    (void)state;
    struct ef_reset_sequence s = parse("D0|R1|W0.1|U1,0|W.05|W2");
    assert_int_equal(s.count, 6);
    assert_int_equal(s.step[0].action, EF_RESET_DTR);
    assert_false(s.step[0].dtr);
    assert_int_equal(s.step[1].action, EF_RESET_RTS);
    assert_true(s.step[1].rts);
    assert_int_equal(s.step[2].action, EF_RESET_WAIT);
    assert_int_equal(s.step[2].wait_ms, 100);
    assert_int_equal(s.step[3].action, EF_RESET_BOTH);
    assert_true(s.step[3].dtr);
    assert_false(s.step[3].rts);
    assert_int_equal(s.step[4].wait_ms, 50);
    assert_int_equal(s.step[5].wait_ms, 2000);
}

/* What esptool 5 lets pass. */
static void loose_spelling(void **state)
{
    (void)state;
    struct ef_reset_sequence s = parse(" d1 | r0|u0, 1||w0.0001|");
    assert_int_equal(s.count, 4);
    assert_true(s.step[0].dtr);
    assert_true(s.step[2].rts);
    assert_int_equal(s.step[3].wait_ms, 1); /* never shorter than asked for */
}

static void refused(void **state)
{
    static const struct {
        const char *text, *why;
    } WRONG[] = {
        {"", "neither DTR nor RTS"},
        {"|", "neither DTR nor RTS"},
        {"W0.5", "neither DTR nor RTS"},
        {"D2", "`D2` is no step"},
        {"D", "`D` is no step"},
        {"D10", "`D10` is no step"},
        {"D0|X1", "`X1` is no step"},
        {"D0 R1", "`D0 R1` is no step"},
        {"U1", "`U1` is no step"},
        {"U1,", "`U1,` is no step"},
        {"U1,0,1", "`U1,0,1` is no step"},
        {"U10", "`U10` is no step"},
        {"D0|W", "`W` is no step"},
        {"D0|W.", "`W.` is no step"},
        {"D0|W1.2.3", "`W1.2.3` is no step"},
        {"D0|W-1", "`W-1` is no step"},
        {"D0|W1e3", "`W1e3` is no step"},
        {"D0|Winf", "`Winf` is no step"},
        {"D0|W10.001", "longer than 10 s"},
        {"D0|W6|W5", "longer than 10 s"},
        {"D0|W99999999999999999999999999999999999999", "longer than 10 s"},
        {"D0|W9999999999999999999|W9999999999999999999", "longer than 10 s"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(WRONG); i++) {
        struct ef_reset_sequence sequence;
        char why[EF_RESET_WHY_MAX] = "";
        if (ef_reset_parse(WRONG[i].text, &sequence, why) != EF_INVALID)
            fail_msg("'%s' was taken", WRONG[i].text);
        if (!strstr(why, WRONG[i].why))
            fail_msg("'%s': said '%s'", WRONG[i].text, why);
    }
}

static void as_many_steps_as_fit(void **state)
{
    char text[3 * (EF_RESET_STEPS_MAX + 1) + 1] = "";
    struct ef_reset_sequence sequence;
    char why[EF_RESET_WHY_MAX] = "";
    (void)state;
    for (int i = 0; i < EF_RESET_STEPS_MAX; i++)
        memcpy(text + strlen(text), "D0|", 4);
    assert_int_equal(ef_reset_parse(text, &sequence, why), EF_OK);
    assert_int_equal(sequence.count, EF_RESET_STEPS_MAX);
    memcpy(text + strlen(text), "R1|", 4);
    assert_int_equal(ef_reset_parse(text, &sequence, why), EF_INVALID);
    assert_non_null(strstr(why, "more than 64 steps"));
    assert_int_equal(ef_reset_parse("D0|W10", &sequence, why), EF_OK);
}

/* In their order, and no wait is shorter than asked for. */
static void played(void **state)
{
    (void)state;
    struct recorder r = recorder();
    struct ef_reset_sequence s = parse("D0|R1|W0.03|U1,0|W0.02|R0");
    assert_int_equal(ef_reset_play(&r.line, &s), EF_OK);
    assert_string_equal(r.seen, "D0 R1 U10 R0");
    assert_true(r.at_ms[2] - r.at_ms[1] >= 30);
    assert_true(r.at_ms[3] - r.at_ms[2] >= 20);
}

static void a_device_that_leaves_ends_it(void **state)
{
    (void)state;
    struct recorder r = recorder();
    struct ef_reset_sequence s = parse("D0|R1|W10|R0");
    r.fail_at = 2;
    r.err = EF_GONE;
    assert_int_equal(ef_reset_play(&r.line, &s), EF_GONE);
    assert_string_equal(r.seen, "D0");
}

static void no_modem_lines(void **state)
{
    static const struct ef_line_ops NONE = {0};
    (void)state;
    struct recorder r = recorder();
    r.line.ops = &NONE;
    struct ef_reset_sequence s = parse("D0");
    assert_int_equal(ef_reset_play(&r.line, &s), EF_UNSUPPORTED);
    s = parse("U0,0");
    assert_int_equal(ef_reset_play(&r.line, &s), EF_UNSUPPORTED);
}

/* The attempts on a line, by name, parted by `; `. */
static const char *order(const struct recorder *r, bool usb_reset, char *out, size_t cap)
{
    size_t len = 0;
    for (unsigned i = 0; i < EF_RESET_ATTEMPTS; i++)
        len += (size_t)snprintf(out + len, cap - len, "%s%s", i ? "; " : "",
                                ef_reset_way_to_loader(&r->line, usb_reset, i)->name);
    return out;
}

static void order_by_kind_of_port(void **state)
{
    static const struct {
        const char *kind;
        uint16_t vid, pid;
        bool one_by_one, usb_reset;
        const char *order;
    } PORTS[] = {
        {"serial", 0x10C4, 0xEA60, false, false,
         "both lines at once; both lines at once, long; classic; classic, long"},
        {"serial", 0, 0, false, false,
         "both lines at once; both lines at once, long; classic; classic, long"},
        {"serial", 0x1A86, 0x7523, true, false, "classic; classic, long; classic; classic, long"},
        {"serial", 0x303A, 0x1002, false, false,
         "both lines at once; both lines at once, long; classic; classic, long"},
        {"serial", 0x303A, 0x1001, false, false,
         "USB-Serial-JTAG; USB-Serial-JTAG; USB-Serial-JTAG; USB-Serial-JTAG"},
        {"serial", 0x303A, 0x0009, false, false,
         "classic; both lines at once; classic, long; both lines at once, long"},
        {"serial", 0x10C4, 0xEA60, false, true,
         "USB-Serial-JTAG; USB-Serial-JTAG; USB-Serial-JTAG; USB-Serial-JTAG"},
        {"rfc2217", 0, 0, true, false, "classic; USB-Serial-JTAG; classic, long; USB-Serial-JTAG"},
        {"rfc2217", 0, 0, false, false,
         "both lines at once; USB-Serial-JTAG; both lines at once, long; USB-Serial-JTAG"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(PORTS); i++) {
        char text[256];
        struct recorder r = recorder();
        r.line.kind = PORTS[i].kind;
        r.line.usb_vid = PORTS[i].vid;
        r.line.usb_pid = PORTS[i].pid;
        r.line.one_by_one = PORTS[i].one_by_one;
        assert_string_equal(order(&r, PORTS[i].usb_reset, text, sizeof(text)), PORTS[i].order);
    }
}

/* What each of this program's own sequences does to the lines, and how long it waits. */
static void own_sequences(void **state)
{
    static const struct {
        const char *name, *changes;
        int wait_ms;
    } OWN[] = {
        {"both lines at once", "U00 U11 U01 U10 U00 D0", 150},
        {"both lines at once, long", "U00 U11 U01 U10 U00 D0", 650},
        {"classic", "D0 R1 D1 R0 D0", 150},
        {"classic, long", "D0 R1 D1 R0 D0", 650},
        {"USB-Serial-JTAG", "R0 D0 D1 R0 R1 D0 R1 D0 R0", 300},
        {"hard reset", "D0 R1 R0", 100},
        {"hard reset over USB", "D0 R1 R0", 400},
    };
    (void)state;
    struct recorder r = recorder();
    const struct ef_reset_way *ways[EF_RESET_ATTEMPTS + 3];
    for (unsigned i = 0; i < EF_RESET_ATTEMPTS; i++)
        ways[i] = ef_reset_way_to_loader(&r.line, false, i);
    ways[EF_RESET_ATTEMPTS] = ef_reset_way_to_loader(&r.line, true, 0);
    ways[EF_RESET_ATTEMPTS + 1] = ef_reset_way_to_firmware(&r.line, false);
    r.line.usb_vid = 0x303A;
    r.line.usb_pid = 0x0002;
    ways[EF_RESET_ATTEMPTS + 2] = ef_reset_way_to_firmware(&r.line, false);
    for (size_t i = 0; i < COUNT(OWN); i++) {
        struct recorder player = recorder();
        struct ef_reset_sequence s = parse(ways[i]->steps);
        int wait_ms = 0;
        for (size_t k = 0; k < s.count; k++) {
            wait_ms += s.step[k].wait_ms;
            s.step[k].wait_ms = 0; /* counted, not waited for */
        }
        assert_string_equal(ways[i]->name, OWN[i].name);
        assert_int_equal(wait_ms, OWN[i].wait_ms);
        assert_int_equal(ef_reset_play(&player.line, &s), EF_OK);
        assert_string_equal(player.seen, OWN[i].changes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_of_esptool), cmocka_unit_test(loose_spelling),
        cmocka_unit_test(refused),          cmocka_unit_test(as_many_steps_as_fit),
        cmocka_unit_test(played),           cmocka_unit_test(a_device_that_leaves_ends_it),
        cmocka_unit_test(no_modem_lines),   cmocka_unit_test(order_by_kind_of_port),
        cmocka_unit_test(own_sequences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
