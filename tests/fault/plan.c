#include "plan.h"

#include <string.h>

/*
 * Of a frame: its first bytes, which are header, address and length; some of the rest; its last
 * ones. A longer frame offers no more than these.
 */
enum { FIRST = 30, SPREAD = 6, LAST = 4, PLACES = FIRST + SPREAD + LAST, BITS = 8, LATES = 5 };

static const struct {
    const char *name;
    enum sw_step step;
} FAULTS[SW_FAULTS] = {
    [SW_NONE] = {"none", SW_STEP_COMMAND},
    [SW_DROP_IN] = {"drop-in", SW_STEP_FRAME_IN},
    [SW_DROP_OUT] = {"drop-out", SW_STEP_FRAME_OUT},
    [SW_TWICE_IN] = {"twice-in", SW_STEP_FRAME_IN},
    [SW_TWICE_OUT] = {"twice-out", SW_STEP_FRAME_OUT},
    [SW_LATE_IN] = {"late-in", SW_STEP_FRAME_IN},
    [SW_LATE_OUT] = {"late-out", SW_STEP_FRAME_OUT},
    [SW_CUT_IN] = {"cut-in", SW_STEP_FRAME_IN},
    [SW_CUT_OUT] = {"cut-out", SW_STEP_FRAME_OUT},
    [SW_DOUBLE_IN] = {"double-in", SW_STEP_FRAME_IN},
    [SW_DOUBLE_OUT] = {"double-out", SW_STEP_FRAME_OUT},
    [SW_FLIP_IN] = {"flip-in", SW_STEP_FRAME_IN},
    [SW_FLIP_OUT] = {"flip-out", SW_STEP_FRAME_OUT},
    [SW_REJECT] = {"reject", SW_STEP_COMMAND},
    [SW_LIE] = {"lie", SW_STEP_COMMAND},
    [SW_SILENCE] = {"silence", SW_STEP_COMMAND},
    [SW_REBOOT] = {"reboot", SW_STEP_COMMAND},
    [SW_REBOOT_AFTER] = {"reboot-after", SW_STEP_COMMAND},
    [SW_FIRMWARE] = {"firmware", SW_STEP_COMMAND},
    [SW_HANG_UP] = {"hang-up", SW_STEP_COMMAND},
    [SW_HANG_UP_AFTER] = {"hang-up-after", SW_STEP_COMMAND},
    [SW_UNPLUG] = {"unplug", SW_STEP_COMMAND},
    [SW_POWER] = {"power", SW_STEP_FLASH},
    [SW_POWER_HANG_UP] = {"power-hang-up", SW_STEP_FLASH},
    [SW_NO_MEMORY] = {"no-memory", SW_STEP_HOST},
    [SW_DISK_FULL] = {"disk-full", SW_STEP_DISK},
    [SW_DISK_BROKEN] = {"disk-broken", SW_STEP_DISK},
    [SW_DISK_READ_ONLY] = {"disk-read-only", SW_STEP_DISK},
};

const char *sw_fault_name(enum sw_fault fault)
{
    return FAULTS[fault].name;
}

enum sw_fault sw_fault_find(const char *name)
{
    for (int i = 0; i < SW_FAULTS; i++)
        if (strcmp(FAULTS[i].name, name) == 0)
            return (enum sw_fault)i;
    return SW_FAULTS;
}

enum sw_step sw_fault_step(enum sw_fault fault)
{
    return FAULTS[fault].step;
}

uint32_t sw_steps(const struct sw_footprint *print, enum sw_fault fault)
{
    switch (FAULTS[fault].step) {
    case SW_STEP_FRAME_IN:
        return print->frames_in;
    case SW_STEP_FRAME_OUT:
        return print->frames_out;
    case SW_STEP_COMMAND:
        return print->commands;
    case SW_STEP_FLASH:
        return print->flash_ops;
    case SW_STEP_HOST:
        return print->allocations;
    case SW_STEP_DISK:
        break;
    }
    return print->changes;
}

static uint32_t places(uint32_t len)
{
    return len < PLACES ? len : PLACES;
}

uint32_t sw_variants(const struct sw_footprint *print, enum sw_fault fault, uint32_t step)
{
    bool in = FAULTS[fault].step == SW_STEP_FRAME_IN;
    uint32_t len = (in ? print->len_in : print->len_out)[(step - 1) % SW_FRAMES_MAX];
    switch (fault) {
    case SW_FLIP_IN:
    case SW_FLIP_OUT:
        return places(len) * BITS;
    case SW_CUT_IN:
    case SW_CUT_OUT:
    case SW_DOUBLE_IN:
    case SW_DOUBLE_OUT:
        return places(len);
    case SW_LATE_IN:
    case SW_LATE_OUT:
        return LATES;
    case SW_POWER:
    case SW_POWER_HANG_UP:
        return 4;   /* the seed picks what is left of the sector: as often */
    case SW_UNPLUG: /* it boots into its loader, or into its firmware */
    case SW_DISK_FULL:
    case SW_DISK_BROKEN:
    case SW_DISK_READ_ONLY: /* once, or from then on */
        return 2;
    default:
        return 1;
    }
}

uint32_t sw_variant_at(enum sw_fault fault, uint32_t variant, uint32_t len)
{
    uint32_t i = fault == SW_FLIP_IN || fault == SW_FLIP_OUT ? variant / BITS : variant;
    i %= places(len);
    if (len <= PLACES || i < FIRST)
        return i;
    if (i < FIRST + SPREAD)
        return FIRST + (len - FIRST - LAST) / SPREAD * (i - FIRST);
    return len - (PLACES - i);
}

uint8_t sw_variant_bit(uint32_t variant)
{
    return (uint8_t)(1U << variant % BITS);
}

int64_t sw_variant_late_ns(uint32_t variant)
{
    /* Past a lost reply's deadline, a command's, an erase's, all there are. */
    static const int64_t LATE_MS[LATES] = {700, 1500, 3500, 20000, 200000};
    return LATE_MS[variant % LATES] * 1000000;
}
