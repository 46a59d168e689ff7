/* Decision 2: nothing is believed unproven. The chip's own digest is the proof. */
#include "prints.h"
#include "wrapper.h"

#include "espflashfs/bytes.h"

#include <string.h>

enum {
    WITNESS_MIN = EF_SECTOR,
    WITNESS_MAX = 4 * EF_BLOCK,
    PRINTS_FROM_PIECES = 4,
    SECOND_THOUGHTS = 2,
    AGAIN_MAX = 16
};

/*
 * An erase that failed without a proof, a timeout perhaps because it went much too far, is
 * judged when it is repeated: by what lay behind it before the first attempt.
 */
struct verify {
    struct ef_flash flash; /* first */
    struct ef_prints prints;
    uint64_t upsets; /* of the stack, when the prints were last in use */
    bool unsettled;
    uint32_t addr, len;
    uint32_t witness_at, witness_len; /* none where the length is 0 */
    uint8_t witness[EF_DIGEST_BYTES];
};

static bool says_blank(const struct ef_digest *digest)
{
    uint8_t blank[EF_DIGEST_BYTES];
    ef_digest_blank(digest->len, blank);
    return memcmp(digest->md5, blank, EF_DIGEST_BYTES) == 0;
}

/* Those of the list, from *from on, that say "blank" and must say it twice. */
static size_t take_doubtful(const struct ef_digest *list, size_t count, size_t *from,
                            struct ef_digest again[AGAIN_MAX], size_t which[AGAIN_MAX])
{
    size_t n = 0;
    for (; *from < count && n < AGAIN_MAX; ++*from) {
        if (list[*from].len < EF_SECTOR || !says_blank(&list[*from]))
            continue;
        which[n] = *from;
        again[n++] = list[*from];
    }
    return n;
}

static enum ef_err verify_digests(struct ef_flash *f, struct ef_digest *list, size_t count)
{
    struct verify *v = (struct verify *)f;
    enum ef_err err = ef_flash_digests(f->below, list, count);
    for (size_t from = 0; from < count && err == EF_OK;) {
        struct ef_digest again[AGAIN_MAX];
        size_t which[AGAIN_MAX];
        size_t n = take_doubtful(list, count, &from, again, which);
        err = ef_flash_digests(f->below, again, n);
        for (size_t k = 0; k < n && err == EF_OK; k++)
            if (memcmp(again[k].md5, list[which[k]].md5, EF_DIGEST_BYTES) != 0)
                err = EF_VERIFY;
    }
    for (size_t i = 0; i < count && err == EF_OK; i++)
        ef_prints_note(&v->prints, &list[i]);
    return err;
}

/*
 * Blank or not, once is enough for a proof: if the work was damaged the digest is not, and the
 * other way round.
 */
static enum ef_err digest_is(struct ef_flash *f, uint32_t addr, uint32_t len,
                             const uint8_t expected[EF_DIGEST_BYTES], bool *yes)
{
    struct ef_digest actual = {.addr = addr, .len = len};
    enum ef_err err = ef_flash_digests(f->below, &actual, 1);
    *yes = err == EF_OK && memcmp(actual.md5, expected, EF_DIGEST_BYTES) == 0;
    if (err == EF_OK)
        ef_prints_note(&((struct verify *)f)->prints, &actual);
    return err;
}

/*
 * A digest that differs may have been damaged on its way, and a write or erase that is blamed
 * for it makes all else suspect. So it is asked for again: the right one, said twice in a row,
 * is believed; anything else is the failed proof.
 */
static enum ef_err think_again(struct ef_flash *f, const char *what, uint32_t addr, uint32_t len,
                               const uint8_t expected[EF_DIGEST_BYTES])
{
    bool right;
    for (int i = 0; i < SECOND_THOUGHTS; i++) {
        enum ef_err err = digest_is(f, addr, len, expected, &right);
        if (right)
            continue;
        ef_log(f->log, EF_LOG_WARN, "%s of %u bytes at 0x%x: the chip's digest differs", what,
               (unsigned)len, (unsigned)addr);
        /* Only a hang-up says more than the answer that was wrong. */
        return err == EF_GONE ? err : EF_VERIFY;
    }
    ef_log(f->log, EF_LOG_DEBUG, "%s of %u bytes at 0x%x: a digest was damaged on its way", what,
           (unsigned)len, (unsigned)addr);
    return EF_OK;
}

