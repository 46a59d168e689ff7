/*
 * An open flash.bin or part of it, and its holes. Private to node_flash.c and flash_holes.c.
 *
 * A hole of a file reads as zeros, and whoever copies one leaves zeros; erased flash reads FF. So
 * only sectors known to be all zeros are holes here, and blank ones are data. To punch a hole is
 * to erase, but only for who can mean nothing else by it.
 */
#ifndef ESPFLASHFS_FLASH_HANDLE_H
#define ESPFLASHFS_FLASH_HANDLE_H

#include "espflashfs/node.h"

struct flash_handle {
    pthread_mutex_t lock;
    bool append;
    bool used;          /* written to or truncated since the open */
    bool replacing;     /* opened with O_TRUNC, or truncated to 0 */
    uint64_t end;       /* replacing: the last byte given, plus one */
    bool writer;        /* opened for writing */
    bool left;          /* a signal ended the last write or fsync: its caller knows, and goes */
    bool filled;        /* a hole was, of which the kernel's page cache knows nothing */
    uint64_t lo, hi;    /* of the flash, written through it and not told to its other files yet */
    uint64_t read_next; /* where a sequential reader would go on */
    bool has_punched;   /* and not made zeros of it yet */
    bool *punched;      /* NULL, or for each sector of the node whether it was, through this */
};

/*
 * An image is not written to a place that has become something else since the file was opened:
 * -ESTALE. Waits where the table may have changed.
 */
int flash_check_place(struct ef_node *node, struct ef_patience patience);

/* Nor is one read whose name has come to stand for another place. */
int flash_check_name(struct ef_node *node, struct ef_patience patience);

/* Under the handle's lock: [addr, addr+len) of the flash was written to through it. */
void flash_note_written(struct ef_node *node, struct flash_handle *h, uint64_t addr, uint64_t len);

/* The same of zeros that no write(2) gave: the kernel has no page with them. */
void flash_note_filled(struct ef_node *node, struct flash_handle *h, uint64_t addr, uint64_t len);

/* As ef_node_ops has them. */
int flash_settle(struct ef_node *node, int flags, struct ef_patience patience);
int64_t flash_seek(struct ef_node *node, uint64_t off, bool hole);
uint64_t flash_zeros(struct ef_node *node);
int flash_punch(struct ef_node *node, void *handle, uint64_t off, uint64_t len,
                struct ef_patience patience);

/*
 * Under the handle's lock, before it is written to or truncated: zeros where it has punched. It is
 * no longer one that only erases; rsync and mkfs punch what is to be zeros, then write the rest.
 */
enum ef_err flash_fill_punched(struct ef_node *node, struct flash_handle *h,
                               struct ef_patience patience);

#endif
