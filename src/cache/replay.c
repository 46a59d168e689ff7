#include "replay.h"

#include "begun.h"
#include "journal.h"
#include "witness.h"

#include "espflashfs/bytes.h"

/* The rows are dirty again, and a flush is asked for, for which nobody waits. */
static void replay(struct ef_cache *c)
{
    size_t count;
    uint32_t sectors = 0;
    const struct ef_journal_row *rows = ef_journal_rows(c->journal.file, &count);
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < count; i++)
        for (uint32_t at = 0; at < rows[i].len && ef_journal_is_work(rows[i].kind);
             at += EF_SECTOR, sectors++)
            ef_begun_take(c, (rows[i].addr + at) / EF_SECTOR,
                          rows[i].kind == EF_JOURNAL_BYTES ? rows[i].bytes + at : NULL);
    ef_cache_touch(c, false);
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
    enum ef_err err = ef_witnesses_judge(c, &others);
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

static void set_unread(struct ef_cache *c, bool unread)
{
    pthread_mutex_lock(&c->lock);
    c->unread = unread;
    pthread_mutex_unlock(&c->lock);
}

enum ef_err ef_replay_open(struct ef_cache *c)
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
        return err;
    }
    set_unread(c, false);
    return EF_OK;
}

enum ef_err ef_replay_unread(struct ef_cache *c)
{
    pthread_mutex_lock(&c->lock);
    bool unread = c->unread;
    pthread_mutex_unlock(&c->lock);
    if (!unread)
        return EF_OK;
    pthread_mutex_lock(&c->journal.lock);
    enum ef_err err = ef_replay_open(c);
    pthread_mutex_unlock(&c->journal.lock);
    return err;
}

/* What lies there, without a change to it. */
static enum ef_err look(struct ef_cache *c, const struct ef_board_key *key,
                        enum ef_journal_found *found)
{
    struct ef_journal *file = NULL;
    *found = EF_JOURNAL_EMPTY;
    enum ef_err err = ef_journal_open(key, true, c->log, &file, found);
    ef_journal_close(file);
    return err;
}

static void look_only(struct ef_cache *c)
{
    enum ef_journal_found found;
    if (look(c, c->journal.key, &found) == EF_OK && found != EF_JOURNAL_EMPTY)
        ef_log(c->log, EF_LOG_WARN, "the journal in %s is %s: with -o ro it is left as it is%s",
               c->journal.key->folder,
               found == EF_JOURNAL_PENDING   ? "of a write that an earlier mount did not finish"
               : found == EF_JOURNAL_FOREIGN ? "another board's, or of another flash"
               : found == EF_JOURNAL_NEWER   ? "of a newer espflashfs"
                                             : "damaged",
               found == EF_JOURNAL_PENDING ? ", and some sectors may be torn: mount without it to "
                                             "have them written again"
                                           : "");
}

/* True if it has work of this board that is not finished, or cannot be looked at: `unless`. */
static bool is_pending(struct ef_cache *c, const struct ef_board_key *key, bool unless)
{
    enum ef_journal_found found;
    return look(c, key, &found) == EF_OK ? found == EF_JOURNAL_PENDING || found == EF_JOURNAL_NEWER
                                         : unless;
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
    enum ef_err err = ef_replay_open(c);
    pthread_mutex_unlock(&c->journal.lock);
    if (err == EF_OK || !is_pending(c, key, true))
        return;
    set_unread(c, true);
    ef_log(c->log, EF_LOG_ERROR,
           "the journal in %s cannot be used: %s: some sectors may be torn; each fsync, or close "
           "of a written file, tries again, and fails until it can",
           key->folder, ef_err_text(err));
}

void ef_cache_retire_journal(struct ef_cache *c, const struct ef_board_key *key)
{
    if (!is_pending(c, key, false))
        return;
    c->journal.retired = key;
    ef_log(
        c->log, EF_LOG_WARN,
        "the journal in %s is of a write to this board that an earlier mount did not finish, and "
        "it is not used: some sectors may be torn; it is kept as journal.old when this board is "
        "next written to",
        key->folder);
}

void ef_replay_retire(struct ef_cache *c)
{
    struct ef_journal *file = NULL;
    enum ef_journal_found found = EF_JOURNAL_EMPTY;
    if (!c->journal.retired)
        return;
    if (ef_journal_open(c->journal.retired, false, c->log, &file, &found) == EF_OK &&
        found != EF_JOURNAL_EMPTY)
        (void)ef_journal_set_aside(file);
    ef_journal_close(file);
    c->journal.retired = NULL;
}
