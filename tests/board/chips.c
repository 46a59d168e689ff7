#include "chips_rows.h"

#include <stdio.h>
#include <string.h>

static const struct eb_chip *const CHIPS[] = {
    &EB_CHIP_ESP8266,  &EB_CHIP_ESP32,   &EB_CHIP_ESP32S2, &EB_CHIP_ESP32S3,
    &EB_CHIP_ESP32C2,  &EB_CHIP_ESP32C3, &EB_CHIP_ESP32C5, &EB_CHIP_ESP32C6,
    &EB_CHIP_ESP32C61, &EB_CHIP_ESP32H2, &EB_CHIP_ESP32P4,
};

enum { CHIP_COUNT = sizeof(CHIPS) / sizeof(CHIPS[0]) };

const struct eb_chip *eb_chip_find(const char *option)
{
    for (size_t i = 0; i < CHIP_COUNT; i++) {
        if (strcmp(CHIPS[i]->option, option) == 0)
            return CHIPS[i];
    }
    return NULL;
}

const struct eb_variant *eb_chip_find_variant(const struct eb_chip *chip, const char *name)
{
    for (const struct eb_variant *v = chip->variants; v && v->name; v++) {
        if (strcmp(v->name, name) == 0)
            return v;
    }
    return NULL;
}

static size_t append(char *out, size_t cap, size_t len, const char *before, const char *text)
{
    if (len >= cap)
        return len;
    return len + (size_t)snprintf(out + len, cap - len, "%s%s", before, text);
}

void eb_chip_list(char *out, size_t cap)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < CHIP_COUNT; i++) {
        len = append(out, cap, len, "  ", CHIPS[i]->option);
        for (const struct eb_variant *v = CHIPS[i]->variants; v && v->name; v++)
            len = append(out, cap, len, v == CHIPS[i]->variants ? ": " : ", ", v->name);
        len = append(out, cap, len, "\n", "");
    }
}

static void write_all(struct eb_registers *regs, const struct eb_register *presets)
{
    for (const struct eb_register *preset = presets; preset && preset->addr != 0; preset++)
        eb_registers_write(regs, preset->addr, preset->value);
}

void eb_chip_preset(const struct eb_chip *chip, const struct eb_variant *variant,
                    struct eb_registers *regs, const uint8_t mac[6])
{
    uint32_t magic = variant && variant->magic != 0 ? variant->magic : chip->magic;
    eb_registers_write(regs, EB_CHIP_MAGIC_ADDR, magic);
    write_all(regs, chip->presets);
    if (variant)
        write_all(regs, variant->efuses);
    if (chip->store_mac) {
        chip->store_mac(regs, mac);
        return;
    }
    eb_registers_write(regs, chip->mac_addr, eb_be32(mac + 2));
    eb_put_bits(regs, chip->mac_addr + 4, 0xFFFF, (uint32_t)mac[0] << 8 | mac[1]);
}

uint32_t eb_chip_stub_start(const struct eb_chip *chip, const struct eb_variant *variant)
{
    return variant && variant->stub_start != 0 ? variant->stub_start : chip->stub_start;
}

uint32_t eb_chip_crystal_hz(const struct eb_chip *chip, const struct eb_variant *variant)
{
    return variant && variant->crystal_hz != 0 ? variant->crystal_hz : chip->crystal_hz;
}
