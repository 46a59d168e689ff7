/*
 * One virtual file a node. The front turns FUSE's calls into these; nodes know no FUSE.
 *
 * Calls come from many threads at once. They return 0 (or a count) or a negative errno.
 * `patience` says when the caller does not want to wait any longer.
 */
#ifndef ESPFLASHFS_NODE_H
#define ESPFLASHFS_NODE_H

#include "espflashfs/cache.h"
#include "espflashfs/progress.h"
#include "espflashfs/session.h"

#include <limits.h>
#include <sys/stat.h>
#include <sys/types.h>

struct ef_mount;
struct ef_node;
struct ef_parts;

struct ef_node_ops {
    uint64_t (*size)(struct ef_node *node);
    /* Comes before an open, with its `flags`: waits for what it is to show, or to be. NULL: there
     * is nothing to wait for. */
    int (*settle)(struct ef_node *node, int flags, struct ef_patience patience);
    /* `flags` are open(2)'s, without O_TRUNC (see replace). *handle is given to the calls below. */
    int (*open)(struct ef_node *node, int flags, void **handle);
    ssize_t (*read)(struct ef_node *node, void *handle, uint8_t *buf, size_t len, uint64_t off,
                    struct ef_patience patience);
    ssize_t (*write)(struct ef_node *node, void *handle, const uint8_t *buf, size_t len,
                     uint64_t off, struct ef_patience patience);
    /* The open of `handle` was one with O_TRUNC; comes right after it. Must not block. */
    void (*replace)(struct ef_node *node, void *handle);
    /* `handle` is NULL for truncate(2) by path, and for the O_TRUNC of an open. */
    int (*truncate)(struct ef_node *node, void *handle, uint64_t size, struct ef_patience patience);
    /*
     * Where data, or a hole, goes on from `off`: an offset, or -ENXIO as lseek(2) has it. NULL: all
     * is data. Must not block. `zeros`, with it: how many bytes are holes, about.
     */
    int64_t (*seek)(struct ef_node *node, uint64_t off, bool hole);
    uint64_t (*zeros)(struct ef_node *node);
    /*
     * Erases whole sectors, else -EINVAL; returns when the chip is done. -EOPNOTSUPP to who means
     * zeros by a hole. NULL: -EOPNOTSUPP.
     */
    int (*punch)(struct ef_node *node, void *handle, uint64_t off, uint64_t len,
                 struct ef_patience patience);
    /* close(2) of one descriptor, which may have duplicates. */
    int (*flush)(struct ef_node *node, void *handle, struct ef_patience patience);
    int (*fsync)(struct ef_node *node, void *handle, struct ef_patience patience);
    void (*release)(struct ef_node *node, void *handle);
};

/* What was counted when the cache was in that state; by the mount's lock. */
struct ef_zero_count {
    uint32_t known_sectors;
    struct timespec changed;
    uint64_t bytes;
};

/* Whether the kernel may hold older contents: see src/fs/kernel_pages.h; by the mount's lock. */
struct ef_kernel_pages {
    unsigned calls;        /* reads and writes being answered */
    int64_t busy_ms;       /* when the last one ended */
    bool behind;           /* pages may be */
    uint64_t falls;        /* how often they came to be */
    int64_t dropped_ms;    /* when pages were dropped last, or were to be */
    bool asked;            /* once, at least: what follows counts */
    uint64_t others;       /* of the cache's state, then */
    struct timespec mtime; /* what the kernel heard last */
    long turn_ns;          /* what sets one apart from the one before */
};

struct ef_node {
    const char *name;
    const char *folder; /* NULL: it is in the mount's directory itself, and always there */
    const struct ef_node_ops *ops;
    struct ef_mount *mount;
    mode_t mode;    /* permission bits for the owner */
    bool direct_io; /* the page cache is passed by */
    bool present;   /* listed and openable on this board */
    bool follows;   /* without being a part of the flash: its contents change when the flash's do */
    /* The part of the flash that its bytes are, from a sector's start on; a `len` of 0: none. */
    uint64_t base, len;
    struct ef_zero_count zero_count;
    struct ef_kernel_pages pages;
};

