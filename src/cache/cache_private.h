/* The cache's state, shared by its files. Everything in it is guarded by `lock`. */
#ifndef ESPFLASHFS_CACHE_PRIVATE_H
#define ESPFLASHFS_CACHE_PRIVATE_H

#include "evict.h"
#include "scout.h"

#include "espflashfs/cache.h"

enum {
    EF_RUN_SECTORS = EF_BLOCK / EF_SECTOR,    /* dirty, these are worth writing behind */
    EF_STRETCH_SECTORS = 4 * EF_RUN_SECTORS,  /* the most that a flush works on at a time */
    EF_TRANSFER_SECTORS = EF_STRETCH_SECTORS, /* ... and writes: 3 s at 921600 baud, at most */
    EF_WINDOW_SECTORS = 8 * EF_RUN_SECTORS,   /* unwritten at most: one stretch fills up while
                                                 the one before it is worked on ... */
    EF_WITNESSES = 8, /* sectors that tell if somebody else has written to the board */
    EF_NEAR = 2,      /* ... those beside it ... */
    EF_SEEN_MAX = 8,  /* ... and of one piece of work, one of so many of whose sectors, ... */
    EF_SEEN_EVERY = EF_STRETCH_SECTORS / EF_SEEN_MAX,
    EF_WAS_MAX = 32, /* ... or of all that is begun, some whose earlier contents do */
    EF_BLANK_SECTORS = 64 * EF_RUN_SECTORS /* ... and so many blank ones, which cost little,
                                              and least where all are seen at once */
};

/*
 * One sector. Its bytes in cache->data are valid as a whole if `have`, else in [lo, hi) if
 * `dirty`. `md5` is what the chip is known to hold if `known`; a clean sector that we have
 * is what the chip holds, known or not.
 */
struct sector {
    bool have, dirty, known;
    bool imaged;      /* the bytes are those of the image on disk, and no more if not `have` */
    bool expected;    /* not `have`: the bytes are those that a question was put together from */
    bool fetching;    /* a read job covers it */
    bool streaming;   /* a stream will be here soon: worth waiting for by who reads on */
    bool writing;     /* a flush of a copy of it is under way */
    bool erasing;     /* an erase is queued or under way: nobody else touches it */
    bool blank;       /* dirty, and seen to be all FF when it was last written */
    uint8_t begun;    /* enum ef_begun: in the journal, until it is proven done */
    int8_t fetch_err; /* enum ef_err of the last fetch that failed */
    uint16_t lo, hi;
    uint32_t generation; /* counts changes, so that a flush sees what came after its copy */
    uint32_t told;       /* which telling of the cache's it became clean in: see absence.h */
    uint8_t md5[EF_DIGEST_BYTES];
};

/* What the chip holds in some sectors, or in the beginnings of them. */
struct ef_seen {
    unsigned count;
    struct ef_digest digest[EF_SEEN_MAX];
};

struct fetch {
    struct ef_cache *cache;
    struct ef_job *job; /* a read, a stream, or a question before a stream */
    struct ask ask;     /* that */
    /* A stream, addresses in bytes: where it is, and from where on no more is wanted. */
    uint32_t at, until;
    struct fetch *next;
};

struct ef_cache {
    struct ef_worker *worker;
    struct ef_log *log;
    uint32_t size, sectors;
    uint8_t *data;
    struct sector *sector;
    uint8_t *run; /* the flusher's copy of the run in hand; of a blank one, what lies before it */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* any state above changed */
    struct fetch *fetches;
    struct scout scout;
    struct evict evict;
    const struct ef_board_key *image; /* NULL: none is kept */
    struct {
        uint32_t credit;  /* sectors of the image that may yet be asked about in vain */
        uint32_t crossed; /* sectors, since the mount */
    } belief;             /* see belief.h */
    struct {
        pthread_mutex_t lock; /* held while the disk works; taken before the cache's, never after */
        const struct ef_board_key *key; /* NULL: none is kept */
        struct ef_journal *file;        /* NULL: not open yet */
        bool recorded;                  /* it holds a record of this board */
        bool unsettled;                 /* it held one, and the disk may not know yet */
        bool outdated; /* ... and not what begun sectors are to hold by now; by the cache's lock */
        bool aside;    /* what lies there is to be kept under another name first */
        bool refused;  /* ... or not to be touched */
        const struct ef_board_key *retired; /* NULL, or another journal that is to be */
        /* The chip, for witnesses: see witness.h. Guarded by the cache's lock. */
        bool asked;
        unsigned witnesses;
        struct ef_digest witness[EF_WITNESSES];
        uint32_t generation[EF_WITNESSES]; /* of those sectors, when they were asked about */
        unsigned near_count;
        struct ef_digest near[EF_NEAR]; /* of the sectors beside a small piece of work */
        uint32_t near_generation[EF_NEAR];
        unsigned was_count;
        struct ef_digest was[EF_WAS_MAX]; /* of some that are begun, before they were */
    } journal;                            /* see begun.h */
    int64_t others_at_ms;                 /* when a reader last came beside work for others */
    unsigned erases;                      /* under way */
    uint32_t dirty_count;
    uint32_t complete_count; /* dirty and whole: fit to be written behind */
    uint32_t blank_count;
    struct timespec modified;
    uint64_t others; /* changes that came by no write */

