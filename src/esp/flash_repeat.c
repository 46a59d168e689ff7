/*
 * Flash that holds less than its id tells (fakes, and chips that a label maker flattered)
 * decodes too few address bits: what lies past a power of two is what lies before it. A
 * restore to such a chip writes its second half over its first, so it is looked for at each
 * mount, by the chip's own digests: nothing is read, nothing is written.
 *
 * The usual case costs two digests of 16 KiB: the start of the flash, where a boot loader
 * lies, differs from the start of its upper half. Where all samples are alike, as on a blank
 * chip or one that was filled with zeros, nothing can be told, and nothing is said.
 */
#include "session_steps.h"

#include "espflashfs/bytes.h"
#include "espflashfs/flash_md5.h"

#include <string.h>

enum {
    SAMPLE = 0x4000,
    SPREAD = 8, /* further samples lie this part of the range apart */
    NEAR_SAMPLES = 3,
    SAMPLES = NEAR_SAMPLES + SPREAD - 1,
    REAL_MIN = 256 * 1024, /* the smallest flash that an Espressif chip was ever sold with */
    TRIES = 3,
    QUIET_MS = 50
};

struct md5 {
    uint8_t bytes[EF_DIGEST_BYTES];
};

static bool same(const struct md5 *a, const struct md5 *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* There is no retrying layer yet while a session opens. */
static enum ef_err digest(struct ef_session *s, uint32_t addr, uint32_t len, struct md5 *md5)
{
    enum ef_err err = EF_TIMEOUT;
    for (int i = 0; i < TRIES; i++) {
        struct ef_digest digest = {.addr = addr, .len = len};
        err = ef_session_md5(s, &digest);
        memcpy(md5->bytes, digest.md5, sizeof(md5->bytes));
        if (err == EF_OK || err == EF_GONE)
            return err;
        if (ef_command_drain(&s->esp, QUIET_MS) == EF_GONE || ef_esp_sync(&s->esp, TRIES) != EF_OK)
            return EF_GONE;
    }
    return err;
}

/* Where a boot loader, a partition table and a program lie, then all over the range. */
static uint32_t sample_addr(int i, uint32_t range)
{
    static const uint32_t NEAR[NEAR_SAMPLES] = {0, 0x8000, 0x10000};
    uint32_t part = (uint32_t)(i - NEAR_SAMPLES + 1);
    return i < NEAR_SAMPLES ? NEAR[i] : ef_align_down(range / SPREAD * part, SAMPLE);
}

/*
 * *maybe: each sample below `at` is repeated behind it, and they are not all alike. A blank
 * sample beside one that is not is enough: it is the other that counts.
 */
static enum ef_err compare_samples(struct ef_session *s, uint32_t at, uint32_t range, bool *maybe)
{
    struct md5 first = {{0}};
    *maybe = false;
    for (int i = 0; i < SAMPLES && !*maybe; i++) {
        uint32_t addr = sample_addr(i, range);
        struct md5 low;
        struct md5 high;
        if (!ef_range_fits(addr, SAMPLE, range))
            continue;
        enum ef_err err = digest(s, addr, SAMPLE, &low);
        if (err == EF_OK)
            err = digest(s, at + addr, SAMPLE, &high);
        if (err != EF_OK || !same(&low, &high))
            return err;
        if (i == 0)
            first = low;
        *maybe = !same(&first, &low);
    }
    return EF_OK;
}

/* The whole of it, twice: a flipped bit in a request makes the chip digest something else. */
static enum ef_err compare_whole(struct ef_session *s, uint32_t at, uint32_t range, bool *repeats)
{
    enum ef_err err = EF_OK;
    *repeats = true;
    for (int i = 0; i < 2 && err == EF_OK && *repeats; i++) {
        struct md5 low;
        struct md5 high;
        err = digest(s, 0, range, &low);
        if (err == EF_OK)
            err = digest(s, at, range, &high);
        *repeats = err == EF_OK && same(&low, &high);
    }
    return err;
}

/* The largest power of two below `size`. */
static uint32_t power_below(uint32_t size)
{
    uint32_t p = 1;
    while (p < size - p)
        p *= 2;
    return p;
}

enum ef_err ef_flash_find_repeat(struct ef_session *s, uint32_t *size)
{
    uint32_t at;
    bool repeats = true;
    while (repeats && *size > REAL_MIN && (at = power_below(*size)) >= REAL_MIN) {
        uint32_t range = *size - at;
        enum ef_err err = compare_samples(s, at, range, &repeats);
        if (err == EF_OK && repeats) {
            ef_log(s->log, EF_LOG_INFO, "the flash seems to repeat past 0x%x: looking closer",
                   (unsigned)at);
            err = compare_whole(s, at, range, &repeats);
        }
        if (err != EF_OK)
            return err;
        if (repeats)
            *size = at;
    }
    return EF_OK;
}
