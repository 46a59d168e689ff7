#include "flash_handle.h"

#include "espflashfs/parts.h"

#include <errno.h>

int flash_check_place(struct ef_node *node)
{
    if (ef_part_fate(node) == EF_PART_THERE)
        return 0;
    ef_log(node->mount->log, EF_LOG_ERROR,
           "%s: a write refused: the partition table has no such partition there any more: open "
           "the file again",
           node->name);
    return -ESTALE;
}

void flash_note_written(struct flash_handle *h, uint64_t addr, uint64_t len)
{
    bool first = h->lo == h->hi;
    h->lo = first || addr < h->lo ? addr : h->lo;
    h->hi = first || addr + len > h->hi ? addr + len : h->hi;
}
