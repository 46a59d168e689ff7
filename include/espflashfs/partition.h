/*
 * The partition table that ESP-IDF and all that is built on it (Arduino, Tasmota, ESPHome, ...)
 * put on a flash: from bytes to entries, and to the CSV that ESP-IDF's own generator writes.
 * Any thread, never blocks.
 */
#ifndef ESPFLASHFS_PARTITION_H
#define ESPFLASHFS_PARTITION_H

#include "espflashfs/error.h"

#include <stddef.h>
#include <stdint.h>

enum {
    EF_TABLE_ADDR = 0x8000, /* unless the firmware was built otherwise */
    EF_TABLE_BYTES = 0xC00, /* rows of 32 bytes; a signature may follow in the same sector */
    EF_TABLE_ROWS = EF_TABLE_BYTES / 32,
    EF_PARTITIONS_MAX = EF_TABLE_ROWS - 1, /* the last row marks the end */
    EF_LABEL_MAX = 16,
    EF_PART_NAME_MAX = 3 * EF_LABEL_MAX + 20, /* every byte escaped, a number, .bin, NUL */
    EF_TABLE_WHY_MAX = 256,
    EF_CSV_LINE_MAX = 3 * EF_LABEL_MAX + 80
};

enum {
    EF_PART_APP,
    EF_PART_DATA,
    EF_PART_BOOTLOADER,
    EF_PART_TABLE /* a partition table, the one that it stands in or a copy */
};

/* Both have subtype 0 where it is the one that the chip starts with. */
enum { EF_PART_PRIMARY = 0 };

enum { EF_PART_ENCRYPTED = 1, EF_PART_READONLY = 2 };

struct ef_partition {
    uint32_t addr, len; /* bytes; addr is that of a sector, len need not be whole ones */
    uint32_t flags;
    uint8_t type, subtype;
    char label[EF_LABEL_MAX + 1]; /* as it came: any bytes but NUL */
    char name[EF_PART_NAME_MAX];  /* of its file: see ef_partition_name */
};

struct ef_partition_table {
    unsigned count;
    struct ef_partition partition[EF_PARTITIONS_MAX];
};

/*
 * Reads the table that lies at `addr` of a flash of `flash_size` bytes. EF_MISSING where there is
 * none, EF_INVALID where it is wrong in any way: then it has no entries, and `why`
 * (EF_TABLE_WHY_MAX bytes) says what is wrong, in printable characters. A table without an MD5 row
 * is right; one whose MD5 row does not match is not.
 */
enum ef_err ef_partition_parse(const uint8_t bytes[EF_TABLE_BYTES], uint32_t addr,
                               uint32_t flash_size, struct ef_partition_table *table, char *why);

/*
 * Sets the names of all: label and ".bin". Bytes that have no place in a file's name, and %, become
 * %XX. Of those that would have one name, and of those that have one of `taken` (`count` names),
 * all but the first get a number.
 */
void ef_partition_name(struct ef_partition_table *table, const char *const *taken, size_t count);

/*
 * The line of partitions.csv for one entry, with its newline, byte for byte as gen_esp32part.py
 * (1.5) writes it; what would break the line, or a terminal, becomes %XX.
 * `line` has EF_CSV_LINE_MAX bytes.
 */
void ef_partition_csv_line(const struct ef_partition *partition, char *line);

/* What comes before these lines. */
extern const char EF_PARTITION_CSV_HEAD[];

/* Copies a label of any bytes to `out` (3 * EF_LABEL_MAX + 1 bytes), those of `also` and all that
 * does not print as %XX. */
void ef_partition_escape(char *out, const char *label, const char *also);

#endif
