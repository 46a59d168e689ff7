/*
 * The fault sweep: a scenario is run once clean, and its steps are counted; then once for every
 * step and every way in which that can fail, or for a sample of them. Each run begins on a fresh
 * board and ends with a remount on which all must be right. Prints a table, and for what is wrong
 * the options that run it alone.
 */
#include "cell.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>

static const struct sw_target TARGETS[] = {
    {"esp8266", true, SW_LINE_SERIAL, 256 * 1024},  {"esp8266", true, SW_LINE_SOCKET, 256 * 1024},
    {"esp8266", false, SW_LINE_SERIAL, 256 * 1024}, {"esp32", true, SW_LINE_SERIAL, 256 * 1024},
    {"esp32", true, SW_LINE_SOCKET, 256 * 1024},    {"esp32", false, SW_LINE_SERIAL, 192 * 1024},
    {"esp32", false, SW_LINE_SOCKET, 192 * 1024},
};

enum { TARGET_COUNT = sizeof(TARGETS) / sizeof(TARGETS[0]) };

/* The ESP8266's ROM alone offers info.txt and no flash. */
static bool has_flash(const struct sw_target *target)
{
    return target->stub || eb_chip_find(target->chip)->rom_has & EB_ROM_FLASH;
}

static bool sweep_scenario(const struct sw_options *o, struct sw_cell *cell, struct sw_tally *sum)
{
    struct sw_footprint *print = malloc(sizeof(*print));
    bool clean = print && sw_cell_count(cell, print);
    for (int f = SW_NONE + 1; f < SW_FAULTS && clean; f++) {
        cell->fault = (enum sw_fault)f;
        if (sw_options_want_fault(o, cell->fault))
            sw_cell_sweep(cell, print, sum);
    }
    free(print);
    if (!clean)
        sum->wrong++;
    return clean;
}

static void sweep_target(const struct sw_options *o, const struct sw_target *target,
                         struct sw_tally *sum)
{
    for (int i = 0; i < SW_SCENARIO_COUNT; i++) {
        const struct sw_scenario *scenario = &SW_SCENARIOS[i];
        struct sw_cell cell = {.target = target, .scenario = scenario, .options = o};
        if (sw_options_want(o, target, scenario) && (has_flash(target) || scenario->info))
            sweep_scenario(o, &cell, sum);
    }
}

int main(int argc, char **argv)
{
    static struct sw_options options;
    struct sw_tally sum = {0};
    if (!sw_options_parse(&options, argc, argv))
        return 2;
    printf("seed %llu%s\n", (unsigned long long)options.seed,
           options.sample ? "" : ", every step in every way");
    sw_tally_head();
    for (int i = 0; i < TARGET_COUNT; i++)
        sweep_target(&options, &TARGETS[i], &sum);
    sw_rig_clean_up(options.folder);
    printf("%u runs: %u healed, %u reported, %u strayed, %u not reached, %u known, %u wrong\n",
           sum.tried, sum.healed, sum.reported, sum.strayed, sum.unreached, sum.known, sum.wrong);
    puts("strayed: a damaged command hit other sectors, and the caller was told.\n"
         "known: on an ESP8266 without a stub, a damaged FLASH_BEGIN at the mount; with one, a bit "
         "that\n"
         "makes an erase of the chip of a read (README, Stubs)");
    return sum.wrong || sum.tried == 0 ? 1 : 0;
}
