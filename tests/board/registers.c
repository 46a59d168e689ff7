#include "registers.h"

static const uint32_t SPI_CMD_USR = 1U << 18;
static const uint32_t SPI_USR_MISO = 1U << 28;

enum { FLASH_RDID = 0x9F, FLOATING_BUS = 0xFFFFFF };

void eb_registers_init(struct eb_registers *regs, const struct eb_spi_layout *spi,
                       uint32_t flash_id)
{
    regs->count = 0;
    regs->spi = spi;
    regs->flash_id = flash_id;
    regs->attached = false;
    regs->power = NULL;
}

static const struct eb_register *find(const struct eb_registers *regs, uint32_t addr)
{
    for (size_t i = 0; i < regs->count; i++) {
        if (regs->cells[i].addr == addr)
            return &regs->cells[i];
    }
    return NULL;
}

uint32_t eb_registers_read(const struct eb_registers *regs, uint32_t addr)
{
    const struct eb_register *cell = find(regs, addr);
    return cell ? cell->value : 0;
}

bool eb_registers_flash_answers(const struct eb_registers *regs)
{
    for (size_t i = 0; regs->power && i < EB_POWER_RULES && regs->power[i].addr != 0; i++) {
        const struct eb_power_rule *rule = &regs->power[i];
        if ((eb_registers_read(regs, rule->addr) & rule->mask) != rule->value)
            return false;
    }
    return regs->attached;
}

static bool store(struct eb_registers *regs, uint32_t addr, uint32_t value)
{
    struct eb_register *cell = (struct eb_register *)find(regs, addr);
    if (!cell) {
        if (regs->count == EB_REGISTERS_MAX)
            return false;
        cell = &regs->cells[regs->count++];
        cell->addr = addr;
    }
    cell->value = value;
    return true;
}

/* The transcripts' flash answers 9F, and zeros to a read of its (missing) SFDP table. */
static uint32_t flash_answer(const struct eb_registers *regs, uint8_t command)
{
    if (command != FLASH_RDID)
        return 0;
    return eb_registers_flash_answers(regs) ? regs->flash_id : FLOATING_BUS;
}

static bool run_spi_command(struct eb_registers *regs)
{
    const struct eb_spi_layout *spi = regs->spi;
    uint8_t command = (uint8_t)eb_registers_read(regs, spi->base + spi->usr2);
    if ((eb_registers_read(regs, spi->base + spi->usr) & SPI_USR_MISO) == 0)
        return true;
    return store(regs, spi->base + spi->w0, flash_answer(regs, command));
}

bool eb_registers_write(struct eb_registers *regs, uint32_t addr, uint32_t value)
{
    if (addr == regs->spi->base && (value & SPI_CMD_USR) != 0) {
        /* The bit clears itself when the command is through. */
        return run_spi_command(regs) && store(regs, addr, value & ~SPI_CMD_USR);
    }
    return store(regs, addr, value);
}
