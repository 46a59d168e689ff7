#include "espflashfs/front.h"

#include "callers.h"
#include "front_notices.h"
#include "front_private.h"
#include "front_refuse.h"
#include "front_xattr.h"
#include "kernel_pages.h"
#include "open_files.h"
#include "tree.h"
#include "watched.h"

#include "espflashfs/bytes.h"
#include "espflashfs/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    TRANSFER_MAX = 128 * 1024, /* one request: 11 s at 115200 baud, where 1 MiB would be 91 s */
    THREADS_MAX = 256,         /* each reader who waits for the line holds one */
    THREADS_IDLE = 8
};

struct ef_front {
    struct fuse *fuse;
    struct ef_mount *mount;
    bool mounted;
    bool handles_signals;
    bool over; /* the loop has ended: whoever asks now is not waited for */
    struct open_files files;
    struct front_notices notices;
};

struct ef_mount *front_mount(void)
{
    return fuse_get_context()->private_data;
}

static struct open_files *open_files(void)
{
    struct ef_front *front = front_mount()->front;
    return &front->files;
}

/* A caller leaves by a signal, or because the mount ends. */
static bool interrupted(void *user)
{
    struct ef_front *front = user;
    return fuse_interrupted() || front->over || fuse_session_exited(fuse_get_session(front->fuse));
}

struct ef_patience front_patience(void)
{
    return (struct ef_patience){.interrupted = interrupted, .user = front_mount()->front};
}

/*
 * The kernel also reads ahead in a reader's name, and takes none of that back when the reader
 * is to leave: it would keep the line busy for seconds. Nor does a program that has a handler
 * for the signal hear it before these pages have come, or failed.
 */
static bool abandoned(void *user)
{
    return interrupted(user) || caller_leaves(fuse_get_context()->pid);
}

static struct ef_patience reader_patience(void)
{
    return (struct ef_patience){.interrupted = abandoned, .user = front_mount()->front};
}

/*
 * A close that returned EINTR would pass for done: dd tries again, gets EBADF, and ends with
 * status 0. So it waits, unless the mount ends or nobody is left to be told.
 */
static bool nobody_waits(void *user)
{
    struct ef_front *front = user;
    return fuse_session_exited(fuse_get_session(front->fuse)) ||
           caller_is_dying(fuse_get_context()->pid);
}

static struct open_file *opened(const struct fuse_file_info *fi)
{
    return (struct open_file *)(uintptr_t)fi->fh; // NOLINT(performance-no-int-to-ptr): libfuse's
}

static void stat_folder(struct stat *st, const char *path)
{
    bool top = strcmp(path, "/") == 0;
    st->st_mode = S_IFDIR | S_IRUSR | S_IXUSR;
    st->st_nlink = top && front_mount()->parts ? 3 : 2;
}

static bool drop_pages(struct ef_front *front, const struct ef_node *node)
{
    char path[NOTICE_PATH_MAX];
    snprintf(path, sizeof(path), "%s%s/%s", node->folder ? "/" : "",
             node->folder ? node->folder : "", node->name);
    return front_notices_send(&front->notices, path);
}

static struct timespec mtime_of(struct ef_node *node)
{
    struct ef_mount *m = front_mount();
    struct ef_cache_state state = ef_cache_state(m->cache);
    uint64_t falls;
    bool behind = kernel_pages_are_behind(node, &state, &falls);
    if (behind && (node->direct_io || drop_pages(m->front, node)))
        kernel_pages_dropped(node, falls, ef_clock_now_ms());
    return kernel_pages_mtime(node, state.changed, ef_clock_now_ms());
}

static void stat_node(struct stat *st, struct ef_node *node)
{
    struct ef_mount *m = front_mount();
    if (m->cache && (node->len > 0 || node->follows))
        st->st_mtim = st->st_ctim = mtime_of(node);
    st->st_mode = S_IFREG | node->mode;
    st->st_nlink = 1;
    st->st_size = (off_t)node->ops->size(node);
    /* cp looks for holes only where blocks are fewer than the size tells. */
    uint64_t holes = node->ops->zeros ? node->ops->zeros(node) : 0;
    st->st_blocks = (st->st_size - (off_t)holes + 511) / 512;
}

