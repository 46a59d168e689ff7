/* The rows of the chips' table, one file a family. Only chips.c includes this besides them. */
#ifndef EB_CHIPS_ROWS_H
#define EB_CHIPS_ROWS_H

#include "chips.h"

extern const struct eb_chip EB_CHIP_ESP8266;
extern const struct eb_chip EB_CHIP_ESP32;
extern const struct eb_chip EB_CHIP_ESP32S2;
extern const struct eb_chip EB_CHIP_ESP32S3;
extern const struct eb_chip EB_CHIP_ESP32C2;
extern const struct eb_chip EB_CHIP_ESP32C3;
extern const struct eb_chip EB_CHIP_ESP32C5;
extern const struct eb_chip EB_CHIP_ESP32C6;
extern const struct eb_chip EB_CHIP_ESP32C61;
extern const struct eb_chip EB_CHIP_ESP32H2;
extern const struct eb_chip EB_CHIP_ESP32P4;

static inline uint32_t eb_be24(const uint8_t *p)
{
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static inline uint32_t eb_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | eb_be24(p + 1);
}

/* Sets the bits of `mask`, and leaves what else the word holds. */
static inline void eb_put_bits(struct eb_registers *regs, uint32_t addr, uint32_t mask,
                               uint32_t value)
{
    eb_registers_write(regs, addr, (eb_registers_read(regs, addr) & ~mask) | (value & mask));
}

#endif
