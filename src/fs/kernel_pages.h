/*
 * Has read(2) show what was written by another way: the other file, or `erase`.
 *
 * The kernel asks for a file's mtime before each read(2), and drops the file's pages when it is
 * another than before. It takes the new one first and drops the pages one by one after that,
 * waiting for those that a read has locked; whoever asks meanwhile hears nothing new, and gets old
 * bytes of the pages behind. So each who asks is told another mtime, and drops the pages himself,
 * until they have had the time to go.
 *
 * Private to src/fs. Any thread. `now_ms` is ef_clock_now_ms's.
 */
#ifndef ESPFLASHFS_KERNEL_PAGES_H
#define ESPFLASHFS_KERNEL_PAGES_H

#include "espflashfs/node.h"

/* Without a read under way, pages are dropped within microseconds. */
enum { KERNEL_PAGES_GO_MS = 20 };

/* The node's contents have changed, and not by a write(2) to it. */
void kernel_pages_behind(struct ef_node *node);

/* Around each read, which locks pages until it is answered. */
void kernel_pages_read_begins(struct ef_node *node);
void kernel_pages_read_ends(struct ef_node *node, int64_t now_ms);

/* What the kernel is to be told of a node that changed last at `changed`. */
struct timespec kernel_pages_mtime(struct ef_node *node, struct timespec changed, int64_t now_ms);

#endif
