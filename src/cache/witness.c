#include "witness.h"

#include "journal.h"

#include "espflashfs/bytes.h"

#include <string.h>

/* Fewer tell too little: a firmware writes to sectors of its own, too. */
enum { WITNESSES_MIN = 3 };

/* Where ESP-IDF puts the boot loader, the partition table and the application, and further up. */
static const uint16_t ASKED[EF_WITNESSES] = {1, 8, 16, 64, 160, 256, 512, 768};

static bool is_untouched(const struct ef_cache *c, uint32_t s)
{
    return s < c->sectors && !c->sector[s].dirty && !c->sector[s].begun && !c->sector[s].erasing;
}

/* Held and proven; a blank one tells little. */
static bool is_witness(struct ef_cache *c, uint32_t s)
{
    return is_untouched(c, s) && c->sector[s].have &&
           !ef_bytes_blank(ef_sector_data(c, s), EF_SECTOR);
}

/* The first of an eighth of the flash; c->sectors if there is none. */
static uint32_t find_witness(struct ef_cache *c, uint32_t eighth)
{
    uint32_t part = c->sectors / EF_WITNESSES;
    for (uint32_t s = eighth * part; s < (eighth + 1) * part; s++)
        if (is_witness(c, s))
            return s;
    return c->sectors;
}

static unsigned count_held(struct ef_cache *c)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < EF_WITNESSES; i++)
        count += find_witness(c, i) < c->sectors;
    return count;
}

/* Those that are known here are asked about, too, in vain; it is done once. */
enum ef_err ef_witnesses_ask(struct ef_cache *c, struct ef_patience patience)
{
    struct ef_digest list[EF_WITNESSES];
    uint32_t generation[EF_WITNESSES];
    uint8_t blank[EF_DIGEST_BYTES];
    unsigned count = 0;
    pthread_mutex_lock(&c->lock);
    bool enough = c->journal.asked || count_held(c) >= WITNESSES_MIN;
    c->journal.asked = !enough || c->journal.asked;
    for (unsigned i = 0; i < EF_WITNESSES && !enough; i++)
        if (is_untouched(c, ASKED[i])) {
            list[count] =
                (struct ef_digest){.addr = (uint32_t)ASKED[i] * EF_SECTOR, .len = EF_SECTOR};
            generation[count++] = c->sector[ASKED[i]].generation;
        }
    pthread_mutex_unlock(&c->lock);
    enum ef_err err = ef_cache_digests_for(c, list, count, patience);
    if (count == 0 || err != EF_OK)
        return err;
    ef_digest_blank(EF_SECTOR, blank);
    pthread_mutex_lock(&c->lock);
    for (unsigned i = 0; i < count; i++)
        if (memcmp(list[i].md5, blank, sizeof(blank)) != 0) {
            c->journal.witness[c->journal.witnesses] = list[i];
            c->journal.generation[c->journal.witnesses++] = generation[i];
        }
    pthread_mutex_unlock(&c->lock);
    return EF_OK;
}

/* Its neighbours, were they not touched by the work: dirty they may be. */
enum ef_err ef_witnesses_ask_near(struct ef_cache *c, uint32_t first, uint32_t count,
                                  struct ef_patience patience)
{
    struct ef_digest list[EF_NEAR];
    uint32_t generation[EF_NEAR];
    const uint32_t at[EF_NEAR] = {first - 1, first + count};
    unsigned n = 0;
    if (count > EF_RUN_SECTORS)
        return EF_OK;
    pthread_mutex_lock(&c->lock);
    c->journal.near_count = 0;
    for (unsigned i = 0; i < EF_NEAR; i++)
        if (at[i] < c->sectors && !c->sector[at[i]].begun && !c->sector[at[i]].erasing) {
            list[n] = (struct ef_digest){.addr = at[i] * EF_SECTOR, .len = EF_SECTOR};
            generation[n++] = c->sector[at[i]].generation;
        }
    pthread_mutex_unlock(&c->lock);
    enum ef_err err = ef_cache_digests_for(c, list, n, patience);
    if (n == 0 || err != EF_OK)
        return err;
    pthread_mutex_lock(&c->lock);
    for (unsigned i = 0; i < n; i++) {
        c->journal.near[i] = list[i];
        c->journal.near_generation[i] = generation[i];
    }
    c->journal.near_count = n;
    pthread_mutex_unlock(&c->lock);
    return EF_OK;
}

