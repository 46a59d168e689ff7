#include "chip_rows.h"

#include <stdio.h>

enum {
    EFUSE_BASE = 0x3FF5A000,
    EFUSE_WORDS = 7,
    APB_CTL_DATE = 0x3FF6607C,
    UART_CLKDIV = 0x3FF40014,
    CLOCKS_PER_CRYSTAL = 1
};

/* EFUSE_BLK0_RDATA3 */
enum {
    DIS_APP_CPU = 1U << 0,
    DIS_BT = 1U << 1,
    CPU_FREQ_LOW = 1U << 12,
    CPU_FREQ_RATED = 1U << 13,
    BLK3_PART_RESERVED = 1U << 14
};

struct facts {
    uint32_t words[EFUSE_WORDS];
    uint32_t package, major, minor;
};

/* Three bits in three registers; Espressif counts them up from the low end as revisions come. */
static uint32_t major_revision(const uint32_t words[EFUSE_WORDS], uint32_t apb_ctl_date)
{
    uint32_t bits =
        (words[3] >> 15 & 1) | (words[5] >> 20 & 1) << 1 | (apb_ctl_date >> 31 & 1) << 2;
    switch (bits) {
    case 1:
        return 1;
    case 3:
        return 2;
    case 7:
        return 3;
    default:
        return 0;
    }
}

static const char *package_name(const struct facts *facts)
{
    bool single = (facts->words[3] & DIS_APP_CPU) != 0;
    bool rev3 = facts->major == 3;
    switch (facts->package) {
    case 0:
        if (single)
            return "ESP32-S0WDQ6";
        return rev3 ? "ESP32-D0WDQ6-V3" : "ESP32-D0WDQ6";
    case 1:
        if (single)
            return "ESP32-S0WD";
        return rev3 ? "ESP32-D0WD-V3" : "ESP32-D0WD";
    case 2:
        return "ESP32-D2WD";
    case 4:
        return "ESP32-U4WDH";
    case 5:
        return rev3 ? "ESP32-PICO-V3" : "ESP32-PICO-D4";
    case 6:
        return "ESP32-PICO-V3-02";
    case 7:
        return "ESP32-D0WDR2-V3";
    default:
        return "Unknown ESP32";
    }
}

static void list_features(const struct facts *facts, struct ef_identity *id)
{
    static const char *const CODING[4] = {"Coding Scheme None", "Coding Scheme 3/4",
                                          "Coding Scheme Repeat (UNSUPPORTED)",
                                          "Coding Scheme None (may contain encoding data)"};
    uint32_t word3 = facts->words[3];
    ef_chip_add_feature(id, "Wi-Fi");
    if (!(word3 & DIS_BT))
        ef_chip_add_feature(id, "BT");
    ef_chip_add_feature(id, word3 & DIS_APP_CPU ? "Single Core + LP Core" : "Dual Core + LP Core");
    if (word3 & CPU_FREQ_RATED)
        ef_chip_add_feature(id, word3 & CPU_FREQ_LOW ? "160MHz" : "240MHz");
    if (facts->package == 2 || (facts->package >= 4 && facts->package <= 6))
        ef_chip_add_feature(id, "Embedded Flash");
    if (facts->package == 6)
        ef_chip_add_feature(id, "Embedded PSRAM");
    if (facts->words[4] >> 8 & 0x1F)
        ef_chip_add_feature(id, "Vref calibration in eFuse");
    if (word3 & BLK3_PART_RESERVED)
        ef_chip_add_feature(id, "BLK3 partially reserved");
    ef_chip_add_feature(id, CODING[facts->words[6] & 3]);
}

enum ef_err ef_chip_identify_esp32(struct ef_esp *esp, struct ef_identity *id)
{
    struct facts facts;
    uint32_t apb_ctl_date;
    enum ef_err err = ef_chip_read_words(esp, EFUSE_BASE, facts.words, EFUSE_WORDS);
    if (err == EF_OK)
        err = ef_command_read_reg(esp, APB_CTL_DATE, &apb_ctl_date);
    if (err != EF_OK)
        return err;
    facts.package = (facts.words[3] >> 9 & 7) | (facts.words[3] >> 2 & 1) << 3;
    facts.major = major_revision(facts.words, apb_ctl_date);
    facts.minor = facts.words[5] >> 24 & 3;
    snprintf(id->description, sizeof(id->description), "%s (revision v%u.%u)", package_name(&facts),
             (unsigned)facts.major, (unsigned)facts.minor);
    list_features(&facts, id);
    ef_chip_mac_from_words(id, facts.words[1], facts.words[2]);
    return ef_chip_crystal_by_uart(esp, UART_CLKDIV, CLOCKS_PER_CRYSTAL, id);
}
