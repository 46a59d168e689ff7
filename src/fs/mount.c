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
static mode_t possible(const struct ef_mount *m, enum ef_guard_op op, uint64_t end, mode_t bit)
{
    if (op != EF_GUARD_READ && m->read_only)
        return 0;
    return ef_guard_check_all(&m->session->guard, op, end) == EF_OK ? bit : 0;
}

mode_t ef_mount_mode(const struct ef_mount *m, uint64_t end)
{
    return possible(m, EF_GUARD_READ, end, S_IRUSR) | possible(m, EF_GUARD_WRITE, end, S_IWUSR);
}

void ef_mount_init(struct ef_mount *m, struct ef_session *session, struct ef_log *log,
                   bool read_only)
{
    memset(m, 0, sizeof(*m));
    m->session = session;
    m->log = log;
    m->read_only = read_only;
    pthread_mutex_init(&m->lock, NULL);
    ef_progress_init(&m->progress);
    clock_gettime(CLOCK_REALTIME, &m->started);
    bool flash = session->no_flash_why == NULL;
    bool blind = session->guard.secure_download;
    uint64_t size = session->flash_size;
    mode_t erase = S_IRUSR | possible(m, EF_GUARD_ERASE, size, S_IWUSR);
    mode_t rw = ef_mount_mode(m, size);
    /* Pages would be filled by reads before they are written in part. */
    m->node[EF_NODE_FLASH] = make_node(m, "flash.bin", &EF_FLASH_NODE, rw, blind, flash);
    m->node[EF_NODE_FLASH].len = size;
    m->node[EF_NODE_INFO] = make_node(m, "info.txt", &EF_INFO_NODE, S_IRUSR, true, true);
    m->node[EF_NODE_STATUS] = make_node(m, "status.txt", &EF_STATUS_NODE, S_IRUSR, true, true);
    m->node[EF_NODE_MD5] =
        make_node(m, "flash.md5", &EF_MD5_NODE, possible(m, EF_GUARD_READ, size, S_IRUSR), true,
                  flash && !blind);
    m->node[EF_NODE_MD5].follows = true;
    m->node[EF_NODE_MAP] = make_node(m, "map.txt", &EF_MAP_NODE, S_IRUSR, true, flash);
    m->node[EF_NODE_MAP].follows = true;
    /* See ef_parts_new. */
    m->node[EF_NODE_CSV] = make_node(m, "partitions.csv", &EF_CSV_NODE, S_IRUSR, true, false);
    m->node[EF_NODE_CSV].follows = true;
    m->node[EF_NODE_ERASE] = make_node(m, "erase", &EF_ERASE_NODE, erase, true, flash && !blind);
}
