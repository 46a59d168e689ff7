/* Following the partition table. */
#include "parts_private.h"

#include "espflashfs/bytes.h"
#include "espflashfs/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASK_EVERY_MS = 1000, RENEWAL_MS = 1000 };

/* Of no sector. */
static const uint64_t NO_AGE = UINT64_MAX;

/* Who waits no longer than this, and no longer than the caller. */
struct bounded {
    struct ef_patience caller;
    ef_deadline until;
};

static bool is_over(void *user)
{
    struct bounded *b = user;
    return ef_deadline_left_ms(b->until) == 0 ||
           (b->caller.interrupted && b->caller.interrupted(b->caller.user));
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* An ESP8266's firmwares have no table at a place of its own. */
static bool chip_has_table(const struct ef_session *s)
{
    return !s->no_flash_why && s->chip->id != EF_CHIP_ESP8266;
}

enum ef_err ef_parts_new(struct ef_mount *m, uint32_t table_addr)
{
    const struct ef_session *s = m->session;
    if (!chip_has_table(s))
        return EF_OK;
    struct ef_parts *p = calloc(1, sizeof(*p));
    if (!p)
        return EF_NOMEM;
    uint32_t boot = s->chip->boot_addr;
    p->mount = m;
    p->addr = table_addr;
    p->readable = (uint64_t)table_addr + EF_SECTOR <= s->flash_size &&
                  ef_guard_check(&s->guard, EF_GUARD_READ, table_addr, EF_SECTOR) == EF_OK;
    pthread_mutex_init(&p->lock, NULL);
    ef_parts_init_fixed(p, EF_FIXED_BOOTLOADER, "bootloader", boot,
                        table_addr > boot ? table_addr - boot : 0);
    ef_parts_init_fixed(p, EF_FIXED_TABLE, "partition-table", table_addr, EF_SECTOR);
    struct ef_partition_table none = {.count = 0};
    ef_parts_set_files(p, &none);
    m->parts = p;
    m->node[EF_NODE_CSV].present = true;
    return EF_OK;
}

void ef_parts_free(struct ef_mount *m)
{
    struct ef_parts *p = m->parts;
    if (!p)
        return;
    while (p->all) {
        struct ef_part *part = p->all;
        p->all = part->next;
        free(part);
    }
    pthread_mutex_destroy(&p->lock);
    free(p);
    m->parts = NULL;
}

void ef_parts_take(struct ef_parts *p, const uint8_t bytes[EF_TABLE_BYTES])
{
    struct ef_partition_table table;
    if (p->read && memcmp(p->bytes, bytes, EF_TABLE_BYTES) == 0)
        return;
    p->read = true;
    memcpy(p->bytes, bytes, EF_TABLE_BYTES);
    p->err = ef_partition_parse(bytes, p->addr, p->mount->session->flash_size, &table, p->why);
    p->entries = table.count;
    if (p->err == EF_INVALID)
        ef_log(p->mount->log, EF_LOG_WARN, "no partitions: %s", p->why);
    ef_parts_set_files(p, &table);
}

/* Under the lock: has it read when the line is idle. */
static void ask(struct ef_parts *p)
{
    int64_t now_ms = ef_clock_now_ms();
    if (p->asked_ms != 0 && now_ms - p->asked_ms < ASK_EVERY_MS)
        return;
    p->asked_ms = now_ms;
    ef_cache_fetch(p->mount->cache, p->addr);
}

static void refresh(struct ef_parts *p)
{
    uint8_t bytes[EF_TABLE_BYTES];
    uint64_t age;
    struct timespec changed = ef_cache_state(p->mount->cache).changed;
    if (p->read && !p->stale && same_time(changed, p->changed))
        return;
    bool known = ef_cache_peek(p->mount->cache, p->addr, EF_TABLE_BYTES, bytes, &age) == EF_OK;
    if (known)
        ef_parts_take(p, bytes);
    /* What a small cache has forgotten is what it was. */
    p->stale = !known && (!p->read || age != p->age);
    if (p->stale)
        ask(p);
    else
        p->age = age;
    p->changed = changed;
}

void ef_parts_refresh(struct ef_mount *m)
{
    struct ef_parts *p = m->parts;
    if (!p || !p->readable || !m->cache)
        return;
    pthread_mutex_lock(&p->lock);
    refresh(p);
    pthread_mutex_unlock(&p->lock);
}

static bool has_table(const struct ef_mount *m)
{
    return m->parts && m->parts->readable && m->cache;
}

/* The table has been read, and nothing tells that it is another by now. */
static bool is_known(struct ef_parts *p, bool *read)
{
    pthread_mutex_lock(&p->lock);
    refresh(p);
    *read = p->read;
    bool known = p->read && !p->stale;
    pthread_mutex_unlock(&p->lock);
    return known;
}

static enum ef_err read_table(struct ef_parts *p, struct ef_patience patience)
{
    uint8_t bytes[EF_TABLE_BYTES];
    enum ef_err err = ef_cache_read(p->mount->cache, p->addr, EF_TABLE_BYTES, bytes, patience);
    pthread_mutex_lock(&p->lock);
    refresh(p);
    /* Forgotten again already, perhaps. */
    if (err == EF_OK && (!p->read || p->stale))
        ef_parts_take(p, bytes);
    pthread_mutex_unlock(&p->lock);
    return err;
}

int ef_parts_settle(struct ef_mount *m, struct ef_patience patience)
{
    bool read;
    if (!has_table(m) || is_known(m->parts, &read))
        return 0;
    struct bounded bounded = {.caller = patience, .until = ef_deadline_in(RENEWAL_MS)};
    if (read)
        patience = (struct ef_patience){.interrupted = is_over, .user = &bounded};
    enum ef_err err = read_table(m->parts, patience);
    return read ? 0 : -ef_err_to_errno(err);
}

int ef_parts_know(struct ef_mount *m, struct ef_patience patience)
{
    bool read;
    if (!has_table(m) || is_known(m->parts, &read))
        return 0;
    return -ef_err_to_errno(read_table(m->parts, patience));
}

/* What the chip holds is told from what was taken up, which a small cache may have forgotten. */
static void compare(struct ef_parts *p, const uint8_t md5[EF_DIGEST_BYTES])
{
    uint8_t ours[EF_DIGEST_BYTES];
    pthread_mutex_lock(&p->lock);
    ef_digest_bytes(p->bytes, EF_TABLE_BYTES, ours);
    if (memcmp(ours, md5, EF_DIGEST_BYTES) != 0) {
        p->stale = true;
        p->age = NO_AGE;
    }
    pthread_mutex_unlock(&p->lock);
}

int ef_parts_confirm(struct ef_mount *m, struct ef_patience patience)
{
    uint8_t md5[EF_DIGEST_BYTES];
    bool read;
    if (!has_table(m))
        return 0;
    if (is_known(m->parts, &read)) {
        enum ef_err err = ef_cache_md5(m->cache, m->parts->addr, EF_TABLE_BYTES, md5, patience);
        if (err == EF_OK)
            compare(m->parts, md5);
        else if (err != EF_UNSUPPORTED)
            return -ef_err_to_errno(err);
    }
    return ef_parts_know(m, patience);
}

unsigned ef_parts_copy(struct ef_mount *m, struct ef_partition list[EF_PARTS_MAX])
{
    struct ef_parts *p = m->parts;
    if (!p)
        return 0;
    pthread_mutex_lock(&p->lock);
    unsigned count = p->count;
    for (unsigned i = 0; i < count; i++)
        list[i] = p->list[i]->is;
    pthread_mutex_unlock(&p->lock);
    return count;
}

/* Under the lock. */
static void state_text(const struct ef_parts *p, char *out)
{
    static const char ELSEWHERE[] =
        "if the firmware has it elsewhere, mount with partition_offset=ADDRESS";
    const struct ef_session *s = p->mount->session;
    const char *guarded = ef_guard_reason(&s->guard, EF_GUARD_READ);
    if (!p->readable && (uint64_t)p->addr + EF_SECTOR > s->flash_size)
        snprintf(out, EF_PARTS_STATE_MAX, "none: the flash ends before 0x%x: %s", (unsigned)p->addr,
                 ELSEWHERE);
    else if (!p->readable)
        snprintf(out, EF_PARTS_STATE_MAX, "none: the table cannot be read: %s", guarded);
    else if (!p->read)
        snprintf(out, EF_PARTS_STATE_MAX, "not read yet: list partitions/");
    else if (p->err == EF_OK)
        snprintf(out, EF_PARTS_STATE_MAX, "%u", p->entries);
    else
        snprintf(out, EF_PARTS_STATE_MAX,
                 "none: %s: write a table to partitions/partition-table.bin; %s", p->why,
                 ELSEWHERE);
}

void ef_parts_state_text(struct ef_mount *m, char out[EF_PARTS_STATE_MAX])
{
    pthread_mutex_lock(&m->parts->lock);
    state_text(m->parts, out);
    pthread_mutex_unlock(&m->parts->lock);
}

/* The words of ESP-IDF's generator where there is a table, and else a remark of ours. */
char *ef_parts_csv_text(struct ef_mount *m)
{
    struct ef_parts *p = m->parts;
    char line[EF_CSV_LINE_MAX];
    char state[EF_PARTS_STATE_MAX];
    struct ef_partition_table table;
    char why[EF_TABLE_WHY_MAX];
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    pthread_mutex_lock(&p->lock);
    bool sound = p->read && ef_partition_parse(p->bytes, p->addr, m->session->flash_size, &table,
                                               why) == EF_OK;
    state_text(p, state);
    pthread_mutex_unlock(&p->lock);
    if (sound)
        fputs(EF_PARTITION_CSV_HEAD, out);
    else
        fprintf(out, "# Partitions: %s\n", state);
    for (unsigned i = 0; sound && i < table.count; i++) {
        ef_partition_csv_line(&table.partition[i], line);
        fputs(line, out);
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
