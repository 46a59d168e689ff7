#include "clock.h"

#include <stdatomic.h>

static const int64_t NS_PER_MS = 1000000;

/* clock.h gives its functions no place to keep it. */
static _Atomic int64_t now_ns = INT64_C(1000) * 1000 * 1000 * 1000;

int64_t sw_clock_now_ns(void)
{
    return atomic_load(&now_ns);
}

void sw_clock_pass_ns(int64_t ns)
{
    atomic_fetch_add(&now_ns, ns);
}

void sw_clock_reach_ns(int64_t at_ns)
{
    int64_t now = atomic_load(&now_ns);
    while (now < at_ns && !atomic_compare_exchange_weak(&now_ns, &now, at_ns))
        continue;
}

int64_t ef_clock_now_ms(void)
{
    return sw_clock_now_ns() / NS_PER_MS;
}

void ef_clock_sleep_ms(int64_t ms)
{
    sw_clock_pass_ns(ms * NS_PER_MS);
}