static enum ef_err expect_digest(struct ef_flash *f, const char *what, uint32_t addr, uint32_t len,
                                 const uint8_t expected[EF_DIGEST_BYTES])
{
    bool right;
    enum ef_err err = digest_is(f, addr, len, expected, &right);
    return right || (err != EF_OK && err != EF_VERIFY) ? err
                                                       : think_again(f, what, addr, len, expected);
}

/* The transfer's own digest says nothing of the address that it came from: another is asked for. */
static enum ef_err prove_read(struct ef_flash *f, uint32_t addr, const uint8_t *bytes, uint32_t len,
                              bool doubt)
{
    uint8_t md5[EF_DIGEST_BYTES];
    ef_digest_bytes(bytes, len, md5);
    return (doubt ? think_again : expect_digest)(f, "read", addr, len, md5);
}

/* Pieces on their way up, each proven by its print, or by digests that come along with it. */
struct row {
    struct verify *verify;
    struct ef_read *read; /* the caller's */
    uint32_t proven;      /* addresses below this are, by such digests; 0: none came */
    uint32_t doubt;       /* the length of the piece at the read's end, which must be asked about */
    bool wrong;           /* a digest differs */
};

/*
 * Data and digest are asked for by a request each. One that is damaged makes the two differ,
 * whatever the range holds, so that here "blank" need not be said twice.
 */
static void hear_digest(void *user, const struct ef_digest *digest, const uint8_t *bytes)
{
    struct row *row = user;
    uint8_t md5[EF_DIGEST_BYTES];
    ef_digest_bytes(bytes, digest->len, md5);
    if (memcmp(md5, digest->md5, EF_DIGEST_BYTES) != 0) {
        row->wrong = true;
        return;
    }
    ef_prints_note(&row->verify->prints, digest);
    uint32_t from = row->proven ? row->proven : row->read->addr + row->read->done;
    if (digest->addr == from)
        row->proven = digest->addr + digest->len;
}

static enum ef_err judge_by_digest(struct row *row, uint32_t addr, uint32_t len)
{
    if (row->proven == addr + len && !row->wrong)
        return ef_read_deliver(row->read, len);
    row->doubt = len;
    return EF_INTERRUPTED; /* no digest can be had while more is streaming */
}

static enum ef_err judge_piece(void *user, uint32_t addr, const uint8_t *bytes, uint32_t len)
{
    struct row *row = user;
    if (row->verify->flash.read_asks_digests)
        return judge_by_digest(row, addr, len);
    switch (ef_prints_prove(&row->verify->prints, addr, bytes)) {
    case EF_PROOF_YES:
        return ef_read_deliver(row->read, len);
    case EF_PROOF_DOUBT:
        row->doubt = len;
        return EF_INTERRUPTED;
    case EF_PROOF_NO:
        break;
    }
    ef_log(row->verify->flash.log, EF_LOG_WARN,
           "read of %u bytes at 0x%x: it begins otherwise than the chip's digest says",
           (unsigned)len, (unsigned)addr);
    return EF_VERIFY;
}

static bool stop_above(void *user)
{
    const struct ef_read *r = ((struct row *)user)->read;
    return r->stop && r->stop(r->user);
}

static bool shared_above(void *user)
{
    return ef_read_is_shared(((struct row *)user)->read);
}

