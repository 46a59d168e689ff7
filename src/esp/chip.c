#include "chip_rows.h"

#include <ctype.h>
#include <stdio.h>

static const struct ef_chip *const CHIPS[EF_CHIP_COUNT] = {
    [EF_CHIP_ESP8266] = &EF_CHIP_ROW_ESP8266,   [EF_CHIP_ESP32] = &EF_CHIP_ROW_ESP32,
    [EF_CHIP_ESP32S2] = &EF_CHIP_ROW_ESP32S2,   [EF_CHIP_ESP32S3] = &EF_CHIP_ROW_ESP32S3,
    [EF_CHIP_ESP32C2] = &EF_CHIP_ROW_ESP32C2,   [EF_CHIP_ESP32C3] = &EF_CHIP_ROW_ESP32C3,
    [EF_CHIP_ESP32C5] = &EF_CHIP_ROW_ESP32C5,   [EF_CHIP_ESP32C6] = &EF_CHIP_ROW_ESP32C6,
    [EF_CHIP_ESP32C61] = &EF_CHIP_ROW_ESP32C61, [EF_CHIP_ESP32H2] = &EF_CHIP_ROW_ESP32H2,
    [EF_CHIP_ESP32P4] = &EF_CHIP_ROW_ESP32P4,
};

static bool option_matches(const char *typed, const char *option)
{
    for (; *typed; typed++) {
        if (*typed == '-' || *typed == '_')
            continue;
        if (tolower((unsigned char)*typed) != *option)
            return false;
        option++;
    }
    return *option == '\0';
}

const struct ef_chip *ef_chip_by_option(const char *option)
{
    for (size_t i = 0; i < EF_CHIP_COUNT; i++) {
        if (option_matches(option, CHIPS[i]->option))
            return CHIPS[i];
    }
    return NULL;
}

const struct ef_chip *ef_chip_by_id(enum ef_chip_id id)
{
    return (unsigned)id < EF_CHIP_COUNT ? CHIPS[id] : NULL;
}

void ef_chip_options_text(char *out, size_t cap)
{
    size_t len = 0;
    for (size_t i = 0; i < EF_CHIP_COUNT && len < cap; i++)
        len += (size_t)snprintf(out + len, cap - len, "%s%s", i ? ", " : "", CHIPS[i]->option);
}

const char *ef_chip_stub_option(const struct ef_chip *chip, const struct ef_identity *id)
{
    if (!id->registers_read)
        return chip->option;
    if (id->revision < chip->stub_from || (chip->stub_not_in_secure_boot && id->secure_boot))
        return NULL;
    return id->revision < chip->stub_old_below ? chip->stub_option_old : chip->option;
}

static bool has_old_uartdev(const struct ef_chip *chip, const struct ef_identity *id)
{
    return id->revision < chip->usb.uartdev_old_below;
}

uint32_t ef_chip_uartdev_reg(const struct ef_chip *chip, const struct ef_identity *id)
{
    return has_old_uartdev(chip, id) ? chip->usb.uartdev_reg_old : chip->usb.uartdev_reg;
}

uint8_t ef_chip_uartdev_serial_jtag(const struct ef_chip *chip, const struct ef_identity *id)
{
    bool other = has_old_uartdev(chip, id) && chip->usb.uartdev_serial_jtag_old;
    return other ? chip->usb.uartdev_serial_jtag_old : chip->usb.uartdev_serial_jtag;
}
