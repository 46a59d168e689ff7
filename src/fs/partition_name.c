/* Labels made fit to be shown and to name files. */
#include "espflashfs/partition.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char SUFFIX[] = ".bin";

enum { STEM_MAX = 3 * EF_LABEL_MAX + 4 };

/* How many bytes the UTF-8 character at `s` has; 0 where there is none, or one that controls. */
static size_t printable(const char *s)
{
    const unsigned char *c = (const unsigned char *)s;
    static const struct {
        unsigned char from, to; /* of the first byte */
        unsigned char len;
        unsigned char low, high; /* of the second: no overlong forms, surrogates or controls */
    } FORMS[] = {
        {0xC2, 0xC2, 2, 0xA0, 0xBF}, {0xC3, 0xDF, 2, 0x80, 0xBF}, {0xE0, 0xE0, 3, 0xA0, 0xBF},
        {0xE1, 0xEC, 3, 0x80, 0xBF}, {0xED, 0xED, 3, 0x80, 0x9F}, {0xEE, 0xEF, 3, 0x80, 0xBF},
        {0xF0, 0xF0, 4, 0x90, 0xBF}, {0xF1, 0xF3, 4, 0x80, 0xBF}, {0xF4, 0xF4, 4, 0x80, 0x8F}};
    if (c[0] >= 0x20 && c[0] < 0x7F)
        return 1;
    for (size_t i = 0; i < sizeof(FORMS) / sizeof(FORMS[0]); i++) {
        if (c[0] < FORMS[i].from || c[0] > FORMS[i].to)
            continue;
        if (c[1] < FORMS[i].low || c[1] > FORMS[i].high)
            return 0;
        for (size_t k = 2; k < FORMS[i].len; k++)
            if ((c[k] & 0xC0) != 0x80)
                return 0;
        return FORMS[i].len;
    }
    return 0;
}

void ef_partition_escape(char *out, const char *label, const char *also)
{
    while (*label) {
        size_t len = printable(label);
        if (len > 0 && !strchr(also, *label)) {
            memcpy(out, label, len);
            out += len;
            label += len;
        } else {
            out += sprintf(out, "%%%02X", (unsigned char)*label++);
        }
    }
    *out = '\0';
}

/*
 * The name without what may follow. An empty label, and a file that `ls` would hide, are shown; a
 * blank at the begin would get lost where the name is written to `erase`.
 */
static void make_stem(char out[STEM_MAX], const char *label)
{
    const char *begin = "";
    char rest[3 * EF_LABEL_MAX + 1];
    if (label[0] == '\0')
        begin = "%00";
    else if (label[0] == '.')
        begin = "%2E";
    else if (label[0] == ' ')
        begin = "%20";
    ef_partition_escape(rest, label + (label[0] == '.' || label[0] == ' '), "/%");
    snprintf(out, STEM_MAX, "%s%s", begin, rest);
}

static bool is_taken(const struct ef_partition_table *table, const char *const *taken, size_t count,
                     const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(taken[i], name) == 0)
            return true;
    for (unsigned i = 0; i < table->count; i++)
        if (strcmp(table->partition[i].name, name) == 0)
            return true;
    return false;
}

/* Takes the name for `p` if nobody has it. */
static bool take(struct ef_partition_table *table, struct ef_partition *p, const char *const *taken,
                 size_t count, const char *name)
{
    if (!is_taken(table, taken, count, name))
        snprintf(p->name, sizeof(p->name), "%s", name);
    return p->name[0] != '\0';
}

/* Plain names first, so that a number does not take one from a later partition. */
void ef_partition_name(struct ef_partition_table *table, const char *const *taken, size_t count)
{
    char stem[STEM_MAX];
    char name[EF_PART_NAME_MAX];
    for (unsigned i = 0; i < table->count; i++)
        table->partition[i].name[0] = '\0';
    for (unsigned i = 0; i < table->count; i++) {
        make_stem(stem, table->partition[i].label);
        snprintf(name, sizeof(name), "%s%s", stem, SUFFIX);
        take(table, &table->partition[i], taken, count, name);
    }
    for (unsigned i = 0; i < table->count; i++) {
        if (table->partition[i].name[0])
            continue;
        make_stem(stem, table->partition[i].label);
        unsigned n = 2;
        do
            snprintf(name, sizeof(name), "%s-%u%s", stem, n++, SUFFIX);
        while (!take(table, &table->partition[i], taken, count, name));
    }
}
