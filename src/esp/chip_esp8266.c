#include "chip_rows.h"

#include <inttypes.h>
#include <stdio.h>

enum { EFUSE_BASE = 0x3FF00050, EFUSE_WORDS = 4, UART_CLKDIV = 0x60000014, CLOCKS_PER_CRYSTAL = 2 };

static bool efuse_bit(const uint32_t words[EFUSE_WORDS], unsigned bit)
{
    return (words[bit / 32] >> (bit % 32) & 1) != 0;
}

/* Mebibytes of the ESP8285's own flash; 0 for a combination of bits that names none. */
static unsigned embedded_flash_mib(const uint32_t words[EFUSE_WORDS])
{
    bool small = efuse_bit(words, 4);
    bool large = efuse_bit(words, 121);
    if (small == large || efuse_bit(words, 123))
        return 0;
    unsigned doubled = efuse_bit(words, 122) ? 2 : 1;
    return (small ? 1 : 2) * doubled;
}

static const char *package_name(const uint32_t words[EFUSE_WORDS])
{
    bool hot = efuse_bit(words, 5); /* the flash's own temperature grade */
    switch (embedded_flash_mib(words)) {
    case 1:
        return hot ? "ESP8285H08" : "ESP8285N08";
    case 2:
        return hot ? "ESP8285H16" : "ESP8285N16";
    default:
        return "ESP8285";
    }
}

static enum ef_err mac_from_words(struct ef_esp *esp, const uint32_t words[EFUSE_WORDS],
                                  struct ef_identity *id)
{
    uint32_t oui = words[3] & 0xFFFFFF;
    if (words[3] == 0) {
        uint8_t range = (uint8_t)(words[1] >> 16);
        if (range > 1) {
            ef_log(esp->log, EF_LOG_WARN,
                   "ESP8266: no known MAC prefix: efuse words %08" PRIx32 " %08" PRIx32, words[1],
                   words[3]);
            return EF_FRAMING;
        }
        oui = range == 0 ? 0x18FE34 : 0xACD074;
    }
    id->mac[0] = (uint8_t)(oui >> 16);
    id->mac[1] = (uint8_t)(oui >> 8);
    id->mac[2] = (uint8_t)oui;
    id->mac[3] = (uint8_t)(words[1] >> 8);
    id->mac[4] = (uint8_t)words[1];
    id->mac[5] = (uint8_t)(words[0] >> 24);
    return EF_OK;
}

enum ef_err ef_chip_identify_esp8266(struct ef_esp *esp, struct ef_identity *id)
{
    uint32_t words[EFUSE_WORDS];
    enum ef_err err = ef_chip_read_words(esp, EFUSE_BASE, words, EFUSE_WORDS);
    if (err != EF_OK)
        return err;
    bool embedded = efuse_bit(words, 4) || efuse_bit(words, 80);
    snprintf(id->description, sizeof(id->description), "%s",
             embedded ? package_name(words) : "ESP8266EX");
    ef_chip_add_feature(id, "Wi-Fi");
    ef_chip_add_feature(id, "160MHz");
    if (embedded)
        ef_chip_add_feature(id, "Embedded Flash");
    err = mac_from_words(esp, words, id);
    if (err != EF_OK)
        return err;
    return ef_chip_crystal_by_uart(esp, UART_CLKDIV, CLOCKS_PER_CRYSTAL, id);
}
