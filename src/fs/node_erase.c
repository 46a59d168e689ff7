/* erase: what is written is done, and has failed or succeeded when write(2) returns. */
#include "erase_range.h"
#include "text_handle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *erase_text(struct ef_mount *m)
{
    char *text = NULL;
    pthread_mutex_lock(&m->lock);
    int n =
        asprintf(&text,
                 "Write one line to this file to erase flash; it returns when the chip is done.\n"
                 "  echo all > erase           the whole flash, %u bytes\n"
                 "  echo 0x10000 64k > erase   OFFSET LENGTH, multiples of 4096 bytes\n"
                 "Numbers: decimal or 0x hex; k and M stand for 1024 and 1048576 bytes.\n%s%s%s",
                 (unsigned)m->session->flash_size, m->last_error[0] ? "Last refusal: " : "",
                 m->last_error, m->last_error[0] ? "\n" : "");
    pthread_mutex_unlock(&m->lock);
    return n < 0 ? NULL : text;
}

static uint64_t erase_size(struct ef_node *node)
{
    char *text = erase_text(node->mount);
    uint64_t size = text ? strlen(text) : 0;
    free(text);
    return size;
}

static int erase_open(struct ef_node *node, int flags, void **handle)
{
    struct ef_mount *m = node->mount;
    bool writer = (flags & O_ACCMODE) != O_RDONLY;
    if (writer && m->read_only)
        return -EROFS;
    if (writer && ef_guard_check_all(&m->session->guard, EF_GUARD_ERASE, m->session->flash_size))
        return ef_erase_refuse_guarded(m, node->name);
    return ef_text_handle_open(erase_text(m), handle);
}

static ssize_t erase_write(struct ef_node *node, void *handle, const uint8_t *buf, size_t len,
                           uint64_t off, struct ef_patience patience)
{
    (void)handle;
    (void)off;
    struct ef_mount *m = node->mount;
    struct ef_erase_request request;
    char why[sizeof(m->last_error)];
    enum ef_err err =
        ef_erase_parse((const char *)buf, len, m->session->flash_size, &request, why, sizeof(why));
    if (err != EF_OK) {
        ef_erase_remember(m, why);
        return -ef_err_to_errno(err);
    }
    int rc = ef_erase_range(m, node->name, request.off, request.len, patience);
    return rc == 0 ? (ssize_t)len : rc;
}

/* The shell truncates before it writes. */
static int erase_truncate(struct ef_node *node, void *handle, uint64_t size,
                          struct ef_patience patience)
{
    (void)node;
    (void)handle;
    (void)size;
    (void)patience;
    return 0;
}

const struct ef_node_ops EF_ERASE_NODE = {.size = erase_size,
                                          .open = erase_open,
                                          .read = ef_text_handle_read,
                                          .write = erase_write,
                                          .truncate = erase_truncate,
                                          .release = ef_text_handle_release};
