#include "baud.h"

#include "espflashfs/bytes.h"

/* The steps of baud=auto. */
static const uint32_t RATES[] = {EF_ROM_BAUD, 460800, 921600, 1500000, 2000000, 3000000};

enum {
    RATE_COUNT = sizeof(RATES) / sizeof(RATES[0]),
    MILLION = 1000000,
    /* The chip needs a moment to switch, and sends garbage while it does: esptool waits as long. */
    SWITCH_WAIT_MS = 50,
    QUIET_MS = 10,
    TELL_MS = 500,  /* for the reply to CHANGE_BAUDRATE */
    RETELL_MS = 40, /* the same on a line that damages much: ask again soon */
    RETELLS = 16,   /* of them before looking where the chip is */
    RETURN_ROUNDS = 3,
    RETURN_SYNCS = 6,
    PROBE_MS = 300,
    PROBE_TRIES = 2
};

/*
 * A failure weighs as much as this many bytes that come through clean, and three in a row are
 * too many: at that, repeating costs more than the next lower rate does.
 */
enum { FAILURE_BYTES = 512 * 1024, TOO_MANY_BYTES = 1280 * 1024 };

static bool automatic(const struct ef_session *s)
{
    return s->config.baud_auto && ef_session_has_baud(s) && !s->no_flash_why;
}

static uint32_t rate_below(uint32_t rate)
{
    uint32_t below = 0;
    for (int i = 0; i < RATE_COUNT && RATES[i] < rate; i++)
        below = RATES[i];
    return below;
}

static uint32_t rate_above(uint32_t rate)
{
    for (int i = 0; i < RATE_COUNT; i++)
        if (RATES[i] > rate)
            return RATES[i];
    return 0;
}

bool ef_session_has_baud(const struct ef_session *s)
{
    return s->line->baud != 0 && s->wire == EF_WIRE_UART;
}

/* A refusal is an answer as well: Secure Download Mode reads no registers. */
static enum ef_err probe(struct ef_session *s)
{
    enum ef_err err = EF_TIMEOUT;
    uint8_t payload[4];
    ef_put_le32(payload, s->chip->spi.base + s->chip->spi.usr);
    for (int i = 0; i < PROBE_TRIES; i++) {
        err = ef_command(&s->esp, EF_OP_READ_REG, payload, sizeof(payload), 0, 0, PROBE_MS, NULL);
        if (err == EF_OK || err == EF_REJECTED)
            return EF_OK;
        if (err == EF_GONE)
            break;
        ef_command_drain(&s->esp, QUIET_MS);
    }
    return err;
}

static enum ef_err switch_host(struct ef_session *s, uint32_t baud)
{
    enum ef_err err = ef_line_set_baud(s->line, baud);
    if (err != EF_OK)
        return err;
    ef_clock_sleep_ms(SWITCH_WAIT_MS);
    return ef_link_resync(&s->link, QUIET_MS);
}

/* The chip cannot be called back from a rate that the port does not have: ask the port first. */
static enum ef_err port_takes(struct ef_session *s, uint32_t baud)
{
    uint32_t now = s->line->baud;
    enum ef_err err = ef_line_set_baud(s->line, baud);
    enum ef_err back = ef_line_set_baud(s->line, now);
    return err == EF_OK ? back : err;
}

/* Once, on a line that is sound: later its registers may be out of reach. */
static enum ef_err learn_rom_scale(struct ef_session *s)
{
    s->rates.rom_million = MILLION;
    return s->esp.stub
               ? EF_OK
               : ef_chip_rom_baud(&s->esp, s->chip, &s->identity, MILLION, &s->rates.rom_million);
}

static uint32_t rate_for_chip(const struct ef_session *s, uint32_t baud)
{
    uint64_t told = s->rates.rom_million;
    return !s->esp.stub && told ? (uint32_t)(baud * told / MILLION) : baud;
}

/*
 * The ESP8266's older stubs reckon the new divider from the one in force and the old rate they
 * are told, and cut it to a whole number each time (esptool's stub_flasher.c). Told the nominal
 * rate, they drift further with each change; told what the divider makes of it, they don't.
 */
