/*
 * A partition table of any bytes: what is taken lies inside the flash, beside each other and
 * beside the table; each partition has a name of its own that a file can have, a line of CSV, and
 * is found by the name when it is to be erased; a refusal is one line that says why. With the
 * first byte's lowest bit set the MD5 row is made right, so that mutations get past it.
 */
#include "fuzz.h"

#include "espflashfs/bytes.h"
#include "espflashfs/node.h"
#include "espflashfs/partition.h"

enum { ROW = 32, WHY_CAP = 512 };

static const char *const TAKEN[] = {"bootloader.bin", "partition-table.bin"};

static void set_md5(uint8_t *bytes)
{
    for (uint8_t *row = bytes; row < bytes + EF_TABLE_BYTES; row += ROW) {
        if (row[0] != 0xEB || row[1] != 0xEB)
            continue;
        ef_digest_bytes(bytes, (uint32_t)(row - bytes), row + 16);
        return;
    }
}

static bool apart(const struct ef_partition *a, const struct ef_partition *b)
{
    return (uint64_t)a->addr + a->len <= b->addr || (uint64_t)b->addr + b->len <= a->addr;
}

static void require_place(const struct ef_partition_table *t, unsigned i, uint32_t addr,
                          uint32_t flash_size)
{
    const struct ef_partition *p = &t->partition[i];
    const struct ef_partition table = {.addr = addr, .len = EF_SECTOR};
    REQUIRE(p->len > 0 && p->addr % EF_SECTOR == 0);
    REQUIRE(ef_range_fits(p->addr, p->len, flash_size));
    REQUIRE((p->type == EF_PART_TABLE && p->subtype == EF_PART_PRIMARY) || apart(p, &table));
    for (unsigned k = 0; k < i; k++)
        REQUIRE(apart(p, &t->partition[k]));
}

static void require_name(const struct ef_partition_table *t, unsigned i)
{
    const char *name = t->partition[i].name;
    size_t len = strnlen(name, EF_PART_NAME_MAX);
    REQUIRE(len > 4 && len < EF_PART_NAME_MAX && strcmp(name + len - 4, ".bin") == 0);
    REQUIRE(name[0] != '.' && name[0] != ' ' && !strchr(name, '/'));
    for (size_t k = 0; k < len; k++)
        REQUIRE((unsigned char)name[k] >= 0x20 && name[k] != 0x7F);
    for (unsigned k = 0; k < i; k++)
        REQUIRE(strcmp(name, t->partition[k].name) != 0);
    for (size_t k = 0; k < sizeof(TAKEN) / sizeof(TAKEN[0]); k++)
        REQUIRE(strcmp(name, TAKEN[k]) != 0);
}

/* Five commas, and one newline at its end. */
static void require_csv(const struct ef_partition *p)
{
    char *line = malloc(EF_CSV_LINE_MAX);
    REQUIRE(line);
    memset(line, 'x', EF_CSV_LINE_MAX);
    ef_partition_csv_line(p, line);
    size_t len = strnlen(line, EF_CSV_LINE_MAX);
    unsigned commas = 0;
    REQUIRE(len < EF_CSV_LINE_MAX && strchr(line, '\n') == line + len - 1);
    for (size_t k = 0; k + 1 < len; k++) {
        REQUIRE((unsigned char)line[k] >= 0x20 && line[k] != 0x7F);
        commas += line[k] == ',';
    }
    REQUIRE(commas == 5);
    free(line);
}

static void require_erasable(const struct ef_partition_table *t, unsigned i)
{
    const struct ef_partition *p = &t->partition[i];
    struct ef_erase_request r = {0};
    char why[WHY_CAP] = "";
    enum ef_err err =
        ef_erase_named(p->name, strlen(p->name), t->partition, t->count, &r, why, sizeof(why));
    REQUIRE(err == EF_OK || err == EF_INVALID); /* its name may be another's label */
    if (err == EF_INVALID) {
        REQUIRE(fuzz_is_plain(why, false));
        return;
    }
    REQUIRE(r.off == p->addr && r.len >= p->len && r.len - p->len < EF_SECTOR);
    REQUIRE(r.len % EF_SECTOR == 0);
}

/* What is written to `erase`, beside this table. */
static void require_names_one(const struct ef_partition_table *t, const uint8_t *text, size_t len)
{
    char *copy = malloc(len ? len : 1);
    struct ef_erase_request r = {0};
    char why[WHY_CAP] = "";
    REQUIRE(copy);
    if (len > 0)
        memcpy(copy, text, len);
    ef_erase_may_be_name(copy, len);
    enum ef_err err = ef_erase_named(copy, len, t->partition, t->count, &r, why, sizeof(why));
    REQUIRE(err == EF_OK || err == EF_MISSING || err == EF_INVALID);
    REQUIRE(err != EF_INVALID || fuzz_is_plain(why, false));
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint8_t how = fuzz_u8(&in);
    uint32_t addr = (uint32_t)fuzz_u8(&in) * EF_SECTOR;
    uint32_t flash_size = addr + ((uint32_t)fuzz_u16(&in) + 1) * EF_SECTOR;
    uint8_t *bytes = malloc(EF_TABLE_BYTES);
    struct ef_partition_table *t = malloc(sizeof(*t));
    char *why = malloc(EF_TABLE_WHY_MAX);
    const uint8_t *given;
    REQUIRE(bytes && t && why);
    size_t len = fuzz_take(&in, EF_TABLE_BYTES, &given);
    memset(bytes, 0xFF, EF_TABLE_BYTES);
    if (len > 0)
        memcpy(bytes, given, len);
    if (how & 1)
        set_md5(bytes);
    memset(why, 'x', EF_TABLE_WHY_MAX);
    enum ef_err err = ef_partition_parse(bytes, addr, flash_size, t, why);
    REQUIRE(err == EF_OK || err == EF_INVALID || err == EF_MISSING);
    REQUIRE(memchr(why, '\0', EF_TABLE_WHY_MAX));
    REQUIRE(err == EF_OK ? why[0] == '\0' : t->count == 0 && why[0] != '\0' && !strchr(why, '\n'));
    ef_partition_name(t, TAKEN, sizeof(TAKEN) / sizeof(TAKEN[0]));
    for (unsigned i = 0; i < t->count; i++) {
        require_place(t, i, addr, flash_size);
        require_name(t, i);
        require_csv(&t->partition[i]);
        require_erasable(t, i);
    }
    require_names_one(t, in.at, in.left);
    free(why);
    free(t);
    free(bytes);
    return 0;
}