/* An open file is what it was, whatever has its name by now. */
static int stat_opened(struct stat *st, struct open_file *file)
{
    if (ef_part_fate(file->node) == EF_PART_REPLACED)
        return -ESTALE;
    stat_node(st, file->node);
    return 0;
}

static int front_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
    struct ef_mount *m = front_mount();
    open_files_forget_fresh(open_files(), fuse_get_context()->pid);
    memset(st, 0, sizeof(*st));
    st->st_uid = getuid();
    st->st_gid = getgid();
    st->st_atim = st->st_mtim = st->st_ctim = m->started;
    if (fi)
        return stat_opened(st, opened(fi));
    if (ef_tree_is_folder(m, path)) {
        stat_folder(st, path);
        return 0;
    }
    struct ef_node *node;
    int rc = ef_tree_find(m, path, front_patience(), &node);
    if (rc != 0)
        return rc;
    stat_node(st, node);
    ef_node_put(node);
    return 0;
}

struct listing {
    void *buf;
    fuse_fill_dir_t fill;
};

static void list_entry(void *user, const char *name)
{
    struct listing *listing = user;
    listing->fill(listing->buf, name, NULL, 0, 0);
}

static int front_readdir(const char *path, void *buf, fuse_fill_dir_t fill, off_t off,
                         struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
    struct listing listing = {.buf = buf, .fill = fill};
    (void)off;
    (void)fi;
    (void)flags;
    list_entry(&listing, ".");
    list_entry(&listing, "..");
    return ef_tree_list(front_mount(), path, front_patience(), list_entry, &listing);
}

static int open_node(struct ef_node *node, struct fuse_file_info *fi)
{
    int rc = node->ops->settle ? node->ops->settle(node, fi->flags, front_patience()) : 0;
    struct open_file *file = rc == 0 ? calloc(1, sizeof(*file)) : NULL;
    if (!file)
        return rc == 0 ? -ENOMEM : rc;
    file->node = node;
    file->opener = fuse_get_context()->pid;
    file->fresh = (fi->flags & O_ACCMODE) != O_RDONLY;
    rc = node->ops->open(node, fi->flags, &file->handle);
    if (rc < 0) {
        free(file);
        return rc;
    }
    open_files_add(open_files(), file);
    fi->fh = (uintptr_t)file;
    fi->direct_io = node->direct_io;
    /* Dropping its pages would make open(2) wait, deaf to Ctrl-C, for a read-ahead on the line. */
    fi->keep_cache = !node->direct_io;
    return 0;
}

static int front_open(const char *path, struct fuse_file_info *fi)
{
    struct ef_node *node;
    int rc = ef_tree_find(front_mount(), path, front_patience(), &node);
    if (rc == 0)
        rc = open_node(node, fi);
    if (rc != 0)
        ef_node_put(node);
    return rc;
}

static int front_read(const char *path, char *buf, size_t len, off_t off, struct fuse_file_info *fi)
{
    struct open_file *file = opened(fi);
    (void)path;
    return (int)watched_read(file, (uint8_t *)buf, len, (uint64_t)off, reader_patience());
}

static int front_write(const char *path, const char *buf, size_t len, off_t off,
                       struct fuse_file_info *fi)
{
    struct open_file *file = opened(fi);
    (void)path;
    if (!file->node->ops->write)
        return -EACCES;
    return (int)watched_write(file, (const uint8_t *)buf, len, (uint64_t)off, front_patience());
}

static int truncate_path(struct ef_node *node, uint64_t size)
{
    if (!node->ops->truncate)
        return -EACCES;
    if (size == 0)
        open_files_mark_replacing(open_files(), node, fuse_get_context()->pid);
    return node->ops->truncate(node, NULL, size, front_patience());
}

