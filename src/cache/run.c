/*
 * One run of dirty sectors to the chip: find what differs, erase what becomes blank, write
 * the rest. Decision 4: only what differs is touched.
 */
#include "absence.h"
#include "begun.h"
#include "telling.h"
#include "witness.h"

#include "espflashfs/bytes.h"

#include <string.h>

enum {
    BLANK_MIN = EF_RUN_SECTORS,        /* fewer blank sectors go with the data around them */
    ERASE_MAX = 4 * EF_STRETCH_SECTORS /* for 2.4 s and a digest others wait */
};

static const struct ef_patience FOREVER;

/* All of `data`, or all blank. */
struct run {
    uint32_t first, count;
    bool blank;    /* all of it is to be */
    uint32_t gap;  /* if so, behind a known sector, which is copied, and so many blank ones; ... */
    bool behind;   /* ... or behind nothing that tells */
    uint32_t tail; /* of data: blank sectors at its end, in front of a long row of them */
    uint32_t generation[EF_BLANK_SECTORS];
    uint8_t md5[EF_BLANK_SECTORS][EF_DIGEST_BYTES];  /* of what is to be there */
    uint8_t chip[EF_BLANK_SECTORS][EF_DIGEST_BYTES]; /* of what is there, if known */
    bool known[EF_BLANK_SECTORS];
    bool torn[EF_BLANK_SECTORS]; /* an erase or a write of it was begun before, and failed */
    bool done[EF_BLANK_SECTORS]; /* the chip holds it, proven unless `blind` */
    bool settled[EF_BLANK_SECTORS];
    bool blind;        /* this chip tells nothing of what it holds */
    uint64_t absences; /* of the board, when the run was begun */
    bool upset;        /* it was away since: what was asked about is asked about anew */
    struct ef_seen seen;
};

static bool is_blank(const struct ef_cache *c, const struct run *r, uint32_t i)
{
    return r->blank || ef_bytes_blank(c->run + (size_t)i * EF_SECTOR, EF_SECTOR);
}

static bool is_due(const struct ef_cache *c, uint32_t s, enum ef_due due)
{
    return s < c->sectors && c->sector[s].dirty && (c->sector[s].have || due != EF_DUE_WHOLE) &&
           (c->sector[s].begun || due != EF_DUE_TORN);
}

/* The row of sectors from `s` on that are to be blank. */
static uint32_t blank_len(const struct ef_cache *c, uint32_t s, uint32_t most)
{
    uint32_t n = 0;
    while (n < most && s + n < c->sectors && c->sector[s + n].blank)
        n++;
    return n;
}

/*
 * Under the lock: the next row of dirty sectors from `from` on: a long blank one, or one inside a
 * stretch. They part where a block ends, so that it can be erased as one.
 */
static void find_run(const struct ef_cache *c, uint32_t from, enum ef_due due, struct run *r)
{
    uint32_t s = from;
    while (s < c->sectors && !is_due(c, s, due))
        s++;
    r->first = s;
    r->tail = 0;
    r->count = blank_len(c, s, EF_BLANK_SECTORS);
    if (is_due(c, s + r->count, due))
        r->count -= ef_min_u32(r->count, (s + r->count) % EF_RUN_SECTORS);
    r->blank = r->count >= BLANK_MIN;
    if (r->blank)
        return;
    uint32_t end = s;
    while (is_due(c, end, due) && (end == s || end % EF_STRETCH_SECTORS != 0) &&
           (end == s || end % EF_RUN_SECTORS != 0 || blank_len(c, end, BLANK_MIN) < BLANK_MIN))
        end++;
    r->count = end - s;
    if (blank_len(c, end, BLANK_MIN) == BLANK_MIN)
        while (r->tail + 1 < r->count && c->sector[end - 1 - r->tail].blank)
            r->tail++;
}

/* Under the lock, released while waiting: the first sector of the run that is not ready to be
 * copied is waited for. *ready if there was none. */