    pthread_t flusher;
    bool stopping;
    uint64_t absences; /* of the board, as jobs have told */
    uint32_t telling;  /* counts flushes that were told to have succeeded, from 1 */
    bool was_away;     /* what no flush has told of yet must be held against the chip */
    bool stalled;      /* the last write-behind or flush failed: wait for the next flush */
    bool suspect;      /* a write or erase may have hit other sectors (see worker.h, stray) */
    bool healing;      /* that is being looked into */
    bool distrusted;   /* a read may have changed the chip: no more of it is given out */
    bool blind;    /* the chip computes no digests: what was written is never known to be there */
    bool unread;   /* a journal that may have pending work: no flush succeeds before it is read */
    bool unproven; /* some of them cannot be vouched for, and no flush has said so yet */
    enum ef_err flush_err;
    uint64_t passes_wanted, passes_begun, passes_done;
    enum ef_err pass_err; /* of the last pass done */
};

static inline uint8_t *ef_sector_data(struct ef_cache *c, uint32_t s)
{
    return c->data + (size_t)s * EF_SECTOR;
}

/* Under the lock. Keep the counts right. */
void ef_sector_set_dirty(struct ef_cache *c, uint32_t s);
void ef_sector_set_clean(struct ef_cache *c, uint32_t s);
void ef_sector_set_have(struct ef_cache *c, uint32_t s);
void ef_sector_set_blank(struct ef_cache *c, uint32_t s, bool blank);

/* Under the lock: no more sectors may become dirty. */
static inline bool ef_window_is_full(const struct ef_cache *c)
{
    return c->dirty_count - c->blank_count >= EF_WINDOW_SECTORS ||
           c->dirty_count >= EF_WINDOW_SECTORS + EF_BLANK_SECTORS ||
           c->dirty_count >= c->evict.limit;
}

void ef_sector_lose(struct ef_cache *c, uint32_t s);
/* Under the lock: the contents change, by a write(2) or by another way. */
void ef_cache_touch(struct ef_cache *c, bool by_write);

/*
 * Waits up to 100 ms for a change, the lock released meanwhile; EF_INTERRUPTED if told to, which
 * is asked each time that 100 ms are over.
 */
enum ef_err ef_cache_wait(struct ef_cache *c, struct ef_patience patience);

/*
 * Under the lock, which is released while waiting: makes sector `s` whole, by a read of what
 * is missing from there on up to `end`. At EF_PRIORITY_AHEAD, by a stream: for who reads on.
 */
enum ef_err ef_fetch_wait(struct ef_cache *c, uint32_t s, uint32_t end, enum ef_priority priority,
                          struct ef_patience patience);

/* The flusher's thread. */
void *ef_flusher_main(void *cache);

/* Which of the dirty sectors. */
enum ef_due {
    EF_DUE_ALL,
    EF_DUE_WHOLE, /* none of which only a part was written */
    EF_DUE_TORN   /* those that an erase or a write was begun of, and failed */
};

/*
 * On the flusher's thread, without the lock: writes out the next run of the sectors that are due
 * from `from` on, inside one stretch. *next is where to go on: c->sectors when there was nothing
 * left.
 */
enum ef_err ef_run_flush(struct ef_cache *c, uint32_t from, enum ef_due due, uint32_t *next);

/* Without the lock: the chip's digest of whole sectors, through the worker. */
enum ef_err ef_cache_digest(struct ef_cache *c, uint32_t first, uint32_t count,
                            uint8_t md5[EF_DIGEST_BYTES], struct ef_patience patience);

/* The same for any ranges at once, never interrupted. */
enum ef_err ef_cache_digests(struct ef_cache *c, struct ef_digest *list, size_t count);

/* ... or as long as the caller wants to wait. */
enum ef_err ef_cache_digests_for(struct ef_cache *c, struct ef_digest *list, size_t count,
                                 struct ef_patience patience);

/*
 * What a run of sectors is to hold, and which of them the chip holds already: for
 * ef_ask_run. Without the lock.
 */
struct ef_asked {
    uint32_t first, count;
    const uint8_t *data; /* what is to be there, count sectors; NULL: all blank */
    const uint8_t
        *before;  /* of blank ones: NULL, or what the chip holds in the sector in front ... */
    uint32_t gap; /* ... of so many other blank ones */
    bool *held;   /* out: set where the chip is proven to hold it */
    struct ef_seen *seen; /* out: what was seen on the way of what it holds, unproven */
};

/*
 * Asks the chip about sectors [i, i+n). EF_UNSUPPORTED: it computes no digests. One damaged
 * request never makes a sector count as held that is not.
 */
enum ef_err ef_ask_run(struct ef_cache *c, const struct ef_asked *a, uint32_t i, uint32_t n);

/* *yes if sectors [i, i+n) look as if the chip held what is wanted: a guess. */
enum ef_err ef_ask_looks(struct ef_cache *c, const struct ef_asked *a, uint32_t i, uint32_t n,
                         bool *yes);

/*
 * Compares with the chip's digests all that is held, after a stray write or erase (`all`), or
 * what was written and not told of yet, after an absence; what differs becomes dirty again. Sets
 * `unproven` where some sectors cannot be vouched for.
 */
enum ef_err ef_cache_recheck(struct ef_cache *c, bool all);

#endif
