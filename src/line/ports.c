#include "espflashfs/ports.h"

#include "fd_line.h"
#include "port_system.h"
#include "port_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* A serial number is recognised by how it begins, from this many characters on. */
enum { SERIAL_BEGIN_MIN = 4 };

static const char HWID[] = "hwid=";

static const char *strange_word(const char *product)
{
    for (const char *const *word = EF_PORT_STRANGE_WORDS; *word; word++)
        if (strcasestr(product, *word))
            return *word;
    return NULL;
}

static enum ef_port_rank rank_of(const struct ef_port *port)
{
    if (port->bus == EF_PORT_NETWORK)
        return EF_PORT_NAMED;
    if (port->bus != EF_PORT_USB)
        return EF_PORT_BUILT_IN;
    if (port->vid == EF_VID_ESPRESSIF)
        return EF_PORT_ESPRESSIF;
    return ef_port_kind_find(EF_PORT_BRIDGES, port->vid, port->pid) ? EF_PORT_BRIDGE
                                                                    : EF_PORT_OTHER_USB;
}

void ef_port_judge(struct ef_port *port)
{
    port->rank = rank_of(port);
    port->skip[0] = '\0';
    if (port->bus == EF_PORT_BLUETOOTH)
        snprintf(port->skip, sizeof(port->skip), "Bluetooth: opening it would make a connection");
    if (port->bus != EF_PORT_USB || ef_port_kind_find(EF_PORT_EXCEPTIONS, port->vid, port->pid))
        return;
    const struct ef_port_kind *kind = ef_port_kind_find(EF_PORT_STRANGERS, port->vid, port->pid);
    const char *word = port->vid == EF_VID_ESPRESSIF ? NULL : strange_word(port->product);
    if (kind)
        snprintf(port->skip, sizeof(port->skip), "%s", kind->what);
    else if (word)
        snprintf(port->skip, sizeof(port->skip), "its name says \"%s\"", word);
}

static int compare(const void *a, const void *b)
{
    const struct ef_port *left = a;
    const struct ef_port *right = b;
    if (left->rank != right->rank)
        return left->rank < right->rank ? -1 : 1;
    return strverscmp(left->name, right->name);
}

void ef_ports_sort(struct ef_port *ports, size_t count)
{
    qsort(ports, count, sizeof(*ports), compare);
}

bool ef_port_is_likely(const struct ef_port *port)
{
    return port->rank == EF_PORT_ESPRESSIF || port->rank == EF_PORT_BRIDGE;
}

/* Held ports, and the terminal that the system itself talks on, are none to try. */
static void look_closer(struct ef_port *port)
{
    char who[sizeof(port->skip)];
    if (port->skip[0] || port->bus == EF_PORT_NETWORK)
        return;
    if (ef_port_is_console(port->name))
        snprintf(port->skip, sizeof(port->skip), "the system's own console");
    else if (ef_port_holder(port->name, who, sizeof(who)))
        snprintf(port->skip, sizeof(port->skip), "held by %.100s", who);
}

size_t ef_ports_list(struct ef_port *ports, size_t cap)
{
    size_t count = ef_ports_system(ports, cap);
    for (size_t i = 0; i < count; i++) {
        ef_port_judge(&ports[i]);
        look_closer(&ports[i]);
    }
    ef_ports_sort(ports, count);
    return count;
}

/* A spelling that names a device of the system becomes its path; any other stays. */
static void resolve(struct ef_port *port)
{
    char name[EF_PORT_NAME_MAX];
    struct ef_port *all = calloc(EF_PORTS_MAX, sizeof(*all));
    size_t count = all ? ef_ports_system(all, EF_PORTS_MAX) : 0;
    if (ef_port_find(port->name, all, count, NULL, name) == EF_OK)
        snprintf(port->name, sizeof(port->name), "%s", name);
    free(all);
}

size_t ef_ports_named(const char *names, struct ef_port *ports, size_t cap)
{
    static const char BETWEEN[] = " ,\t\n";
    size_t count = 0;
    for (names += strspn(names, BETWEEN); *names && count < cap; names += strspn(names, BETWEEN)) {
        struct ef_port *port = &ports[count++];
        size_t len = strcspn(names, BETWEEN);
        memset(port, 0, sizeof(*port));
        snprintf(port->name, sizeof(port->name), "%.*s", (int)len, names);
        names += len;
        port->bus = strstr(port->name, "://") ? EF_PORT_NETWORK : EF_PORT_NATIVE;
        if (port->bus == EF_PORT_NATIVE) {
            resolve(port);
            ef_port_describe(port);
        }
        ef_port_judge(port);
        port->skip[0] = '\0';
        if (!ef_port_is_likely(port))
            port->rank = EF_PORT_NAMED;
        look_closer(port);
    }
    return count;
}

void ef_port_ids(const struct ef_port *port, char text[10])
{
    if (port->vid == 0)
        snprintf(text, 10, "-");
    else
        snprintf(text, 10, "%04X:%04X", port->vid, port->pid);
}

