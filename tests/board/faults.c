#include "faults.h"

#include "dice.h"

#include "espflashfs/text.h"

#include <stdio.h>
#include <string.h>

enum { FIELDS_MAX = 6, NUMBERS_MAX = 3, SPEC_CAP = 128, PER_MILLION = 1000000 };

static const uint64_t FOREVER = UINT64_MAX;

/* How a kind is spelt: its name, then fields by letter (d direction, n number, o optional). */
struct spelling {
    const char *name;
    enum eb_fault_kind kind;
    const char *fields;
};

static const struct spelling SPELLINGS[] = {
    {"drop", EB_FAULT_DROP, "dn"},        {"flip", EB_FAULT_FLIP, "dno"},
    {"dup", EB_FAULT_DUP, "dn"},          {"delay", EB_FAULT_DELAY, "dnn"},
    {"silence", EB_FAULT_SILENCE, "dno"}, {"random-flip", EB_FAULT_RANDOM_FLIP, "dn"},
    {"reject", EB_FAULT_REJECT, "n"},     {"reject-op", EB_FAULT_REJECT_OP, "nn"},
    {"damage", EB_FAULT_DAMAGE, "dnno"},  {"power", EB_FAULT_POWER, "n"},
    {"reboot", EB_FAULT_REBOOT, "n"},     {"hang-up", EB_FAULT_HANG_UP, "dn"},
    {"unplug", EB_FAULT_UNPLUG, "dnn"},   {"lie", EB_FAULT_LIE, "n"},
};

const char *eb_faults_help(void)
{
    return "  drop:DIR:N             drop byte N\n"
           "  flip:DIR:N[:BIT]       flip a bit (0 if not given) of byte N\n"
           "  dup:DIR:N              send byte N twice\n"
           "  delay:DIR:N:MS         hold byte N, and all behind it, for MS\n"
           "  silence:DIR:N[:BYTES]  drop everything from byte N on, or BYTES of it\n"
           "  random-flip:DIR:PPM    flip a random bit in PPM of a million bytes\n"
           "  damage:DIR:BAUD:PPM[:N] the same above that baud only, from byte N on;\n"
           "                         the counter `damaged` has how many it hit\n"
           "  reject:K               answer the K-th command with an error, don't run it\n"
           "  reject-op:0xNN:K       the same for the K-th command of one opcode\n"
           "  lie:K                  say yes to the K-th command, and do nothing\n"
           "  power:K                power fails during the K-th erase command or page program,\n"
           "                         which is left half done; the board is gone: it ends\n"
           "  reboot:K               reset the chip at the K-th command, which is not answered\n"
           "  hang-up:DIR:N          close the line at byte N, and take the next host\n"
           "  unplug:DIR:N:MS        pull the board at byte N; MS later it is plugged in again,\n"
           "                         and boots as --boot says, as it does at a reboot\n"
           "  DIR is in (host to board) or out; N counts bytes since the start, from 0;\n"
           "  K counts from 1.\n";
}

void eb_faults_init(struct eb_faults *faults, uint64_t seed)
{
    memset(faults, 0, sizeof(*faults));
    faults->random = seed != 0 ? seed : 1;
}

uint64_t eb_faults_random(struct eb_faults *faults)
{
    return eb_dice_roll(&faults->random);
}

static int split(char *text, char *fields[FIELDS_MAX])
{
    int count = 0;
    for (char *next = text; next && count < FIELDS_MAX; count++)
        fields[count] = strsep(&next, ":");
    return count;
}

static bool parse_direction(const char *text, enum eb_direction *direction)
{
    *direction = strcmp(text, "in") == 0 ? EB_IN : EB_OUT;
    return *direction == EB_IN || strcmp(text, "out") == 0;
}

static bool parse_fields(const struct spelling *spelling, char *const *fields, int count,
                         struct eb_fault *fault)
{
    uint64_t numbers[NUMBERS_MAX] = {0};
    int number = 0;
    int used = 0;
    for (const char *f = spelling->fields; *f; f++, used++) {
        if (used == count) {
            if (*f != 'o')
                return false;
            numbers[number] = fault->kind == EB_FAULT_SILENCE ? FOREVER : 0;
            break;
        }
        if (*f == 'd') {
            if (!parse_direction(fields[used], &fault->direction))
                return false;
        } else if (ef_text_to_u64(fields[used], &numbers[number++]) != EF_OK) {
            return false;
        }
    }
    fault->index = numbers[0];
    fault->count = numbers[1];
    if (fault->kind == EB_FAULT_REJECT_OP) {
        fault->op = (uint8_t)numbers[0];
        fault->index = numbers[1];
    }
    if (fault->kind == EB_FAULT_RANDOM_FLIP)
        fault->count = numbers[0];
    if (fault->kind == EB_FAULT_DAMAGE) {
        fault->above_baud = numbers[0];
        fault->index = numbers[2];
    }
    return used == count && (fault->kind != EB_FAULT_FLIP || fault->count < 8);
}

