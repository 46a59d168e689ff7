/*
 * esptool's settings file: what is taken of it is one line of it, without blanks around it, and
 * the same comes of a file that says just that; without the section nothing is taken.
 */
#include "fuzz.h"

#include "program/esptool_config.h"

#include <ctype.h>

static void check_value(const char *value)
{
    size_t len = strlen(value);
    REQUIRE(!strchr(value, '\n'));
    REQUIRE(len == 0 ||
            (!isspace((unsigned char)value[0]) && !isspace((unsigned char)value[len - 1])));
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_again(const struct ef_esptool_config *config)
{
    struct ef_esptool_config again = {.path = ""};
    char text[4096];
    int n = snprintf(text, sizeof(text), "; \n[esptool]\n");
    if (config->reset_sequence)
        n += snprintf(text + n, sizeof(text) - (size_t)n, "Custom_Reset_Sequence: %s\n",
                      config->reset_sequence);
    if (config->hard_reset_sequence)
        snprintf(text + n, sizeof(text) - (size_t)n, "custom_hard_reset_sequence =%s",
                 config->hard_reset_sequence);
    REQUIRE(ef_esptool_config_parse(&again, text));
    REQUIRE(same(again.reset_sequence, config->reset_sequence));
    REQUIRE(same(again.hard_reset_sequence, config->hard_reset_sequence));
    ef_esptool_config_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct ef_esptool_config config = {.path = ""};
    char *text = fuzz_text(&in, size);
    bool found = ef_esptool_config_parse(&config, text);
    REQUIRE(found == (found && strstr(text, "[esptool]")));
    REQUIRE(found || (!config.reset_sequence && !config.hard_reset_sequence));
    if (config.reset_sequence)
        check_value(config.reset_sequence);
    if (config.hard_reset_sequence)
        check_value(config.hard_reset_sequence);
    if (found)
        check_again(&config);
    ef_esptool_config_free(&config);
    free(text);
    return 0;
}
