/* The partition table: what is read, what is refused and why, names, and the CSV. */
#include "table_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { FLASH = 4 * 1024 * 1024, ADDR = EF_TABLE_ADDR };

struct parsed {
    struct ef_partition_table table;
    char why[EF_TABLE_WHY_MAX];
    enum ef_err err;
};

static struct parsed parse(const struct table_bytes *t)
{
    struct parsed p;
    p.err = ef_partition_parse(t->bytes, ADDR, FLASH, &p.table, p.why);
    return p;
}

static void expect_layout(const struct table_layout *layout, const struct parsed *p)
{
    char csv[4096] = "";
    unsigned n = 0;
    assert_int_equal(p->err, EF_OK);
    assert_string_equal(p->why, "");
    for (const struct table_row *row = layout->row; row->label; row++, n++) {
        const struct ef_partition *part = &p->table.partition[n];
        assert_string_equal(part->label, row->label);
        assert_int_equal(part->addr, row->addr);
        assert_int_equal(part->len, row->len);
        size_t len = strlen(csv);
        assert_true(len + EF_CSV_LINE_MAX <= sizeof(csv));
        ef_partition_csv_line(part, csv + len);
    }
    assert_int_equal(p->table.count, n);
    assert_string_equal(csv, layout->csv);
}

static void layouts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(LAYOUTS) / sizeof(LAYOUTS[0]); i++) {
        struct table_bytes t;
        table_make(&t, LAYOUTS[i].row);
        struct parsed p = parse(&t);
        expect_layout(&LAYOUTS[i], &p);
        /* The MD5 row came with ESP-IDF 3.1, and is left out by --disable-md5sum. */
        memset(t.bytes + t.len - 32, 0xFF, 32);
        p = parse(&t);
        expect_layout(&LAYOUTS[i], &p);
    }
}

static void head_of_the_csv(void **state)
{
    (void)state;
    assert_string_equal(EF_PARTITION_CSV_HEAD, "# ESP-IDF Partition Table\n"
                                               "# Name, Type, SubType, Offset, Size, Flags\n");
}

static const struct table_row SIX[] = {{"nvs", 1, 2, 0x9000, 0x5000, 0},
                                       {"otadata", 1, 0, 0xE000, 0x2000, 0},
                                       {"app0", 0, 0x10, 0x10000, 0x140000, 0},
                                       {"app1", 0, 0x11, 0x150000, 0x140000, 0},
                                       {"spiffs", 1, 0x82, 0x290000, 0x160000, 0},
                                       {"coredump", 1, 3, 0x3F0000, 0x10000, 0},
                                       {0}};

static void expect_wrong(const struct table_bytes *t, const char *why)
{
    struct parsed p = parse(t);
    assert_int_equal(p.err, EF_INVALID);
    assert_string_equal(p.why, why);
    assert_int_equal(p.table.count, 0);
}

/* SIX with one byte changed, and its MD5 row made right again unless that is what is changed. */
static void expect_wrong_byte(size_t at, uint8_t value, const char *why)
{
    struct table_bytes t;
    table_make(&t, SIX);
    t.bytes[at] = value;
    if (at < t.len - 32) {
        t.len -= 32;
        table_add_md5(&t);
    }
    expect_wrong(&t, why);
}

static void broken(void **state)
{
    (void)state;
    expect_wrong_byte(6 * 32 + 20, 0x11, "the MD5 row at 0x80c0 does not match");
    expect_wrong_byte(0, 0xE9, "no partition table begins at 0x8000");
    expect_wrong_byte(2 * 32 + 1, 0x51, "neither an entry nor the end of the table is at 0x8040");
    expect_wrong_byte(5 * 32 + 10, 0x02,
                      "the entry `coredump` at 0x80a0 (0x20000 bytes at 0x3f0000) goes past the "
                      "end of the flash");
    expect_wrong_byte(5 * 32 + 7, 0xFF,
                      "the entry `coredump` at 0x80a0 (0x10000 bytes at 0xff3f0000) goes past the "
                      "end of the flash");
    expect_wrong_byte(1 * 32 + 9, 0x30,
                      "the entry `app0` at 0x8040 (0x140000 bytes at 0x10000) overlaps one before "
                      "it");
    expect_wrong_byte(0 * 32 + 4, 0x04,
                      "the entry `nvs` at 0x8000 (0x5000 bytes at 0x9004) does not start at a "
                      "multiple of 0x1000");
    expect_wrong_byte(0 * 32 + 9, 0x00,
                      "the entry `nvs` at 0x8000 (0x0 bytes at 0x9000) has no bytes");
    expect_wrong_byte(0 * 32 + 5, 0x80,
                      "the entry `nvs` at 0x8000 (0x5000 bytes at 0x8000) overlaps the table "
                      "itself");
}

/* What is signed or padded lies behind the end row; what follows the MD5 row before it is not. */
static void rows_behind(void **state)
{
    (void)state;
    struct table_bytes t;
    table_make(&t, SIX);
    memset(t.bytes + t.len + 32, 0x5A, 64);
    struct parsed p = parse(&t);
    assert_int_equal(p.err, EF_OK);
    assert_int_equal(p.table.count, 6);
    table_add(&t, &(struct table_row){"late", 1, 2, 0x8F000, 0x1000, 0});
    expect_wrong(&t, "something follows the MD5 row, at 0x80e0");
}