void ef_seen_note(struct ef_seen *seen, const struct ef_digest *d)
{
    for (unsigned i = 0; i < seen->count; i++)
        if (seen->digest[i].addr == d->addr)
            return;
    if (seen->count < EF_SEEN_MAX)
        seen->digest[seen->count++] = *d;
}

enum ef_err ef_seen_ask(struct ef_cache *c, uint32_t first, uint32_t count, struct ef_seen *seen,
                        struct ef_patience patience)
{
    uint32_t n = ef_min_u32(count, EF_SEEN_MAX);
    for (uint32_t i = 0; i < n; i++)
        seen->digest[i] = (struct ef_digest){
            .addr = (first + (uint32_t)((uint64_t)count * i / n)) * EF_SECTOR, .len = EF_SECTOR};
    enum ef_err err = ef_cache_digests_for(c, seen->digest, n, patience);
    seen->count = err == EF_OK ? n : 0;
    return err;
}

/* Of what failed before, nobody knows any more what it holds. */
void ef_witnesses_was(struct ef_cache *c, const struct ef_seen *seen)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < c->journal.was_count; i++)
        if (c->sector[c->journal.was[i].addr / EF_SECTOR].erasing)
            c->journal.was[kept++] = c->journal.was[i];
    for (unsigned i = 0; i < seen->count && kept < EF_WAS_MAX; i++)
        if (c->sector[seen->digest[i].addr / EF_SECTOR].begun)
            c->journal.was[kept++] = seen->digest[i];
    c->journal.was_count = kept;
}

static void add(struct ef_cache *c, enum ef_journal_kind kind, uint32_t addr, uint32_t len,
                const uint8_t *md5)
{
    ef_journal_add(c->journal.file,
                   &(struct ef_journal_row){.kind = kind, .addr = addr, .len = len, .bytes = md5});
}

/* As far as nothing was done to them since. */
static unsigned add_near(struct ef_cache *c)
{
    unsigned count = 0;
    for (unsigned i = 0; i < c->journal.near_count; i++) {
        const struct ef_digest *d = &c->journal.near[i];
        const struct sector *sector = &c->sector[d->addr / EF_SECTOR];
        if (sector->begun || sector->erasing || sector->generation != c->journal.near_generation[i])
            continue;
        add(c, EF_JOURNAL_WITNESS, d->addr, d->len, d->md5);
        count++;
    }
    return count;
}

void ef_witnesses_add(struct ef_cache *c)
{
    unsigned count = add_near(c);
    for (uint32_t i = 0; i < EF_WITNESSES && count < EF_WITNESSES; i++) {
        uint8_t md5[EF_DIGEST_BYTES];
        uint32_t s = find_witness(c, i);
        if (s == c->sectors)
            continue;
        ef_digest_bytes(ef_sector_data(c, s), EF_SECTOR, md5);
        add(c, EF_JOURNAL_WITNESS, s * EF_SECTOR, EF_SECTOR, md5);
        count++;
    }
    for (unsigned i = 0; i < c->journal.witnesses && count < EF_WITNESSES; i++) {
        uint32_t s = c->journal.witness[i].addr / EF_SECTOR;
        if (!is_untouched(c, s) || c->sector[s].generation != c->journal.generation[i])
            continue;
        add(c, EF_JOURNAL_WITNESS, s * EF_SECTOR, EF_SECTOR, c->journal.witness[i].md5);
        count++;
    }
    for (unsigned i = 0; i < c->journal.was_count; i++) {
        const struct ef_digest *was = &c->journal.was[i];
        if (c->sector[was->addr / EF_SECTOR].begun)
            add(c, EF_JOURNAL_WAS, was->addr, was->len, was->md5);
    }
}

