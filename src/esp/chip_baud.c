/* A ROM that is wrong about its crystal makes another baud of the one that it is told. */
#include "espflashfs/chip.h"

enum { HZ_PER_MHZ = 1000000, CRYSTAL_MIN_MHZ = 20, CRYSTAL_MAX_MHZ = 60 };

/* The ESP32's ROM: its RC oscillator's rate comes in units of 15625/40 Hz a cycle. */
static uint64_t measured_hz(uint32_t cycles, uint32_t rc_rate)
{
    return (uint64_t)cycles * rc_rate * 15625 / 40;
}

/* What the ROM believes, in Hz; 0 where it is not known. */
static enum ef_err believed_hz(struct ef_esp *esp, const struct ef_rom_clock *clock, uint64_t *hz)
{
    uint32_t mhz = clock->mhz;
    *hz = 0;
    if (clock->cycles.width) {
        uint32_t cycles;
        uint32_t rc_rate;
        enum ef_err err = ef_chip_read_bits(esp, &clock->cycles, &cycles);
        if (err == EF_OK)
            err = ef_chip_read_bits(esp, &clock->rc_rate, &rc_rate);
        if (err == EF_OK)
            *hz = measured_hz(cycles, rc_rate);
        return err;
    }
    if (clock->mhz_in.width) {
        enum ef_err err = ef_chip_read_bits(esp, &clock->mhz_in, &mhz);
        if (err != EF_OK)
            return err;
    }
    *hz = (uint64_t)mhz * HZ_PER_MHZ;
    return EF_OK;
}

enum ef_err ef_chip_rom_baud(struct ef_esp *esp, const struct ef_chip *chip,
                             const struct ef_identity *id, uint32_t baud, uint32_t *told)
{
    *told = baud;
    if (!id->crystal_mhz)
        return EF_OK;
    uint64_t hz;
    enum ef_err err = believed_hz(esp, &chip->rom_clock, &hz);
    if (err != EF_OK)
        return err;
    uint64_t limit_hz = HZ_PER_MHZ;
    if (hz >= CRYSTAL_MIN_MHZ * limit_hz && hz <= CRYSTAL_MAX_MHZ * limit_hz)
        *told = (uint32_t)(baud * hz / (id->crystal_mhz * limit_hz));
    return EF_OK;
}
