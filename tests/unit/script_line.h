/*
 * A line that plays a script: each step is what one read brings, or the error it ends with;
 * behind the last one every read times out, or the line babbles for ever. What was written
 * is kept.
 */
#ifndef EF_TEST_SCRIPT_LINE_H
#define EF_TEST_SCRIPT_LINE_H

#include "espflashfs/line.h"
#include "espflashfs/slip.h"

#include <stdlib.h>
#include <string.h>

enum { SCRIPT_STEPS = 64, SCRIPT_BYTES = 0x30000 };

struct script_step {
    size_t from, len; /* in `bytes` */
    enum ef_err err;
};

struct script_line {
    struct ef_line line; /* first */
    struct script_step step[SCRIPT_STEPS];
    size_t steps, at;
    uint8_t bytes[SCRIPT_BYTES];
    size_t bytes_len;
    uint8_t sent[SCRIPT_BYTES];
    size_t sent_len;
    enum ef_err write_err;
    ef_deadline deadline;  /* of the last call */
    const uint8_t *babble; /* what comes behind the script, again and again */
    size_t babble_len;
    uint64_t reads;
};

static inline void script_bytes(struct script_line *s, const void *bytes, size_t len)
{
    if (s->steps == SCRIPT_STEPS || s->bytes_len + len > SCRIPT_BYTES)
        abort();
    s->step[s->steps++] = (struct script_step){.from = s->bytes_len, .len = len};
    memcpy(s->bytes + s->bytes_len, bytes, len);
    s->bytes_len += len;
}

static inline void script_frame(struct script_line *s, const void *payload, size_t len)
{
    if (s->steps == SCRIPT_STEPS || s->bytes_len + ef_slip_encoded_max(len) > SCRIPT_BYTES)
        abort();
    size_t n = ef_slip_encode(s->bytes + s->bytes_len, payload, len);
    s->step[s->steps++] = (struct script_step){.from = s->bytes_len, .len = n};
    s->bytes_len += n;
}

static inline void script_error(struct script_line *s, enum ef_err err)
{
    if (s->steps == SCRIPT_STEPS)
        abort();
    s->step[s->steps++] = (struct script_step){.err = err};
}

static inline enum ef_err script_read(struct ef_line *line, uint8_t *buf, size_t cap,
                                      ef_deadline deadline, size_t *got)
{
    struct script_line *s = (struct script_line *)line;
    s->deadline = deadline;
    s->reads++;
    if (s->at == s->steps) {
        if (s->babble_len == 0)
            return EF_TIMEOUT;
        *got = s->babble_len < cap ? s->babble_len : cap;
        memcpy(buf, s->babble, *got);
        return EF_OK;
    }
    struct script_step *step = &s->step[s->at];
    if (step->err != EF_OK) {
        s->at++;
        return step->err;
    }
    *got = step->len < cap ? step->len : cap;
    memcpy(buf, s->bytes + step->from, *got);
    step->from += *got;
    step->len -= *got;
    s->at += step->len == 0;
    return EF_OK;
}

static inline enum ef_err script_write(struct ef_line *line, const uint8_t *buf, size_t len,
                                       ef_deadline deadline)
{
    struct script_line *s = (struct script_line *)line;
    s->deadline = deadline;
    if (s->write_err != EF_OK)
        return s->write_err;
    if (s->sent_len + len > SCRIPT_BYTES)
        abort();
    memcpy(s->sent + s->sent_len, buf, len);
    s->sent_len += len;
    return EF_OK;
}

/* Free with free(). */
static inline struct script_line *script_new(void)
{
    static const struct ef_line_ops OPS = {.read = script_read, .write = script_write};
    struct script_line *s = calloc(1, sizeof(*s));
    if (!s)
        abort();
    s->line = (struct ef_line){.ops = &OPS, .name = "script", .kind = "script"};
    return s;
}

#endif
