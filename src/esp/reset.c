#include "espflashfs/reset.h"

struct step {
    bool dtr, rts;
    int wait_ms;
};

/* Waits: Espressif's "both lines at once" sequence, and the long variant for a large capacitor. */
static const struct step TO_LOADER[] = {
    {false, false, 0}, {true, true, 0}, {false, true, 100}, {true, false, 50}, {false, false, 0}};
static const struct step TO_LOADER_SLOW[] = {
    {false, false, 0}, {true, true, 0}, {false, true, 100}, {true, false, 550}, {false, false, 0}};
static const struct step TO_FIRMWARE[] = {{false, true, 100}, {false, false, 0}};

static enum ef_err play(struct ef_line *line, const struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum ef_err err = ef_line_set_lines(line, steps[i].dtr, steps[i].rts);
        if (err != EF_OK)
            return err;
        if (steps[i].wait_ms)
            ef_clock_sleep_ms(steps[i].wait_ms);
    }
    return EF_OK;
}

enum ef_err ef_reset_to_loader(struct ef_line *line, int attempt)
{
    if (attempt % 2 == 0)
        return play(line, TO_LOADER, sizeof(TO_LOADER) / sizeof(TO_LOADER[0]));
    return play(line, TO_LOADER_SLOW, sizeof(TO_LOADER_SLOW) / sizeof(TO_LOADER_SLOW[0]));
}

enum ef_err ef_reset_to_firmware(struct ef_line *line)
{
    return play(line, TO_FIRMWARE, sizeof(TO_FIRMWARE) / sizeof(TO_FIRMWARE[0]));
}
