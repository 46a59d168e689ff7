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
    mode_t rw = read_only ? S_IRUSR : S_IRUSR | S_IWUSR;
    m->node[EF_NODE_FLASH] = make_node(m, "flash.bin", &EF_FLASH_NODE, rw, false, flash);
    m->node[EF_NODE_INFO] = make_node(m, "info.txt", &EF_INFO_NODE, S_IRUSR, true, true);
    m->node[EF_NODE_ERASE] = make_node(m, "erase", &EF_ERASE_NODE, rw, true, flash);
}
