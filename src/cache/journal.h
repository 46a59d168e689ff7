/*
 * The journal of one board: what work that is begun is to leave on the chip, on disk and synced
 * before the first erase of it. A mount that dies in between leaves it to the next one.
 *
 * One file, `journal`, in the board's folder; mode 0600; the folder is locked while the journal is
 * open. It holds one record, of all the work under way, and is replaced as a whole: whoever looks,
 * after a crash as well, sees one record or the one before it. A record that is not whole was
 * damaged on the disk.
 *
 * One thread at a time. Calls block for the disk. A failure is logged, with what to do.
 */
#ifndef ESPFLASHFS_JOURNAL_H
#define ESPFLASHFS_JOURNAL_H

#include "espflashfs/board_key.h"
#include "espflashfs/error.h"
#include "espflashfs/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EF_JOURNAL_VERSION = 1,
    EF_JOURNAL_ROWS_MAX = 2048,      /* more than may wait to be written, each for itself */
    EF_JOURNAL_MAX = 2 * 1024 * 1024 /* bytes of contents in one record: what is torn, and a run */
};

enum ef_journal_kind {
    EF_JOURNAL_BLANK, /* the sectors are to be blank */
    EF_JOURNAL_BYTES, /* ... to hold these bytes */
    /* One that was not touched, and its MD5: whether it still is tells if somebody else has
     * written to the board since. */
    EF_JOURNAL_WITNESS,
    /* The MD5 that one, or the first bytes of it, had before the work: what is neither that, nor
     * blank, nor what it is to be, was written by somebody else, or is torn itself. */
    EF_JOURNAL_WAS
};

/* True for what is work, false for what only tells about it. */
static inline bool ef_journal_is_work(enum ef_journal_kind kind)
{
    return kind <= EF_JOURNAL_BYTES;
}

/* Neighbouring sectors of the flash. */
struct ef_journal_row {
    enum ef_journal_kind kind;
    uint32_t addr, len;   /* bytes */
    const uint8_t *bytes; /* BYTES: len of them; WITNESS, WAS: the MD5 */
};

enum ef_journal_found {
    EF_JOURNAL_EMPTY,
    EF_JOURNAL_DAMAGED, /* no record, or not a whole one */
    EF_JOURNAL_PENDING, /* work of this board that was not finished */
    EF_JOURNAL_FOREIGN, /* ... of another one, of another flash, or past this one's end */
    EF_JOURNAL_NEWER    /* of a version that this program does not know */
};

struct ef_journal;

/*
 * Opens the journal of the board that `key` names, which must outlive it, and looks what lies
 * there. Where `look_only`, nothing is made, locked or changed. EF_BUSY if another program has it
 * open; EF_ACCESS, EF_READ_ONLY, EF_NO_SPACE, EF_NOMEM.
 */
enum ef_err ef_journal_open(const struct ef_board_key *key, bool look_only, struct ef_log *log,
                            struct ef_journal **journal, enum ef_journal_found *found);

/* NULL is fine. What is pending stays on disk. */
void ef_journal_close(struct ef_journal *journal);

/* The rows of the record that was found, or that is being made; valid until it is changed. */
const struct ef_journal_row *ef_journal_rows(const struct ef_journal *journal, size_t *count);

/* The next record is made in memory, from nothing, row by row, ... */
void ef_journal_clear(struct ef_journal *journal);

/*
 * ... of which neighbours of one kind become one. False where it is more than fits. Never blocks.
 */
bool ef_journal_add(struct ef_journal *journal, const struct ef_journal_row *row);

/* ... and is on disk, in place of the last one, and synced when this returns EF_OK. */
enum ef_err ef_journal_commit(struct ef_journal *journal);

/*
 * All work is finished: the record goes. Not synced: what a crash of the host brings back is done
 * once more, to no effect. ef_journal_settle syncs it, before anybody may believe that the board
 * is left.
 */
enum ef_err ef_journal_done(struct ef_journal *journal);
enum ef_err ef_journal_settle(struct ef_journal *journal);

/* Keeps what lies there under another name: journal.old, journal.old.1 ... EF_ACCESS. */
enum ef_err ef_journal_set_aside(struct ef_journal *journal);

#endif
