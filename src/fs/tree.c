#include "tree.h"

#include "espflashfs/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char FOLDER[] = "/" EF_PARTS_FOLDER;

bool ef_tree_is_folder(const struct ef_mount *m, const char *path)
{
    return strcmp(path, "/") == 0 || (m->parts && strcmp(path, FOLDER) == 0);
}

/* NULL, or the name of what is inside partitions/. */
static const char *part_name(const struct ef_mount *m, const char *path)
{
    size_t len = sizeof(FOLDER) - 1;
    bool inside = m->parts && strncmp(path, FOLDER, len) == 0 && path[len] == '/';
    return inside ? path + len + 1 : NULL;
}

int ef_tree_find(struct ef_mount *m, const char *path, struct ef_patience patience,
                 struct ef_node **node)
{
    const char *name = part_name(m, path);
    *node = NULL;
    if (name) {
        ef_parts_refresh(m);
        *node = ef_parts_find(m, name);
        int rc = *node ? 0 : ef_parts_settle(m, patience);
        if (rc != 0)
            return rc;
        if (!*node)
            *node = ef_parts_find(m, name);
    }
    for (int i = 0; i < EF_NODE_COUNT && !name; i++)
        if (m->node[i].present && strcmp(path + 1, m->node[i].name) == 0)
            *node = &m->node[i];
    return *node ? 0 : -ENOENT;
}

static int list_parts(struct ef_mount *m, struct ef_patience patience,
                      void (*each)(void *user, const char *name), void *user)
{
    int rc = ef_parts_settle(m, patience);
    struct ef_partition *list = rc == 0 ? calloc(EF_PARTS_MAX, sizeof(*list)) : NULL;
    if (!list)
        return rc == 0 ? -ENOMEM : rc;
    unsigned count = ef_parts_copy(m, list);
    for (unsigned i = 0; i < count; i++)
        each(user, list[i].name);
    free(list);
    return 0;
}

int ef_tree_list(struct ef_mount *m, const char *path, struct ef_patience patience,
                 void (*each)(void *user, const char *name), void *user)
{
    if (!ef_tree_is_folder(m, path))
        return -ENOTDIR;
    if (strcmp(path, "/") != 0)
        return list_parts(m, patience, each, user);
    /* Who looks around is likely to go on there. */
    ef_parts_refresh(m);
    for (int i = 0; i < EF_NODE_COUNT; i++)
        if (m->node[i].present)
            each(user, m->node[i].name);
    if (m->parts)
        each(user, EF_PARTS_FOLDER);
    return 0;
}