static uint32_t old_rate(const struct ef_session *s)
{
    uint32_t nominal = s->line->baud;
    if (s->chip->id != EF_CHIP_ESP8266)
        return nominal;
    uint32_t clock_hz = 2000000U * (s->identity.crystal_mhz ? s->identity.crystal_mhz : 26);
    return clock_hz / (clock_hz / nominal);
}

static enum ef_err tell(struct ef_session *s, uint32_t baud, int timeout_ms)
{
    uint8_t payload[8];
    ef_put_le32(payload, rate_for_chip(s, baud));
    ef_put_le32(payload + 4, s->esp.stub ? old_rate(s) : 0);
    return ef_command(&s->esp, EF_OP_CHANGE_BAUDRATE, payload, sizeof(payload), 0, 0, timeout_ms,
                      NULL);
}

/*
 * One change where all is well so far. Afterwards the line is at `baud`, answering or not,
 * unless chip (EF_REJECTED) or port (EF_UNSUPPORTED) refused it.
 */
enum ef_err ef_baud_change(struct ef_session *s, uint32_t baud)
{
    enum ef_err err = port_takes(s, baud);
    if (err != EF_OK)
        return err;
    err = tell(s, baud, TELL_MS);
    /* A stub answers with the failure of its work before, and changes nothing. */
    if (err == EF_REJECTED)
        err = tell(s, baud, TELL_MS);
    if (err == EF_REJECTED || err == EF_GONE)
        return err;
    err = switch_host(s, baud);
    return err == EF_OK ? probe(s) : err;
}

/*
 * Repeats CHANGE_BAUDRATE on a line that damages it. The reply is damaged as well, perhaps. A
 * lone END now and then, since a stub that missed one takes frames for what is between them
 * (as ef_esp_sync has it).
 */
static enum ef_err tell_often(struct ef_session *s, uint32_t baud)
{
    static const uint8_t END = EF_SLIP_END;
    enum ef_err err = EF_TIMEOUT;
    for (int i = 0; i < RETELLS && err != EF_OK && err != EF_GONE; i++) {
        if (i % 4 == 3)
            ef_line_write(s->line, &END, 1, ef_deadline_in(RETELL_MS));
        err = tell(s, baud, RETELL_MS);
        if (err != EF_OK && err != EF_GONE)
            ef_command_drain(&s->esp, 1);
    }
    return err;
}

/* A damaged command may have set a rate that is only near enough to be understood at. */
static enum ef_err make_exact(struct ef_session *s)
{
    enum ef_err err = tell(s, s->line->baud, TELL_MS);
    if (err != EF_GONE)
        err = switch_host(s, s->line->baud);
    return err == EF_OK ? ef_esp_sync(&s->esp, RETURN_SYNCS) : err;
}

/* Brings a chip that is at the line's rate, or has not left `good`, to `good`. */
static enum ef_err call_back(struct ef_session *s, uint32_t good)
{
    uint32_t from = s->line->baud;
    for (int round = 0; round < RETURN_ROUNDS; round++) {
        enum ef_err err = tell_often(s, good);
        if (err == EF_GONE)
            return err;
        err = switch_host(s, good);
        if (err == EF_OK)
            err = ef_esp_sync(&s->esp, RETURN_SYNCS);
        if (err == EF_OK)
            err = make_exact(s);
        if (err == EF_OK || err == EF_GONE)
            return err;
        err = switch_host(s, from);
        if (err != EF_OK)
            return err;
    }
    return EF_TIMEOUT;
}

enum ef_err ef_baud_search(struct ef_session *s, int tries)
{
    for (int i = 0; i < RATE_COUNT; i++) {
        enum ef_err err = switch_host(s, RATES[i]);
        if (err == EF_OK)
            err = ef_esp_sync(&s->esp, tries);
        if (err == EF_OK || err == EF_GONE)
            return err;
    }
    return ef_line_set_baud(s->line, EF_ROM_BAUD) == EF_GONE ? EF_GONE : EF_TIMEOUT;
}

/* The last resort: the board is brought into its ROM's loader as at the start. */
static enum ef_err connect_anew(struct ef_session *s)
{
    ef_log(s->log, EF_LOG_WARN, "the board does not answer at any rate: connecting to it again");
    enum ef_err err = switch_host(s, EF_ROM_BAUD);
    s->was_away = true;
    return err == EF_OK ? ef_connect(s) : err;
}

