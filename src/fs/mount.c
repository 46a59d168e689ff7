#include "espflashfs/node.h"

#include <string.h>

static struct ef_node make_node(struct ef_mount *m, const char *name, const struct ef_node_ops *ops,
                                mode_t mode, bool direct_io, bool present)
{
    return (struct ef_node){.name = name,
                            .ops = ops,
                            .mount = m,
                            .mode = mode,
                            .direct_io = direct_io,
                            .present = present};
}

/* `bit` where `op` can succeed anywhere on this board: permission bits say what open(2) will. */
static mode_t possible(const struct ef_mount *m, enum ef_guard_op op, mode_t bit)
{
    const struct ef_session *s = m->session;
    if (op != EF_GUARD_READ && m->read_only)
        return 0;
    return ef_guard_check_all(&s->guard, op, s->flash_size) == EF_OK ? bit : 0;
}

void ef_mount_init(struct ef_mount *m, struct ef_session *session, struct ef_log *log,
                   bool read_only)
{
    memset(m, 0, sizeof(*m));
    m->session = session;
    m->log = log;
    m->read_only = read_only;
    pthread_mutex_init(&m->lock, NULL);
    clock_gettime(CLOCK_REALTIME, &m->started);
    bool flash = session->no_flash_why == NULL;
    bool blind = session->guard.secure_download;
    mode_t erase = S_IRUSR | possible(m, EF_GUARD_ERASE, S_IWUSR);
    mode_t rw = possible(m, EF_GUARD_READ, S_IRUSR) | possible(m, EF_GUARD_WRITE, S_IWUSR);
    /* Pages would be filled by reads before they are written in part. */
    m->node[EF_NODE_FLASH] = make_node(m, "flash.bin", &EF_FLASH_NODE, rw, blind, flash);
    m->node[EF_NODE_FLASH].len = session->flash_size;
    m->node[EF_NODE_INFO] = make_node(m, "info.txt", &EF_INFO_NODE, S_IRUSR, true, true);
    m->node[EF_NODE_STATUS] = make_node(m, "status.txt", &EF_STATUS_NODE, S_IRUSR, true, true);
    m->node[EF_NODE_MD5] = make_node(m, "flash.md5", &EF_MD5_NODE,
                                     possible(m, EF_GUARD_READ, S_IRUSR), true, flash && !blind);
    m->node[EF_NODE_MD5].follows = true;
    m->node[EF_NODE_MAP] = make_node(m, "map.txt", &EF_MAP_NODE, S_IRUSR, true, flash);
    m->node[EF_NODE_MAP].follows = true;
    m->node[EF_NODE_ERASE] = make_node(m, "erase", &EF_ERASE_NODE, erase, true, flash && !blind);
}
