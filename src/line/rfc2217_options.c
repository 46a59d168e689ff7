#include "rfc2217.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 3000, TIMEOUT_MIN_MS = 100, TIMEOUT_MAX_MS = 60000, OPTION_CAP = 64 };

/* Seconds, with a fraction or without. */
static bool parse_timeout(const char *text, int *timeout_ms)
{
    if (text[0] == '\0' || text[strspn(text, "0123456789.")] != '\0')
        return false;
    char *end;
    double ms = strtod(text, &end) * 1000;
    if (*end != '\0' || ms < TIMEOUT_MIN_MS || ms > TIMEOUT_MAX_MS)
        return false;
    *timeout_ms = (int)ms;
    return true;
}

static bool parse_one(const char *option, struct ef_rfc2217_options *options)
{
    static const char TIMEOUT[] = "timeout=";
    if (strncmp(option, TIMEOUT, strlen(TIMEOUT)) == 0)
        return parse_timeout(option + strlen(TIMEOUT), &options->timeout_ms);
    if (strcmp(option, "ign_set_control") == 0)
        options->ign_set_control = true;
    /* How pyserial learns of CTS and DSR, and what it logs: nothing that is used here. */
    else if (strcmp(option, "poll_modem") != 0 && strncmp(option, "logging=", 8) != 0)
        return false;
    return true;
}

bool ef_rfc2217_parse_options(const char *query, struct ef_rfc2217_options *options, char *why,
                              size_t why_cap)
{
    *options = (struct ef_rfc2217_options){.timeout_ms = TIMEOUT_MS};
    while (query && *query != '\0') {
        char option[OPTION_CAP];
        size_t len = strcspn(query, "&");
        snprintf(option, sizeof(option), "%.*s", (int)(len < OPTION_CAP ? len : OPTION_CAP), query);
        if (len >= sizeof(option) || !parse_one(option, options)) {
            snprintf(why, why_cap,
                     "`%s` is no option here: there are ign_set_control, poll_modem and "
                     "timeout=SECONDS (0.1 to 60)",
                     option);
            return false;
        }
        query += len + (query[len] == '&');
    }
    return true;
}