static enum ef_err make_ready(struct ef_cache *c, const struct run *r, bool *ready)
{
    *ready = false;
    for (uint32_t s = r->first; s < r->first + r->count; s++) {
        if (c->sector[s].erasing)
            return ef_cache_wait(c, FOREVER);
        if (!c->sector[s].have)
            return ef_fetch_wait(c, s, s + 1, EF_PRIORITY_WRITER, FOREVER);
    }
    *ready = true;
    return EF_OK;
}

/* Under the lock: copies the last sector before the blank run that is not blank, if it is near. */
static void take_before(struct ef_cache *c, struct run *r)
{
    for (uint32_t s = r->first; s-- > 0 && r->first - s <= EF_RUN_SECTORS;) {
        if (!ef_is_held(c, s, s + 1))
            return;
        if (ef_bytes_blank(ef_sector_data(c, s), EF_SECTOR))
            continue;
        memcpy(c->run, ef_sector_data(c, s), EF_SECTOR);
        r->gap = r->first - s - 1;
        r->behind = true;
        return;
    }
}

/* Under the lock: copies what the run is to hold; writers may go on in the cache. */
static void take_copy(struct ef_cache *c, struct run *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        struct sector *sector = &c->sector[r->first + i];
        sector->writing = true;
        r->generation[i] = sector->generation;
        r->known[i] = sector->known;
        r->torn[i] = sector->begun;
        memcpy(r->chip[i], sector->md5, EF_DIGEST_BYTES);
        if (!r->blank)
            memcpy(c->run + (size_t)i * EF_SECTOR, ef_sector_data(c, r->first + i), EF_SECTOR);
    }
    if (r->blank)
        take_before(c, r);
}

/* Finds a run and takes its copy; what happens while it waits makes it look again. */
static enum ef_err claim_run(struct ef_cache *c, uint32_t from, enum ef_due due, struct run *r)
{
    enum ef_err err = EF_OK;
    bool ready = false;
    pthread_mutex_lock(&c->lock);
    while (err == EF_OK && !ready) {
        find_run(c, from, due, r);
        err = make_ready(c, r, &ready);
    }
    if (err == EF_OK)
        take_copy(c, r);
    r->absences = c->absences;
    pthread_mutex_unlock(&c->lock);
    return err;
}

static void digest_wanted(const struct ef_cache *c, struct run *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        if (!r->blank)
            ef_digest_bytes(c->run + (size_t)i * EF_SECTOR, EF_SECTOR, r->md5[i]);
        else if (i == 0)
            ef_digest_blank(EF_SECTOR, r->md5[i]);
        else
            memcpy(r->md5[i], r->md5[0], EF_DIGEST_BYTES);
    }
}

static void note_known(struct run *r, uint32_t i)
{
    struct ef_digest d = {.addr = (r->first + i) * EF_SECTOR, .len = EF_SECTOR};
    memcpy(d.md5, r->chip[i], EF_DIGEST_BYTES);
    ef_seen_note(&r->seen, &d);
}

static enum ef_err find_differences(struct ef_cache *c, struct run *r)
{
    bool held[EF_BLANK_SECTORS] = {false};
    struct ef_asked asked = {.first = r->first,
                             .count = r->count,
                             .data = r->blank ? NULL : c->run,
                             .before = r->behind ? c->run : NULL,
                             .gap = r->gap,
                             .held = held,
                             .seen = &r->seen};
    digest_wanted(c, r);
    for (uint32_t i = 0; i < r->count && !r->blind;) {
        uint32_t n = 0;
        while (i + n < r->count && !r->known[i + n])
            n++;
        enum ef_err err = n ? ef_ask_run(c, &asked, i, n) : EF_OK;
        r->blind = err == EF_UNSUPPORTED;
        if (err != EF_OK && !r->blind)
            return err;
        i += n ? n : 1;
    }
    for (uint32_t i = 0; i < r->count; i++) {
        if (held[i])
            memcpy(r->chip[i], r->md5[i], EF_DIGEST_BYTES);
        r->known[i] = (r->known[i] || held[i]) && !r->torn[i];
        r->done[i] = r->known[i] && memcmp(r->chip[i], r->md5[i], EF_DIGEST_BYTES) == 0;
        if (r->known[i] && !r->done[i] && i % EF_SEEN_EVERY == 0)
            note_known(r, i);
    }
    return EF_OK;
}

