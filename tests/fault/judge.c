/* One run from a fresh board to the remount, and the verdict. */
#include "scenario.h"

#include "clock.h"
#include "host.h"
#include "images.h"

#include "espflashfs/command.h"

#include <stdlib.h>
#include <string.h>

static const int64_t NS_PER_S = INT64_C(1000) * 1000 * 1000;

static void run_body(struct sw_run *run, const struct sw_scenario *scenario,
                     const struct sw_point *point)
{
    sw_wire_arm(run->rig->wire, point);
    sw_host_arm(point);
    scenario->body(run);
    bool refused = sw_host_disarm(&run->rig->wire->print);
    sw_wire_disarm(run->rig->wire);
    run->rig->wire->fired = run->rig->wire->fired || refused;
}

static void mount_cleanly(struct sw_run *run, const char *when)
{
    enum ef_err err = sw_rig_mount(run->rig);
    if (err != EF_OK)
        sw_wrong(run, "%s cannot be mounted: %s", when, ef_err_text(err));
    sw_rig_settle(run->rig);
}

static void unmount_after(struct sw_run *run)
{
    bool all_taken = !run->failed;
    enum ef_err err = sw_rig_unmount(run->rig);
    run->failed = run->failed || err != EF_OK;
    if (err != EF_OK && run->again)
        sw_wrong(run, "the unmount after the remount fails: %s", ef_err_text(err));
    if (err == EF_OK && all_taken &&
        memcmp(sw_rig_flash(run->rig), run->model, run->rig->target.flash_size) != 0)
        sw_wrong(run, "after an unmount with status 0 the flash is not what was written");
}

/* A sector of which nothing was asked for is as it was. */
static bool others_are_untouched(const struct sw_run *run, uint32_t *at)
{
    const uint8_t *flash = sw_rig_flash(run->rig);
    for (uint32_t i = 0; i < run->rig->target.flash_size; i++)
        if (!run->asked[i / EF_SECTOR] && flash[i] != run->old[i]) {
            *at = i;
            return false;
        }
    return true;
}

/* A damaged frame can name another address, or another command: nothing on the line tells. */
static bool may_stray(enum sw_fault fault)
{
    return fault == SW_FLIP_IN || fault == SW_CUT_IN || fault == SW_DOUBLE_IN;
}

/* The bit by which a stub's READ_FLASH is its ERASE_FLASH: the second of the command's code. */
static bool turns_read_into_erase(const struct sw_run *run, const struct sw_point *point)
{
    enum { OP_AT = 2, ANY_LEN = 64 };
    return point->fault == SW_FLIP_IN && run->rig->wire->hit_op == EF_OP_READ_FLASH &&
           sw_variant_at(point->fault, point->variant, ANY_LEN) == OP_AT &&
           (EF_OP_READ_FLASH ^ sw_variant_bit(point->variant)) == EF_OP_ERASE_FLASH;
}

/*
 * Without a stub the flash of an ESP8266 is attached, for info.txt, by a FLASH_BEGIN that erases
 * nothing. If one damaged bit gives it a size it does, and nothing tells. And where a stub's read
 * has become an erase of the chip, and the board does not answer for so long that it is reset, its
 * answer, which would tell, is not heard. README.md, "Stubs", says both.
 */
static bool is_known(const struct sw_run *run, const struct sw_point *point)
{
    const struct sw_rig *rig = run->rig;
    if (turns_read_into_erase(run, point))
        return true;
    return may_stray(point->fault) && rig->wire->hit_op == EF_OP_FLASH_BEGIN && !rig->target.stub &&
           strcmp(rig->target.chip, "esp8266") == 0;
}

static void begin(struct sw_run *run, const struct sw_scenario *scenario)
{
    uint32_t size = run->rig->target.flash_size;
    sw_image_old(run->old, size);
    memcpy(run->model, run->old, size);
    memset(run->asked, 0, sizeof(run->asked));
    run->failed = run->again = run->may_have_strayed = run->strayed = false;
    run->longest_ns = 0;
    run->why[0] = '\0';
    sw_rig_fill(run->rig, run->old);
    if (!scenario->mounts)
        mount_cleanly(run, "a healthy board");
    if (scenario->before && (run->rig->mounted || scenario->mounts))
        scenario->before(run);
}