/* The damage of one bit is found wherever it is, but in the 14 bytes that pad the MD5 row. */
static void one_bit(void **state)
{
    (void)state;
    struct table_bytes t;
    table_make(&t, SIX);
    for (size_t bit = 0; bit < 8 * t.len; bit++) {
        if (bit / 8 >= t.len - 30 && bit / 8 < t.len - 16)
            continue;
        t.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        struct parsed p = parse(&t);
        assert_int_equal(p.err, EF_INVALID);
        assert_int_equal(p.table.count, 0);
        assert_true(strlen(p.why) > 0);
        t.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

static void blank(void **state)
{
    (void)state;
    struct table_bytes t;
    table_begin(&t);
    struct parsed p = parse(&t);
    assert_int_equal(p.err, EF_MISSING);
    assert_string_equal(p.why, "the flash is blank at 0x8000");
    assert_int_equal(p.table.count, 0);
    memset(t.bytes, 0, sizeof(t.bytes));
    expect_wrong(&t, "no partition table begins at 0x8000");
}

/* As many as fit, with the end row; and one more. */
static void full(void **state)
{
    (void)state;
    struct table_bytes t;
    table_begin(&t);
    for (uint32_t i = 0; i < EF_PARTITIONS_MAX; i++)
        table_add(&t, &(struct table_row){"same", 1, 2, 0x10000 + i * 0x1000, 0x1000, 0});
    struct parsed p = parse(&t);
    assert_int_equal(p.err, EF_OK);
    assert_int_equal(p.table.count, EF_PARTITIONS_MAX);
    ef_partition_name(&p.table, NULL, 0);
    assert_string_equal(p.table.partition[0].name, "same.bin");
    assert_string_equal(p.table.partition[94].name, "same-95.bin");
    table_add(&t, &(struct table_row){"more", 1, 2, 0x100000, 0x1000, 0});
    expect_wrong(&t, "neither an entry nor the end of the table is at 0x8be0");
}

/* Each name of one table, in turn. */
static void expect_names(const char *const *labels, const char *const *names)
{
    static const char *const TAKEN[] = {"bootloader.bin", "partition-table.bin"};
    struct table_bytes t;
    table_begin(&t);
    for (uint32_t i = 0; labels[i]; i++)
        table_add(&t, &(struct table_row){labels[i], 1, 2, 0x10000 + i * 0x1000, 0x1000, 0});
    struct parsed p = parse(&t);
    assert_int_equal(p.err, EF_OK);
    ef_partition_name(&p.table, TAKEN, 2);
    for (uint32_t i = 0; labels[i]; i++)
        assert_string_equal(p.table.partition[i].name, names[i]);
}

static void names(void **state)
{
    (void)state;
    expect_names((const char *[]){"a/b", "..", ".", "", "\x01x\x7f", "50%", "gr\xC3\xBCn",
                                  "\xFF\xC3", "\xC2\x85", "\xED\xA0\x80", "two words", " x", NULL},
                 (const char *[]){"a%2Fb.bin", "%2E..bin", "%2E.bin", "%00.bin", "%01x%7F.bin",
                                  "50%25.bin", "gr\xC3\xBCn.bin", "%FF%C3.bin", "%C2%85.bin",
                                  "%ED%A0%80.bin", "two words.bin", "%20x.bin"});
    expect_names((const char *[]){"nvs", "nvs-2", "nvs", "nvs", "NVS", NULL},
                 (const char *[]){"nvs.bin", "nvs-2.bin", "nvs-3.bin", "nvs-4.bin", "NVS.bin"});
    expect_names(
        (const char *[]){"bootloader", "partition-table", "partition_table", NULL},
        (const char *[]){"bootloader-2.bin", "partition-table-2.bin", "partition_table.bin"});
    expect_names(
        (const char *[]){"\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01", NULL},
        (const char *[]){"%01%01%01%01%01%01%01%01%01%01%01%01%01%01%01%01.bin"});
}

static void odd_labels_in_the_csv(void **state)
{
    (void)state;
    struct ef_partition p = {.type = 1, .subtype = 2, .addr = 0x9000, .len = 0x1000};
    char line[EF_CSV_LINE_MAX];
    memcpy(p.label, "a,b\n\x1B[2J 50%", 13);
    ef_partition_csv_line(&p, line);
    assert_string_equal(line, "a%2Cb%0A%1B[2J 50%,data,nvs,0x9000,4K,\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(layouts),
                                       cmocka_unit_test(head_of_the_csv),
                                       cmocka_unit_test(broken),
                                       cmocka_unit_test(rows_behind),
                                       cmocka_unit_test(one_bit),
                                       cmocka_unit_test(blank),
                                       cmocka_unit_test(full),
                                       cmocka_unit_test(names),
                                       cmocka_unit_test(odd_labels_in_the_csv)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
