#include "begun.h"

#include "journal.h"
#include "replay.h"
#include "witness.h"

#include "espflashfs/bytes.h"

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
        if (!ef_journal_add(file, &row)) {
            ef_log(c->log, EF_LOG_ERROR, "refused: more is begun than a journal has room for");
            return EF_NO_SPACE;
        }
    }
    ef_witnesses_add(c);
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

/* With the journal's lock. */
static enum ef_err make_ready(struct ef_cache *c)
{
    enum ef_err err = ef_replay_open(c);
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

static enum ef_err say(struct ef_cache *c, uint32_t first, uint32_t count, const bool *done,
                       const struct ef_seen *seen)
{
    enum ef_err err = make_ready(c);
    if (err != EF_OK)
        return err;
    pthread_mutex_lock(&c->lock);
    bool anew = c->journal.outdated || c->sector[first].erasing;
    for (uint32_t i = 0; i < count; i++)
        if (!(done && done[i]) && !c->sector[first + i].begun) {
            c->sector[first + i].begun = EF_BEGUN_SAID;
            anew = true;
        }
    /* A record that has all of them, as the one that is replayed, asks for no room on the disk. */
    if (anew) {
        ef_witnesses_was(c, seen);
        err = compose(c);
    }
    c->journal.outdated = anew && err != EF_OK;
    pthread_mutex_unlock(&c->lock);
    if (anew && err == EF_OK) {
        /* One that failed may be on the disk all the same, not synced: it is to go as well. */
        c->journal.recorded = true;
        err = ef_journal_commit(c->journal.file);
    }
    pthread_mutex_lock(&c->lock);
    settle_said(c, err == EF_OK ? EF_BEGUN : EF_BEGUN_NOT);
    c->journal.outdated = c->journal.outdated || err != EF_OK;
    pthread_mutex_unlock(&c->lock);
    return err;
}

/* What fails of it makes the record tell less, and no more. */
static enum ef_err ask_witnesses(struct ef_cache *c, uint32_t first, uint32_t count,
                                 struct ef_patience patience)
{
    enum ef_err err = ef_witnesses_ask(c, patience);
    return err == EF_INTERRUPTED ? err : ef_witnesses_ask_near(c, first, count, patience);
}

enum ef_err ef_begun_add(struct ef_cache *c, uint32_t first, uint32_t count, const bool *done,
                         const struct ef_seen *seen, struct ef_patience patience)
{
    if (c->journal.key && ask_witnesses(c, first, count, patience) == EF_INTERRUPTED)
        return EF_INTERRUPTED;
    pthread_mutex_lock(&c->journal.lock);
    ef_replay_retire(c);
    enum ef_err err = c->journal.key ? say(c, first, count, done, seen) : EF_OK;
    pthread_mutex_unlock(&c->journal.lock);
    return err;
}

void ef_begun_take(struct ef_cache *c, uint32_t s, const uint8_t *bytes)
{
    struct sector *sector = &c->sector[s];
    uint8_t *data = ef_sector_data(c, s);
    uint32_t lo = sector->dirty ? sector->lo : EF_SECTOR;
    uint32_t hi = sector->dirty ? sector->hi : EF_SECTOR;
    sector->begun = EF_BEGUN;
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
}

void ef_begun_end_erase(struct ef_cache *c, uint32_t first, uint32_t end)
{
    for (uint32_t s = first; s < end; s++)
        if (!c->sector[s].dirty || !c->sector[s].have)
            c->sector[s].begun = EF_BEGUN_NOT;
}

static void set_outdated(struct ef_cache *c)
{
    pthread_mutex_lock(&c->lock);
    c->journal.outdated = true;
    pthread_mutex_unlock(&c->lock);
}

void ef_begun_end(struct ef_cache *c, bool anew)
{
    pthread_mutex_lock(&c->journal.lock);
    if (c->journal.recorded && !c->journal.aside) {
        pthread_mutex_lock(&c->lock);
        bool any = any_begun(c);
        bool composed = any && anew && compose(c) == EF_OK;
        if (any && anew)
            c->journal.outdated = !composed;
        pthread_mutex_unlock(&c->lock);
        if (composed && ef_journal_commit(c->journal.file) != EF_OK)
            set_outdated(c);
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
    ef_begun_settle(c);
    ef_journal_close(c->journal.file);
    c->journal.file = NULL;
}
