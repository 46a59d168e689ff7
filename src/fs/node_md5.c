/*
 * flash.md5: a line as md5sum prints it, computed by the chip when it is first read.
 *
 * md5sum -c looks for a name from where it runs, so the line has the whole path.
 */
#include "espflashfs/node.h"

#include "espflashfs/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct handle {
    pthread_mutex_t lock; /* never held while the chip works */
    char *line;           /* NULL: not read yet */
};

bool ef_node_has_md5(const struct ef_node *node)
{
    const struct ef_guard *guard = &node->mount->session->guard;
    return node->mount->cache && node->len > 0 && !guard->secure_download &&
           ef_guard_check(guard, EF_GUARD_READ, node->base, node->len) == EF_OK;
}

int ef_node_md5(struct ef_node *node, char hex[EF_MD5_HEX + 1], struct ef_patience patience)
{
    struct ef_mount *m = node->mount;
    uint8_t md5[EF_DIGEST_BYTES];
    if (!ef_node_has_md5(node))
        return -ENODATA;
    enum ef_err err = ef_cache_md5(m->cache, node->base, node->len, md5, patience);
    if (err == EF_BUSY)
        ef_log(m->log, EF_LOG_WARN,
               "MD5 of %s: it is written to all the time: ask again when the writer is done",
               node->name);
    else if (err == EF_UNSUPPORTED)
        ef_log(m->log, EF_LOG_WARN, "MD5 of %s: this loader computes none: md5sum can, by reading",
               node->name);
    ef_text_hex(hex, md5, err == EF_OK ? EF_DIGEST_BYTES : 0);
    return -ef_err_to_errno(err);
}

/* As md5sum does: then the line begins with a backslash. 0: it stands as it is. */
static char escape_of(char c)
{
    switch (c) {
    case '\\':
        return '\\';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    default:
        return '\0';
    }
}

static char *line_of(const struct ef_mount *m, const char *hex)
{
    const char *folder = m->path[0] ? m->path : "";
    char name[2 * PATH_MAX + 1];
    size_t n = 0;
    bool escaped = false;
    for (const char *c = folder; *c; c++) {
        char escape = escape_of(*c);
        escaped = escaped || escape;
        if (escape)
            name[n++] = '\\';
        name[n] = *c;
        if (escape)
            name[n] = escape;
        n++;
    }
    name[n] = '\0';
    char *line = NULL;
    int rc = asprintf(&line, "%s%s  %s%s%s\n", escaped ? "\\" : "", hex, name, n > 0 ? "/" : "",
                      m->node[EF_NODE_FLASH].name);
    return rc < 0 ? NULL : line;
}

/* Told without the chip: the digits are always as many. */
static uint64_t md5_size(struct ef_node *node)
{
    static const char ZEROS[] = "00000000000000000000000000000000";
    char *line = line_of(node->mount, ZEROS);
    uint64_t size = line ? strlen(line) : 0;
    free(line);
    return size;
}

static int md5_open(struct ef_node *node, int flags, void **out)
{
    const struct ef_node *flash = &node->mount->node[EF_NODE_FLASH];
    const struct ef_guard *guard = &node->mount->session->guard;
    if ((flags & O_ACCMODE) != O_RDONLY)
        return -EACCES;
    if (ef_guard_check(guard, EF_GUARD_READ, flash->base, flash->len) != EF_OK) {
        ef_log(node->mount->log, EF_LOG_ERROR, "%s: reading refused: %s", node->name,
               ef_guard_reason(guard, EF_GUARD_READ));
        return -ef_err_to_errno(EF_GUARDED);
    }
    struct handle *h = calloc(1, sizeof(*h));
    if (!h)
        return -ENOMEM;
    pthread_mutex_init(&h->lock, NULL);
    *out = h;
    return 0;
}

/* What one reader is given is of one moment: the line is made once, by the first read. */
static int make_line(struct ef_node *node, struct handle *h, struct ef_patience patience)
{
    char hex[EF_MD5_HEX + 1];
    pthread_mutex_lock(&h->lock);
    bool made = h->line != NULL;
    pthread_mutex_unlock(&h->lock);
    if (made)
        return 0;
    int rc = ef_node_md5(&node->mount->node[EF_NODE_FLASH], hex, patience);
    char *line = rc == 0 ? line_of(node->mount, hex) : NULL;
    if (!line)
        return rc == 0 ? -ENOMEM : rc;
    pthread_mutex_lock(&h->lock);
    if (!h->line) {
        h->line = line;
        line = NULL;
    }
    pthread_mutex_unlock(&h->lock);
    free(line);
    return 0;
}

static ssize_t md5_read(struct ef_node *node, void *handle, uint8_t *buf, size_t len, uint64_t off,
                        struct ef_patience patience)
{
    struct handle *h = handle;
    int rc = make_line(node, h, patience);
    if (rc != 0)
        return rc;
    size_t size = strlen(h->line);
    if (off >= size)
        return 0;
    size_t n = size - (size_t)off < len ? size - (size_t)off : len;
    memcpy(buf, h->line + off, n);
    return (ssize_t)n;
}

static void md5_release(struct ef_node *node, void *handle)
{
    struct handle *h = handle;
    (void)node;
    pthread_mutex_destroy(&h->lock);
    free(h->line);
    free(h);
}

const struct ef_node_ops EF_MD5_NODE = {
    .size = md5_size, .open = md5_open, .read = md5_read, .release = md5_release};
