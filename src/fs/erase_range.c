#include "erase_range.h"

#include "espflashfs/parts.h"

#include <stdio.h>

void ef_erase_remember(struct ef_mount *m, const char *why)
{
    pthread_mutex_lock(&m->lock);
    snprintf(m->last_error, sizeof(m->last_error), "%s", why);
    pthread_mutex_unlock(&m->lock);
    if (why[0])
        ef_log(m->log, EF_LOG_ERROR, "%s", why);
}

int ef_erase_refuse_guarded(struct ef_mount *m, const char *who)
{
    char why[sizeof(m->last_error)];
    snprintf(why, sizeof(why), "%s: refused: %s: nothing was erased", who,
             ef_guard_reason(&m->session->guard, EF_GUARD_ERASE));
    ef_erase_remember(m, why);
    return -ef_err_to_errno(EF_GUARDED);
}

static void explain(struct ef_mount *m, const char *who, enum ef_err err, char *why, size_t cap)
{
    why[0] = '\0';
    if (err == EF_INTERRUPTED)
        snprintf(why, cap, "%s: interrupted; an erase that had begun goes on", who);
    else if (err != EF_OK && ef_cache_state(m->cache).dirty_sectors == 0)
        snprintf(why, cap, "%s: %s: nothing was erased", who, ef_err_text(err));
    else if (err != EF_OK)
        snprintf(why, cap,
                 "%s: %s: what was begun is finished by the next fsync or close of flash.bin, or "
                 "the next mount",
                 who, ef_err_text(err));
}

int ef_erase_range(struct ef_mount *m, const char *who, uint64_t addr, uint64_t len,
                   struct ef_patience patience)
{
    if (ef_guard_check(&m->session->guard, EF_GUARD_ERASE, addr, len) != EF_OK)
        return ef_erase_refuse_guarded(m, who);
    ef_log(m->log, EF_LOG_INFO, "erasing %llu bytes at 0x%llx", (unsigned long long)len,
           (unsigned long long)addr);
    enum ef_err err = ef_cache_erase(m->cache, addr, len, patience);
    ef_parts_drop_pages(m, NULL, addr, len);
    char why[sizeof(m->last_error)];
    explain(m, who, err, why, sizeof(why));
    ef_erase_remember(m, why);
    return -ef_err_to_errno(err);
}
