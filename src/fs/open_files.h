/* What is open on the mount, and which open an O_TRUNC belongs to. Private to src/fs. Any thread.
 */
#ifndef ESPFLASHFS_OPEN_FILES_H
#define ESPFLASHFS_OPEN_FILES_H

#include "espflashfs/node.h"

/* An open file: its node and the node's handle. */
struct open_file {
    struct ef_node *node; /* found, and put back when the file is released */
    void *handle;
    pid_t opener;        /* the thread, or 0 */
    bool fresh;          /* nothing else has come from that thread since it opened the file */
    struct ef_task task; /* how far it is: see watched.h */
    struct open_file *next, **link;
};

struct open_files {
    pthread_mutex_t lock;
    struct open_file *newest;
};

void open_files_init(struct open_files *files);

/* Releases what is still open: of that, when the mount ends, the kernel tells nothing. */
void open_files_free(struct open_files *files);

void open_files_add(struct open_files *files, struct open_file *file);
void open_files_release(struct open_files *files, struct open_file *file);

/* True where somebody has `node` open, or mapped. */
bool open_files_has(struct open_files *files, const struct ef_node *node);

/* `caller` goes on to something else than the O_TRUNC of its last open. */
void open_files_forget_fresh(struct open_files *files, pid_t caller);

/*
 * The O_TRUNC of an open comes right behind it, as a truncate to 0 without a handle (see
 * front_init): it means the file that this thread has just opened. A truncate(2) by path
 * comes behind a look-up, and so behind a getattr.
 */
void open_files_mark_replacing(struct open_files *files, const struct ef_node *node, pid_t caller);

#endif
