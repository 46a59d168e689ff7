/* erase: what is written is done, and has failed or succeeded when write(2) returns. */
#include "erase_range.h"
#include "text_handle.h"

#include "espflashfs/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char HOW[] =
    "Write one line to this file to erase flash; it returns when the chip is done.\n"
    "  echo all > erase           the whole flash, %u bytes\n"
    "  echo 0x10000 64k > erase   OFFSET LENGTH, multiples of 4096 bytes\n%s"
    "Numbers: decimal or 0x hex; k and M stand for 1024 and 1048576 bytes.\n";

static const char HOW_NAMED[] =
    "  echo nvs > erase           a partition: its label, or its file in partitions/; one with\n"
    "                             the label `all`, or a number, by its file: all.bin\n";

static void print_names(FILE *out, struct ef_mount *m)
{
    char state[EF_PARTS_STATE_MAX];
    struct ef_partition *list = calloc(EF_PARTS_MAX, sizeof(*list));
    if (!list)
        return;
    ef_parts_refresh(m);
    ef_parts_state_text(m, state);
    unsigned count = ef_parts_copy(m, list);
    fprintf(out, "Partitions: %s\n", state);
    for (unsigned i = 0; i < count; i++)
        fprintf(out, "  %s\n", list[i].name);
    free(list);
}

static char *erase_text(struct ef_mount *m)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    fprintf(out, HOW, (unsigned)m->session->flash_size, m->parts ? HOW_NAMED : "");
    if (m->parts)
        print_names(out, m);
    pthread_mutex_lock(&m->lock);
    if (m->last_error[0])
        fprintf(out, "Last refusal: %s\n", m->last_error);
    pthread_mutex_unlock(&m->lock);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
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

/* EF_MISSING: it is no partition's name. */
static enum ef_err find_partition(struct ef_mount *m, const char *text, size_t len,
                                  struct ef_erase_request *request, char *why, size_t cap)
{
    struct ef_partition *list = calloc(EF_PARTS_MAX, sizeof(*list));
    if (!list)
        return EF_NOMEM;
    unsigned count = ef_parts_copy(m, list);
    enum ef_err err = ef_erase_named(text, len, list, count, request, why, cap);
    free(list);
    return err;
}

static ssize_t erase_write(struct ef_node *node, void *handle, const uint8_t *buf, size_t len,
                           uint64_t off, struct ef_patience patience)
{
    (void)handle;
    (void)off;
    struct ef_mount *m = node->mount;
    struct ef_erase_request request;
    const char *text = (const char *)buf;
    char why[sizeof(m->last_error)] = "erase: the host is out of memory: nothing was erased";
    enum ef_err err = EF_MISSING;
    if (m->parts && ef_erase_may_be_name(text, len)) {
        int rc = ef_parts_confirm(m, patience);
        if (rc != 0)
            return rc;
        err = find_partition(m, text, len, &request, why, sizeof(why));
    }
    if (err == EF_MISSING)
        err = ef_erase_parse(text, len, m->session->flash_size, &request, why, sizeof(why));
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