/* A line that breaks does so in both directions. */
static void note_touched(struct eb_faults *faults, const struct eb_fault *fault)
{
    bool breaks = fault->kind == EB_FAULT_HANG_UP || fault->kind == EB_FAULT_UNPLUG;
    if (fault->kind < EB_FAULT_REJECT)
        faults->touches_bytes[fault->direction] = true;
    if (breaks)
        faults->touches_bytes[EB_IN] = faults->touches_bytes[EB_OUT] = true;
}

int eb_faults_add(struct eb_faults *faults, const char *spec, char *why, size_t why_cap)
{
    char text[SPEC_CAP];
    if (faults->count == EB_FAULTS_MAX || strlen(spec) >= sizeof(text)) {
        snprintf(why, why_cap, "too many or too long faults");
        return -1;
    }
    memcpy(text, spec, strlen(spec) + 1);
    char *fields[FIELDS_MAX];
    int count = split(text, fields);
    for (size_t i = 0; i < sizeof(SPELLINGS) / sizeof(SPELLINGS[0]); i++) {
        if (strcmp(fields[0], SPELLINGS[i].name) != 0)
            continue;
        struct eb_fault fault = {.kind = SPELLINGS[i].kind};
        if (!parse_fields(&SPELLINGS[i], fields + 1, count - 1, &fault))
            break;
        note_touched(faults, &fault);
        faults->list[faults->count++] = fault;
        return 0;
    }
    snprintf(why, why_cap, "'%s' is no fault; --help lists them", spec);
    return -1;
}

static bool flip_some(struct eb_faults *faults, const struct eb_fault *fault,
                      struct eb_fault_effect *effect)
{
    if (eb_faults_random(faults) % PER_MILLION >= fault->count)
        return false;
    effect->bytes[0] ^= (uint8_t)(1U << (eb_faults_random(faults) % 8));
    return true;
}

static void break_line(struct eb_faults *faults, const struct eb_fault *fault)
{
    faults->broken = true;
    faults->unplugged = fault->kind == EB_FAULT_UNPLUG;
    faults->away_ms = (uint32_t)fault->count;
}

static void apply(struct eb_faults *faults, const struct eb_fault *fault, uint64_t at,
                  struct eb_fault_effect *effect)
{
    bool hit = at == fault->index;
    switch (fault->kind) {
    case EB_FAULT_DROP:
        effect->len = hit ? 0 : effect->len;
        break;
    case EB_FAULT_FLIP:
        effect->bytes[0] ^= (uint8_t)(hit ? 1U << fault->count : 0);
        break;
    case EB_FAULT_DUP:
        effect->len = hit ? 2 : effect->len;
        break;
    case EB_FAULT_DELAY:
        effect->delay_ms += hit ? (uint32_t)fault->count : 0;
        break;
    case EB_FAULT_SILENCE:
        if (at >= fault->index && at - fault->index < fault->count)
            effect->len = 0;
        break;
    case EB_FAULT_RANDOM_FLIP:
        flip_some(faults, fault, effect);
        break;
    case EB_FAULT_DAMAGE:
        if (faults->baud > fault->above_baud && at >= fault->index)
            faults->damaged += flip_some(faults, fault, effect);
        break;
    case EB_FAULT_HANG_UP:
    case EB_FAULT_UNPLUG:
        if (hit)
            break_line(faults, fault);
        break;
    case EB_FAULT_REJECT:
    case EB_FAULT_REJECT_OP:
    case EB_FAULT_LIE:
    case EB_FAULT_POWER:
    case EB_FAULT_REBOOT:
        break;
    }
}

struct eb_fault_effect eb_faults_byte(struct eb_faults *faults, enum eb_direction direction,
                                      uint8_t byte)
{
    struct eb_fault_effect effect = {.bytes = {byte, byte}, .len = 1};
    if (faults->broken) {
        effect.len = 0;
        return effect;
    }
    uint64_t at = faults->seen[direction]++;
    if (!faults->touches_bytes[direction])
        return effect;
    for (size_t i = 0; i < faults->count; i++) {
        if (faults->list[i].direction == direction)
            apply(faults, &faults->list[i], at, &effect);
    }
    effect.bytes[1] = effect.bytes[0];
    if (faults->broken)
        effect.len = 0;
    return effect;
}

enum eb_verdict eb_faults_command(struct eb_faults *faults, uint8_t op)
{
    uint64_t nth = ++faults->commands;
    uint64_t nth_of_op = ++faults->ops[op];
    for (size_t i = 0; i < faults->count; i++) {
        const struct eb_fault *fault = &faults->list[i];
        if (fault->kind == EB_FAULT_REJECT && fault->index == nth)
            return EB_REFUSE;
        if (fault->kind == EB_FAULT_REJECT_OP && fault->op == op && fault->index == nth_of_op)
            return EB_REFUSE;
        if (fault->kind == EB_FAULT_REBOOT && fault->index == nth)
            return EB_RESTART;
        if (fault->kind == EB_FAULT_LIE && fault->index == nth)
            return EB_SAY_YES;
    }
    return EB_RUN;
}
