/* Apart from the clock, so that a test with a clock of its own has these all the same. */
#include "espflashfs/clock.h"

#include <limits.h>

ef_deadline ef_deadline_in(int64_t ms)
{
    return ef_clock_now_ms() + ms;
}

int ef_deadline_left_ms(ef_deadline deadline)
{
    int64_t left = deadline - ef_clock_now_ms();
    if (left <= 0)
        return 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

ef_deadline ef_deadline_min(ef_deadline a, ef_deadline b)
{
    return a < b ? a : b;
}
