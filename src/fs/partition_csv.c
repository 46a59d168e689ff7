/* Entries as lines of CSV, in the words of ESP-IDF's gen_esp32part.py. */
#include "espflashfs/partition.h"

#include <stdio.h>
#include <string.h>

enum { KIB = 1024, MIB = 1024 * 1024 };

const char EF_PARTITION_CSV_HEAD[] =
    "# ESP-IDF Partition Table\n# Name, Type, SubType, Offset, Size, Flags\n";

static const char *const TYPES[] = {[EF_PART_APP] = "app",
                                    [EF_PART_DATA] = "data",
                                    [EF_PART_BOOTLOADER] = "bootloader",
                                    [EF_PART_TABLE] = "partition_table"};

/* `count` subtypes from `from` on; more than one are numbered from 0. */
struct subtype {
    uint8_t type, from, count;
    const char *word;
};

static const struct subtype SUBTYPES[] = {{EF_PART_APP, 0x00, 1, "factory"},
                                          {EF_PART_APP, 0x10, 16, "ota_"},
                                          {EF_PART_APP, 0x20, 1, "test"},
                                          {EF_PART_APP, 0x30, 2, "tee_"},
                                          {EF_PART_DATA, 0x00, 1, "ota"},
                                          {EF_PART_DATA, 0x01, 1, "phy"},
                                          {EF_PART_DATA, 0x02, 1, "nvs"},
                                          {EF_PART_DATA, 0x03, 1, "coredump"},
                                          {EF_PART_DATA, 0x04, 1, "nvs_keys"},
                                          {EF_PART_DATA, 0x05, 1, "efuse"},
                                          {EF_PART_DATA, 0x06, 1, "undefined"},
                                          {EF_PART_DATA, 0x80, 1, "esphttpd"},
                                          {EF_PART_DATA, 0x81, 1, "fat"},
                                          {EF_PART_DATA, 0x82, 1, "spiffs"},
                                          {EF_PART_DATA, 0x83, 1, "littlefs"},
                                          {EF_PART_DATA, 0x90, 1, "tee_ota"},
                                          {EF_PART_BOOTLOADER, 0x00, 1, "primary"},
                                          {EF_PART_BOOTLOADER, 0x01, 1, "ota"},
                                          {EF_PART_BOOTLOADER, 0x02, 1, "recovery"},
                                          {EF_PART_TABLE, 0x00, 1, "primary"},
                                          {EF_PART_TABLE, 0x01, 1, "ota"}};

static void type_text(char *out, size_t cap, uint8_t type)
{
    if (type < sizeof(TYPES) / sizeof(TYPES[0]))
        snprintf(out, cap, "%s", TYPES[type]);
    else
        snprintf(out, cap, "%u", type);
}

static void subtype_text(char *out, size_t cap, uint8_t type, uint8_t subtype)
{
    for (size_t i = 0; i < sizeof(SUBTYPES) / sizeof(SUBTYPES[0]); i++) {
        const struct subtype *s = &SUBTYPES[i];
        if (type != s->type || subtype < s->from || subtype >= s->from + s->count)
            continue;
        if (s->count > 1)
            snprintf(out, cap, "%s%d", s->word, subtype - s->from);
        else
            snprintf(out, cap, "%s", s->word);
        return;
    }
    snprintf(out, cap, "%u", subtype);
}

static void size_text(char *out, size_t cap, uint32_t len)
{
    if (len % MIB == 0)
        snprintf(out, cap, "%uM", len / MIB);
    else if (len % KIB == 0)
        snprintf(out, cap, "%uK", len / KIB);
    else
        snprintf(out, cap, "0x%x", len);
}

static const char *flags_text(uint32_t flags)
{
    static const char *const TEXTS[] = {[EF_PART_ENCRYPTED] = "encrypted",
                                        [EF_PART_READONLY] = "readonly",
                                        [EF_PART_ENCRYPTED | EF_PART_READONLY] =
                                            "encrypted:readonly"};
    const char *text = TEXTS[flags & (EF_PART_ENCRYPTED | EF_PART_READONLY)];
    return text ? text : "";
}

void ef_partition_csv_line(const struct ef_partition *p, char *line)
{
    char label[3 * EF_LABEL_MAX + 1];
    char type[20];
    char subtype[20];
    char size[16];
    ef_partition_escape(label, p->label, ",");
    type_text(type, sizeof(type), p->type);
    subtype_text(subtype, sizeof(subtype), p->type, p->subtype);
    size_text(size, sizeof(size), p->len);
    snprintf(line, EF_CSV_LINE_MAX, "%s,%s,%s,0x%x,%s,%s\n", label, type, subtype,
             (unsigned)p->addr, size, flags_text(p->flags));
}