/* Under the lock: sectors [i, i+n), or those of them that are done, are what they will be by this
 * run. */
static void settle(struct ef_cache *c, struct run *r, uint32_t i, uint32_t n, bool all)
{
    for (uint32_t k = i; k < i + n; k++) {
        struct sector *sector = &c->sector[r->first + k];
        if (r->settled[k] || !(all || r->done[k]))
            continue;
        r->settled[k] = true;
        sector->writing = false;
        sector->known = r->known[k];
        memcpy(sector->md5, r->chip[k], EF_DIGEST_BYTES);
        if (r->done[k])
            sector->begun = EF_BEGUN_NOT;
        if (r->done[k] && sector->generation == r->generation[k])
            ef_sector_set_clean(c, r->first + k);
    }
    ef_evict(c);
    pthread_cond_broadcast(&c->changed);
}

/*
 * Under the lock: if the board was away, what it was asked before counts for nothing. What is not
 * settled stays dirty, for the flush that follows the check (see heal in flush.c).
 */
static void note_upset(struct ef_cache *c, struct run *r)
{
    r->upset = r->upset || c->absences != r->absences;
    if (!r->upset)
        return;
    c->was_away = true;
    for (uint32_t k = 0; k < r->count; k++) {
        r->known[k] = r->known[k] && r->settled[k];
        r->done[k] = r->done[k] && r->settled[k];
    }
}

/* Erases sectors [i, i+n), or writes them. What is done then is settled at once, for who waits. */
static enum ef_err put_down(struct ef_cache *c, struct run *r, uint32_t i, uint32_t n, bool erase)
{
    struct ef_job *job = ef_job_new(erase ? EF_JOB_ERASE : EF_JOB_WRITE, EF_PRIORITY_WRITER,
                                    (r->first + i) * EF_SECTOR, n * EF_SECTOR);
    if (!job)
        return EF_NOMEM;
    if (!erase)
        memcpy(job->buf, c->run + (size_t)i * EF_SECTOR, (size_t)n * EF_SECTOR);
    for (uint32_t k = i; k < i + n; k++)
        r->known[k] = false;
    enum ef_err err = ef_worker_run(c->worker, job);
    for (uint32_t k = i; k < i + n && err == EF_OK; k++) {
        r->done[k] = !erase || is_blank(c, r, k);
        r->known[k] = !r->blind;
        if (r->done[k])
            memcpy(r->chip[k], r->md5[k], EF_DIGEST_BYTES);
        else
            ef_digest_blank(EF_SECTOR, r->chip[k]);
    }
    pthread_mutex_lock(&c->lock);
    ef_absence_note(c, job);
    c->suspect = c->suspect || job->stray;
    c->blind = c->blind || r->blind;
    settle(c, r, i, n, false);
    note_upset(c, r);
    pthread_mutex_unlock(&c->lock);
    ef_job_drop(job);
    return err;
}

/* The row of sectors from `i` on that differ and are all to be blank, or all not. A transfer
 * ends where blocks end, so that what is erased for it is erased by the block. */
static uint32_t row_len(const struct ef_cache *c, const struct run *r, uint32_t i, bool blank)
{
    uint32_t most = blank ? ERASE_MAX : EF_TRANSFER_SECTORS;
    uint32_t n = 1;
    while (i + n < r->count && !r->done[i + n] && (r->first + i + n) % most != 0 &&
           is_blank(c, r, i + n) == blank)
        n++;
    return n;
}

/* All of the block at `i` differs, and it is to be data and blank sectors: one erase of a block
 * takes a fifth of the time that one takes of each of its sectors. */