/* `good`, or wherever the chip is found instead: then esp.stub tells if it was reset. */
static enum ef_err fall_back(struct ef_session *s, uint32_t good)
{
    enum ef_err err = call_back(s, good);
    if (err == EF_TIMEOUT)
        err = ef_baud_search(s, RETURN_SYNCS);
    if (err == EF_TIMEOUT)
        err = connect_anew(s);
    return err;
}

/* As fall_back, with the loader that the session works with. */
static enum ef_err fall_back_to_loader(struct ef_session *s, uint32_t good)
{
    enum ef_err err = fall_back(s, good);
    if (err == EF_OK && (s->with_stub != s->esp.stub || !s->esp.stub)) {
        err = ef_loader_start(s);
        if (err == EF_OK)
            err = ef_flash_set_params(s);
    }
    if (err != EF_OK || s->line->baud == good)
        return err;
    err = ef_baud_change(s, good);
    return err == EF_OK || err == EF_GONE ? err : call_back(s, EF_ROM_BAUD);
}

/* What ended the climb, for the log. */
struct climb {
    uint32_t limit;  /* no higher */
    uint32_t failed; /* the rate that was too much, 0: none */
    enum ef_err why;
    bool refused; /* by port or chip, and not for damage */
    struct ef_baud_questions questions;
};

/* One step up, or back to where it began. EF_OK as long as the loader can be worked with. */
static enum ef_err try_step(struct ef_session *s, uint32_t rate, struct climb *c)
{
    uint32_t good = s->line->baud;
    enum ef_err err = ef_baud_change(s, rate);
    c->refused = err == EF_UNSUPPORTED || err == EF_REJECTED;
    if (err == EF_OK)
        err = ef_baud_check(s, &c->questions);
    if (err == EF_OK || err == EF_GONE)
        return err;
    c->failed = rate;
    c->why = err;
    ef_log(s->log, EF_LOG_DEBUG, "%u baud: %s", (unsigned)rate, ef_err_text(err));
    return c->refused ? EF_OK : fall_back_to_loader(s, good);
}

/* From the line's rate to the first that fails. `jump` (0: none) is tried before all else. */
static enum ef_err climb(struct ef_session *s, uint32_t jump, struct climb *c)
{
    enum ef_err err = c->limit > s->line->baud ? ef_baud_learn(s, &c->questions) : EF_OK;
    if (err != EF_OK && err != EF_GONE) {
        c->limit = s->line->baud;
        err = ef_esp_sync(&s->esp, RETURN_SYNCS);
    }
    if (jump > s->line->baud && jump <= c->limit)
        err = try_step(s, jump, c);
    if (c->failed) {
        c->limit = rate_below(c->failed);
        c->failed = 0;
    }
    uint32_t next;
    while (err == EF_OK && !c->failed && (next = rate_above(s->line->baud)) != 0 &&
           next <= c->limit)
        err = try_step(s, next, c);
    return err;
}

static void tell_result(const struct ef_session *s, const struct climb *c,
                        const struct ef_baud_memory *known)
{
    unsigned now = s->line->baud;
    unsigned next = rate_above(now);
    if (next == 0)
        ef_log(s->log, EF_LOG_INFO, "Baud: %u, the highest there is", now);
    else if (c->failed && c->refused)
        ef_log(s->log, EF_LOG_INFO, "Baud: %u: the %s does not take %u", now,
               c->why == EF_REJECTED ? "chip" : "port", next);
    else if (c->failed)
        ef_log(s->log, EF_LOG_INFO, "Baud: %u: the line does not carry %u (%s)", now, next,
               ef_err_text(c->why));
    else if (known->good && now < known->good)
        ef_log(s->log, EF_LOG_INFO, "Baud: %u: the line does not carry %u any more", now,
               (unsigned)known->good);
    else
        ef_log(s->log, EF_LOG_INFO, "Baud: %u, as remembered: %u failed on this port", now, next);
}

