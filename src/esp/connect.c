/*
 * From an opened port to a boot loader that answers: by resets, or by asking whatever is
 * there, or by asking the person.
 */
#include "connect_steps.h"

#include "espflashfs/reset.h"

enum {
    SYNCS_PER_RESET = 5,
    SYNCS_WITHOUT_RESET = 14,
    SYNCS_PER_BAUD = 4,
    SYNCS_WHEN_BACK = 6,
    BACK_MS = 5000 /* for a device that left the bus in a reset */
};

/* A brief trial takes two ways to reset; a gentle one is over in 2 s. A GPS receiver speaks
 * once a second. */
enum { BRIEF_RESET_TRIES = 2, BRIEF_SYNCS = 3, LISTEN_MS = 1200 };

/* Where a driver that was killed may have left a stub: what a climb stops at. */
static const uint32_t WORKING_BAUDS[] = {460800, 921600, 1500000, 2000000, 3000000, 230400};

/* What the chip says at its boot is looked at now: soon so much follows that it is lost. */
static void hear_boot_log(struct ef_session *s, struct ef_boot_report *report)
{
    const uint8_t *frame;
    size_t len;
    ef_link_receive(&s->link, ef_deadline_in(0), &frame, &len);
    ef_boot_report_read(report, s->link.noise);
}

static enum ef_err reset_once(struct ef_session *s, unsigned attempt, struct ef_boot_report *report)
{
    bool usb = s->config.before == EF_BEFORE_USB_RESET;
    const struct ef_reset_way *way = ef_reset_way_to_loader(s->line, usb, attempt);
    const char *custom = s->config.reset_sequence;
    struct ef_reset_sequence sequence;
    char why[EF_RESET_WHY_MAX];
    enum ef_err err = ef_reset_parse(custom ? custom : way->steps, &sequence, why);
    if (err != EF_OK) {
        ef_log(s->log, EF_LOG_ERROR, "reset sequence `%s`: %s", custom ? custom : way->steps, why);
        return err;
    }
    ef_log(s->log, EF_LOG_DEBUG, "reset, attempt %u: %s", attempt + 1, custom ? custom : way->name);
    s->link.noise_len = 0;
    s->link.noise[0] = '\0';
    err = ef_link_resync(&s->link, 0);
    if (err == EF_OK)
        err = ef_reset_play(s->line, &sequence);
    if (err == EF_OK)
        hear_boot_log(s, report);
    return err;
}

/* Built-in USB: what was left of the sequence, its new connection does not need. */
static enum ef_err sync_when_back(struct ef_session *s, int syncs)
{
    enum ef_err err = ef_connect_reopen(s, ef_deadline_in(BACK_MS));
    if (err != EF_OK)
        return err;
    err = ef_esp_sync(&s->esp, syncs);
    /* Gone once more: the next attempt finds out for how long. */
    return err == EF_GONE ? EF_TIMEOUT : err;
}

static enum ef_err sync_after_resets(struct ef_session *s, struct ef_boot_report *report)
{
    enum ef_err err = EF_TIMEOUT;
    bool brief = s->config.trial != EF_TRIAL_FULL;
    unsigned resets = brief ? BRIEF_RESET_TRIES : EF_RESET_ATTEMPTS;
    int syncs = brief ? BRIEF_SYNCS : SYNCS_PER_RESET;
    for (unsigned attempt = 0; attempt < resets && err == EF_TIMEOUT; attempt++) {
        err = reset_once(s, attempt, report);
        if (err == EF_OK)
            err = ef_esp_sync(&s->esp, syncs);
        if (err == EF_GONE)
            err = sync_when_back(s, syncs);
        if (brief && ef_connect_is_gps(s->link.noise))
            break;
    }
    return err;
}

static enum ef_err sync_at(struct ef_session *s, uint32_t baud)
{
    if (baud == s->line->baud || ef_line_set_baud(s->line, baud) != EF_OK)
        return EF_TIMEOUT;
    return ef_esp_sync(&s->esp, SYNCS_PER_BAUD);
}

/*
 * Where the line alone had left, the chip is at the rate that it worked at, and its stub may be in
 * the middle of a frame: so many SYNCs that the lone ENDs between them count.
 */
