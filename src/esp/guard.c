#include "espflashfs/guard.h"

#include <stdio.h>

/* The address from which on `op` is let through; UINT64_MAX: nowhere. */
static uint64_t allowed_from(const struct ef_guard *guard, enum ef_guard_op op)
{
    /* The ROM has no command for it then: force cannot help. */
    if (guard->secure_download && op == EF_GUARD_READ)
        return UINT64_MAX;
    if (guard->forced)
        return 0;
    if (guard->secure_download || guard->encryption != EF_ENCRYPTION_OFF)
        return UINT64_MAX;
    if (guard->secure_boot != EF_SECURE_BOOT_OFF && op != EF_GUARD_READ)
        return EF_GUARD_BOOT_END;
    return 0;
}

enum ef_err ef_guard_check(const struct ef_guard *guard, enum ef_guard_op op, uint64_t addr,
                           uint64_t len)
{
    return len > 0 && addr < allowed_from(guard, op) ? EF_GUARDED : EF_OK;
}

enum ef_err ef_guard_check_all(const struct ef_guard *guard, enum ef_guard_op op, uint64_t size)
{
    uint64_t from = allowed_from(guard, op);
    return from > 0 && from >= size ? EF_GUARDED : EF_OK;
}

const char *ef_guard_reason(const struct ef_guard *guard, enum ef_guard_op op)
{
    if (allowed_from(guard, op) == 0)
        return "";
    if (guard->secure_download)
        return op == EF_GUARD_READ
                   ? "Secure Download Mode: the chip gives no flash contents out"
                   : "Secure Download Mode: nothing that is written could be proven (-o force and "
                     "size= let whole sectors be written)";
    if (guard->encryption != EF_ENCRYPTION_OFF)
        return op == EF_GUARD_READ
                   ? "flash encryption: a read returns ciphertext (-o force gives it out)"
                   : "flash encryption: plain bytes would keep the board from booting, which may "
                     "be final (-o force writes them as they are)";
    return "secure boot: a boot loader, at 0x0-0x7fff, that is not signed with this chip's key "
           "would brick it (-o force lets it through)";
}

static const char *encryption_text(enum ef_encryption encryption)
{
    switch (encryption) {
    case EF_ENCRYPTION_OFF:
        return NULL;
    case EF_ENCRYPTION_DEVELOPMENT:
        return "flash encryption (development mode)";
    case EF_ENCRYPTION_RELEASE:
        return "flash encryption (release mode)";
    case EF_ENCRYPTION_ON:
        break;
    }
    return "flash encryption";
}

static const char *secure_boot_text(enum ef_secure_boot secure_boot)
{
    switch (secure_boot) {
    case EF_SECURE_BOOT_OFF:
        return NULL;
    case EF_SECURE_BOOT_V1:
        return "secure boot v1";
    case EF_SECURE_BOOT_V2:
        break;
    }
    return "secure boot v2";
}

void ef_guard_state_text(const struct ef_guard *guard, char *out, size_t cap)
{
    const char *const words[] = {encryption_text(guard->encryption),
                                 secure_boot_text(guard->secure_boot),
                                 guard->secure_download ? "Secure Download Mode" : NULL};
    size_t len = 0;
    snprintf(out, cap, "none");
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (words[i] && len < cap)
            len += (size_t)snprintf(out + len, cap - len, "%s%s", len ? ", " : "", words[i]);
    }
}

static const char *blind_access_text(const struct ef_guard *guard, bool read_only)
{
    if (read_only)
        return "none: Secure Download Mode, and mounted read-only";
    if (guard->encryption != EF_ENCRYPTION_OFF)
        return "write only (-o force), whole sectors, written but unproven: raw ciphertext, plain "
               "images will not boot";
    if (guard->secure_boot != EF_SECURE_BOOT_OFF)
        return "write only (-o force), whole sectors, written but unproven: unsigned images will "
               "not boot";
    return "write only (-o force), whole sectors, written but unproven";
}

const char *ef_guard_access_text(const struct ef_guard *guard, bool read_only)
{
    if (guard->secure_download)
        return blind_access_text(guard, read_only);
    if (guard->encryption != EF_ENCRYPTION_OFF && !guard->forced)
        return "none: flash encryption is on: a read returns ciphertext, a plain write may brick "
               "the board; -o force lets both through";
    if (read_only)
        return guard->encryption != EF_ENCRYPTION_OFF ? "read only (-o force), raw ciphertext"
                                                      : "read only";
    if (guard->encryption != EF_ENCRYPTION_OFF)
        return "read and write (-o force), raw ciphertext: plain images will not boot";
    if (guard->secure_boot != EF_SECURE_BOOT_OFF)
        return guard->forced
                   ? "read and write (-o force): unsigned images will not boot"
                   : "read; write from 0x8000 on (below lies the boot loader; -o force opens "
                     "it): unsigned images will not boot";
    return "read and write";
}
