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

/* Under the lock: those to be asked about; none where enough are held. */
static unsigned choose(struct ef_cache *c, struct ef_digest list[EF_WITNESSES],
                       uint32_t generation[EF_WITNESSES])
{
    unsigned count = 0;
    bool enough = count_held(c) >= WITNESSES_MIN;
    for (unsigned i = 0; i < EF_WITNESSES && !enough; i++)
        if (is_untouched(c, ASKED[i])) {
            list[count] =
                (struct ef_digest){.addr = (uint32_t)ASKED[i] * EF_SECTOR, .len = EF_SECTOR};
            generation[count++] = c->sector[ASKED[i]].generation;
        }
    c->journal.asked = !enough;
    return count;
}

static void ask(struct ef_cache *c)
{
    struct ef_digest list[EF_WITNESSES];
    uint32_t generation[EF_WITNESSES];
    uint8_t blank[EF_DIGEST_BYTES];
    pthread_mutex_lock(&c->lock);
    unsigned count = choose(c, list, generation);
    pthread_mutex_unlock(&c->lock);
    if (count == 0 || ef_cache_digests(c, list, count) != EF_OK)
        return;
    ef_digest_blank(EF_SECTOR, blank);
    pthread_mutex_lock(&c->lock);
    for (unsigned i = 0; i < count; i++)
        if (memcmp(list[i].md5, blank, sizeof(blank)) != 0) {
            c->journal.witness[c->journal.witnesses] = list[i];
            c->journal.generation[c->journal.witnesses++] = generation[i];
        }
    pthread_mutex_unlock(&c->lock);
}

/* Those that are known here are asked about, too, in vain; it is done once. */
void ef_witnesses_ask(struct ef_cache *c)
{
    pthread_mutex_lock(&c->journal.asking);
    if (!c->journal.asked)
        ask(c);
    pthread_mutex_unlock(&c->journal.asking);
}

static void add(struct ef_cache *c, uint32_t s, const uint8_t *md5)
{
    ef_journal_add(c->journal.file, &(struct ef_journal_row){.kind = EF_JOURNAL_WITNESS,
                                                             .addr = s * EF_SECTOR,
                                                             .len = EF_SECTOR,
                                                             .bytes = md5});
}

void ef_witnesses_add(struct ef_cache *c)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < EF_WITNESSES; i++) {
        uint8_t md5[EF_DIGEST_BYTES];
        uint32_t s = find_witness(c, i);
        if (s == c->sectors)
            continue;
        ef_digest_bytes(ef_sector_data(c, s), EF_SECTOR, md5);
        add(c, s, md5);
        count++;
    }
    for (unsigned i = 0; i < c->journal.witnesses && count < EF_WITNESSES; i++) {
        uint32_t s = c->journal.witness[i].addr / EF_SECTOR;
        if (!is_untouched(c, s) || c->sector[s].generation != c->journal.generation[i])
            continue;
        add(c, s, c->journal.witness[i].md5);
        count++;
    }
}

enum ef_err ef_witnesses_judge(struct ef_cache *c, bool *others)
{
    size_t count;
    size_t witnesses = 0;
    size_t changed = 0;
    const struct ef_journal_row *rows = ef_journal_rows(c->journal.file, &count);
    struct ef_digest list[EF_WITNESSES];
    const uint8_t *said[EF_WITNESSES];
    for (size_t i = 0; i < count; i++)
        if (rows[i].kind == EF_JOURNAL_WITNESS && witnesses < EF_WITNESSES) {
            list[witnesses] = (struct ef_digest){.addr = rows[i].addr, .len = rows[i].len};
            said[witnesses++] = rows[i].bytes;
        }
    *others = false;
    if (witnesses < WITNESSES_MIN)
        return EF_OK;
    enum ef_err err = ef_cache_digests(c, list, witnesses);
    for (size_t i = 0; i < witnesses && err == EF_OK; i++)
        changed += memcmp(list[i].md5, said[i], EF_DIGEST_BYTES) != 0;
    *others = changed * 2 > witnesses;
    return err == EF_UNSUPPORTED ? EF_OK : err;
}
