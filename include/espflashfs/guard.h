/*
 * What a chip's security settings leave of its flash, and what must be refused: reads that
 * would return nonsense, writes that would brick. The one place where this is decided.
 *
 * A struct ef_guard is filled in once, while the session opens, and does not change then;
 * the functions here only look at it: any thread, never blocking.
 */
#ifndef ESPFLASHFS_GUARD_H
#define ESPFLASHFS_GUARD_H

#include "espflashfs/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ef_encryption {
    EF_ENCRYPTION_OFF,
    EF_ENCRYPTION_DEVELOPMENT, /* the loader may still encrypt what it writes */
    EF_ENCRYPTION_RELEASE,     /* it may not */
    EF_ENCRYPTION_ON           /* which of the two cannot be read (Secure Download Mode) */
};

enum ef_secure_boot { EF_SECURE_BOOT_OFF, EF_SECURE_BOOT_V1, EF_SECURE_BOOT_V2 };

struct ef_guard {
    enum ef_encryption encryption;
    enum ef_secure_boot secure_boot;
    bool secure_download; /* no registers, no stub, no reads, no digests; only writes */
    bool forced;          /* -o force: refuse only what the chip itself cannot do */
};

enum ef_guard_op { EF_GUARD_READ, EF_GUARD_WRITE, EF_GUARD_ERASE };

/*
 * Under secure boot the boot loader lies below this address, the partition table at it or
 * above: esptool keeps its hands off the same range on every chip.
 */
enum { EF_GUARD_BOOT_END = 0x8000, EF_GUARD_TEXT_MAX = 128 };

/* EF_GUARDED where `op` on any byte of [addr, addr+len) must be refused. Logs nothing. */
enum ef_err ef_guard_check(const struct ef_guard *guard, enum ef_guard_op op, uint64_t addr,
                           uint64_t len);

/* EF_GUARDED where `op` must be refused on every byte of a flash of `size` bytes. */
enum ef_err ef_guard_check_all(const struct ef_guard *guard, enum ef_guard_op op, uint64_t size);

/* Why `op` is refused somewhere, and what lifts that; "" where it is nowhere. */
const char *ef_guard_reason(const struct ef_guard *guard, enum ef_guard_op op);

/* "none", "flash encryption (development mode), secure boot v2", ...; cut to `cap`. */
void ef_guard_state_text(const struct ef_guard *guard, char *out, size_t cap);

/*
 * What info.txt says of the flash, as the guard leaves it: "read and write", "none: ...".
 * Not for a chip of which no flash is offered at all.
 */
const char *ef_guard_access_text(const struct ef_guard *guard, bool read_only);

#endif
