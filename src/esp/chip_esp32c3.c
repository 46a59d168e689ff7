#include "chip_rows.h"

#include <stdio.h>

enum { EFUSE_BLOCK1 = 0x60008844, EFUSE_WORDS = 6 };

static void name_package(const uint32_t words[EFUSE_WORDS], struct ef_identity *id)
{
    static const char *const PACKAGES[] = {"ESP32-C3 (QFN32)", "ESP8685 (QFN28)",
                                           "ESP32-C3 AZ (QFN32)", "ESP8686 (QFN24)"};
    uint32_t package = words[3] >> 21 & 7;
    uint32_t major = words[5] >> 24 & 3;
    uint32_t minor = (words[5] >> 23 & 1) << 3 | (words[3] >> 18 & 7);
    bool known = package < sizeof(PACKAGES) / sizeof(PACKAGES[0]);
    snprintf(id->description, sizeof(id->description), "%s (revision v%u.%u)",
             known ? PACKAGES[package] : "Unknown ESP32-C3", (unsigned)major, (unsigned)minor);
}

static void add_embedded_flash(const uint32_t words[EFUSE_WORDS], struct ef_identity *id)
{
    static const char *const SIZES[8] = {NULL,
                                         "Embedded Flash 4MB",
                                         "Embedded Flash 2MB",
                                         "Embedded Flash 1MB",
                                         "Embedded Flash 8MB",
                                         "Unknown Embedded Flash",
                                         "Unknown Embedded Flash",
                                         "Unknown Embedded Flash"};
    static const char *const VENDORS[8] = {"", "XMC", "GD", "FM", "TT", "ZBIT", "", ""};
    const char *size = SIZES[words[3] >> 27 & 7];
    if (!size)
        return;
    char feature[48];
    snprintf(feature, sizeof(feature), "%s (%s)", size, VENDORS[words[4] & 7]);
    ef_chip_add_feature(id, feature);
}

enum ef_err ef_chip_identify_esp32c3(struct ef_esp *esp, struct ef_identity *id)
{
    uint32_t words[EFUSE_WORDS];
    enum ef_err err = ef_chip_read_words(esp, EFUSE_BLOCK1, words, EFUSE_WORDS);
    if (err != EF_OK)
        return err;
    name_package(words, id);
    ef_chip_add_feature(id, "Wi-Fi");
    ef_chip_add_feature(id, "BT 5 (LE)");
    ef_chip_add_feature(id, "Single Core");
    ef_chip_add_feature(id, "160MHz");
    add_embedded_flash(words, id);
    ef_chip_mac_from_words(id, words[0], words[1]);
    snprintf(id->crystal, sizeof(id->crystal), "40MHz"); /* the only one it works with */
    return EF_OK;
}
