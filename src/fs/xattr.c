#include "xattr.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static const char MD5_NAME[] = "user.md5";

static bool is_md5(const struct ef_node *node, const char *name)
{
    return node && strcmp(name, MD5_NAME) == 0 && ef_node_has_md5(node);
}

/* Access lists belong to the kernel, which takes this for: there are none here. */
static bool is_systems(const char *name)
{
    return strncmp(name, "system.", strlen("system.")) == 0;
}

int ef_xattr_get(struct ef_node *node, const char *name, char *value, size_t size,
                 struct ef_patience patience)
{
    char hex[EF_MD5_HEX + 1];
    if (is_systems(name))
        return -EOPNOTSUPP;
    if (!is_md5(node, name))
        return -ENODATA;
    if (size == 0)
        return EF_MD5_HEX;
    if (size < EF_MD5_HEX)
        return -ERANGE;
    int rc = ef_node_md5(node, hex, patience);
    if (rc != 0)
        return rc;
    memcpy(value, hex, EF_MD5_HEX);
    return EF_MD5_HEX;
}

int ef_xattr_list(struct ef_node *node, char *list, size_t size)
{
    if (!is_md5(node, MD5_NAME))
        return 0;
    if (size == 0)
        return (int)sizeof(MD5_NAME);
    if (size < sizeof(MD5_NAME))
        return -ERANGE;
    memcpy(list, MD5_NAME, sizeof(MD5_NAME));
    return (int)sizeof(MD5_NAME);
}

static bool is_hex(const char *value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!isxdigit((unsigned char)value[i]))
            return false;
    return size == EF_MD5_HEX;
}

int ef_xattr_set(struct ef_node *node, const char *name, const char *value, size_t size)
{
    if (!is_md5(node, name))
        return -EOPNOTSUPP;
    return is_hex(value, size) ? 0 : -EPERM;
}

int ef_xattr_remove(struct ef_node *node, const char *name)
{
    if (is_systems(name))
        return -EOPNOTSUPP;
    return is_md5(node, name) ? 0 : -ENODATA;
}