/* What the record has for the place, of the first `len` bytes of a sector. */
static void digest_meant(const struct ef_journal_row *rows, size_t count, struct ef_digest *d)
{
    ef_digest_blank(d->len, d->md5);
    for (size_t i = 0; i < count; i++)
        if (rows[i].kind == EF_JOURNAL_BYTES && d->addr >= rows[i].addr && d->len <= rows[i].len &&
            d->addr - rows[i].addr <= rows[i].len - d->len)
            ef_digest_bytes(rows[i].bytes + (d->addr - rows[i].addr), d->len, d->md5);
}

/* What is there is what was, or blank, or what the work was to leave. */
static bool is_of_work(const struct ef_journal_row *rows, size_t count,
                       const struct ef_journal_row *was, const struct ef_digest *is)
{
    struct ef_digest meant = {.addr = is->addr, .len = is->len};
    uint8_t blank[EF_DIGEST_BYTES];
    digest_meant(rows, count, &meant);
    ef_digest_blank(is->len, blank);
    return memcmp(is->md5, was->bytes, EF_DIGEST_BYTES) == 0 ||
           memcmp(is->md5, meant.md5, EF_DIGEST_BYTES) == 0 ||
           memcmp(is->md5, blank, EF_DIGEST_BYTES) == 0;
}

/* The rows of one kind, and what the chip holds there now. */
struct told {
    size_t count;
    struct ef_digest is[EF_WAS_MAX];
    const struct ef_journal_row *row[EF_WAS_MAX];
};

static enum ef_err ask_told(struct ef_cache *c, enum ef_journal_kind kind, struct told *t)
{
    size_t count;
    const struct ef_journal_row *rows = ef_journal_rows(c->journal.file, &count);
    size_t most = kind == EF_JOURNAL_WITNESS ? EF_WITNESSES : EF_WAS_MAX;
    t->count = 0;
    for (size_t i = 0; i < count && t->count < most; i++)
        if (rows[i].kind == kind) {
            t->is[t->count] = (struct ef_digest){.addr = rows[i].addr, .len = rows[i].len};
            t->row[t->count++] = &rows[i];
        }
    enum ef_err err = ef_cache_digests(c, t->is, t->count);
    if (err == EF_UNSUPPORTED)
        t->count = 0;
    return err == EF_UNSUPPORTED ? EF_OK : err;
}

/*
 * What was erased or written when the work ended may hold anything, but that is one block a time
 * that power failed: of what is spread over the work, the smaller part. An erase of the chip as a
 * whole that was cut off is not told from a stranger, who would lose everything.
 */
enum ef_err ef_witnesses_judge(struct ef_cache *c, bool *others)
{
    struct told t;
    size_t count;
    size_t changed = 0;
    size_t strange = 0;
    const struct ef_journal_row *rows = ef_journal_rows(c->journal.file, &count);
    *others = false;
    enum ef_err err = ask_told(c, EF_JOURNAL_WITNESS, &t);
    if (err != EF_OK)
        return err;
    for (size_t i = 0; i < t.count; i++)
        changed += memcmp(t.is[i].md5, t.row[i]->bytes, EF_DIGEST_BYTES) != 0;
    *others = t.count >= WITNESSES_MIN && changed * 2 > t.count;
    err = ask_told(c, EF_JOURNAL_WAS, &t);
    for (size_t i = 0; i < t.count && err == EF_OK; i++)
        strange += !is_of_work(rows, count, t.row[i], &t.is[i]);
    *others = *others || (t.count >= WITNESSES_MIN && strange * 2 > t.count) ||
              (changed > 0 && strange > 1 && strange == t.count);
    return err;
}
