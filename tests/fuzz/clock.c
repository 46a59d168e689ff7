/*
 * Stands in for src/base/clock.c, so that deadlines cost no time: what waits until a deadline is
 * there at once. The one variable is what a clock is.
 */
#include "fuzz.h"

#include "espflashfs/clock.h"

static int64_t now_ms = 1000000;

void fuzz_clock_pass(int64_t ms)
{
    REQUIRE(ms >= 0);
    now_ms += ms;
}

int64_t ef_clock_now_ms(void)
{
    return now_ms;
}

void ef_clock_sleep_ms(int64_t ms)
{
    if (ms > 0)
        fuzz_clock_pass(ms);
}
