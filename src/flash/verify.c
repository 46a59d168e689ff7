/* Decision 2: nothing is believed unproven. The chip's own digest is the proof. */
#include "wrapper.h"

#include "espflashfs/bytes.h"

#include <string.h>

enum { WITNESS_MIN = EF_SECTOR, WITNESS_MAX = 4 * EF_BLOCK };

/* The chip's digest of a range; one that says "blank" must be said twice. */
static enum ef_err verify_digest(struct ef_flash *f, uint32_t addr, uint32_t len,
                                 uint8_t md5[EF_DIGEST_BYTES])
{
    enum ef_err err = ef_flash_digest(f->below, addr, len, md5);
    if (err != EF_OK)
        return err;
    uint8_t blank[EF_DIGEST_BYTES];
    ef_digest_blank(len, blank);
    if (memcmp(md5, blank, EF_DIGEST_BYTES) != 0)
        return EF_OK;
    uint8_t again[EF_DIGEST_BYTES];
    err = ef_flash_digest(f->below, addr, len, again);
    if (err != EF_OK)
        return err;
    return memcmp(md5, again, EF_DIGEST_BYTES) == 0 ? EF_OK : EF_VERIFY;
}

static enum ef_err expect_digest(struct ef_flash *f, const char *what, uint32_t addr, uint32_t len,
                                 const uint8_t expected[EF_DIGEST_BYTES])
{
    uint8_t actual[EF_DIGEST_BYTES];
    enum ef_err err = verify_digest(f, addr, len, actual);
    if (err != EF_OK)
        return err;
    if (memcmp(actual, expected, EF_DIGEST_BYTES) == 0)
        return EF_OK;
    ef_log(f->log, EF_LOG_WARN, "%s of %u bytes at 0x%x: the chip's digest differs", what,
           (unsigned)len, (unsigned)addr);
    return EF_VERIFY;
}

/* The transfer's own digest says nothing of the address that it came from: another is asked for. */
static enum ef_err prove_read(struct ef_flash *f, uint32_t addr, const uint8_t *bytes, uint32_t len)
{
    uint8_t md5[EF_DIGEST_BYTES];
    ef_digest_bytes(bytes, len, md5);
    return expect_digest(f, "read", addr, len, md5);
}

static enum ef_err read_proven_piece(struct ef_flash *f, struct ef_read *r, uint32_t len)
{
    struct ef_read below = {.addr = r->addr + r->done,
                            .len = len,
                            .buf = r->buf + r->done,
                            .stop = r->stop,
                            .user = r->user};
    enum ef_err err = ef_flash_read(f->below, &below);
    if (err == EF_OK)
        err = prove_read(f, below.addr, below.buf, len);
    if (err != EF_OK)
        return err;
    r->done += len;
    if (r->piece)
        r->piece(r->user, below.addr, below.buf, len);
    return EF_OK;
}

static enum ef_err verify_read(struct ef_flash *f, struct ef_read *r)
{
    while (r->done < r->len) {
        enum ef_err err = read_proven_piece(f, r, ef_min_u32(r->len - r->done, f->read_piece));
        if (err != EF_OK)
            return err;
    }
    return EF_OK;
}

static enum ef_err count_stray(struct ef_flash *f, enum ef_err err)
{
    if (err == EF_VERIFY)
        f->strays++;
    return err;
}

/*
 * An erase that failed without a proof, a timeout perhaps because it went much too far, is
 * judged when it is repeated: by what lay behind it before the first attempt.
 */
struct verify {
    struct ef_flash flash; /* first */
    bool unsettled;
    uint32_t addr, len;
    uint32_t witness_at, witness_len; /* none where the length is 0 */
    uint8_t witness[EF_DIGEST_BYTES];
};

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
        uint8_t blank[EF_DIGEST_BYTES];
        enum ef_err err = verify_digest(&v->flash, v->witness_at, n, v->witness);
        if (err != EF_OK)
            return err;
        ef_digest_blank(n, blank);
        if (memcmp(v->witness, blank, sizeof(blank)) != 0) {
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

static enum ef_err write_proven(struct ef_flash *f, uint32_t addr, uint32_t len,
                                const uint8_t *data)
{
    enum ef_err err = ef_flash_write(f->below, addr, len, data);
    if (err != EF_OK)
        return err;
    uint8_t md5[EF_DIGEST_BYTES];
    ef_digest_bytes(data, len, md5);
    return expect_digest(f, "write", addr, len, md5);
}

static enum ef_err verify_write(struct ef_flash *f, uint32_t addr, uint32_t len,
                                const uint8_t *data)
{
    struct verify *self = (struct verify *)f;
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

static const struct ef_flash_ops VERIFY = {.read = verify_read,
                                           .write = verify_write,
                                           .erase = verify_erase,
                                           .digest = verify_digest,
                                           .recover = ef_flash_pass_recover};

struct ef_flash *ef_flash_verify_new(struct ef_flash *below)
{
    struct ef_flash *f = ef_flash_wrap(below, sizeof(struct verify), "verify", &VERIFY);
    if (f)
        f->read_proven = true;
    return f;
}
