/* Deadlines: their order and their bounds, not the host's speed. */
#include "espflashfs/clock.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void never_backwards(void **state)
{
    (void)state;
    int64_t last = ef_clock_now_ms();
    for (int i = 0; i < 1000; i++) {
        int64_t now = ef_clock_now_ms();
        assert_true(now >= last);
        last = now;
    }
}

static void left(void **state)
{
    (void)state;
    assert_int_equal(ef_deadline_left_ms(ef_deadline_in(0)), 0);
    assert_int_equal(ef_deadline_left_ms(ef_deadline_in(-1000)), 0);
    assert_int_equal(ef_deadline_left_ms(INT64_MIN / 2), 0);
    int some = ef_deadline_left_ms(ef_deadline_in(3600000));
    assert_in_range(some, 1, 3600000);
    assert_int_equal(ef_deadline_left_ms(ef_deadline_in(INT64_C(1) << 40)), INT_MAX);
}

static void earlier(void **state)
{
    (void)state;
    assert_int_equal(ef_deadline_min(3, 4), 3);
    assert_int_equal(ef_deadline_min(4, 3), 3);
    assert_int_equal(ef_deadline_min(-1, 0), -1);
}

static void sleeps_long_enough(void **state)
{
    (void)state;
    ef_deadline deadline = ef_deadline_in(3);
    ef_clock_sleep_ms(4); /* one more than asked: the clock counts whole milliseconds */
    assert_int_equal(ef_deadline_left_ms(deadline), 0);
    ef_clock_sleep_ms(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_backwards),
        cmocka_unit_test(left),
        cmocka_unit_test(earlier),
        cmocka_unit_test(sleeps_long_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
