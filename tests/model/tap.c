#include "tap.h"

#include "flash/wrapper.h"

#include <unistd.h>

enum { EVERY = 8, THE = 5 }; /* of so many sectors, this one is broken */

struct tap {
    struct ef_flash flash; /* first */
    struct tap_state *state;
};

static struct tap_state *state_of(struct ef_flash *f)
{
    return ((struct tap *)f)->state;
}

static enum ef_err note(struct ef_flash *f, enum ef_err err)
{
    atomic_store(&state_of(f)->strays, ef_flash_strays(f->below));
    return err;
}

static bool breaks_here(uint32_t addr)
{
    return addr / EF_SECTOR % EVERY == THE;
}

static enum ef_err tap_read(struct ef_flash *f, struct ef_read *r)
{
    return note(f, ef_flash_read(f->below, r));
}

static enum ef_err tap_write(struct ef_flash *f, uint32_t addr, uint32_t len, const uint8_t *data)
{
    struct tap_state *state = state_of(f);
    if (state->breakage == BREAK_DROP && breaks_here(addr))
        return EF_OK;
    while (state->breakage == BREAK_HANG && breaks_here(addr))
        pause();
    enum ef_err err = note(f, ef_flash_write(f->below, addr, len, data));
    if (err == EF_OK && state->breakage == BREAK_CHANGE && breaks_here(addr))
        state->chip[addr] ^= 1;
    return err;
}

static enum ef_err tap_erase(struct ef_flash *f, uint32_t addr, uint32_t len)
{
    return note(f, ef_flash_erase(f->below, addr, len));
}

static enum ef_err tap_digest(struct ef_flash *f, struct ef_digest *list, size_t count)
{
    return note(f, ef_flash_digests(f->below, list, count));
}

static const struct ef_flash_ops TAP = {.read = tap_read,
                                        .write = tap_write,
                                        .erase = tap_erase,
                                        .digest = tap_digest,
                                        .recover = ef_flash_pass_recover};

struct ef_flash *tap_new(struct ef_flash *below, struct tap_state *state)
{
    struct tap *tap = ef_flash_wrap(below, sizeof(*tap), "tap", &TAP);
    if (tap)
        tap->state = state;
    return tap ? &tap->flash : NULL;
}
