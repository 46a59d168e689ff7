/*
 * The registers that a loader's READ_REG and WRITE_REG reach: what a chip's row in the
 * table presets, what was written since, and a SPI controller that runs one command when
 * its USR bit is set. Anything else reads 0. One thread, never blocks.
 */
#ifndef EB_REGISTERS_H
#define EB_REGISTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EB_REGISTERS_MAX = 512 };

struct eb_register {
    uint32_t addr, value;
};

/* Where a chip's SPI controller has what a user command needs, as offsets from `base`. */
struct eb_spi_layout {
    uint32_t base;
    uint16_t usr, usr1, usr2, w0;
};

/* The flash has power while these bits of a register are these. */
struct eb_power_rule {
    uint32_t addr, mask, value;
};

enum { EB_POWER_RULES = 2 };

struct eb_registers {
    struct eb_register cells[EB_REGISTERS_MAX];
    size_t count;
    const struct eb_spi_layout *spi;
    uint32_t flash_id;                 /* manufacturer in bits 0-7, type 8-15, size 16-23 */
    bool attached;                     /* its pins are connected */
    const struct eb_power_rule *power; /* up to EB_POWER_RULES, or an address 0; NULL: always */
};

void eb_registers_init(struct eb_registers *regs, const struct eb_spi_layout *spi,
                       uint32_t flash_id);
/* The flash answers; else its bus floats high. */
bool eb_registers_flash_answers(const struct eb_registers *regs);
uint32_t eb_registers_read(const struct eb_registers *regs, uint32_t addr);

/* False if the store is full: a test that writes more registers than a loader would. */
bool eb_registers_write(struct eb_registers *regs, uint32_t addr, uint32_t value);

#endif
