/* Text files: the text is made at open and does not change under a reader. Private to src/fs. */
#ifndef ESPFLASHFS_TEXT_HANDLE_H
#define ESPFLASHFS_TEXT_HANDLE_H

#include "espflashfs/node.h"

/* Takes `text` (malloc'ed, may be NULL) over into a handle. 0 or -ENOMEM. */
int ef_text_handle_open(char *text, void **handle);
ssize_t ef_text_handle_read(struct ef_node *node, void *handle, uint8_t *buf, size_t len,
                            uint64_t off, struct ef_patience patience);
void ef_text_handle_release(struct ef_node *node, void *handle);

#endif