/* What a spelling asks of a port. */
struct wanted {
    bool by_ids;
    unsigned vid, pid;
    const char *serial; /* NULL: any */
    bool begins;        /* the serial number need only begin so */
};

/* Up to four hexadecimal digits, then `end`; moves behind it. */
static bool take_hex(const char **text, char end, unsigned *value)
{
    size_t digits = strspn(*text, "0123456789abcdefABCDEF");
    if (digits == 0 || digits > 4 || (*text)[digits] != end)
        return false;
    *value = (unsigned)strtoul(*text, NULL, 16);
    *text += digits + (end != '\0');
    return true;
}

static bool parse_hwid(const char *text, struct wanted *wanted)
{
    *wanted = (struct wanted){.by_ids = true};
    if (!take_hex(&text, ':', &wanted->vid))
        return false;
    if (take_hex(&text, '\0', &wanted->pid))
        return true;
    if (!take_hex(&text, ':', &wanted->pid) || *text == '\0')
        return false;
    wanted->serial = text;
    return true;
}

static bool fits(const struct ef_port *port, const struct wanted *wanted)
{
    if (wanted->by_ids && (port->vid != wanted->vid || port->pid != wanted->pid))
        return false;
    if (!wanted->serial)
        return true;
    if (wanted->begins)
        return strncasecmp(port->serial, wanted->serial, strlen(wanted->serial)) == 0;
    return strcasecmp(port->serial, wanted->serial) == 0;
}

static size_t count_fitting(const struct wanted *wanted, const struct ef_port *ports, size_t count,
                            const struct ef_port **first)
{
    size_t fitting = 0;
    for (size_t i = count; i-- > 0;) {
        if (fits(&ports[i], wanted)) {
            *first = &ports[i];
            fitting++;
        }
    }
    return fitting;
}

/* "/dev/ttyUSB0 (10C4:EA60, serial 0001), ..." of all ports, or of those that fit. */
static void name_ports(const struct wanted *wanted, const struct ef_port *ports, size_t count,
                       char *text, size_t cap)
{
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count && n < cap; i++) {
        const struct ef_port *p = &ports[i];
        char ids[10];
        if (wanted && !fits(p, wanted))
            continue;
        ef_port_ids(p, ids);
        n += (size_t)snprintf(text + n, cap - n, "%s%s (%s%s%s)", n ? ", " : "", p->name, ids,
                              p->serial[0] ? ", serial " : "", p->serial);
    }
}

static enum ef_err report_none(const char *spec, const struct ef_port *ports, size_t count,
                               struct ef_log *log)
{
    char there[700];
    name_ports(NULL, ports, count, there, sizeof(there));
    if (count)
        ef_log(log, EF_LOG_ERROR, "%s: no such port; there are: %s", spec, there);
    else
        ef_log(log, EF_LOG_ERROR,
               "%s: no such port; there is none at all: is the board plugged in?", spec);
    return EF_MISSING;
}

static enum ef_err report_several(const char *spec, const struct wanted *wanted,
                                  const struct ef_port *ports, size_t count, struct ef_log *log)
{
    char these[700];
    name_ports(wanted, ports, count, these, sizeof(these));
    ef_log(log, EF_LOG_ERROR,
           "%s fits more than one port: %s: give one's path, or hwid=VID:PID:SERIAL", spec, these);
    return EF_INVALID;
}

static bool is_device(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISCHR(st.st_mode);
}

enum ef_err ef_port_find(const char *spec, const struct ef_port *ports, size_t count,
                         struct ef_log *log, char name[EF_PORT_NAME_MAX])
{
    struct wanted wanted = {.serial = spec};
    const struct ef_port *first = NULL;
    if (spec[0] == '\0') {
        ef_log(log, EF_LOG_ERROR, "the port's name is empty: leave it out to look for a board");
        return EF_INVALID;
    }
    if (strncasecmp(spec, HWID, strlen(HWID)) == 0) {
        if (!parse_hwid(spec + strlen(HWID), &wanted)) {
            ef_log(log, EF_LOG_ERROR, "%s: write it as hwid=VID:PID or hwid=VID:PID:SERIAL", spec);
            return EF_INVALID;
        }
    } else if (strchr(spec, '/') || is_device(spec)) {
        snprintf(name, EF_PORT_NAME_MAX, "%s", spec);
        return EF_OK;
    }
    size_t fitting = count_fitting(&wanted, ports, count, &first);
    if (fitting == 0 && wanted.serial && strlen(wanted.serial) >= SERIAL_BEGIN_MIN) {
        wanted.begins = true;
        fitting = count_fitting(&wanted, ports, count, &first);
    }
    if (fitting == 0)
        return report_none(spec, ports, count, log);
    if (fitting > 1)
        return report_several(spec, &wanted, ports, count, log);
    snprintf(name, EF_PORT_NAME_MAX, "%s", first->name);
    return EF_OK;
}

bool ef_port_is_spelling(const char *word)
{
    return strstr(word, "://") || strncasecmp(word, HWID, strlen(HWID)) == 0 || is_device(word);
}
