/* Decision 9: a board that is gone is waited for, and worked with again. */
#include "wrapper.h"

#include "espflashfs/clock.h"

enum {
    LOOK_EVERY_MS = 100,
    SLICE_MS = 50, /* who leaves is asked about as often */
    /* A look at a port that is there takes a while, and may reset what is behind it. */
    SILENT_PAUSE_MS = 500,
    FOREIGN_PAUSE_MS = 2000,
    LEAVES_MAX = 5 /* in a row, in one request that gets nowhere */
};

struct reconnect {
    struct ef_flash flash; /* first */
    struct ef_presence *presence;
    int wait_ms;
    struct ef_presence_now now;
    ef_deadline not_before;     /* the next look */
    const struct ef_read *read; /* in hand; NULL: none */
};

static bool is_gone(enum ef_err err)
{
    return err == EF_GONE || err == EF_FOREIGN;
}

/* True where nobody waits for the request in hand any more. */
static bool is_left(void *user)
{
    const struct reconnect *self = user;
    const struct ef_flash *f = &self->flash;
    const struct ef_read *r = self->read;
    return (f->stop_waiting && f->stop_waiting(f->stop_user)) || (r && r->stop && r->stop(r->user));
}

static void say(struct reconnect *self)
{
    ef_presence_say(self->presence, self->now);
}

static void note_gone(struct reconnect *self, enum ef_err err)
{
    self->now.state = self->wait_ms > 0 ? EF_AWAITED : EF_ABSENT;
    self->now.foreign = err == EF_FOREIGN;
    self->now.until = ef_deadline_in(self->wait_ms);
    self->not_before = 0;
    if (self->wait_ms > 0)
        ef_log(self->flash.log, EF_LOG_WARN,
               "the board is gone: waiting up to %d s for it to come back", self->wait_ms / 1000);
    else
        ef_log(self->flash.log, EF_LOG_ERROR,
               "the board is gone: requests fail until it is back (reconnect= waits for it)");
    say(self);
}

static void note_over(struct reconnect *self)
{
    if (self->now.state == EF_AWAITED)
        ef_log(self->flash.log, EF_LOG_ERROR,
               "the board did not come back within %d s: requests fail until it is back",
               self->wait_ms / 1000);
    self->now.state = EF_ABSENT;
    say(self);
}

static void note_back(struct reconnect *self)
{
    ef_log(self->flash.log, EF_LOG_INFO, "the board is back: going on");
    self->now = (struct ef_presence_now){.reconnections = self->now.reconnections + 1};
    say(self);
}

static enum ef_err look(struct reconnect *self)
{
    enum ef_err err = ef_flash_rejoin(self->flash.below, is_left, self);
    bool foreign = err == EF_FOREIGN;
    int pause_ms = foreign ? FOREIGN_PAUSE_MS : err == EF_GONE ? LOOK_EVERY_MS : SILENT_PAUSE_MS;
    if (err == EF_OK) {
        note_back(self);
        return EF_OK;
    }
    self->not_before = ef_deadline_in(pause_ms);
    if (foreign != self->now.foreign) {
        self->now.foreign = foreign;
        say(self);
    }
    return err;
}

static bool may_look(const struct reconnect *self)
{
    return ef_deadline_left_ms(self->not_before) == 0;
}

/* Until the board is back, its time is over, or nobody waits. */
static enum ef_err await(struct reconnect *self)
{
    enum ef_err err = EF_GONE;
    while (err != EF_OK && !is_left(self)) {
        /* Once past the end, for a wait that began behind it. */
        bool last = ef_deadline_left_ms(self->now.until) == 0;
        if (may_look(self))
            err = look(self);
        if (err == EF_OK)
            return EF_OK;
        if (last) {
            note_over(self);
            return EF_GONE;
        }
        ef_clock_sleep_ms(SLICE_MS);
    }
    return EF_GONE;
}

/* The board is needed. */
static enum ef_err be_present(struct reconnect *self)
{
    return self->now.state == EF_PRESENT ? EF_OK : await(self);
}

/* A request failed: EF_OK where it is to be repeated. `leaves`: how often the board has left. */
static enum ef_err prepare_again(struct reconnect *self, enum ef_err err, int *leaves)
{
    if (!is_gone(err))
        return err;
    note_gone(self, err);
    if (self->now.state == EF_ABSENT)
        return EF_GONE;
    if (++*leaves < LEAVES_MAX)
        return await(self);
    ef_log(self->flash.log, EF_LOG_ERROR,
           "the board left %d times during one request, which is given up: check its supply and "
           "its cable",
           LEAVES_MAX);
    return EF_GONE;
}

static enum ef_err reconnect_read(struct ef_flash *f, struct ef_read *r)
{
    struct reconnect *self = (struct reconnect *)f;
    self->read = r;
    int leaves = 0;
    enum ef_err err = be_present(self);
    while (err == EF_OK) {
        struct ef_read rest = ef_read_rest(r);
        err = ef_flash_read(f->below, &rest);
        r->done += rest.done;
        if (err == EF_OK)
            break;
        leaves = rest.done > 0 ? 0 : leaves;
        err = prepare_again(self, err, &leaves);
    }
    bool stopped = err == EF_GONE && r->stop && r->stop(r->user);
    self->read = NULL;
    return stopped ? EF_INTERRUPTED : err;
}

static enum ef_err reconnect_write(struct ef_flash *f, uint32_t addr, uint32_t len,
                                   const uint8_t *data)
{
    struct reconnect *self = (struct reconnect *)f;
    int leaves = 0;
    enum ef_err err = be_present(self);
    while (err == EF_OK && (err = ef_flash_write(f->below, addr, len, data)) != EF_OK)
        err = prepare_again(self, err, &leaves);
    return err;
}

static enum ef_err reconnect_erase(struct ef_flash *f, uint32_t addr, uint32_t len)
{
    struct reconnect *self = (struct reconnect *)f;
    int leaves = 0;
    enum ef_err err = be_present(self);
    while (err == EF_OK && (err = ef_flash_erase(f->below, addr, len)) != EF_OK)
        err = prepare_again(self, err, &leaves);
    return err;
}

static enum ef_err reconnect_digest(struct ef_flash *f, struct ef_digest *list, size_t count)
{
    struct reconnect *self = (struct reconnect *)f;
    int leaves = 0;
    enum ef_err err = be_present(self);
    while (err == EF_OK && (err = ef_flash_digests(f->below, list, count)) != EF_OK)
        err = prepare_again(self, err, &leaves);
    return err;
}

static const struct ef_flash_ops RECONNECT = {.read = reconnect_read,
                                              .write = reconnect_write,
                                              .erase = reconnect_erase,
                                              .digest = reconnect_digest,
                                              .recover = ef_flash_pass_recover};

struct ef_flash *ef_flash_reconnect_new(struct ef_flash *below, int wait_ms,
                                        struct ef_presence *presence)
{
    struct reconnect *self = ef_flash_wrap(below, sizeof(*self), "reconnect", &RECONNECT);
    if (!self)
        return NULL;
    self->wait_ms = wait_ms;
    self->presence = presence;
    return &self->flash;
}
