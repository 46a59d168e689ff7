/*
 * What the kernel keeps of a file's contents, and which mtime it hears. It asks for that before
 * each read(2), and drops all pages of the file when it is another one than before.
 *
 * What write(2) gave to the file itself is in the pages. To drop them beside such writes would do
 * harm: a page may be filled anew before its write has come here, and shows old bytes afterwards.
 * So the mtime moves on when nobody reads or writes; and where pages were dropped shortly before a
 * write came, they are once more after it.
 *
 * What changed by another way (another file, `erase`) is not in the pages, and the next read(2) is
 * to show it. So they are dropped, by a notice, before its question is answered. Where that takes
 * too long, since a slow read has pages locked, each who asks is told another mtime, and drops them
 * himself. Not always at once: the kernel takes the new mtime first, and drops the pages one by one
 * after that, so that who asks for the same one meanwhile gets old bytes; and it passes over an
 * answer that crossed the end of a write to the file.
 *
 * Private to src/fs. Any thread. `now_ms` is ef_clock_now_ms's.
 */
#ifndef ESPFLASHFS_KERNEL_PAGES_H
#define ESPFLASHFS_KERNEL_PAGES_H

#include "espflashfs/node.h"

/* Between an answer and what the kernel does with it pass microseconds, on a busy machine more. */
enum { KERNEL_PAGES_QUIET_MS = 20, KERNEL_PAGES_LATE_MS = 100 };

/* The node's contents have changed by another file, or in a way that the kernel did not ask for. */
void kernel_pages_behind(struct ef_node *node);

/* Around each read and write. */
void kernel_pages_call_begins(struct ef_node *node);
void kernel_pages_call_ends(struct ef_node *node, int64_t now_ms);

/* A write that came at `since_ms` is done, and not answered yet. */
void kernel_pages_written(struct ef_node *node, int64_t since_ms);

/* Who wrote has closed the file: what the kernel did for him is done. */
void kernel_pages_closed(struct ef_node *node);

/*
 * True where pages are to be dropped; then kernel_pages_dropped, with the same `falls`, tells that
 * it was done. `state` is that of the cache: others than the nodes may have changed contents.
 */
bool kernel_pages_are_behind(struct ef_node *node, const struct ef_cache_state *state,
                             uint64_t *falls);
void kernel_pages_dropped(struct ef_node *node, uint64_t falls, int64_t now_ms);

/* What the kernel is to hear of a node that changed last at `changed`. */
struct timespec kernel_pages_mtime(struct ef_node *node, struct timespec changed, int64_t now_ms);

#endif