static enum ef_err settle_automatically(struct ef_session *s)
{
    if (s->esp.stub && !s->stub.text) {
        s->rates.working = s->line->baud;
        ef_log(s->log, EF_LOG_INFO, "Baud: %u: a stub that cannot be uploaded again is left at it",
               (unsigned)s->rates.working);
        return EF_OK;
    }
    struct ef_baud_memory known;
    struct climb c = {.limit = RATES[RATE_COUNT - 1]};
    ef_baud_recall(s, &known);
    if (known.fresh && known.failed)
        c.limit = rate_below(known.failed);
    enum ef_err err = climb(s, known.good, &c);
    if (err != EF_OK) {
        ef_log(s->log, EF_LOG_ERROR,
               "the board was lost while the line was tried: %s: set baud=", ef_err_text(err));
        return err;
    }
    s->rates.working = s->line->baud;
    tell_result(s, &c, &known);
    ef_baud_remember(s, s->rates.working, c.failed ? c.failed : rate_above(s->line->baud));
    return EF_OK;
}

static enum ef_err settle_at(struct ef_session *s, uint32_t baud)
{
    if (s->line->baud == baud)
        return EF_OK;
    uint32_t old = s->line->baud;
    enum ef_err err = ef_baud_change(s, baud);
    if (err == EF_OK)
        return EF_OK;
    if (err == EF_UNSUPPORTED)
        ef_log(s->log, EF_LOG_ERROR, "this port does not go to %u baud: set another baud=, or auto",
               (unsigned)baud);
    else if (err == EF_REJECTED)
        ef_log(s->log, EF_LOG_ERROR, "the chip refuses %u baud: set another baud=, or auto",
               (unsigned)baud);
    else
        ef_log(s->log, EF_LOG_ERROR, "no answer at %u baud: set a lower baud=, or auto",
               (unsigned)baud);
    /* The board is left as it can be used. */
    if (err != EF_GONE && s->line->baud != old)
        call_back(s, old);
    return err;
}

/*
 * The ESP8266's ROM detects the baud at the first sync and cannot change it. In Secure Download
 * Mode no digest would tell what a higher rate has done to a write.
 */
static bool can_change(const struct ef_session *s)
{
    bool loader_can = s->esp.stub || s->chip->rom_can_flash;
    return ef_session_has_baud(s) && loader_can && !s->guard.secure_download;
}

enum ef_err ef_baud_settle(struct ef_session *s)
{
    if (!can_change(s))
        return EF_OK;
    enum ef_err err = learn_rom_scale(s);
    if (err != EF_OK)
        return err;
    if (automatic(s))
        return settle_automatically(s);
    err = settle_at(s, s->config.baud);
    if (err == EF_OK)
        s->rates.working = s->line->baud;
    return err;
}

enum ef_err ef_baud_resume(struct ef_session *s)
{
    if (!can_change(s) || s->rates.working == 0)
        return EF_OK;
    if (!automatic(s))
        return settle_at(s, s->rates.working);
    if (s->line->baud > s->rates.working)
        return ef_baud_change(s, s->rates.working);
    struct climb c = {.limit = s->rates.working};
    enum ef_err err = climb(s, s->rates.working, &c);
    if (err == EF_OK)
        s->rates.working = s->line->baud;
    return err;
}

bool ef_baud_can_slow_down(const struct ef_session *s)
{
    return automatic(s) && can_change(s) && rate_below(s->line->baud) != 0;
}

bool ef_baud_count_failure(struct ef_session *s)
{
    struct ef_rates *r = &s->rates;
    uint64_t bytes = s->line->bytes_in + s->line->bytes_out;
    uint64_t clean = bytes - r->debt_at;
    r->debt = (r->debt > clean ? r->debt - clean : 0) + FAILURE_BYTES;
    r->debt_at = bytes;
    bool too_many = r->debt >= TOO_MANY_BYTES;
    if (too_many && !r->advised && !s->config.baud_auto && can_change(s)) {
        ef_log(s->log, EF_LOG_WARN, "data is damaged often at %u baud: set a lower baud=, or auto",
               (unsigned)s->line->baud);
        r->advised = true;
    }
    return too_many;
}

enum ef_err ef_baud_slow_down(struct ef_session *s)
{
    uint32_t from = s->line->baud;
    uint32_t to = rate_below(from);
    s->rates.debt = 0;
    s->rates.slowdowns++;
    s->rates.working = to;
    enum ef_err err = fall_back(s, to);
    if (err != EF_OK)
        return err;
    ef_log(s->log, EF_LOG_WARN, "the line damages data at %u baud: going on at %u", (unsigned)from,
           (unsigned)to);
    ef_baud_remember(s, to, from);
    return EF_OK;
}
