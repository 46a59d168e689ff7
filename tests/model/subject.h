/*
 * What a model run works on: a mount of a simulated board, in this process or a real one. Calls
 * return 0 or a count, or a negative errno, as system calls do. Any thread calls those of
 * handles, several at once; the others are called while nothing else is.
 */
#ifndef EF_MODEL_SUBJECT_H
#define EF_MODEL_SUBJECT_H

#include "plan.h"

#include <stddef.h>
#include <sys/types.h>

struct subject;
struct handle; /* an open flash.bin */

enum open_how { OPEN_PLAIN, OPEN_TRUNC, OPEN_APPEND };

/* A way to break the stack on purpose, so that it is seen that this is found. */
enum breakage {
    BREAK_NOTHING,
    BREAK_DROP,   /* a write is said to be done and proven, and is not */
    BREAK_CHANGE, /* a byte of the flash changes after it was proven */
    BREAK_HANG,   /* a write never ends */
    BREAK_TORN    /* there is no journal, and mounts are killed */
};

/* What came of a run, for those who want to know what it was worth. */
struct subject_sums {
    uint64_t wire_bytes, board_ns; /* over the line; what the board's flash took */
    uint64_t erases, programs;     /* sectors, pages */
    uint64_t faults;               /* that happened */
    uint64_t strays;               /* times that the stack reported other sectors hit */
};

struct subject_ops {
    /* `*handle` is closed by `close`, which reports as close(2) does and always frees. */
    int (*open)(struct subject *s, enum open_how how, struct handle **handle);
    int (*close)(struct subject *s, struct handle *handle);
    ssize_t (*read)(struct subject *s, struct handle *h, uint8_t *buf, uint32_t len, uint32_t off);
    /* Through a mapping; -EIO where a page cannot be had. */
    ssize_t (*map_read)(struct subject *s, struct handle *h, uint8_t *buf, uint32_t len,
                        uint32_t off);
    ssize_t (*write)(struct subject *s, struct handle *h, const uint8_t *buf, uint32_t len,
                     uint32_t off);
    int (*truncate)(struct subject *s, struct handle *h, uint32_t size); /* NULL: by path */
    int (*fallocate)(struct subject *s, struct handle *h, uint32_t off, uint32_t len);
    int (*fsync)(struct subject *s, struct handle *h);
    int (*erase)(struct subject *s, const char *request);
    /* Through a handle of its own; -EOPNOTSUPP where a hole would have to be zeros. */
    int (*punch)(struct subject *s, uint32_t off, uint32_t len);
    void (*fault)(struct subject *s, const struct op *op);

    /* All handles are closed. Unmounts and mounts; 0, or -EIO if what was unwritten is lost. */
    int (*remount)(struct subject *s);
    /* In the middle of things, with handles open, which are dead then; `seed` says where. */
    int (*kill)(struct subject *s, uint32_t seed);
    /* No faults from here on, until that is taken back. */
    void (*calm)(struct subject *s, bool calm);
    /* How often so far the stack reported that other sectors may have been hit. */
    uint64_t (*strays)(struct subject *s);
    void (*free)(struct subject *s, struct subject_sums *sums);
};

struct subject {
    const struct subject_ops *ops;
    const uint8_t *chip;  /* what the board's flash holds, size bytes */
    bool finishes_writes; /* a kill leaves no sector torn, once it is mounted again */
};

/* NULL, with a line on standard error, where nothing can be mounted. `folder` is empty, for its
 * files, and removed by the caller. */
struct subject *subject_inside_new(const struct plan *plan, enum breakage breakage,
                                   const char *folder);
struct subject *subject_mount_new(const struct plan *plan, enum breakage breakage,
                                  const char *folder);

#endif
