/* partitions.csv: the table in the words of ESP-IDF's generator. */
#include "text_handle.h"

#include "espflashfs/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* Of what is known: `ls` waits for nothing. */
static uint64_t csv_size(struct ef_node *node)
{
    ef_parts_refresh(node->mount);
    char *text = ef_parts_csv_text(node->mount);
    uint64_t size = text ? strlen(text) : 0;
    free(text);
    return size;
}

static int csv_settle(struct ef_node *node, int flags, struct ef_patience patience)
{
    (void)flags;
    return ef_parts_settle(node->mount, patience);
}

static int csv_open(struct ef_node *node, int flags, void **handle)
{
    if ((flags & O_ACCMODE) != O_RDONLY)
        return -EACCES;
    return ef_text_handle_open(ef_parts_csv_text(node->mount), handle);
}

const struct ef_node_ops EF_CSV_NODE = {.size = csv_size,
                                        .settle = csv_settle,
                                        .open = csv_open,
                                        .read = ef_text_handle_read,
                                        .release = ef_text_handle_release};
