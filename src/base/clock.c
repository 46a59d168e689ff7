#include "espflashfs/clock.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

int64_t ef_clock_now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

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

void ef_clock_sleep_ms(int64_t ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
    while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
        continue;
}
