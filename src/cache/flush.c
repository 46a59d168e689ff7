/* The flusher: writes behind as runs fill up, and in whole passes when asked to. */
#include "begun.h"
#include "cache_private.h"
#include "replay.h"

enum { RECHECKS_MAX = 3 };

/* What is to be looked into before a flush may say that all is there. */
struct doubts {
    bool suspect;  /* a stray write or erase */
    bool was_away; /* the board */
};

static void note_result(struct ef_cache *c, enum ef_err err)
{
    c->flush_err = err;
    c->stalled = err != EF_OK;
    if (err != EF_OK && c->dirty_count > 0)
        ef_log(c->log, EF_LOG_ERROR,
               "not written: %s; %u sectors wait in memory, the next fsync or close tries again",
               ef_err_text(err), (unsigned)c->dirty_count);
}

/* Every sector that is due when its turn comes, once, in order. */
static enum ef_err flush_due(struct ef_cache *c, enum ef_due due)
{
    enum ef_err err = EF_OK;
    for (uint32_t from = 0; from < c->sectors && err == EF_OK;)
        err = ef_run_flush(c, from, due, &from);
    return err;
}

/* What is torn goes first, so that no more is torn at a time than one run. */
static enum ef_err flush_all(struct ef_cache *c)
{
    enum ef_err err = flush_due(c, EF_DUE_TORN);
    return err == EF_OK ? flush_due(c, EF_DUE_ALL) : err;
}

static bool take_doubts(struct ef_cache *c, struct doubts *doubts)
{
    pthread_mutex_lock(&c->lock);
    *doubts = (struct doubts){.suspect = c->suspect, .was_away = c->was_away};
    c->healing = c->suspect;
    c->suspect = false;
    c->was_away = false;
    pthread_mutex_unlock(&c->lock);
    return doubts->suspect || doubts->was_away;
}

/* `left`: those taken last, if they were not cleared up. Returns true if there are any. */
static bool end_healing(struct ef_cache *c, struct doubts left)
{
    pthread_mutex_lock(&c->lock);
    c->suspect = c->suspect || left.suspect;
    c->was_away = c->was_away || left.was_away;
    c->healing = false;
    bool any = c->suspect || c->was_away;
    pthread_mutex_unlock(&c->lock);
    return any;
}

/* After a stray write or erase, or an absence: finds what it hit and writes that again. */
static enum ef_err heal(struct ef_cache *c)
{
    enum ef_err err = EF_OK;
    struct doubts doubts = {0};
    for (int i = 0; err == EF_OK && i < RECHECKS_MAX && take_doubts(c, &doubts); i++) {
        err = ef_cache_recheck(c, doubts.suspect);
        if (err != EF_OK)
            break;
        doubts = (struct doubts){0};
        err = flush_all(c);
    }
    bool any = end_healing(c, doubts);
    return err == EF_OK && any ? EF_VERIFY : err;
}

static void write_behind(struct ef_cache *c, enum ef_due due)
{
    uint32_t next;
    enum ef_err err = ef_run_flush(c, 0, due, &next);
    if (err == EF_OK)
        err = heal(c);
    pthread_mutex_lock(&c->lock);
    if (err != EF_OK)
        note_result(c, err);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void run_pass(struct ef_cache *c)
{
    pthread_mutex_lock(&c->lock);
    uint64_t pass = c->passes_wanted;
    c->passes_begun = pass;
    pthread_mutex_unlock(&c->lock);

    enum ef_err err = ef_replay_unread(c);
    if (err == EF_OK)
        err = flush_all(c);
    if (err == EF_OK)
        err = heal(c);
    ef_begun_settle(c);
    pthread_mutex_lock(&c->lock);
    if (err == EF_OK && c->unproven)
        err = EF_VERIFY;
    c->telling += err == EF_OK;
    note_result(c, err);
    c->passes_done = pass;
    c->pass_err = err;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

void *ef_flusher_main(void *arg)
{
    struct ef_cache *c = arg;
    pthread_mutex_lock(&c->lock);
    while (!c->stopping) {
        if (c->passes_wanted > c->passes_done) {
            pthread_mutex_unlock(&c->lock);
            run_pass(c);
            pthread_mutex_lock(&c->lock);
        } else if (!c->stalled && (c->complete_count >= EF_RUN_SECTORS || ef_window_is_full(c))) {
            /* Parts of sectors wait for the rest, unless nothing else would make room. */
            enum ef_due due = c->complete_count >= EF_RUN_SECTORS ? EF_DUE_WHOLE : EF_DUE_ALL;
            pthread_mutex_unlock(&c->lock);
            write_behind(c, due);
            pthread_mutex_lock(&c->lock);
        } else {
            pthread_cond_wait(&c->changed, &c->lock);
        }
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

enum ef_err ef_cache_flush(struct ef_cache *c, struct ef_patience patience)
{
    pthread_mutex_lock(&c->lock);
    enum ef_err err = EF_OK;
    /* One that its caller left may yet turn out to have gone astray. */
    while (err == EF_OK && c->erases > 0)
        err = ef_cache_wait(c, patience);
    if (err != EF_OK) {
        pthread_mutex_unlock(&c->lock);
        return err;
    }
    if (c->dirty_count > 0 || c->suspect || c->was_away || c->healing || c->unproven || c->unread ||
        c->passes_begun > c->passes_done) {
        /* A pass that has begun may have gone past our sectors: ask for the next one. */
        if (c->passes_wanted == c->passes_begun)
            c->passes_wanted++;
        uint64_t pass = c->passes_wanted;
        pthread_cond_broadcast(&c->changed);
        while (err == EF_OK && c->passes_done < pass && !c->stopping)
            err = ef_cache_wait(c, patience);
        if (err == EF_OK)
            err = c->passes_done >= pass ? c->pass_err : EF_INTERRUPTED;
        /* Somebody is told. For the pass of a replay nobody waits. */
        if (err == EF_VERIFY)
            c->unproven = false;
    } else {
        c->telling++; /* all was written behind */
    }
    pthread_mutex_unlock(&c->lock);
    /* What was written behind, and all of it, had no pass. */
    if (err == EF_OK)
        ef_begun_settle(c);
    return err;
}