enum {
    EF_NODE_FLASH,
    EF_NODE_INFO,
    EF_NODE_ERASE,
    EF_NODE_STATUS,
    EF_NODE_MD5,
    EF_NODE_MAP,
    EF_NODE_CSV,
    EF_NODE_COUNT
};

#define EF_PARTS_FOLDER "partitions"

/* Everything one mount is made of. */
struct ef_mount {
    struct ef_session *session;
    struct ef_cache *cache; /* NULL where no flash is offered, and so are the next two */
    struct ef_worker *worker;
    struct ef_presence *presence;
    struct ef_parts *parts; /* NULL: it has no partitions */
    struct ef_log *log;
    bool read_only;
    struct timespec started;
    char path[PATH_MAX];         /* of the mount point, absolute; "": not known */
    struct ef_progress progress; /* of who reads and writes */
    struct ef_node node[EF_NODE_COUNT];
    pthread_mutex_t lock; /* guards last_error, and the nodes' counts */
    char last_error[512]; /* the newest refusal of `erase`, shown when it is read */
    /* Drops what the kernel keeps of a node's contents; set by the front. */
    void (*invalidate)(struct ef_mount *mount, const struct ef_node *node);
    void *front;
};

/* Sets up the nodes for `session`. The cache follows once its threads may start. */
void ef_mount_init(struct ef_mount *mount, struct ef_session *session, struct ef_log *log,
                   bool read_only);

/* The permission bits of a file that ends at `end` of the flash: what can succeed somewhere. */
mode_t ef_mount_mode(const struct ef_mount *mount, uint64_t end);

extern const struct ef_node_ops EF_FLASH_NODE, EF_INFO_NODE, EF_ERASE_NODE, EF_STATUS_NODE,
    EF_MD5_NODE, EF_MAP_NODE, EF_CSV_NODE;

enum { EF_MD5_HEX = 2 * EF_DIGEST_BYTES };

/* True where ef_node_md5 has something to tell of the node. */
bool ef_node_has_md5(const struct ef_node *node);

/*
 * The chip's MD5 of the part of the flash that `node` shows, as hex digits and a NUL; when
 * everything that was written to it is on the chip. 0 or a negative errno, EBUSY where somebody
 * does not stop writing to it.
 */
int ef_node_md5(struct ef_node *node, char hex[EF_MD5_HEX + 1], struct ef_patience patience);

/* What is going on, for those who watch. Any thread; never blocks on the line. */
struct ef_progress_now ef_mount_now(struct ef_mount *mount);

/* info.txt's text; free(3) it. NULL without memory. */
char *ef_info_text(const struct ef_session *session, bool read_only);

/* What `erase` understood. */
struct ef_erase_request {
    uint64_t off, len;
};

/*
 * Parses what was written to `erase` for a flash of `size` bytes: `all`, or OFFSET LENGTH.
 * On EF_INVALID `why` (of `cap` bytes) says what is wrong and what to write instead.
 */
enum ef_err ef_erase_parse(const char *text, size_t len, uint32_t size,
                           struct ef_erase_request *request, char *why, size_t cap);

struct ef_partition;

/* True where it may be a name: neither `all` nor anything that begins with a number. */
bool ef_erase_may_be_name(const char *text, size_t len);

/*
 * Looks for the partition of `list` whose label, or whose file's name with .bin or without, is
 * all of `text` but for white space around it; the request is for all sectors that it has bytes
 * of. EF_MISSING where there is none. EF_INVALID where there are several; then `why` names them.
 */
enum ef_err ef_erase_named(const char *text, size_t len, const struct ef_partition *list,
                           unsigned count, struct ef_erase_request *request, char *why, size_t cap);

#endif
