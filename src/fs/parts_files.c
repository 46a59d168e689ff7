/* The files of partitions/, and who holds them. */
#include "kernel_pages.h"
#include "parts_private.h"

#include "espflashfs/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_node(struct ef_parts *p, struct ef_part *part)
{
    struct ef_mount *m = p->mount;
    part->node = (struct ef_node){.name = part->is.name,
                                  .folder = EF_PARTS_FOLDER,
                                  .ops = &EF_FLASH_NODE,
                                  .mount = m,
                                  .mode = ef_mount_mode(m, (uint64_t)part->is.addr + part->is.len),
                                  .direct_io = m->session->guard.secure_download,
                                  .present = true,
                                  .base = part->is.addr,
                                  .len = part->is.len};
}

void ef_parts_init_fixed(struct ef_parts *p, int which, const char *label, uint32_t addr,
                         uint32_t len)
{
    struct ef_part *part = &p->fixed[which];
    part->fixed = true;
    part->is =
        (struct ef_partition){.type = which == EF_FIXED_TABLE ? EF_PART_TABLE : EF_PART_BOOTLOADER,
                              .addr = addr,
                              .len = len};
    snprintf(part->is.label, sizeof(part->is.label), "%s", label);
    snprintf(part->is.name, sizeof(part->is.name), "%s.bin", label);
    set_node(p, part);
}

static bool same_place(const struct ef_partition *a, const struct ef_partition *b)
{
    return a->addr == b->addr && a->len == b->len;
}

/* The table may have an entry for the very file. */
static bool is_in(const struct ef_partition_table *table, const struct ef_partition *is)
{
    for (unsigned i = 0; i < table->count; i++)
        if (same_place(&table->partition[i], is) &&
            strcmp(table->partition[i].label, is->label) == 0)
            return true;
    return false;
}

static struct ef_part *find_same(struct ef_parts *p, const struct ef_partition *is)
{
    for (int i = 0; i < EF_FIXED_COUNT; i++)
        if (same_place(&p->fixed[i].is, is) && strcmp(p->fixed[i].is.name, is->name) == 0)
            return &p->fixed[i];
    for (struct ef_part *part = p->all; part; part = part->next)
        if (same_place(&part->is, is) && strcmp(part->is.name, is->name) == 0)
            return part;
    return NULL;
}

/* NULL without memory: then it is not listed. */
static struct ef_part *find_or_make(struct ef_parts *p, const struct ef_partition *is)
{
    struct ef_part *part = find_same(p, is);
    if (part) {
        /* The node's name is this one's, in place. */
        part->is.type = is->type;
        part->is.subtype = is->subtype;
        part->is.flags = is->flags;
        memcpy(part->is.label, is->label, sizeof(is->label));
        return part;
    }
    part = calloc(1, sizeof(*part));
    if (!part)
        return NULL;
    part->is = *is;
    set_node(p, part);
    part->next = p->all;
    p->all = part;
    return part;
}

static void list(struct ef_parts *p, struct ef_part *part)
{
    part->listed = true;
    p->list[p->count++] = part;
}

static struct ef_part *find_listed(struct ef_parts *p, const char *name)
{
    for (unsigned i = 0; i < p->count; i++)
        if (strcmp(p->list[i]->is.name, name) == 0)
            return p->list[i];
    return NULL;
}

/* What is listed no more is kept for those who hold it, and learns what became of it. */
static void sort_out(struct ef_parts *p)
{
    for (struct ef_part **link = &p->all; *link;) {
        struct ef_part *part = *link;
        part->fate = EF_PART_THERE;
        if (!part->listed)
            part->fate = find_listed(p, part->is.name) ? EF_PART_REPLACED : EF_PART_GONE;
        if (part->listed || part->refs > 0) {
            link = &part->next;
        } else {
            *link = part->next;
            free(part);
        }
    }
}

void ef_parts_set_files(struct ef_parts *p, struct ef_partition_table *table)
{
    const char *taken[EF_FIXED_COUNT];
    size_t taken_count = 0;
    for (unsigned i = 0; i < p->count; i++)
        p->list[i]->listed = false;
    p->count = 0;
    for (int i = 0; i < EF_FIXED_COUNT; i++) {
        struct ef_part *part = &p->fixed[i];
        if (!p->readable || part->is.len == 0 || is_in(table, &part->is))
            continue;
        taken[taken_count++] = part->is.name;
        list(p, part);
    }
    ef_partition_name(table, taken, taken_count);
    for (unsigned i = 0; i < table->count; i++) {
        struct ef_part *part = find_or_make(p, &table->partition[i]);
        if (part)
            list(p, part);
    }
    sort_out(p);
}

struct ef_node *ef_parts_find(struct ef_mount *m, const char *name)
{
    struct ef_parts *p = m->parts;
    if (!p)
        return NULL;
    pthread_mutex_lock(&p->lock);
    struct ef_part *part = find_listed(p, name);
    if (part)
        part->refs++;
    pthread_mutex_unlock(&p->lock);
    return part ? &part->node : NULL;
}

static struct ef_part *part_of(struct ef_node *node)
{
    return (struct ef_part *)((char *)node - offsetof(struct ef_part, node));
}

void ef_node_put(struct ef_node *node)
{
    if (!node || !node->folder)
        return;
    struct ef_parts *p = node->mount->parts;
    pthread_mutex_lock(&p->lock);
    if (--part_of(node)->refs == 0)
        sort_out(p);
    pthread_mutex_unlock(&p->lock);
}

enum ef_part_fate ef_part_fate(struct ef_node *node)
{
    if (!node->folder)
        return EF_PART_THERE;
    struct ef_parts *p = node->mount->parts;
    ef_parts_refresh(node->mount);
    pthread_mutex_lock(&p->lock);
    enum ef_part_fate fate = part_of(node)->fate;
    pthread_mutex_unlock(&p->lock);
    return fate;
}

enum { SHARERS_MAX = EF_PARTS_MAX + 1 };

/* The files, but `by`, that have bytes of [addr, addr+len); to be put back. Returns how many. */
static unsigned find_sharers(struct ef_mount *m, const struct ef_node *by, uint64_t addr,
                             uint64_t len, struct ef_node *found[SHARERS_MAX])
{
    unsigned count = 0;
    struct ef_parts *p = m->parts;
    if (by != &m->node[EF_NODE_FLASH])
        found[count++] = &m->node[EF_NODE_FLASH];
    if (!p)
        return count;
    pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->count; i++) {
        struct ef_part *part = p->list[i];
        if (&part->node == by || part->is.addr >= addr + len ||
            addr >= (uint64_t)part->is.addr + part->is.len)
            continue;
        part->refs++;
        found[count++] = &part->node;
    }
    pthread_mutex_unlock(&p->lock);
    return count;
}

void ef_parts_behind(struct ef_mount *m, const struct ef_node *by, uint64_t addr, uint64_t len)
{
    struct ef_node *found[SHARERS_MAX];
    unsigned count = find_sharers(m, by, addr, len, found);
    for (unsigned i = 0; i < count; i++) {
        kernel_pages_behind(found[i]);
        ef_node_put(found[i]);
    }
}

/* The lock is not held meanwhile: the kernel may wait for requests that want it. */
void ef_parts_drop_pages(struct ef_mount *m, const struct ef_node *by, uint64_t addr, uint64_t len)
{
    struct ef_node *found[SHARERS_MAX];
    unsigned count = find_sharers(m, by, addr, len, found);
    for (unsigned i = 0; i < count; i++) {
        m->invalidate(m, found[i]);
        ef_node_put(found[i]);
    }
}