static void check_run(struct sw_run *run, const struct sw_scenario *scenario, const char *info)
{
    if (run->longest_ns > scenario->call_max_s * NS_PER_S)
        sw_wrong(run, "a call took %lld s", (long long)(run->longest_ns / NS_PER_S));
    if (run->rig->wire->waits_for_ever)
        sw_wrong(run, "a read of the line had no deadline");
    if (run->rig->info && info && strcmp(info, run->rig->info) != 0)
        sw_wrong(run, "info.txt says something else than without the fault");
}

/* The first byte of the sector at `at` that is neither what it was nor what it was to be. */
static size_t first_odd(const struct sw_run *run, size_t at)
{
    const uint8_t *flash = sw_rig_flash(run->rig);
    size_t i = at;
    while (i < at + EF_SECTOR - 1 && (flash[i] == run->old[i] || flash[i] == run->model[i]))
        i++;
    return i;
}

/*
 * What a remount finds of the sectors that were asked for: each is what it was or what it was to
 * be, but for what an erase that was reported to have failed left. From there the job is done
 * again.
 */
static void take_over(struct sw_run *run, bool whole_only)
{
    const uint8_t *flash = sw_rig_flash(run->rig);
    for (uint32_t s = 0; s < run->rig->target.flash_size / EF_SECTOR; s++) {
        size_t at = (size_t)s * EF_SECTOR;
        bool whole = memcmp(flash + at, run->old + at, EF_SECTOR) == 0 ||
                     memcmp(flash + at, run->model + at, EF_SECTOR) == 0;
        if (run->asked[s] && !whole && whole_only)
            sw_torn(run, "it was mounted again", first_odd(run, at));
        memcpy(run->model + at, flash + at, EF_SECTOR);
    }
}

/* The job is done again on a new mount, and all is right then. */
static void remount(struct sw_run *run, const struct sw_scenario *scenario, bool failed)
{
    struct sw_footprint *print = &run->rig->wire->print;
    struct sw_footprint *kept = malloc(sizeof(*kept));
    if (!kept)
        abort();
    *kept = *print;
    run->again = true;
    run->failed = false;
    sw_wire_mend(run->rig->wire);
    if (!scenario->mounts)
        mount_cleanly(run, "after the fault the board");
    if (failed && !scenario->mounts)
        take_over(run, !scenario->erases);
    if (scenario->before && (run->rig->mounted || scenario->mounts))
        scenario->before(run);
    if (run->rig->mounted || scenario->mounts)
        scenario->body(run);
    unmount_after(run);
    *print = *kept;
    free(kept);
}

enum sw_outcome sw_scenario_run(struct sw_run *run, const struct sw_scenario *scenario,
                                const struct sw_point *point)
{
    char *info = run->rig->info ? strdup(run->rig->info) : NULL;
    uint32_t stray_at = 0;
    begin(run, scenario);
    if (run->rig->mounted || scenario->mounts)
        run_body(run, scenario, point);
    bool fired = run->rig->wire->fired;
    bool known = is_known(run, point);
    unmount_after(run);
    bool failed = run->failed;
    bool untouched = others_are_untouched(run, &stray_at);
    run->may_have_strayed = failed && may_stray(point->fault);
    if (!untouched && !run->may_have_strayed)
        sw_wrong(run, "0x%x was not asked for, and has changed", stray_at);
    check_run(run, scenario, info);
    free(info);
    if (!run->why[0])
        remount(run, scenario, failed);
    if (run->why[0])
        return known ? SW_KNOWN : SW_WRONG;
    if (!fired && point->fault != SW_NONE)
        return SW_UNREACHED;
    return !untouched || run->strayed ? SW_STRAYED : failed ? SW_REPORTED : SW_HEALED;
}
