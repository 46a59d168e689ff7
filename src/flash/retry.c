#include "wrapper.h"

/* Attempts in a row without progress at one rate of the line. */
enum { ATTEMPTS = 5 };

struct retry {
    struct ef_flash flash; /* first */
    bool out_of_step;      /* the line could not be brought back */
};

/*
 * Answers carry no address: those that a stalled line brings late, data and digest, agree with each
 * other and would be taken for what is asked for next. So nothing is asked for before the line is
 * in step: what answers that comes behind all of them.
 */
static enum ef_err recover(struct ef_flash *f)
{
    enum ef_err err = ef_flash_recover(f->below);
    ((struct retry *)f)->out_of_step = ef_err_is_transient(err);
    return err;
}

/* One that does not answer is waited for as one that has left. */
static enum ef_err gone_if_silent(enum ef_err recovered)
{
    return ef_err_is_transient(recovered) ? EF_GONE : recovered;
}

static enum ef_err be_in_step(struct ef_flash *f)
{
    return ((struct retry *)f)->out_of_step ? gone_if_silent(recover(f)) : EF_OK;
}

/*
 * Decides what follows a failed attempt: EF_OK to try again on a line brought back in step,
 * else the error to return. A lower rate is a new beginning; there are few of them.
 */
static enum ef_err prepare_again(struct ef_flash *f, enum ef_err err, int *attempts,
                                 const char *what, uint32_t addr, uint32_t len)
{
    if (!ef_err_is_transient(err))
        return err;
    bool last = ++*attempts >= ATTEMPTS;
    uint64_t slowdowns = ef_flash_slowdowns(f->below);
    ef_log(f->log, last ? EF_LOG_ERROR : EF_LOG_WARN,
           "%s of %u bytes at 0x%x: %s (attempt %d of %d)", what, (unsigned)len, (unsigned)addr,
           ef_err_text(err), *attempts, ATTEMPTS);
    enum ef_err recovered = recover(f);
    if (recovered != EF_OK) {
        ef_log(f->log, EF_LOG_ERROR, "%s at 0x%x: the board does not answer any more: %s", what,
               (unsigned)addr, ef_err_text(recovered));
        return gone_if_silent(recovered);
    }
    if (ef_flash_slowdowns(f->below) == slowdowns)
        return last ? err : EF_OK;
    *attempts = 0;
    return EF_OK;
}

/*
 * A read or a digest changes nothing, unless a flipped bit makes the chip carry out another
 * command: what the chip says afterwards is true, and is not what was asked for.
 */
static enum ef_err unless_stray(struct ef_flash *f, uint64_t strays_before, enum ef_err err)
{
    return ef_flash_strays(f->below) == strays_before ? err : EF_VERIFY;
}

static enum ef_err retry_read(struct ef_flash *f, struct ef_read *r)
{
    uint64_t strays = ef_flash_strays(f->below);
    enum ef_err err = be_in_step(f);
    int attempts = 0;
    while (r->done < r->len && err == EF_OK) {
        struct ef_read rest = ef_read_rest(r);
        err = ef_flash_read(f->below, &rest);
        r->done += rest.done;
        if (err == EF_OK)
            break;
        attempts = rest.done > 0 ? 0 : attempts;
        err = prepare_again(f, err, &attempts, "read", r->addr + r->done, r->len - r->done);
        err = unless_stray(f, strays, err);
    }
    return unless_stray(f, strays, err);
}

static enum ef_err retry_write(struct ef_flash *f, uint32_t addr, uint32_t len, const uint8_t *data)
{
    enum ef_err err = be_in_step(f);
    int attempts = 0;
    while (err == EF_OK && (err = ef_flash_write(f->below, addr, len, data)) != EF_OK)
        err = prepare_again(f, err, &attempts, "write", addr, len);
    return err;
}

static enum ef_err retry_erase(struct ef_flash *f, uint32_t addr, uint32_t len)
{
    enum ef_err err = be_in_step(f);
    int attempts = 0;
    while (err == EF_OK && (err = ef_flash_erase(f->below, addr, len)) != EF_OK)
        err = prepare_again(f, err, &attempts, "erase", addr, len);
    return err;
}

static enum ef_err retry_digest(struct ef_flash *f, struct ef_digest *list, size_t count)
{
    uint64_t strays = ef_flash_strays(f->below);
    enum ef_err err = be_in_step(f);
    int attempts = 0;
    if (err != EF_OK)
        return err;
    while ((err = ef_flash_digests(f->below, list, count)) != EF_OK) {
        err = prepare_again(f, err, &attempts, "digest", list->addr, list->len);
        err = unless_stray(f, strays, err);
        if (err != EF_OK)
            break;
    }
    return unless_stray(f, strays, err);
}

static const struct ef_flash_ops RETRY = {.read = retry_read,
                                          .write = retry_write,
                                          .erase = retry_erase,
                                          .digest = retry_digest,
                                          .recover = ef_flash_pass_recover};

struct ef_flash *ef_flash_retry_new(struct ef_flash *below)
{
    return ef_flash_wrap(below, sizeof(struct retry), "retry", &RETRY);
}
