#include "espflashfs/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char HEX[] = "0123456789abcdef";

void ef_text_escape(char *out, size_t cap, const char *in)
{
    size_t n = 0;
    for (; *in; in++) {
        unsigned char c = (unsigned char)*in;
        bool plain = c >= 0x20 && c < 0x7F;
        size_t need = plain ? 1 : 4;
        if (n + need >= cap)
            break;
        if (plain) {
            out[n++] = (char)c;
        } else {
            out[n++] = '\\';
            out[n++] = 'x';
            out[n++] = HEX[c >> 4];
            out[n++] = HEX[c & 0xF];
        }
    }
    out[n] = '\0';
}

static enum ef_err suffix_to_factor(const char *s, uint64_t *factor)
{
    switch (tolower((unsigned char)*s)) {
    case '\0':
        *factor = 1;
        return EF_OK;
    case 'k':
        *factor = 1024;
        break;
    case 'm':
        *factor = 1048576;
        break;
    default:
        return EF_INVALID;
    }
    s++;
    if (*s == '\0' || strcasecmp(s, "b") == 0 || strcasecmp(s, "ib") == 0)
        return EF_OK;
    return EF_INVALID;
}

enum ef_err ef_text_to_u64(const char *text, uint64_t *value)
{
    if (!isdigit((unsigned char)text[0]))
        return EF_INVALID;
    int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
    if (base == 16 && !isxdigit((unsigned char)text[2]))
        return EF_INVALID;
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, base);
    uint64_t factor;
    if (errno != 0 || suffix_to_factor(end, &factor) != EF_OK || number > UINT64_MAX / factor)
        return EF_INVALID;
    *value = number * factor;
    return EF_OK;
}

void ef_text_hex(char *out, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = HEX[bytes[i] >> 4];
        out[2 * i + 1] = HEX[bytes[i] & 0xF];
    }
    out[2 * len] = '\0';
}
