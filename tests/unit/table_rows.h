/* Partition tables put together row by row, right or wrong, and layouts that firmwares come with.
 */
#ifndef EF_TEST_TABLE_ROWS_H
#define EF_TEST_TABLE_ROWS_H

#include "espflashfs/bytes.h"
#include "espflashfs/flash.h"
#include "espflashfs/partition.h"

#include <string.h>

struct table_row {
    const char *label;
    uint8_t type, subtype;
    uint32_t addr, len, flags;
};

struct table_layout {
    const char *name;
    struct table_row row[12]; /* up to one without a label */
    const char *csv;          /* what ESP-IDF's generator writes for it, behind the head */
};

/* Rows one behind the other, the rest FF. */
struct table_bytes {
    uint8_t bytes[EF_TABLE_BYTES];
    size_t len;
};

static inline void table_begin(struct table_bytes *t)
{
    memset(t->bytes, 0xFF, sizeof(t->bytes));
    t->len = 0;
}

static inline void table_add(struct table_bytes *t, const struct table_row *row)
{
    uint8_t *p = t->bytes + t->len;
    memset(p, 0, 32);
    p[0] = 0xAA;
    p[1] = 0x50;
    p[2] = row->type;
    p[3] = row->subtype;
    ef_put_le32(p + 4, row->addr);
    ef_put_le32(p + 8, row->len);
    memcpy(p + 12, row->label, strnlen(row->label, 16));
    ef_put_le32(p + 28, row->flags);
    t->len += 32;
}

static inline void table_add_md5(struct table_bytes *t)
{
    uint8_t *p = t->bytes + t->len;
    p[0] = p[1] = 0xEB;
    ef_digest_bytes(t->bytes, (uint32_t)t->len, p + 16);
    t->len += 32;
}

static inline void table_make(struct table_bytes *t, const struct table_row *rows)
{
    table_begin(t);
    for (; rows->label; rows++)
        table_add(t, rows);
    table_add_md5(t);
}

