#include "flash_handle.h"

#include "kernel_pages.h"

#include "espflashfs/parts.h"

#include <errno.h>
#include <fcntl.h>

/* The kernel hears -ESTALE, looks the name up once more, and opens what it finds. */
int flash_settle(struct ef_node *node, int flags, struct ef_patience patience)
{
    bool writer = (flags & O_ACCMODE) != O_RDONLY;
    if (!node->folder)
        return 0;
    int rc =
        writer ? ef_parts_confirm(node->mount, patience) : ef_parts_know(node->mount, patience);
    if (rc != 0)
        return rc;
    return ef_part_fate(node) == EF_PART_THERE ? 0 : -ESTALE;
}

int flash_check_name(struct ef_node *node, struct ef_patience patience)
{
    int rc = node->folder ? ef_parts_know(node->mount, patience) : 0;
    if (rc != 0)
        return rc;
    return ef_part_fate(node) == EF_PART_REPLACED ? -ESTALE : 0;
}

int flash_check_place(struct ef_node *node, struct ef_patience patience)
{
    int rc = node->folder ? ef_parts_know(node->mount, patience) : 0;
    if (rc != 0 || ef_part_fate(node) == EF_PART_THERE)
        return rc;
    ef_log(node->mount->log, EF_LOG_ERROR,
           "%s: a write refused: the partition table has no such partition there any more: open "
           "the file again",
           node->name);
    return -ESTALE;
}

void flash_note_written(struct ef_node *node, struct flash_handle *h, uint64_t addr, uint64_t len)
{
    bool first = h->lo == h->hi;
    h->lo = first || addr < h->lo ? addr : h->lo;
    h->hi = first || addr + len > h->hi ? addr + len : h->hi;
    ef_parts_behind(node->mount, node, addr, len);
}

void flash_note_filled(struct ef_node *node, struct flash_handle *h, uint64_t addr, uint64_t len)
{
    h->filled = true;
    kernel_pages_behind(node);
    flash_note_written(node, h, addr, len);
}
