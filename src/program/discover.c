#include "discover.h"

#include "espflashfs/ports.h"
#include "espflashfs/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIST_NAME_WIDTH_MIN = 20 };

struct search {
    const struct ef_session_config *config;
    struct ef_log *log;
    struct ef_session *session;
    char *found; /* the name of the port that is tried, and in the end, of the one found */
    struct ef_port *ports;
    size_t count, tried;
    bool resettable[EF_PORTS_MAX]; /* of those tried */
    bool stranger[EF_PORTS_MAX];   /* it spoke, and not as a board */
};

static size_t find_ports(const char *names, struct ef_port **ports)
{
    *ports = calloc(EF_PORTS_MAX, sizeof(**ports));
    if (!*ports)
        return 0;
    return names && *names ? ef_ports_named(names, *ports, EF_PORTS_MAX)
                           : ef_ports_list(*ports, EF_PORTS_MAX);
}

/* How a port is tried, in words. */
static const char *manner(enum ef_trial trial)
{
    switch (trial) {
    case EF_TRIAL_FULL:
        return "tried";
    case EF_TRIAL_BRIEF:
        return "tried briefly";
    case EF_TRIAL_GENTLE:
        break;
    }
    return "listened first, no reset";
}

static bool is_stranger(const struct ef_session *session, enum ef_err err)
{
    return err == EF_UNSUPPORTED && !session->chip;
}

static const char *outcome(const struct ef_session *session, enum ef_err err)
{
    if (err == EF_OK)
        return "a board";
    if (err == EF_TIMEOUT)
        return "no answer";
    return is_stranger(session, err) ? "something else" : ef_err_text(err);
}

static void tell_result(struct search *s, const struct ef_port *port, enum ef_trial trial,
                        enum ef_err err, int64_t ms)
{
    const struct ef_session *session = s->session;
    bool open = err == EF_OK;
    ef_log(s->log, EF_LOG_INFO,
           "Port %s: %s, %s; %" PRId64 ".%" PRId64 " s, %" PRIu64 " bytes sent, %" PRIu64
           " received",
           port->name, manner(trial), outcome(session, err), ms / 1000, ms % 1000 / 100,
           open ? session->line->bytes_out : session->bytes_out,
           open ? session->line->bytes_in : session->bytes_in);
}

static enum ef_err try_port(struct search *s, size_t i, enum ef_trial trial)
{
    const struct ef_port *port = &s->ports[i];
    struct ef_session_config config = *s->config;
    snprintf(s->found, EF_PORT_NAME_MAX, "%s", port->name);
    config.port = s->found;
    config.trial = trial;
    config.ask = config.ask && trial == EF_TRIAL_FULL;
    int64_t start = ef_clock_now_ms();
    enum ef_err err = ef_session_open(&config, s->log, s->session);
    tell_result(s, port, trial, err, ef_clock_now_ms() - start);
    s->resettable[i] = s->session->resettable;
    s->stranger[i] = is_stranger(s->session, err);
    s->session->config.trial = EF_TRIAL_FULL;
    s->tried++;
    return err;
}

static size_t count_askable(const struct search *s)
{
    size_t askable = 0;
    for (size_t i = 0; i < s->count; i++)
        askable += s->ports[i].skip[0] == '\0';
    return askable;
}

/* Every port once: what is likely a board with a reset, what may be anything gently. */
static enum ef_err first_round(struct search *s)
{
    bool alone = count_askable(s) == 1;
    for (size_t i = 0; i < s->count; i++) {
        const struct ef_port *port = &s->ports[i];
        enum ef_trial likely = alone ? EF_TRIAL_FULL : EF_TRIAL_BRIEF;
        if (port->skip[0])
            ef_log(s->log, EF_LOG_INFO, "Port %s: skipped: %s", port->name, port->skip);
        else if (try_port(s, i, ef_port_is_likely(port) ? likely : EF_TRIAL_GENTLE) == EF_OK)
            return EF_OK;
    }
    return EF_MISSING;
}