static bool is_mixed_block(const struct ef_cache *c, const struct run *r, uint32_t i)
{
    if (r->blank || r->blind || (r->first + i) % EF_RUN_SECTORS != 0 ||
        r->count - i < EF_RUN_SECTORS)
        return false;
    uint32_t blanks = 0;
    for (uint32_t k = i; k < i + EF_RUN_SECTORS; k++) {
        if (r->done[k])
            return false;
        blanks += is_blank(c, r, k);
    }
    return blanks > 0 && blanks < EF_RUN_SECTORS;
}

/* The row from `i` on of torn sectors that are not to be blank (those are erased anyway). */
static uint32_t torn_len(const struct ef_cache *c, const struct run *r, uint32_t i)
{
    uint32_t n = 0;
    while (i + n < r->count && r->torn[i + n] && !r->done[i + n] && !is_blank(c, r, i + n))
        n++;
    return n;
}

/*
 * What is erased by itself, before anything is written there. Where power failed in an erase or a
 * program, cells may read as they should and not last: no data sheet promises anything for such a
 * sector until it was erased in full, and a loader may skip the erase of one that reads blank.
 */
static enum ef_err erase_first(struct ef_cache *c, struct run *r)
{
    for (uint32_t i = 0; i < r->count;) {
        uint32_t n = is_mixed_block(c, r, i) ? EF_RUN_SECTORS : torn_len(c, r, i);
        enum ef_err err = n ? put_down(c, r, i, n, true) : EF_OK;
        if (err != EF_OK)
            return err;
        i += n ? n : 1;
    }
    return EF_OK;
}

static enum ef_err put_differences_down(struct ef_cache *c, struct run *r)
{
    for (uint32_t i = 0; i < r->count && r->done[i];)
        if (++i == r->count)
            return EF_OK;
    enum ef_err first = ef_begun_add(c, r->first, r->count, r->done, &r->seen, FOREVER);
    if (first == EF_OK)
        first = erase_first(c, r);
    if (first != EF_OK)
        return first;
    for (uint32_t i = 0; i < r->count && !r->upset;) {
        if (r->done[i]) {
            i++;
            continue;
        }
        bool blank = is_blank(c, r, i);
        uint32_t n = row_len(c, r, i, blank);
        enum ef_err err = put_down(c, r, i, n, blank);
        if (err != EF_OK)
            return err;
        i += n;
    }
    return EF_OK;
}

/* A tail that seems to be blank already is left for the blank run behind it: one question less. */
static enum ef_err leave_tail(struct ef_cache *c, struct run *r)
{
    struct ef_asked asked = {.first = r->first, .count = r->count};
    bool yes = false;
    enum ef_err err = r->tail ? ef_ask_looks(c, &asked, r->count - r->tail, r->tail, &yes) : EF_OK;
    if (err != EF_OK || !yes)
        return err == EF_UNSUPPORTED ? EF_OK : err;
    pthread_mutex_lock(&c->lock);
    for (; r->tail > 0; r->tail--)
        c->sector[r->first + --r->count].writing = false;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return EF_OK;
}

static void look_for_upset(struct ef_cache *c, struct run *r)
{
    pthread_mutex_lock(&c->lock);
    note_upset(c, r);
    pthread_mutex_unlock(&c->lock);
}

enum ef_err ef_run_flush(struct ef_cache *c, uint32_t from, enum ef_due due, uint32_t *next)
{
    struct run r = {0};
    *next = c->sectors;
    enum ef_err err = claim_run(c, from, due, &r);
    if (err != EF_OK || r.count == 0)
        return err;
    err = leave_tail(c, &r);
    *next = r.first + r.count;
    if (err == EF_OK)
        err = find_differences(c, &r);
    look_for_upset(c, &r);
    if (err == EF_OK && !r.upset)
        err = put_differences_down(c, &r);
    look_for_upset(c, &r);
    pthread_mutex_lock(&c->lock);
    c->blind = c->blind || r.blind;
    settle(c, &r, 0, r.count, true);
    pthread_mutex_unlock(&c->lock);
    ef_begun_end(c, false);
    return err;
}
