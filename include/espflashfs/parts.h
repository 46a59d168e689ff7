/*
 * The partitions of one mount, as the flash's table has them now: files of partitions/, and names
 * for those who speak of ranges. Follows what is written to the table, by whatever way.
 *
 * Any thread, for a mount that has no partitions (`parts` NULL) too. Only ef_parts_settle and the
 * two below it wait for the line. A file that has been found is kept until it is put back, and
 * keeps its range, whatever becomes of the table.
 */
#ifndef ESPFLASHFS_PARTS_H
#define ESPFLASHFS_PARTS_H

#include "espflashfs/node.h"
#include "espflashfs/partition.h"

/* The boot loader's and the table's own file come with those of the table. */
enum { EF_PARTS_MAX = EF_PARTITIONS_MAX + 2, EF_PARTS_STATE_MAX = EF_TABLE_WHY_MAX + 256 };

/*
 * Gives the mount partitions/ and partitions.csv where its chip has a table, which is expected at
 * `table_addr`. After ef_mount_init. EF_NOMEM.
 */
enum ef_err ef_parts_new(struct ef_mount *mount, uint32_t table_addr);

/* When no file of it is open any more. */
void ef_parts_free(struct ef_mount *mount);

/*
 * Takes up what is known of the table, if that has changed. Where it is not known, what was is
 * kept, and it is read when the line is idle.
 */
void ef_parts_refresh(struct ef_mount *mount);

/*
 * The same for who asks for partitions: waits for the table to be read where it never was, and
 * for 1 s where it may have changed. 0, or a negative errno where it never was.
 */
int ef_parts_settle(struct ef_mount *mount, struct ef_patience patience);

/* The same, but goes by no table that may be another by now, however long it has to wait. */
int ef_parts_know(struct ef_mount *mount, struct ef_patience patience);

/*
 * The same for who is about to change what a name stands for: has the chip say that it holds the
 * table that is known, since nobody may have noticed yet that the board was away. (0 also where it
 * computes no digests.)
 */
int ef_parts_confirm(struct ef_mount *mount, struct ef_patience patience);

/*
 * Copies the files that there are, in the order of the table, the boot loader and the table
 * first; returns how many. Of these two `label` is the name without .bin.
 */
unsigned ef_parts_copy(struct ef_mount *mount, struct ef_partition list[EF_PARTS_MAX]);

/* "6"; "none: ...", with the next step; "not read yet". For status.txt; one line, printable. */
void ef_parts_state_text(struct ef_mount *mount, char out[EF_PARTS_STATE_MAX]);

/* partitions.csv's text; free(3) it. NULL without memory. */
char *ef_parts_csv_text(struct ef_mount *mount);

/* The node of the file `name`, to be put back with ef_node_put. NULL if there is none. */
struct ef_node *ef_parts_find(struct ef_mount *mount, const char *name);

/* A node that was found. Does nothing for those that are always there. */
void ef_node_put(struct ef_node *node);

/* What has become of a node's place since it was found. */
enum ef_part_fate {
    EF_PART_THERE,
    EF_PART_GONE,    /* the table has no such file any more */
    EF_PART_REPLACED /* it has one of that name, which is elsewhere */
};

enum ef_part_fate ef_part_fate(struct ef_node *node);

/*
 * The contents of [addr, addr+len) changed by way of `by` (NULL: of none of them): read(2) is to
 * show so in flash.bin and in the partitions that have bytes of it.
 */
void ef_parts_behind(struct ef_mount *mount, const struct ef_node *by, uint64_t addr, uint64_t len);

/*
 * The same, and the kernel is to drop at once what it keeps of them, for those who map them. Not
 * while it holds pages of theirs for the caller.
 */
void ef_parts_drop_pages(struct ef_mount *mount, const struct ef_node *by, uint64_t addr,
                         uint64_t len);

#endif
