/*
 * How ports are spelt: URLs, their options, ids and serial numbers among the ports of a machine
 * whose devices say of themselves what the input says.
 */
#include "fuzz.h"

#include "line/port_system.h"
#include "line/rfc2217.h"
#include "line/tcp.h"

#include <strings.h>

enum { PORTS = 3, NAMED_MAX = 8, SPEC_MAX = 600 };

size_t ports_system(struct ef_port *ports, size_t cap) IN_PLACE_OF(ef_ports_system);
void port_describe(struct ef_port *port) IN_PLACE_OF(ef_port_describe);
bool port_holder(const char *path, char *who, size_t cap) IN_PLACE_OF(ef_port_holder);
bool port_is_console(const char *path) IN_PLACE_OF(ef_port_is_console);

/* The machine's own ports are not to count. */
size_t ports_system(struct ef_port *ports, size_t cap)
{
    REQUIRE(cap >= 1);
    ports[0] = (struct ef_port){
        .name = "/dev/ttyUSB7", .serial = "0001", .vid = 0x10C4, .pid = 0xEA60, .bus = EF_PORT_USB};
    return 1;
}

void port_describe(struct ef_port *port)
{
    port->bus = EF_PORT_USB;
}

bool port_holder(const char *path, char *who, size_t cap)
{
    snprintf(who, cap, "%s", path);
    return strchr(path, 'h') != NULL;
}

bool port_is_console(const char *path)
{
    return strchr(path, 'c') != NULL;
}

static bool is_terminated(const char *text, size_t cap)
{
    return memchr(text, '\0', cap) != NULL;
}

static void check_port(const struct ef_port *port)
{
    REQUIRE(is_terminated(port->name, sizeof(port->name)));
    REQUIRE(is_terminated(port->skip, sizeof(port->skip)));
    REQUIRE(port->rank >= EF_PORT_ESPRESSIF && port->rank <= EF_PORT_BUILT_IN);
}

static void check_url(const char *spec)
{
    struct ef_tcp_address address;
    struct ef_rfc2217_options options;
    char why[256];
    if (!strstr(spec, "://") || ef_tcp_parse(spec, &address) != EF_OK)
        return;
    REQUIRE(is_terminated(address.host, sizeof(address.host)) && address.host[0] != '\0');
    REQUIRE(is_terminated(address.port, sizeof(address.port)));
    REQUIRE(address.port[strspn(address.port, "0123456789")] == '\0');
    unsigned long port = strtoul(address.port, NULL, 10);
    REQUIRE(port > 0 && port <= UINT16_MAX && strstr(spec, address.host));
    memset(why, 'x', sizeof(why));
    if (ef_rfc2217_parse_options(address.query, &options, why, sizeof(why)))
        REQUIRE(options.timeout_ms >= 100 && options.timeout_ms <= 60000);
    else
        REQUIRE(is_terminated(why, sizeof(why)) && why[0] != '\0');
}

static void take_name(struct fuzz_input *in, char *out, size_t cap)
{
    const uint8_t *bytes;
    size_t len = fuzz_take(in, fuzz_u8(in) % cap, &bytes);
    memset(out, 0, cap);
    if (len > 0)
        memcpy(out, bytes, len);
}

static void find(const char *spec, struct ef_port *ports)
{
    struct fuzz_log log;
    char name[EF_PORT_NAME_MAX];
    fuzz_log_open(&log);
    enum ef_err err = ef_port_find(spec, ports, PORTS, &log.log, name);
    fflush(log.log.file);
    REQUIRE(err == EF_OK || err == EF_MISSING || err == EF_INVALID);
    REQUIRE((err == EF_OK) == (log.len == 0));
    bool listed = false;
    for (size_t i = 0; i < PORTS; i++)
        listed = listed || strcmp(ports[i].name, err == EF_OK ? name : "") == 0;
    /* What it gives is a port that there is, or what was spelt. */
    REQUIRE(err != EF_OK || listed || strncmp(spec, name, sizeof(name) - 1) == 0);
    fuzz_log_close(&log);
}

static void name_some(const char *names)
{
    struct ef_port *ports = calloc(NAMED_MAX, sizeof(*ports));
    REQUIRE(ports);
    size_t count = ef_ports_named(names, ports, NAMED_MAX);
    REQUIRE(count <= NAMED_MAX);
    for (size_t i = 0; i < count; i++) {
        check_port(&ports[i]);
        REQUIRE(ports[i].name[strcspn(ports[i].name, " ,\t\n")] == '\0');
    }
    free(ports);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct ef_port ports[PORTS];
    memset(ports, 0, sizeof(ports));
    for (size_t i = 0; i < PORTS; i++) {
        ports[i].bus = (enum ef_port_bus)(fuzz_u8(&in) % 4);
        ports[i].vid = fuzz_u16(&in);
        ports[i].pid = fuzz_u16(&in);
        take_name(&in, ports[i].serial, 24);
        take_name(&in, ports[i].product, 24);
        snprintf(ports[i].name, sizeof(ports[i].name), "/dev/ttyUSB%u", fuzz_u8(&in));
        ef_port_judge(&ports[i]);
        check_port(&ports[i]);
    }
    ef_ports_sort(ports, PORTS);
    for (size_t i = 1; i < PORTS; i++)
        REQUIRE(ports[i - 1].rank <= ports[i].rank);
    char *spec = fuzz_text(&in, SPEC_MAX);
    check_url(spec);
    find(spec, ports);
    name_some(spec);
    ef_port_is_spelling(spec);
    free(spec);
    return 0;
}
