#include "begun.h"

#include "journal.h"

#include "espflashfs/bytes.h"

#include <string.h>

enum {
    WITNESSES = 8,
    WITNESSES_MIN = 3 /* fewer tell too little: a firmware writes to sectors of its own, too */
};

static bool is_witness(const struct ef_cache *c, uint32_t s)
{
    const struct sector *sector = &c->sector[s];
    return sector->have && !sector->dirty && !sector->begun && !sector->erasing &&
           !ef_bytes_blank(c->data + (size_t)s * EF_SECTOR, EF_SECTOR);
}

/* Under the lock: one of each eighth of the flash, where one is held and proven. Needs no room. */
static void add_witnesses(struct ef_cache *c)
{
    uint32_t part = c->sectors / WITNESSES;
    for (uint32_t i = 0; i < WITNESSES; i++) {
        uint8_t md5[EF_DIGEST_BYTES];
        uint32_t s = i * part;
        while (s < (i + 1) * part && !is_witness(c, s))
            s++;
        if (s == (i + 1) * part)
            continue;
        ef_digest_bytes(ef_sector_data(c, s), EF_SECTOR, md5);
        ef_journal_add(c->journal.file, &(struct ef_journal_row){.kind = EF_JOURNAL_WITNESS,
                                                                 .addr = s * EF_SECTOR,
                                                                 .len = EF_SECTOR,
                                                                 .bytes = md5});
    }
}

/* Under the lock: the record of all that is begun. */
static enum ef_err compose(struct ef_cache *c)
{
    struct ef_journal *file = c->journal.file;
    ef_journal_clear(file);
    for (uint32_t s = 0; s < c->sectors; s++) {
        const struct sector *sector = &c->sector[s];
        uint8_t *bytes = ef_sector_data(c, s);
        if (!sector->begun)
            continue;
        bool blank = sector->erasing || ef_bytes_blank(bytes, EF_SECTOR);
        struct ef_journal_row row = {.kind = blank ? EF_JOURNAL_BLANK : EF_JOURNAL_BYTES,
                                     .addr = s * EF_SECTOR,
                                     .len = EF_SECTOR,
                                     .bytes = blank ? NULL : bytes};
        if (!ef_journal_add(file, &row))
            return EF_NO_SPACE;
    }
    add_witnesses(c);
    return EF_OK;
}

/* What is said of these sectors is taken back, or true from now on. Under the lock. */
static void settle_said(struct ef_cache *c, uint8_t begun)
{
    for (uint32_t s = 0; s < c->sectors; s++)
        if (c->sector[s].begun == EF_BEGUN_SAID)
            c->sector[s].begun = begun;
}

static bool any_begun(const struct ef_cache *c)
{
    for (uint32_t s = 0; s < c->sectors; s++)
        if (c->sector[s].begun)
            return true;
    return false;
}

/*
 * Somebody else may have written to the board since: then what is pending would do harm. *others:
 * most of the sectors that were not touched are not what they were. A firmware changes few.
 */