static int front_truncate(const char *path, off_t size, struct fuse_file_info *fi)
{
    struct open_file *file = fi ? opened(fi) : NULL;
    if (file && !file->node->ops->truncate)
        return -EACCES;
    if (file)
        return file->node->ops->truncate(file->node, file->handle, (uint64_t)size,
                                         front_patience());
    struct ef_node *node;
    int rc = ef_tree_find(front_mount(), path, front_patience(), &node);
    if (rc == 0)
        rc = truncate_path(node, (uint64_t)size);
    ef_node_put(node);
    return rc;
}

static int front_flush(const char *path, struct fuse_file_info *fi)
{
    struct open_file *file = opened(fi);
    (void)path;
    struct ef_patience close_patience = {.interrupted = nobody_waits, .user = front_mount()->front};
    if (!file->node->ops->flush)
        return 0;
    return watched_flush(file, close_patience);
}

static int front_fsync(const char *path, int datasync, struct fuse_file_info *fi)
{
    struct open_file *file = opened(fi);
    (void)path;
    (void)datasync;
    return file->node->ops->fsync ? watched_fsync(file, front_patience()) : 0;
}

static int front_release(const char *path, struct fuse_file_info *fi)
{
    (void)path;
    open_files_release(open_files(), opened(fi));
    return 0;
}

/*
 * Room inside the fixed size costs nothing to reserve; there is none beyond. A kernel thread that
 * punches serves a loop device: what is discarded there is to read as zeros, not as FF.
 */
static int front_fallocate(const char *path, int mode, off_t off, off_t len,
                           struct fuse_file_info *fi)
{
    struct open_file *file = opened(fi);
    struct ef_node *node = file->node;
    (void)path;
    if (mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) && node->ops->punch &&
        caller_is_program(fuse_get_context()->pid))
        return node->ops->punch(node, file->handle, (uint64_t)off, (uint64_t)len, front_patience());
    if (mode != 0)
        return -EOPNOTSUPP;
    return ef_range_fits((uint64_t)off, (uint64_t)len, node->ops->size(node)) ? 0 : -ENOSPC;
}

/* The kernel passes on nothing but SEEK_DATA and SEEK_HOLE. */
static off_t front_lseek(const char *path, off_t off, int whence, struct fuse_file_info *fi)
{
    struct ef_node *node = opened(fi)->node;
    (void)path;
    if (whence != SEEK_DATA && whence != SEEK_HOLE)
        return -EINVAL;
    uint64_t size = node->ops->size(node);
    if (off < 0 || (uint64_t)off >= size)
        return -ENXIO;
    if (node->ops->seek)
        return (off_t)node->ops->seek(node, (uint64_t)off, whence == SEEK_HOLE);
    return whence == SEEK_HOLE ? (off_t)size : off;
}

static int front_statfs(const char *path, struct statvfs *st)
{
    (void)path;
    memset(st, 0, sizeof(*st));
    st->f_bsize = EF_SECTOR;
    st->f_frsize = EF_SECTOR;
    st->f_blocks = front_mount()->session->flash_size / EF_SECTOR;
    st->f_files = EF_NODE_COUNT;
    st->f_namemax = 255;
    return 0;
}

/*
 * No attribute is cached: a changed mtime is what makes the kernel drop stale pages.
 *
 * O_TRUNC must not come with the open: the kernel would then set the size to 0 by itself
 * until it asks again, and end a read that is under way there and then, so that a backup
 * beside a restore comes out short without an error.
 */
static void *front_init(struct fuse_conn_info *conn, struct fuse_config *config)
{
    config->attr_timeout = 0;
    config->entry_timeout = 0;
    config->negative_timeout = 0;
    config->kernel_cache = 0;
    conn->max_write = TRANSFER_MAX;
    conn->max_readahead = TRANSFER_MAX;
    conn->want &= ~(unsigned)(FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_ATOMIC_O_TRUNC);
    if (conn->capable & FUSE_CAP_AUTO_INVAL_DATA)
        conn->want |= FUSE_CAP_AUTO_INVAL_DATA;
    return front_mount();
}

