#include "front_xattr.h"

#include "front_private.h"
#include "tree.h"
#include "xattr.h"

#include "espflashfs/parts.h"

/* The node at `path`, to be put back; NULL for what is none, a folder for instance. */
static struct ef_node *find_node(const char *path)
{
    struct ef_node *node;
    ef_tree_find(front_mount(), path, front_patience(), &node);
    return node;
}

int front_getxattr(const char *path, const char *name, char *value, size_t size)
{
    struct ef_node *node = find_node(path);
    int rc = ef_xattr_get(node, name, value, size, front_patience());
    ef_node_put(node);
    return rc;
}

int front_listxattr(const char *path, char *list, size_t size)
{
    struct ef_node *node = find_node(path);
    int rc = ef_xattr_list(node, list, size);
    ef_node_put(node);
    return rc;
}

int front_setxattr(const char *path, const char *name, const char *value, size_t size, int flags)
{
    struct ef_node *node = find_node(path);
    (void)flags;
    int rc = ef_xattr_set(node, name, value, size);
    ef_node_put(node);
    return rc;
}

int front_removexattr(const char *path, const char *name)
{
    struct ef_node *node = find_node(path);
    int rc = ef_xattr_remove(node, name);
    ef_node_put(node);
    return rc;
}
