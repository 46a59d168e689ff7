/*
 * Reset sequences: one that is taken is short, waits no longer than it may and changes a line;
 * written out again it means the same; a refusal says why.
 */
#include "fuzz.h"

#include "espflashfs/reset.h"

enum { SPELT_MAX = 32 };

static size_t spell(char *out, const struct ef_reset_step *step)
{
    switch (step->action) {
    case EF_RESET_DTR:
        return (size_t)snprintf(out, SPELT_MAX, "D%d|", step->dtr);
    case EF_RESET_RTS:
        return (size_t)snprintf(out, SPELT_MAX, "r%d | ", step->rts);
    case EF_RESET_BOTH:
        return (size_t)snprintf(out, SPELT_MAX, "U%d, %d||", step->dtr, step->rts);
    case EF_RESET_WAIT:
        break;
    }
    return (size_t)snprintf(out, SPELT_MAX, "W%d.%03d|", step->wait_ms / 1000,
                            step->wait_ms % 1000);
}

static void require_same_step(const struct ef_reset_step *a, const struct ef_reset_step *b)
{
    REQUIRE(a->action == b->action && a->dtr == b->dtr && a->rts == b->rts);
    REQUIRE(a->wait_ms == b->wait_ms);
}

static void check_taken(const struct ef_reset_sequence *sequence)
{
    char text[EF_RESET_STEPS_MAX * SPELT_MAX] = "";
    char why[EF_RESET_WHY_MAX];
    struct ef_reset_sequence again;
    size_t len = 0;
    long wait_ms = 0;
    bool any_line = false;
    REQUIRE(sequence->count > 0 && sequence->count <= EF_RESET_STEPS_MAX);
    for (size_t i = 0; i < sequence->count; i++) {
        const struct ef_reset_step *step = &sequence->step[i];
        REQUIRE(step->wait_ms >= 0 && (step->action == EF_RESET_WAIT || step->wait_ms == 0));
        wait_ms += step->wait_ms;
        any_line = any_line || step->action != EF_RESET_WAIT;
        len += spell(text + len, step);
    }
    REQUIRE(any_line && wait_ms <= EF_RESET_WAIT_MAX_MS);
    REQUIRE(ef_reset_parse(text, &again, why) == EF_OK && again.count == sequence->count);
    for (size_t i = 0; i < again.count; i++)
        require_same_step(&again.step[i], &sequence->step[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    char *text = fuzz_text(&in, size);
    struct ef_reset_sequence sequence;
    char why[EF_RESET_WHY_MAX];
    memset(why, 'x', sizeof(why));
    enum ef_err err = ef_reset_parse(text, &sequence, why);
    REQUIRE(err == EF_OK || err == EF_INVALID);
    if (err == EF_OK)
        check_taken(&sequence);
    else
        REQUIRE(memchr(why, '\0', sizeof(why)) && why[0] != '\0');
    free(text);
    return 0;
}
