#include "espflashfs/partition.h"

#include "espflashfs/bytes.h"
#include "espflashfs/flash.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A row: magic AA 50, type, subtype, offset, size, label, flags. */
enum {
    ROW = 32,
    AT_TYPE = 2,
    AT_SUBTYPE = 3,
    AT_ADDR = 4,
    AT_LEN = 8,
    AT_LABEL = 12,
    AT_FLAGS = 28
};

/* The MD5's row: EB EB, then FF; the digest of all rows before it. */
enum { AT_MD5 = 16 };

static enum ef_err wrong(struct ef_partition_table *table, char *why, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum ef_err wrong(struct ef_partition_table *table, char *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, EF_TABLE_WHY_MAX, format, args);
    va_end(args);
    table->count = 0;
    return EF_INVALID;
}

static struct ef_partition read_row(const uint8_t *row)
{
    struct ef_partition p = {.type = row[AT_TYPE],
                             .subtype = row[AT_SUBTYPE],
                             .addr = ef_le32(row + AT_ADDR),
                             .len = ef_le32(row + AT_LEN),
                             .flags = ef_le32(row + AT_FLAGS)};
    memcpy(p.label, row + AT_LABEL, EF_LABEL_MAX);
    return p;
}

/* True where they have a byte in common. */
static bool meets(const struct ef_partition *p, uint64_t addr, uint64_t len)
{
    return p->addr < addr + len && addr < (uint64_t)p->addr + p->len;
}

static bool is_the_table(const struct ef_partition *p)
{
    return p->type == EF_PART_TABLE && p->subtype == EF_PART_PRIMARY;
}

/* NULL, or what is wrong with this entry beside those before it. */
static const char *fault(const struct ef_partition_table *table, const struct ef_partition *p,
                         uint32_t addr, uint32_t flash_size)
{
    if (p->len == 0)
        return "has no bytes";
    if (p->addr % EF_SECTOR)
        return "does not start at a multiple of 0x1000";
    if (!ef_range_fits(p->addr, p->len, flash_size))
        return "goes past the end of the flash";
    if (!is_the_table(p) && meets(p, addr, EF_SECTOR))
        return "overlaps the table itself";
    for (unsigned i = 0; i < table->count; i++)
        if (meets(p, table->partition[i].addr, table->partition[i].len))
            return "overlaps one before it";
    return NULL;
}

static enum ef_err take_entry(struct ef_partition_table *table, const uint8_t *row, uint32_t at,
                              uint32_t addr, uint32_t flash_size, char *why)
{
    struct ef_partition p = read_row(row);
    const char *what = fault(table, &p, addr, flash_size);
    if (!what) {
        table->partition[table->count++] = p;
        return EF_OK;
    }
    char label[3 * EF_LABEL_MAX + 1];
    ef_partition_escape(label, p.label, "`");
    return wrong(table, why, "the entry `%s` at 0x%x (0x%x bytes at 0x%x) %s", label, (unsigned)at,
                 (unsigned)p.len, (unsigned)p.addr, what);
}

static bool md5_matches(const uint8_t *bytes, const uint8_t *row)
{
    uint8_t md5[EF_DIGEST_BYTES];
    ef_digest_bytes(bytes, (uint32_t)(row - bytes), md5);
    return memcmp(md5, row + AT_MD5, sizeof(md5)) == 0;
}

enum ef_err ef_partition_parse(const uint8_t bytes[EF_TABLE_BYTES], uint32_t addr,
                               uint32_t flash_size, struct ef_partition_table *table, char *why)
{
    bool summed = false;
    memset(table, 0, sizeof(*table));
    why[0] = '\0';
    if (ef_bytes_blank(bytes, ROW)) {
        snprintf(why, EF_TABLE_WHY_MAX, "the flash is blank at 0x%x", (unsigned)addr);
        return EF_MISSING;
    }
    for (const uint8_t *row = bytes; row < bytes + EF_TABLE_BYTES; row += ROW) {
        uint32_t at = addr + (uint32_t)(row - bytes);
        enum ef_err err = EF_OK;
        if (ef_bytes_blank(row, ROW))
            return EF_OK;
        if (summed)
            return wrong(table, why, "something follows the MD5 row, at 0x%x", (unsigned)at);
        if (row[0] == 0xAA && row[1] == 0x50 && at < addr + ROW * EF_PARTITIONS_MAX)
            err = take_entry(table, row, at, addr, flash_size, why);
        else if (row[0] == 0xEB && row[1] == 0xEB && !md5_matches(bytes, row))
            err = wrong(table, why, "the MD5 row at 0x%x does not match", (unsigned)at);
        else if (row[0] == 0xEB && row[1] == 0xEB)
            summed = true;
        else if (row == bytes)
            err = wrong(table, why, "no partition table begins at 0x%x", (unsigned)at);
        else
            err = wrong(table, why, "neither an entry nor the end of the table is at 0x%x",
                        (unsigned)at);
        if (err != EF_OK)
            return err;
    }
    return wrong(table, why, "the table at 0x%x has no end", (unsigned)addr);
}
