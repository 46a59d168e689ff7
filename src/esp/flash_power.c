/* Some chips come up with the supply of their flash off. */
#include "session_steps.h"

static enum ef_err take_step(struct ef_session *s, const struct ef_reg_step *step)
{
    uint32_t value = 0;
    enum ef_err err = EF_OK;
    if (step->clear != UINT32_MAX)
        err = ef_read_sure(&s->esp, step->reg, &value);
    if (err == EF_OK)
        err = ef_command_write_reg(&s->esp, step->reg, (value & ~step->clear) | step->set);
    if (err == EF_OK && step->wait_ms)
        ef_clock_sleep_ms(step->wait_ms);
    return err;
}

/* A ROM that finds the flash on and switches it on again loses it. */
static enum ef_err leave_to_rom(struct ef_session *s, const struct ef_reg_step *undo)
{
    uint32_t value;
    enum ef_err err = ef_read_sure(&s->esp, undo->reg, &value);
    return err == EF_OK && (value & undo->clear) == undo->clear ? take_step(s, undo) : err;
}

static enum ef_err power_steps(struct ef_session *s, const struct ef_flash_power *power)
{
    uint32_t efuse = 0;
    enum ef_err err = EF_OK;
    if (s->identity.revision >= power->by_rom_from)
        err = ef_read_sure(&s->esp, power->by_rom.reg, &efuse);
    if (err == EF_OK && (efuse >> power->by_rom.shift & 1) != 0)
        return leave_to_rom(s, &power->by_rom_undo);
    for (const struct ef_reg_step *step = power->steps; step->reg && err == EF_OK; step++)
        err = take_step(s, step);
    return err;
}

enum ef_err ef_flash_power_on(struct ef_session *s)
{
    const struct ef_flash_power *power = &s->chip->flash_power;
    uint16_t revision = s->identity.revision;
    if (!power->steps || s->esp.stub || s->security.secure_download || revision < power->from ||
        revision > power->to)
        return EF_OK;
    enum ef_err err = power_steps(s, power);
    if (err != EF_OK)
        ef_log(s->log, EF_LOG_ERROR, "the flash's supply cannot be switched on: %s",
               ef_err_text(err));
    return err;
}