static const struct fuse_operations OPERATIONS = {.getattr = front_getattr,
                                                  .readdir = front_readdir,
                                                  .open = front_open,
                                                  .read = front_read,
                                                  .write = front_write,
                                                  .truncate = front_truncate,
                                                  .flush = front_flush,
                                                  .fsync = front_fsync,
                                                  .release = front_release,
                                                  .fallocate = front_fallocate,
                                                  .getxattr = front_getxattr,
                                                  .listxattr = front_listxattr,
                                                  .setxattr = front_setxattr,
                                                  .removexattr = front_removexattr,
                                                  .lseek = front_lseek,
                                                  .statfs = front_statfs,
                                                  .chmod = front_chmod,
                                                  .chown = front_chown,
                                                  .utimens = front_utimens,
                                                  .create = front_create,
                                                  .mknod = front_mknod,
                                                  .mkdir = front_mkdir,
                                                  .unlink = front_remove,
                                                  .rmdir = front_remove,
                                                  .rename = front_rename,
                                                  .link = front_link,
                                                  .symlink = front_link,
                                                  .init = front_init};

/* Of a file that nobody has open there is no mapping: its next reader asks for its mtime first. */
static void invalidate(struct ef_mount *m, const struct ef_node *node)
{
    struct ef_front *front = m->front;
    if (open_files_has(&front->files, node))
        drop_pages(front, node);
}

struct ef_front *ef_front_new(int argc, char **argv, struct ef_mount *mount)
{
    struct ef_front *front = calloc(1, sizeof(*front));
    if (!front)
        return NULL;
    struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
    front->mount = mount;
    open_files_init(&front->files);
    front_notices_init(&front->notices);
    front->fuse = fuse_new(&args, &OPERATIONS, sizeof(OPERATIONS), mount);
    fuse_opt_free_args(&args);
    if (!front->fuse) {
        open_files_free(&front->files);
        free(front);
        return NULL;
    }
    return front;
}

int ef_front_mount(struct ef_front *front, const char *mountpoint)
{
    /* Set here, since ef_mount_init comes after ef_front_new, which checks the options first. */
    front->mount->front = front;
    front->mount->invalidate = invalidate;
    if (!realpath(mountpoint, front->mount->path))
        front->mount->path[0] = '\0';
    /* Before there is a mount that a signal could leave behind. */
    if (fuse_set_signal_handlers(fuse_get_session(front->fuse)) != 0)
        return -1;
    front->handles_signals = true;
    if (fuse_mount(front->fuse, mountpoint) != 0)
        return -1;
    front->mounted = true;
    return 0;
}

int ef_front_daemonize(void)
{
    return fuse_daemonize(0);
}

int ef_front_serve(struct ef_front *front)
{
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    if (!config)
        return -1;
    fuse_loop_cfg_set_max_threads(config, THREADS_MAX);
    fuse_loop_cfg_set_idle_threads(config, THREADS_IDLE);
    int rc = front_notices_start(&front->notices, front->fuse);
    if (rc == 0)
        rc = fuse_loop_mt(front->fuse, config);
    /* libfuse takes its own mark back as the loop ends. */
    front->over = true;
    front_notices_end(&front->notices);
    fuse_loop_cfg_destroy(config);
    return rc < 0 ? -1 : 0;
}

void ef_front_unmount(struct ef_front *front)
{
    if (front->mounted)
        fuse_unmount(front->fuse);
    front->mounted = false;
}

void ef_front_free(struct ef_front *front)
{
    if (!front)
        return;
    ef_front_unmount(front);
    /* libfuse complains of one that set none. */
    if (front->handles_signals)
        fuse_remove_signal_handlers(fuse_get_session(front->fuse));
    fuse_destroy(front->fuse);
    open_files_free(&front->files);
    free(front);
}

void ef_front_help(void)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    fuse_lib_help(&args);
}

const char *ef_front_library_version(void)
{
    return fuse_pkgversion();
}
