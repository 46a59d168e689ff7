#include "text_handle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ef_text_handle_open(char *text, void **handle)
{
    *handle = text;
    return text ? 0 : -ENOMEM;
}

ssize_t ef_text_handle_read(struct ef_node *node, void *handle, uint8_t *buf, size_t len,
                            uint64_t off, struct ef_patience patience)
{
    (void)node;
    (void)patience;
    const char *text = handle;
    size_t total = strlen(text);
    if (off >= total)
        return 0;
    size_t n = total - (size_t)off < len ? total - (size_t)off : len;
    memcpy(buf, text + off, n);
    return (ssize_t)n;
}

void ef_text_handle_release(struct ef_node *node, void *handle)
{
    (void)node;
    free(handle);
}
