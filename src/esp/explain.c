/* Why no boot loader answered, as far as can be told, and what to do next. */
#include "connect_steps.h"

#include <stdio.h>
#include <string.h>

#define BY_HAND "hold BOOT (GPIO0 low), tap RESET, and try again"

bool ef_connect_hears_text(const struct ef_session *s)
{
    const char *text = s->link.noise;
    size_t len = s->link.noise_len;
    size_t printable = 0;
    for (size_t i = 0; i < len; i++)
        printable += (text[i] >= 0x20 && text[i] < 0x7F) || strchr("\n\r\t", text[i]);
    return len >= 16 && printable * 10 >= len * 9;
}

/* "boot:0x13 (SPI_FAST_FLASH_BOOT)" of the ESP32 and later. */
static void read_mode_esp32(struct ef_boot_report *report, const char *text)
{
    char digits[9];
    const char *at = strstr(text, "boot:0x");
    if (at && sscanf(at, "boot:0x%8[0-9a-fA-F]", digits) == 1)
        snprintf(report->mode, sizeof(report->mode), "0x%s", digits);
}

/* "boot mode:(3,6)" of the ESP8266, heard at 74880 baud only: 1 is the boot loader. */
static void read_mode_esp8266(struct ef_boot_report *report, const char *text)
{
    unsigned source;
    unsigned kind;
    const char *at = strstr(text, "boot mode:(");
    if (!at || sscanf(at, "boot mode:(%1u,%1u)", &source, &kind) != 2)
        return;
    snprintf(report->mode, sizeof(report->mode), "%u,%u", source, kind);
    report->download = report->download || source == 1;
}

void ef_boot_report_read(struct ef_boot_report *report, const char *text)
{
    read_mode_esp32(report, text);
    read_mode_esp8266(report, text);
    if (strstr(text, "waiting for download"))
        report->download = true;
    if (strstr(text, "invalid header") || strstr(text, "No bootable app"))
        report->no_firmware = true;
}

bool ef_connect_is_gps(const char *text)
{
    enum { LETTERS = 4 };
    for (const char *at = strstr(text, "$G"); at; at = strstr(at + 1, "$G")) {
        size_t letters = strspn(at + 2, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (letters == LETTERS && at[2 + LETTERS] == ',')
            return true;
    }
    return false;
}

static void explain_gone(struct ef_session *s)
{
    if (s->line)
        ef_log(s->log, EF_LOG_ERROR,
               "%s: closed from the other side: is another program connected to it?",
               s->config.port);
}

static void explain_silence(struct ef_session *s)
{
    const char *hint = "";
    if (strcmp(s->line->kind, "socket") == 0)
        hint = "; or another program is connected";
    else if (s->config.reset_sequence)
        hint = "; or custom_reset_sequence does not suit this board";
    ef_log(s->log, EF_LOG_ERROR,
           "%s: no answer: check power and wiring (TX to RX, GND), hold BOOT (GPIO0 low), tap "
           "RESET, and try again%s",
           s->config.port, hint);
}

static void explain_boot(struct ef_session *s, const struct ef_boot_report *report)
{
    if (report->download)
        ef_log(s->log, EF_LOG_ERROR,
               "%s: the board says that it is in its boot loader, but does not hear what is sent: "
               "check the wire from TX here to RX there",
               s->config.port);
    else if (report->no_firmware)
        ef_log(s->log, EF_LOG_ERROR,
               "%s: the board was not reset into its boot loader, and its flash holds no firmware, "
               "so that it starts over and over (boot:%s): " BY_HAND,
               s->config.port, report->mode);
    else
        ef_log(s->log, EF_LOG_ERROR,
               "%s: the board runs its firmware and was not reset into its boot loader: it started "
               "with boot:%s, so GPIO0 (GPIO9 on newer chips) was high: " BY_HAND
               ", or set custom_reset_sequence",
               s->config.port, report->mode);
}

/* The last line that was heard, without its end; `len` characters of it. */
static const char *last_line(const struct ef_session *s, int *len)
{
    enum { SHOWN_MAX = 60 };
    const char *text = s->link.noise;
    size_t end = s->link.noise_len;
    while (end > 0 && strchr("\r\n", text[end - 1]))
        end--;
    size_t start = end;
    while (start > 0 && text[start - 1] != '\n' && end - start < SHOWN_MAX)
        start--;
    *len = (int)(end - start);
    return text + start;
}

static void explain_noise(struct ef_session *s)
{
    if (ef_connect_hears_text(s)) {
        int len;
        const char *line = last_line(s, &len);
        ef_log(s->log, EF_LOG_ERROR,
               "%s: the board runs its firmware and was not reset into its boot loader: " BY_HAND
               "; it says: %.*s",
               s->config.port, len, line);
        return;
    }
    ef_log(s->log, EF_LOG_ERROR,
           "%s: something sends data there (%llu bytes), but no boot loader answers: is it the "
           "right port, at the right baud? It may be an ESP8266 that runs its firmware, whose "
           "boot log comes at 74880 baud: " BY_HAND,
           s->config.port, (unsigned long long)s->line->bytes_in);
}

void ef_connect_explain(struct ef_session *s, enum ef_err err, const struct ef_boot_report *report)
{
    if (err == EF_GONE || !s->line)
        explain_gone(s);
    else if (report->mode[0] || report->download)
        explain_boot(s, report);
    else if (s->line->bytes_in == 0)
        explain_silence(s);
    else
        explain_noise(s);
}
