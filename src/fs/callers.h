/*
 * What those who wait for the mount are about to do, as /proc tells it. Private to src/fs. Any
 * thread; none of it waits for anybody. `caller` is a thread, as fuse_get_context() names it; of
 * 0, which is one of another name space, nothing is known, and all of this is false.
 */
#ifndef ESPFLASHFS_CALLERS_H
#define ESPFLASHFS_CALLERS_H

#include <stdbool.h>
#include <sys/types.h>

/* A signal kills it, or has done so: no call of its will return to a program. */
bool caller_is_dying(pid_t caller);

/*
 * It is gone or dying, or a signal that asks it to leave waits to be heard. A program that has a
 * handler for it hears it only when the call that it is in comes back.
 */
bool caller_leaves(pid_t caller);

/* A program, as far as one can see: not a thread of the kernel's own. */
bool caller_is_program(pid_t caller);

#endif
