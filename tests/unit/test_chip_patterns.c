/* Hundreds of efuse patterns, and what esptool makes of each: chip_patterns.txt tells how. */
#include "fake_loader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { LINE_MAX_LEN = 1024, REGS_MAX = 16, PATTERNS_MIN = 24 };

struct patterns {
    const struct ef_chip *chip;
    uint32_t regs[REGS_MAX];
    size_t reg_count;
    size_t seen[EF_CHIP_COUNT];
};

static void start_chip(struct patterns *patterns, char *line)
{
    char *rest = line;
    strtok_r(line, " \n", &rest);
    patterns->chip = ef_chip_by_option(strtok_r(NULL, " \n", &rest));
    assert_non_null(patterns->chip);
    patterns->reg_count = 0;
    for (char *word; (word = strtok_r(NULL, " \n", &rest)) != NULL;) {
        assert_true(patterns->reg_count < REGS_MAX);
        patterns->regs[patterns->reg_count++] = (uint32_t)strtoul(word, NULL, 16);
    }
}

/* "MAC" as info.txt has it: with the two bytes in the middle that some chips have. */
static void mac_text(const struct ef_identity *id, char out[24])
{
    uint8_t bytes[8];
    size_t len = 0;
    for (size_t i = 0; i < sizeof(id->mac); i++) {
        if (i == 3 && id->has_mac_ext) {
            memcpy(bytes + len, id->mac_ext, sizeof(id->mac_ext));
            len += sizeof(id->mac_ext);
        }
        bytes[len++] = id->mac[i];
    }
    for (size_t i = 0; i < len; i++)
        snprintf(out + 3 * i, 4, "%02x%s", bytes[i], i + 1 < len ? ":" : "");
}

static const char *or_dash(const char *text)
{
    return text[0] ? text : "-";
}

static void check_pattern(struct patterns *patterns, char *line)
{
    char *expected = strchr(line, '|');
    if (!patterns->chip || !expected) {
        fail_msg("no pattern: %s", line);
        return;
    }
    expected[strcspn(expected, "\n")] = '\0';
    struct fake_loader *fake = fake_new(patterns->chip);
    char *word = line;
    fake->line.baud = (uint32_t)strtoul(word, &word, 10);
    for (size_t i = 0; i < patterns->reg_count; i++)
        fake_set(fake, patterns->regs[i], (uint32_t)strtoul(word, &word, 16));
    static const struct ef_security OPEN;
    struct ef_identity id;
    assert_int_equal(ef_chip_identify(&fake->esp, patterns->chip, &OPEN, &id), EF_OK);
    free(fake);
    char mac[24];
    char got[LINE_MAX_LEN];
    mac_text(&id, mac);
    snprintf(got, sizeof(got), "| %s | %s | %s | %s | %s | %s | %c%c%c", id.description,
             id.features, id.crystal, mac, or_dash(id.flash_type), or_dash(id.flash_voltage),
             id.flash_encryption ? 'e' : '-', id.secure_boot ? 's' : '-',
             id.no_manual_encrypt ? 'm' : '-');
    assert_string_equal(got, expected);
    patterns->seen[patterns->chip->id]++;
}

static void every_pattern(void **state)
{
    (void)state;
    struct patterns patterns = {0};
    char line[LINE_MAX_LEN];
    FILE *in = fopen(EF_SOURCE_DIR "/tests/unit/chip_patterns.txt", "r");
    assert_non_null(in);
    while (fgets(line, sizeof(line), in)) {
        if (strncmp(line, "chip ", 5) == 0)
            start_chip(&patterns, line);
        else if (line[0] != '#' && line[0] != '\n')
            check_pattern(&patterns, line);
    }
    fclose(in);
    for (size_t i = 0; i < EF_CHIP_COUNT; i++)
        assert_true(patterns.seen[i] >= PATTERNS_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