/*
 * Ports that the user named may be reset after all; and where only one port is likely, it gets
 * all the patience that a port given by the user gets.
 */
static enum ef_err second_round(struct search *s)
{
    size_t likely = 0;
    size_t askable = count_askable(s);
    for (size_t i = 0; i < s->count; i++)
        likely += s->ports[i].skip[0] == '\0' && ef_port_is_likely(&s->ports[i]);
    for (size_t i = 0; i < s->count; i++) {
        const struct ef_port *port = &s->ports[i];
        if (port->skip[0])
            continue;
        bool patient = ef_port_is_likely(port) && likely == 1 && askable > 1 && !s->stranger[i];
        bool named = port->rank == EF_PORT_NAMED && s->resettable[i];
        if ((patient || named) && try_port(s, i, patient ? EF_TRIAL_FULL : EF_TRIAL_BRIEF) == EF_OK)
            return EF_OK;
    }
    return EF_MISSING;
}

static void report_failure(const struct search *s)
{
    if (s->count == 0)
        ef_log(s->log, EF_LOG_ERROR,
               "no serial port found: plug the board in, or give a PORT, for example "
               "rfc2217://HOST:PORT");
    else if (s->tried == 0)
        ef_log(s->log, EF_LOG_ERROR,
               "no port was tried, for the reasons above: if the board is on one of them, give it "
               "as PORT");
    else
        ef_log(s->log, EF_LOG_ERROR,
               "no board answered on any port, for the reasons above: if you know its port, give "
               "it as PORT");
}

enum ef_err ef_discover(const struct ef_session_config *config, const char *names,
                        struct ef_log *log, struct ef_session *session,
                        char found[EF_PORT_NAME_MAX])
{
    struct search s = {.config = config, .log = log, .session = session, .found = found};
    s.count = find_ports(names, &s.ports);
    if (!s.ports)
        return EF_NOMEM;
    enum ef_err err = first_round(&s);
    if (err != EF_OK && s.tried > 0)
        err = second_round(&s);
    if (err != EF_OK)
        report_failure(&s);
    free(s.ports);
    return err;
}

/* What would be done with a port, in words. */
static const char *verdict(const struct ef_port *port)
{
    if (port->bus != EF_PORT_NETWORK && access(port->name, R_OK | W_OK) != 0)
        return "no permission, or no such port";
    return ef_port_is_likely(port) ? "tried" : "tried gently";
}

/* Names of network ports may be long. */
static int name_width(const struct ef_port *ports, size_t count)
{
    size_t width = LIST_NAME_WIDTH_MIN;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(ports[i].name);
        width = len > width ? len : width;
    }
    return (int)width;
}

void ef_discover_list(const char *names)
{
    struct ef_port *ports;
    size_t count = find_ports(names, &ports);
    int width = name_width(ports, count);
    if (count)
        printf("%-*s %-9s %-20s %-28s %s\n", width, "PORT", "VID:PID", "SERIAL", "DEVICE",
               "WITHOUT A PORT GIVEN");
    else
        puts("no serial port found");
    for (size_t i = 0; i < count; i++) {
        const struct ef_port *p = &ports[i];
        char ids[10];
        char serial[sizeof(p->serial)];
        char product[sizeof(p->product)];
        char skip[2 * sizeof(p->skip)];
        ef_port_ids(p, ids);
        /* Devices choose these words, and programs their names. */
        ef_text_escape(serial, sizeof(serial), p->serial[0] ? p->serial : "-");
        ef_text_escape(product, sizeof(product), p->product[0] ? p->product : "-");
        ef_text_escape(skip, sizeof(skip), p->skip);
        printf("%-*s %-9s %-20s %-28s ", width, p->name, ids, serial, product);
        if (p->skip[0])
            printf("skipped: %s\n", skip);
        else
            puts(verdict(p));
    }
    free(ports);
}
