/* The line at the foot of the terminal: never wider than that. */
#include "program/bar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct ef_progress_now reading(int percent)
{
    struct ef_progress_now now = {
        .busy = true, .kind = EF_TASK_READ, .percent = percent, .rate = 90317, .left_s = 26};
    strcpy(now.name, "flash.bin");
    return now;
}

static void expect(struct ef_progress_now now, unsigned columns, const char *wanted)
{
    char line[EF_BAR_MAX];
    ef_bar_draw(&now, columns, line);
    assert_string_equal(line, wanted);
}

static void a_bar(void **state)
{
    (void)state;
    expect(reading(43), 80,
           "[############..................] reading flash.bin: 43 %, 88.2 KiB/s, 26 s left");
    expect(reading(43), 200,
           "[#################.......................] reading flash.bin: 43 %, 88.2 KiB/s, "
           "26 s left");
    expect(reading(0), 59, "[..........] reading flash.bin: 0 %, 88.2 KiB/s, 26 s left");
    expect(reading(100), 61, "[##########] reading flash.bin: 100 %, 88.2 KiB/s, 26 s left");
}

static void no_room_for_one(void **state)
{
    (void)state;
    expect(reading(43), 59, "reading flash.bin: 43 %, 88.2 KiB/s, 26 s left");
    expect(reading(43), 24, "reading flash.bin: 43 %");
    expect(reading(43), 8, "reading");
    expect(reading(43), 1, "");
    expect(reading(43), 0, "");
}

static void nothing_to_tell(void **state)
{
    struct ef_progress_now now = {.percent = -1, .left_s = -1};
    (void)state;
    expect(now, 80, "");
    now = reading(-1);
    now.rate = 0;
    now.left_s = -1;
    expect(now, 80, "reading flash.bin");
}

/* Whatever it is and however wide: it fits. */
static void always_fits(void **state)
{
    (void)state;
    for (int percent = -1; percent <= 101; percent += 3) {
        struct ef_progress_now now = reading(percent);
        memset(now.name, 'x', sizeof(now.name) - 1);
        now.left_s = INT64_MAX;
        now.rate = UINT64_MAX;
        now.others = 4294967295U;
        for (unsigned columns = 0; columns < 1000; columns++) {
            char line[EF_BAR_MAX + 1];
            line[EF_BAR_MAX] = '!';
            ef_bar_draw(&now, columns, line);
            assert_true(strlen(line) < (columns ? columns : 1));
            assert_int_equal(line[EF_BAR_MAX], '!');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bar),
        cmocka_unit_test(no_room_for_one),
        cmocka_unit_test(nothing_to_tell),
        cmocka_unit_test(always_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
