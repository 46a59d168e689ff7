/* A reset sequence from its text, and played on a line. */
#include "espflashfs/reset.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* One step's text, without the blanks around it. */
struct word {
    const char *at;
    size_t len;
};

static struct word trim(const char *at, size_t len)
{
    while (len > 0 && isspace((unsigned char)*at)) {
        at++;
        len--;
    }
    while (len > 0 && isspace((unsigned char)at[len - 1]))
        len--;
    return (struct word){at, len};
}

static bool parse_switch(struct word word, bool *on)
{
    if (word.len != 1 || (*word.at != '0' && *word.at != '1'))
        return false;
    *on = *word.at == '1';
    return true;
}

static bool parse_both(struct word word, struct ef_reset_step *step)
{
    const char *comma = memchr(word.at, ',', word.len);
    if (!comma)
        return false;
    size_t first = (size_t)(comma - word.at);
    return parse_switch(trim(word.at, first), &step->dtr) &&
           parse_switch(trim(comma + 1, word.len - first - 1), &step->rts);
}

/* Seconds as `1`, `0.05` or `.5`. Over the limit it stops counting: refused all the same. */
static bool parse_seconds(struct word word, int *ms)
{
    enum { MICROSECONDS_PER_MS = 1000 };
    long us = 0;
    long unit_us = 0; /* of the last digit behind the point; 0 in front of it */
    bool any = false;
    for (size_t i = 0; i < word.len; i++) {
        char c = word.at[i];
        if (c == '.' && unit_us == 0) {
            unit_us = 1000000;
            continue;
        }
        if (c < '0' || c > '9')
            return false;
        any = true;
        if (unit_us == 0) {
            if (us <= EF_RESET_WAIT_MAX_MS * 1000L)
                us = us * 10 + (c - '0') * 1000000L;
        } else if (unit_us > 1) {
            unit_us /= 10;
            us += (c - '0') * unit_us;
        }
    }
    *ms = (int)((us + MICROSECONDS_PER_MS - 1) / MICROSECONDS_PER_MS);
    return any;
}

static bool parse_step(struct word word, struct ef_reset_step *step)
{
    struct word argument = {word.at + 1, word.len - 1};
    *step = (struct ef_reset_step){0};
    switch (toupper((unsigned char)*word.at)) {
    case 'D':
        step->action = EF_RESET_DTR;
        return parse_switch(argument, &step->dtr);
    case 'R':
        step->action = EF_RESET_RTS;
        return parse_switch(argument, &step->rts);
    case 'U':
        step->action = EF_RESET_BOTH;
        return parse_both(argument, step);
    case 'W':
        step->action = EF_RESET_WAIT;
        return parse_seconds(argument, &step->wait_ms);
    default:
        return false;
    }
}

static enum ef_err add_step(struct ef_reset_sequence *sequence, struct word word, char *why)
{
    if (sequence->count == EF_RESET_STEPS_MAX) {
        snprintf(why, EF_RESET_WHY_MAX, "it has more than %d steps", EF_RESET_STEPS_MAX);
        return EF_INVALID;
    }
    if (!parse_step(word, &sequence->step[sequence->count])) {
        int shown = word.len < 32 ? (int)word.len : 32;
        snprintf(why, EF_RESET_WHY_MAX, "`%.*s` is no step", shown, word.at);
        return EF_INVALID;
    }
    sequence->count++;
    return EF_OK;
}

static enum ef_err check_whole(const struct ef_reset_sequence *sequence, char *why)
{
    long wait_ms = 0;
    bool any_line = false;
    for (size_t i = 0; i < sequence->count; i++) {
        wait_ms += sequence->step[i].wait_ms;
        any_line = any_line || sequence->step[i].action != EF_RESET_WAIT;
    }
    if (!any_line)
        snprintf(why, EF_RESET_WHY_MAX, "it changes neither DTR nor RTS");
    else if (wait_ms > EF_RESET_WAIT_MAX_MS)
        snprintf(why, EF_RESET_WHY_MAX, "it waits longer than %d s", EF_RESET_WAIT_MAX_MS / 1000);
    else
        return EF_OK;
    return EF_INVALID;
}

enum ef_err ef_reset_parse(const char *text, struct ef_reset_sequence *sequence, char *why)
{
    const char *at = text;
    sequence->count = 0;
    for (;;) {
        size_t len = strcspn(at, "|");
        struct word word = trim(at, len);
        enum ef_err err = word.len > 0 ? add_step(sequence, word, why) : EF_OK;
        if (err != EF_OK)
            return err;
        if (at[len] == '\0')
            return check_whole(sequence, why);
        at += len + 1;
    }
}

static enum ef_err play_step(struct ef_line *line, const struct ef_reset_step *step)
{
    switch (step->action) {
    case EF_RESET_DTR:
        return ef_line_set_one_line(line, EF_DTR, step->dtr);
    case EF_RESET_RTS:
        return ef_line_set_one_line(line, EF_RTS, step->rts);
    case EF_RESET_BOTH:
        return ef_line_set_lines(line, step->dtr, step->rts);
    case EF_RESET_WAIT:
        break;
    }
    ef_clock_sleep_ms(step->wait_ms);
    return EF_OK;
}

enum ef_err ef_reset_play(struct ef_line *line, const struct ef_reset_sequence *sequence)
{
    for (size_t i = 0; i < sequence->count; i++) {
        enum ef_err err = play_step(line, &sequence->step[i]);
        if (err != EF_OK)
            return err;
    }
    return EF_OK;
}