/* What lies at ef_read_at: proven by a digest of all of it, then handed on. */
static enum ef_err prove_and_deliver(struct row *row, uint32_t len)
{
    struct ef_read *r = row->read;
    uint32_t addr = r->addr + r->done;
    bool proven = row->proven == addr + len && !row->wrong;
    enum ef_err err = EF_OK;
    if (!proven)
        err = prove_read(&row->verify->flash, addr, ef_read_at(r), len, row->wrong);
    return err == EF_OK ? ef_read_deliver(r, len) : err;
}

static struct ef_read below_of(struct row *row, uint32_t len)
{
    const struct ef_read *r = row->read;
    return (struct ef_read){.addr = r->addr + r->done,
                            .len = len,
                            .buf = ef_read_at(r),
                            .stop = stop_above,
                            .shared = shared_above,
                            .digest = hear_digest,
                            .user = row};
}

static enum ef_err read_row(struct verify *v, struct ef_read *r, uint32_t len)
{
    struct row row = {.verify = v, .read = r};
    struct ef_read below = below_of(&row, len);
    below.rolling = r->rolling;
    below.piece = judge_piece;
    if (!v->flash.read_asks_digests)
        below.digest = NULL; /* a print will do */
    enum ef_err err = ef_flash_read(v->flash.below, &below);
    return row.doubt && err == EF_INTERRUPTED ? prove_and_deliver(&row, row.doubt) : err;
}

static enum ef_err read_one(struct verify *v, struct ef_read *r, uint32_t len)
{
    struct row row = {.verify = v, .read = r};
    struct ef_read below = below_of(&row, len);
    enum ef_err err = ef_flash_read(v->flash.below, &below);
    return err == EF_OK ? prove_and_deliver(&row, len) : err;
}

/* The length of the row of pieces from here on that can be proven in one go, 0 if there is none. */
static uint32_t row_len(const struct verify *v, const struct ef_read *r)
{
    uint32_t len = 0;
    uint32_t piece = v->prints.piece;
    if (ef_read_is_shared(r))
        return 0;
    if (v->flash.read_asks_digests)
        return r->len - r->done;
    while (r->len - r->done - len >= piece &&
           ef_prints_tell(&v->prints, r->addr + r->done + len, piece))
        len += piece;
    return len;
}

static enum ef_err verify_read(struct ef_flash *f, struct ef_read *r)
{
    struct verify *v = (struct verify *)f;
    enum ef_err err = EF_OK;
    /* Flash that was hit, or that firmware had for itself, is not what was digested. */
    uint64_t upsets = ef_flash_strays(f) + ef_flash_absences(f);
    if (v->upsets != upsets) {
        v->upsets = upsets;
        ef_prints_forget(&v->prints, 0, f->size);
    }
    /* For less, prints cost more than they save. */
    if (f->read_digested && r->len >= PRINTS_FROM_PIECES * v->prints.piece && !ef_read_is_shared(r))
        err = ef_prints_take(&v->prints, f->below, r);
    while (err == EF_OK && r->done < r->len) {
        uint32_t row = row_len(v, r);
        uint32_t piece = ef_read_is_shared(r) ? EF_READ_PIECE_SHARED : v->prints.piece;
        err = row ? read_row(v, r, row) : read_one(v, r, ef_read_next_len(r, piece));
    }
    return err;
}

static enum ef_err count_stray(struct ef_flash *f, enum ef_err err)
{
    if (err == EF_VERIFY)
        f->strays++;
    return err;
}

/*
 * Before work on [addr, addr+len): the first stretch behind it that is not blank, since a
 * blank one would not show that it was erased. Too long an erase comes through there. What
 * the failed attempt before this one saw is kept.
 */
static enum ef_err take_witness(struct verify *v, uint32_t addr, uint32_t len)
{
    if (v->unsettled && v->addr == addr && v->len == len)
        return EF_OK;
    v->unsettled = false;
    v->addr = addr;
    v->len = len;
    v->witness_at = addr + len;
    v->witness_len = 0;
    uint32_t stretch = WITNESS_MIN;
    while (v->witness_at < v->flash.size) {
        uint32_t n = ef_min_u32(stretch, v->flash.size - v->witness_at);
        struct ef_digest digest = {.addr = v->witness_at, .len = n};
        enum ef_err err = ef_flash_digests(v->flash.below, &digest, 1);
        if (err != EF_OK)
            return err;
        if (!says_blank(&digest)) {
            memcpy(v->witness, digest.md5, EF_DIGEST_BYTES);
            v->witness_len = n;
            return EF_OK;
        }
        v->witness_at += n;
        stretch = ef_min_u32(2 * stretch, WITNESS_MAX);
    }
    return EF_OK;
}