static enum ef_err ask_witnesses(struct ef_cache *c, bool *others)
{
    size_t count;
    size_t witnesses = 0;
    size_t changed = 0;
    const struct ef_journal_row *rows = ef_journal_rows(c->journal.file, &count);
    struct ef_digest list[WITNESSES];
    const uint8_t *said[WITNESSES];
    for (size_t i = 0; i < count; i++)
        if (rows[i].kind == EF_JOURNAL_WITNESS && witnesses < WITNESSES) {
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

/* Under the lock: the sector is to hold that, but for what was written to it since. */
static void take_sector(struct ef_cache *c, uint32_t s, const uint8_t *bytes)
{
    struct sector *sector = &c->sector[s];
    uint8_t *data = ef_sector_data(c, s);
    uint32_t lo = sector->dirty ? sector->lo : EF_SECTOR;
    uint32_t hi = sector->dirty ? sector->hi : EF_SECTOR;
    if (sector->dirty && sector->have)
        return;
    for (uint32_t i = 0; i < EF_SECTOR; i++)
        if (i < lo || i >= hi)
            data[i] = bytes ? bytes[i] : 0xFF;
    sector->imaged = false;
    sector->known = false;
    sector->generation++;
    ef_sector_set_dirty(c, s);
    ef_sector_set_have(c, s);
    ef_sector_set_blank(c, s, ef_bytes_blank(data, EF_SECTOR));
    sector->begun = EF_BEGUN;
}

/* The rows are dirty again, and a flush is asked for, for which nobody waits. */
static void replay(struct ef_cache *c)
{
    size_t count;
    uint32_t sectors = 0;
    const struct ef_journal_row *rows = ef_journal_rows(c->journal.file, &count);
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < count; i++)
        for (uint32_t at = 0; at < rows[i].len && rows[i].kind != EF_JOURNAL_WITNESS;
             at += EF_SECTOR, sectors++)
            take_sector(c, (rows[i].addr + at) / EF_SECTOR,
                        rows[i].kind == EF_JOURNAL_BYTES ? rows[i].bytes + at : NULL);
    ef_cache_touch(c);
    if (c->passes_wanted == c->passes_begun)
        c->passes_wanted++;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    ef_log(c->log, EF_LOG_WARN,
           "an earlier mount ended in the middle of a write: %u sectors are written again now, as "
           "its journal tells",
           (unsigned)sectors);
}

static enum ef_err take_pending(struct ef_cache *c)
{
    bool others;
    enum ef_err err = ask_witnesses(c, &others);
    if (err != EF_OK)
        return err;
    c->journal.recorded = true;
    if (!others) {
        replay(c);
        return EF_OK;
    }
    c->journal.aside = true;
    ef_log(c->log, EF_LOG_WARN,
           "an earlier mount ended in the middle of a write, but the board was written to by "
           "something else since: the journal in %s is left as it is, and kept as journal.old when "
           "this board is next written to",
           c->journal.key->folder);
    return EF_OK;
}

static enum ef_err take_found(struct ef_cache *c, enum ef_journal_found found)
{
    const char *folder = c->journal.key->folder;
    switch (found) {
    case EF_JOURNAL_PENDING:
        return take_pending(c);
    case EF_JOURNAL_FOREIGN:
        c->journal.aside = true;
        ef_log(
            c->log, EF_LOG_WARN,
            "the journal in %s is another board's, or of another flash: it is left as it is, and "
            "kept as journal.old when this board is next written to",
            folder);
        break;
    case EF_JOURNAL_DAMAGED:
        c->journal.aside = true;
        ef_log(c->log, EF_LOG_WARN,
               "the journal in %s is damaged: if an earlier mount ended in the middle of a write, "
               "some sectors may be torn: compare flash.bin with your backup; it is kept as "
               "journal.old when this board is next written to",
               folder);
        break;
    case EF_JOURNAL_NEWER:
        c->journal.refused = true;
        ef_log(c->log, EF_LOG_ERROR,
               "the journal in %s is of a newer espflashfs, with work that is not finished: mount "
               "once with that version, or with journal=none; until then this board can only be "
               "read",
               folder);
        break;
    case EF_JOURNAL_EMPTY:
        break;
    }
    return EF_OK;
}

/* With the journal's lock. What failed once is tried again by the next piece of work. */
static enum ef_err open_journal(struct ef_cache *c)
{
    enum ef_journal_found found;
    struct ef_journal *file = c->journal.file;
    if (file)
        return EF_OK;
    enum ef_err err = ef_journal_open(c->journal.key, false, c->log, &file, &found);
    if (err != EF_OK)
        return err;
    c->journal.file = file;
    err = take_found(c, found);
    if (err != EF_OK) {
        ef_journal_close(file);
        c->journal.file = NULL;
    }
    return err;
}

static void look_only(struct ef_cache *c)
{
    struct ef_journal *file = NULL;
    enum ef_journal_found found = EF_JOURNAL_EMPTY;
    if (ef_journal_open(c->journal.key, true, c->log, &file, &found) == EF_OK &&
        found != EF_JOURNAL_EMPTY)
        ef_log(c->log, EF_LOG_WARN, "the journal in %s is %s: with -o ro it is left as it is%s",
               c->journal.key->folder,
               found == EF_JOURNAL_PENDING   ? "of a write that an earlier mount did not finish"
               : found == EF_JOURNAL_FOREIGN ? "another board's, or of another flash"
               : found == EF_JOURNAL_NEWER   ? "of a newer espflashfs"
                                             : "damaged",
               found == EF_JOURNAL_PENDING ? ", and some sectors may be torn: mount without it to "
                                             "have them written again"
                                           : "");
    ef_journal_close(file);
}

void ef_cache_keep_journal(struct ef_cache *c, const struct ef_board_key *key, bool read_only)
{
    c->journal.key = key;
    if (read_only) {
        look_only(c);
        c->journal.key = NULL;
        return;
    }
    pthread_mutex_lock(&c->journal.lock);
    (void)open_journal(c);
    pthread_mutex_unlock(&c->journal.lock);
}

/* With the journal's lock. */
static enum ef_err make_ready(struct ef_cache *c)
{
    enum ef_err err = open_journal(c);
    if (err != EF_OK)
        return err;
    if (c->journal.refused) {
        ef_log(c->log, EF_LOG_ERROR, "refused: the journal in %s is of a newer espflashfs",
               c->journal.key->folder);
        return EF_GUARDED;
    }
    if (c->journal.aside)
        err = ef_journal_set_aside(c->journal.file);
    c->journal.aside = c->journal.aside && err != EF_OK;
    return err;
}

static enum ef_err say(struct ef_cache *c, uint32_t first, uint32_t count, const bool *done)
{
    enum ef_err err = make_ready(c);
    if (err != EF_OK)
        return err;
    pthread_mutex_lock(&c->lock);
    for (uint32_t i = 0; i < count; i++)
        if (!(done && done[i]) && !c->sector[first + i].begun)
            c->sector[first + i].begun = EF_BEGUN_SAID;
    err = compose(c);
    pthread_mutex_unlock(&c->lock);
    if (err == EF_OK)
        err = ef_journal_commit(c->journal.file);
    pthread_mutex_lock(&c->lock);
    settle_said(c, err == EF_OK ? EF_BEGUN : EF_BEGUN_NOT);
    pthread_mutex_unlock(&c->lock);
    c->journal.recorded = c->journal.recorded || err == EF_OK;
    return err;
}

enum ef_err ef_begun_add(struct ef_cache *c, uint32_t first, uint32_t count, const bool *done)
{
    if (!c->journal.key)
        return EF_OK;
    pthread_mutex_lock(&c->journal.lock);
    enum ef_err err = say(c, first, count, done);
    pthread_mutex_unlock(&c->journal.lock);
    return err;
}

void ef_begun_end_erase(struct ef_cache *c, uint32_t first, uint32_t end)
{
    /* Who asked for one that failed is told; what else waits to be written there is torn. */
    for (uint32_t s = first; s < end; s++)
        if (!c->sector[s].dirty || !c->sector[s].have)
            c->sector[s].begun = EF_BEGUN_NOT;
}

void ef_begun_end(struct ef_cache *c, bool anew)
{
    pthread_mutex_lock(&c->journal.lock);
    if (c->journal.recorded && !c->journal.aside) {
        pthread_mutex_lock(&c->lock);
        bool any = any_begun(c);
        bool composed = any && anew && compose(c) == EF_OK;
        pthread_mutex_unlock(&c->lock);
        if (composed)
            (void)ef_journal_commit(c->journal.file);
        if (!any && ef_journal_done(c->journal.file) == EF_OK) {
            c->journal.recorded = false;
            c->journal.unsettled = true;
        }
    }
    pthread_mutex_unlock(&c->journal.lock);
}

void ef_begun_settle(struct ef_cache *c)
{
    pthread_mutex_lock(&c->journal.lock);
    if (c->journal.unsettled && ef_journal_settle(c->journal.file) == EF_OK)
        c->journal.unsettled = false;
    pthread_mutex_unlock(&c->journal.lock);
}

void ef_begun_close(struct ef_cache *c)
{
    ef_journal_close(c->journal.file);
    c->journal.file = NULL;
}