static enum ef_err sync_briefly(struct ef_session *s)
{
    enum ef_err err = ef_esp_sync(&s->esp, s->was_away ? SYNCS_WHEN_BACK : BRIEF_SYNCS);
    return err == EF_TIMEOUT && s->rates.working ? sync_at(s, s->rates.working) : err;
}

/* A driver that was killed leaves a stub at the rate that it worked at. */
static enum ef_err sync_without_reset(struct ef_session *s)
{
    if (s->config.trial != EF_TRIAL_FULL)
        return sync_briefly(s);
    uint32_t first = s->line->baud;
    enum ef_err err = ef_esp_sync(&s->esp, SYNCS_WITHOUT_RESET);
    /* Firmware that can be read at this rate is no stub at another. */
    if (err != EF_TIMEOUT || first == 0 || ef_connect_hears_text(s))
        return err;
    err = sync_at(s, s->config.baud);
    for (size_t i = 0; i < sizeof(WORKING_BAUDS) / sizeof(WORKING_BAUDS[0]); i++)
        if (err == EF_TIMEOUT && WORKING_BAUDS[i] != s->config.baud)
            err = sync_at(s, WORKING_BAUDS[i]);
    if (err == EF_TIMEOUT)
        ef_line_set_baud(s->line, first);
    return err;
}

/* A boot loader is silent until it is spoken to. EF_UNSUPPORTED where something speaks. */
static enum ef_err listen_first(struct ef_session *s)
{
    uint8_t heard[64];
    size_t got;
    enum ef_err err = ef_line_read(s->line, heard, sizeof(heard), ef_deadline_in(LISTEN_MS), &got);
    if (err == EF_TIMEOUT)
        return EF_OK;
    if (err != EF_OK)
        return err;
    ef_log(s->log, EF_LOG_INFO,
           "%s: something speaks there unasked, as no boot loader does: left alone. It says: %.*s",
           s->config.port, (int)got, (const char *)heard);
    return EF_UNSUPPORTED;
}

static bool wants_reset(const struct ef_session *s)
{
    bool wanted =
        s->config.before == EF_BEFORE_DEFAULT_RESET || s->config.before == EF_BEFORE_USB_RESET;
    return wanted && s->config.trial != EF_TRIAL_GENTLE;
}

static void announce(struct ef_session *s)
{
    bool wanted = wants_reset(s);
    bool can = ef_line_has_modem_lines(s->line);
    bool insists = s->config.reset_sequence || s->config.before == EF_BEFORE_USB_RESET;
    if (wanted && !can && insists)
        ef_log(s->log, EF_LOG_WARN, "%s has no DTR and RTS: the board cannot be reset over it",
               s->config.port);
    ef_log(s->log, EF_LOG_INFO, "Connecting to %s%s", s->config.port,
           wanted && can ? "" : " (without reset)");
}

enum ef_err ef_connect_quietly(struct ef_session *s, struct ef_boot_report *report)
{
    bool reset = wants_reset(s) && ef_line_has_modem_lines(s->line);
    enum ef_err err = reset ? sync_after_resets(s, report) : EF_UNSUPPORTED;
    /* A driver of the kernel may have the calls and not the lines. */
    return err == EF_UNSUPPORTED ? sync_without_reset(s) : err;
}

enum ef_err ef_connect(struct ef_session *s)
{
    struct ef_boot_report report = {0};
    if (s->config.trial == EF_TRIAL_GENTLE) {
        enum ef_err err = listen_first(s);
        if (err != EF_OK)
            return err;
    }
    announce(s);
    enum ef_err err = ef_connect_quietly(s, &report);
    if (err == EF_TIMEOUT && ef_connect_is_gps(s->link.noise)) {
        ef_log(s->log, EF_LOG_ERROR, "%s: a GPS receiver speaks there, no board", s->config.port);
        return EF_UNSUPPORTED;
    }
    bool may_ask = s->config.ask && s->config.trial == EF_TRIAL_FULL &&
                   s->config.before != EF_BEFORE_NO_RESET_NO_SYNC;
    if (err == EF_TIMEOUT && may_ask)
        err = ef_connect_ask(s);
    s->answered = err == EF_OK;
    if (!s->answered)
        ef_connect_explain(s, err, &report);
    return err;
}