static const struct table_layout LAYOUTS[] = {
    {"ESP-IDF, one factory app",
     {{"nvs", 1, 2, 0x9000, 0x6000, 0},
      {"phy_init", 1, 1, 0xF000, 0x1000, 0},
      {"factory", 0, 0, 0x10000, 0x100000, 0}},
     "nvs,data,nvs,0x9000,24K,\n"
     "phy_init,data,phy,0xf000,4K,\n"
     "factory,app,factory,0x10000,1M,\n"},
    {"ESP-IDF, factory and two OTA apps, NVS keys",
     {{"nvs", 1, 2, 0x9000, 0x4000, 0},
      {"otadata", 1, 0, 0xD000, 0x2000, 0},
      {"phy_init", 1, 1, 0xF000, 0x1000, 0},
      {"factory", 0, 0, 0x10000, 0x100000, 0},
      {"ota_0", 0, 0x10, 0x110000, 0x100000, 0},
      {"ota_1", 0, 0x11, 0x210000, 0x100000, 0},
      {"nvs_key", 1, 4, 0x310000, 0x1000, 1}},
     "nvs,data,nvs,0x9000,16K,\n"
     "otadata,data,ota,0xd000,8K,\n"
     "phy_init,data,phy,0xf000,4K,\n"
     "factory,app,factory,0x10000,1M,\n"
     "ota_0,app,ota_0,0x110000,1M,\n"
     "ota_1,app,ota_1,0x210000,1M,\n"
     "nvs_key,data,nvs_keys,0x310000,4K,encrypted\n"},
    {"Arduino, default",
     {{"nvs", 1, 2, 0x9000, 0x5000, 0},
      {"otadata", 1, 0, 0xE000, 0x2000, 0},
      {"app0", 0, 0x10, 0x10000, 0x140000, 0},
      {"app1", 0, 0x11, 0x150000, 0x140000, 0},
      {"spiffs", 1, 0x82, 0x290000, 0x160000, 0},
      {"coredump", 1, 3, 0x3F0000, 0x10000, 0}},
     "nvs,data,nvs,0x9000,20K,\n"
     "otadata,data,ota,0xe000,8K,\n"
     "app0,app,ota_0,0x10000,1280K,\n"
     "app1,app,ota_1,0x150000,1280K,\n"
     "spiffs,data,spiffs,0x290000,1408K,\n"
     "coredump,data,coredump,0x3f0000,64K,\n"},
    {"Arduino, huge_app",
     {{"nvs", 1, 2, 0x9000, 0x5000, 0},
      {"otadata", 1, 0, 0xE000, 0x2000, 0},
      {"app0", 0, 0x10, 0x10000, 0x300000, 0},
      {"spiffs", 1, 0x82, 0x310000, 0xE0000, 0},
      {"coredump", 1, 3, 0x3F0000, 0x10000, 0}},
     "nvs,data,nvs,0x9000,20K,\n"
     "otadata,data,ota,0xe000,8K,\n"
     "app0,app,ota_0,0x10000,3M,\n"
     "spiffs,data,spiffs,0x310000,896K,\n"
     "coredump,data,coredump,0x3f0000,64K,\n"},
    {"Tasmota, safeboot",
     {{"nvs", 1, 2, 0x9000, 0x5000, 0},
      {"otadata", 1, 0, 0xE000, 0x2000, 0},
      {"safeboot", 0, 0, 0x10000, 0xD0000, 0},
      {"app0", 0, 0x10, 0xE0000, 0x2D0000, 0},
      {"spiffs", 1, 0x82, 0x3B0000, 0x50000, 0}},
     "nvs,data,nvs,0x9000,20K,\n"
     "otadata,data,ota,0xe000,8K,\n"
     "safeboot,app,factory,0x10000,832K,\n"
     "app0,app,ota_0,0xe0000,2880K,\n"
     "spiffs,data,spiffs,0x3b0000,320K,\n"},
    {"ESP-IDF, with a TEE, two OTA apps",
     {{"tee_0", 0, 0x30, 0x10000, 0x40000, 0},
      {"tee_1", 0, 0x31, 0x50000, 0x40000, 0},
      {"tee_otadata", 1, 0x90, 0x90000, 0x2000, 0},
      {"secure_storage", 1, 2, 0x92000, 0xE000, 0},
      {"ota_0", 0, 0x10, 0xA0000, 0x180000, 0},
      {"ota_1", 0, 0x11, 0x220000, 0x180000, 0},
      {"otadata", 1, 0, 0x3A0000, 0x2000, 0},
      {"nvs", 1, 2, 0x3A2000, 0x6000, 0},
      {"phy_init", 1, 1, 0x3A8000, 0x1000, 0}},
     "tee_0,app,tee_0,0x10000,256K,\n"
     "tee_1,app,tee_1,0x50000,256K,\n"
     "tee_otadata,data,tee_ota,0x90000,8K,\n"
     "secure_storage,data,nvs,0x92000,56K,\n"
     "ota_0,app,ota_0,0xa0000,1536K,\n"
     "ota_1,app,ota_1,0x220000,1536K,\n"
     "otadata,data,ota,0x3a0000,8K,\n"
     "nvs,data,nvs,0x3a2000,24K,\n"
     "phy_init,data,phy,0x3a8000,4K,\n"},
    {"all the words and numbers",
     {{"bootloader", 2, 0, 0x1000, 0x7000, 0},
      {"partition_table", 3, 0, 0x8000, 0x1000, 0},
      {"recovery", 2, 2, 0x9000, 0x7000, 2},
      {"a", 0, 0x1F, 0x10000, 0x10000, 0},
      {"b", 0, 0x20, 0x20000, 0x10000, 0},
      {"little", 1, 0x83, 0x30000, 0x1234, 0},
      {"web", 1, 0x80, 0x32000, 0x1000, 0},
      {"ffat", 1, 0x81, 0x33000, 0x400, 3},
      {"efuse_em", 1, 5, 0x34000, 0x2000, 0},
      {"mine", 0x40, 0xFE, 0x36000, 0x2000, 0},
      {"sixteen_letters_", 1, 6, 0x38000, 0x200, 0}},
     "bootloader,bootloader,primary,0x1000,28K,\n"
     "partition_table,partition_table,primary,0x8000,4K,\n"
     "recovery,bootloader,recovery,0x9000,28K,readonly\n"
     "a,app,ota_15,0x10000,64K,\n"
     "b,app,test,0x20000,64K,\n"
     "little,data,littlefs,0x30000,0x1234,\n"
     "web,data,esphttpd,0x32000,4K,\n"
     "ffat,data,fat,0x33000,1K,encrypted:readonly\n"
     "efuse_em,data,efuse,0x34000,8K,\n"
     "mine,64,254,0x36000,8K,\n"
     "sixteen_letters_,data,undefined,0x38000,0x200,\n"},
};

#endif
