/* The state behind parts.h. Private to src/fs/parts*.c. */
#ifndef ESPFLASHFS_PARTS_PRIVATE_H
#define ESPFLASHFS_PARTS_PRIVATE_H

#include "espflashfs/parts.h"

enum { EF_FIXED_BOOTLOADER, EF_FIXED_TABLE, EF_FIXED_COUNT };

/* One file of partitions/, listed or still in somebody's hands. */
struct ef_part {
    struct ef_partition is;
    struct ef_node node;
    enum ef_part_fate fate;
    unsigned refs;
    bool fixed, listed;
    struct ef_part *next; /* of `all` */
};

/* All but the first three is guarded by `lock`, which is taken before the cache's, and never held
 * while the line works. */
struct ef_parts {
    struct ef_mount *mount;
    uint32_t addr;
    bool readable;
    pthread_mutex_t lock;
    struct ef_part fixed[EF_FIXED_COUNT];
    struct ef_part *all; /* but the fixed ones */
    struct ef_part *list[EF_PARTS_MAX];
    unsigned count; /* of `list` */
    /* The table as it was taken up last. */
    bool read;
    bool stale; /* it may be another by now */
    uint8_t bytes[EF_TABLE_BYTES];
    enum ef_err err;
    unsigned entries;
    char why[EF_TABLE_WHY_MAX];
    /* When that was: what the cache said of the flash, and of the table's sector. */
    struct timespec changed;
    uint64_t age;
    int64_t asked_ms; /* when it was last asked for, 0: never */
};

/* Under the lock: takes up a table, sound or not. */
void ef_parts_take(struct ef_parts *parts, const uint8_t bytes[EF_TABLE_BYTES]);

/* Under the lock: the files are those of `table`, and the fixed ones where they can be used. */
void ef_parts_set_files(struct ef_parts *parts, struct ef_partition_table *table);

/* Sets up a fixed file. */
void ef_parts_init_fixed(struct ef_parts *parts, int which, const char *label, uint32_t addr,
                         uint32_t len);

#endif
