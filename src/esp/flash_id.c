#include "espflashfs/chip.h"

#include <inttypes.h>

enum { SPI_READ_ID = 0x9F, ID_BITS = 24, MISO_BITS_SHIFT_ESP8266 = 8, BUSY_POLLS = 10 };

static const uint32_t CMD_USR = UINT32_C(1) << 18;
static const uint32_t USR_COMMAND = UINT32_C(1) << 31;
static const uint32_t USR_MISO = UINT32_C(1) << 28;
static const uint32_t USR2_COMMAND_8_BITS = UINT32_C(7) << 28;

static enum ef_err write_steps(struct ef_esp *esp, uint32_t base, const uint32_t (*steps)[2],
                               size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum ef_err err = ef_command_write_reg(esp, base + steps[i][0], steps[i][1]);
        if (err != EF_OK)
            return err;
    }
    return EF_OK;
}

static enum ef_err run_read_id(struct ef_esp *esp, const struct ef_spi_regs *spi, uint32_t *id)
{
    /* The ESP8266 has no MISO_DLEN: the length is a field of USR1. */
    const uint32_t length_reg = spi->miso_dlen ? spi->miso_dlen : spi->usr1;
    const uint32_t length = spi->miso_dlen ? (uint32_t)(ID_BITS - 1)
                                           : (uint32_t)(ID_BITS - 1) << MISO_BITS_SHIFT_ESP8266;
    const uint32_t steps[][2] = {{length_reg, length},
                                 {spi->usr, USR_COMMAND | USR_MISO},
                                 {spi->usr2, USR2_COMMAND_8_BITS | SPI_READ_ID},
                                 {spi->w0, 0},
                                 {0, CMD_USR}};
    enum ef_err err = write_steps(esp, spi->base, steps, sizeof(steps) / sizeof(steps[0]));
    uint32_t busy = CMD_USR;
    for (int poll = 0; err == EF_OK && (busy & CMD_USR) && poll < BUSY_POLLS; poll++)
        err = ef_command_read_reg(esp, spi->base, &busy);
    if (err != EF_OK)
        return err;
    if (busy & CMD_USR) {
        ef_log(esp->log, EF_LOG_ERROR,
               "flash id: the SPI controller at 0x%08" PRIx32 " stays busy (0x%08" PRIx32 ")",
               spi->base, busy);
        return EF_TIMEOUT;
    }
    uint32_t w0;
    err = ef_command_read_reg(esp, spi->base + spi->w0, &w0);
    if (err == EF_OK)
        *id = w0 & 0xFFFFFF;
    return err;
}

enum ef_err ef_flash_id_read(struct ef_esp *esp, const struct ef_chip *chip, uint32_t *id)
{
    const struct ef_spi_regs *spi = &chip->spi;
    uint32_t usr;
    uint32_t usr2;
    enum ef_err err = ef_command_read_reg(esp, spi->base + spi->usr, &usr);
    if (err == EF_OK)
        err = ef_command_read_reg(esp, spi->base + spi->usr2, &usr2);
    if (err != EF_OK)
        return err;
    err = run_read_id(esp, spi, id);
    if (err != EF_OK)
        ef_log(esp->log, EF_LOG_ERROR, "flash id: %s", ef_err_text(err));
    if (err == EF_GONE)
        return err;
    const uint32_t restore[][2] = {{spi->usr, usr}, {spi->usr2, usr2}};
    enum ef_err restored =
        write_steps(esp, spi->base, restore, sizeof(restore) / sizeof(restore[0]));
    return err != EF_OK ? err : restored;
}

enum ef_err ef_flash_id_size(uint32_t id, uint64_t *size_bytes)
{
    *size_bytes = 0;
    if (id == 0xFFFFFF || id == 0x000000 || id == 0xFFFF3F)
        return EF_MISSING;
    if ((id & 0xFF) == 0x1F) {
        /* Adesto tells the size in the low bits of the type byte: 4 is 512 KiB. */
        uint32_t code = id >> 8 & 0x1F;
        if (code >= 4 && code <= 9)
            *size_bytes = UINT64_C(1) << (code + 15);
        return EF_OK;
    }
    uint32_t code = id >> 16 & 0xFF;
    if (code >= 0x12 && code <= 0x1C)
        *size_bytes = UINT64_C(1) << code;
    else if (code >= 0x20 && code <= 0x22)
        *size_bytes = UINT64_C(1) << (code - 0x20 + 26);
    else if (code >= 0x32 && code <= 0x3A)
        *size_bytes = UINT64_C(1) << (code - 0x20);
    return EF_OK;
}

const char *ef_flash_id_maker(uint32_t id)
{
    /* JEDEC's numbers are shared between banks; these are the makers whose SPI flash is met
     * beside Espressif's chips, as flashrom and the ESP8266 Arduino core list them. */
    static const struct {
        uint8_t id;
        const char *name;
    } MAKERS[] = {
        {0x01, "Spansion"},   {0x0B, "XTX"},     {0x1C, "EON"},        {0x1F, "Adesto"},
        {0x20, "XMC"},        {0x37, "AMIC"},    {0x52, "Alliance"},   {0x5E, "Zbit"},
        {0x62, "Sanyo"},      {0x68, "Boya"},    {0x85, "Puya"},       {0x89, "Intel"},
        {0x8C, "ESMT"},       {0x9D, "ISSI"},    {0xA1, "Fudan"},      {0xAD, "Hynix"},
        {0xBA, "Zetta"},      {0xBF, "SST"},     {0xC2, "Macronix"},   {0xC4, "Giantec"},
        {0xC8, "GigaDevice"}, {0xCD, "TH"},      {0xD5, "Nantronics"}, {0xE0, "BergMicro"},
        {0xEF, "Winbond"},    {0xF8, "Fidelix"},
    };
    /* XMC took the number of ST's flash, now Micron's; their N25Q and MT25Q have these types. */
    uint32_t type = id >> 8 & 0xFF;
    if ((id & 0xFF) == 0x20 && (type == 0xBA || type == 0xBB))
        return "Micron";
    for (size_t i = 0; i < sizeof(MAKERS) / sizeof(MAKERS[0]); i++) {
        if (MAKERS[i].id == (id & 0xFF))
            return MAKERS[i].name;
    }
    return "unknown";
}