/* After it, where all went well so far. */
static enum ef_err hear_witness(struct verify *v, const char *what, enum ef_err err)
{
    if (err == EF_OK && v->witness_len)
        err = expect_digest(&v->flash, what, v->witness_at, v->witness_len, v->witness);
    v->unsettled = err != EF_OK && err != EF_VERIFY;
    return err;
}

/* How much of what was written is proven by the digest that was taken on the way. */
static uint32_t proven_front(const struct ef_flash *f, uint32_t addr, uint32_t len,
                             const uint8_t *data)
{
    const struct ef_digest *front = ef_flash_front(f);
    uint8_t md5[EF_DIGEST_BYTES];
    if (front->len == 0 || front->addr != addr || front->len >= len)
        return 0;
    ef_digest_bytes(data, front->len, md5);
    return memcmp(md5, front->md5, EF_DIGEST_BYTES) == 0 ? front->len : 0;
}

static enum ef_err write_proven(struct ef_flash *f, uint32_t addr, uint32_t len,
                                const uint8_t *data)
{
    enum ef_err err = ef_flash_write(f->below, addr, len, data);
    if (err != EF_OK)
        return err;
    uint32_t front = proven_front(f->below, addr, len, data);
    uint8_t md5[EF_DIGEST_BYTES];
    ef_digest_bytes(data + front, len - front, md5);
    return expect_digest(f, "write", addr + front, len - front, md5);
}

static enum ef_err verify_write(struct ef_flash *f, uint32_t addr, uint32_t len,
                                const uint8_t *data)
{
    struct verify *self = (struct verify *)f;
    ef_prints_forget(&self->prints, addr, len);
    if (!f->below->erases_ahead) {
        self->unsettled = false;
        return count_stray(f, write_proven(f, addr, len, data));
    }
    enum ef_err err = take_witness(self, addr, len);
    if (err != EF_OK)
        return err;
    err = write_proven(f, addr, len, data);
    return count_stray(f, hear_witness(self, "what lies behind a write, digest", err));
}

static enum ef_err verify_erase(struct ef_flash *f, uint32_t addr, uint32_t len)
{
    struct verify *self = (struct verify *)f;
    ef_prints_forget(&self->prints, addr, len);
    enum ef_err err = take_witness(self, addr, len);
    if (err != EF_OK)
        return err;
    err = ef_flash_erase(f->below, addr, len);
    if (err == EF_OK) {
        uint8_t blank[EF_DIGEST_BYTES];
        ef_digest_blank(len, blank);
        err = expect_digest(f, "erase", addr, len, blank);
    }
    return count_stray(f, hear_witness(self, "what lies behind an erase, digest", err));
}

static void verify_free(struct ef_flash *f)
{
    ef_prints_free(&((struct verify *)f)->prints);
}

static const struct ef_flash_ops VERIFY = {.read = verify_read,
                                           .write = verify_write,
                                           .erase = verify_erase,
                                           .digest = verify_digests,
                                           .recover = ef_flash_pass_recover,
                                           .free = verify_free};

struct ef_flash *ef_flash_verify_new(struct ef_flash *below)
{
    struct verify *self = ef_flash_wrap(below, sizeof(*self), "verify", &VERIFY);
    if (!self)
        return NULL;
    self->flash.read_proven = true;
    if (ef_prints_init(&self->prints, self->flash.size, self->flash.read_piece) != EF_OK) {
        ef_flash_free(&self->flash);
        return NULL;
    }
    return &self->flash;
}
