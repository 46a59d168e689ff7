/* Which port is likely a board, which is none, in what order, and the ways to name one. */
#include "espflashfs/ports.h"

#include "line/port_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct room {
    char log_path[64];
    struct ef_log log;
    char said[4096];
    char name[EF_PORT_NAME_MAX];
};

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    strcpy(room->log_path, "/tmp/ef-ports-XXXXXX");
    close(mkstemp(room->log_path));
    ef_log_init(&room->log, "test", EF_LOG_INFO);
    room->log.to_stderr = false;
    return ef_log_open_file(&room->log, room->log_path);
}

static int room_close(void **state)
{
    struct room *room = *state;
    ef_log_free(&room->log);
    unlink(room->log_path);
    free(room);
    return 0;
}

static struct ef_port usb(const char *name, uint16_t vid, uint16_t pid, const char *product,
                          const char *serial)
{
    struct ef_port port = {.bus = EF_PORT_USB, .vid = vid, .pid = pid};
    snprintf(port.name, sizeof(port.name), "%s", name);
    snprintf(port.product, sizeof(port.product), "%s", product);
    snprintf(port.serial, sizeof(port.serial), "%s", serial);
    ef_port_judge(&port);
    return port;
}

static struct ef_port other(const char *name, enum ef_port_bus bus)
{
    struct ef_port port = {.bus = bus};
    snprintf(port.name, sizeof(port.name), "%s", name);
    ef_port_judge(&port);
    return port;
}

static void order(void **state)
{
    (void)state;
    struct ef_port ports[] = {
        other("/dev/ttyS1", EF_PORT_NATIVE),
        usb("/dev/ttyUSB10", 0x10C4, 0xEA60, "CP2102", ""),
        usb("/dev/ttyACM1", 0xCAFE, 0x4001, "TinyUSB Device", ""),
        usb("/dev/ttyUSB2", 0x1A86, 0x7523, "USB Serial", ""),
        other("/dev/ttyS0", EF_PORT_NATIVE),
        usb("/dev/ttyACM9", 0x303A, 0x1001, "USB JTAG/serial debug unit", ""),
        usb("/dev/ttyACM0", 0x239A, 0x8111, "QT Py", ""),
    };
    static const char *const WANTED[] = {"/dev/ttyACM9", "/dev/ttyUSB2", "/dev/ttyUSB10",
                                         "/dev/ttyACM0", "/dev/ttyACM1", "/dev/ttyS0",
                                         "/dev/ttyS1"};
    ef_ports_sort(ports, COUNT(ports));
    for (size_t i = 0; i < COUNT(ports); i++) {
        assert_string_equal(ports[i].name, WANTED[i]);
        assert_string_equal(ports[i].skip, "");
        assert_int_equal(ef_port_is_likely(&ports[i]), i < 3);
    }
}

/* The bridges of shared experience, and every row of the table. */
static void bridges_are_likely(void **state)
{
    (void)state;
    static const uint16_t IDS[][2] = {
        {0x10C4, 0xEA60}, {0x1A86, 0x7523}, {0x1A86, 0x55D3}, {0x1A86, 0x55D4}, {0x0403, 0x6001},
        {0x0403, 0x6010}, {0x0403, 0x6011}, {0x0403, 0x6014}, {0x0403, 0x6015}, {0x067B, 0x2303},
        {0x067B, 0x23A3}, {0x303A, 0x1001}, {0x303A, 0x0002}, {0x303A, 0x0009}};
    for (size_t i = 0; i < COUNT(IDS); i++) {
        struct ef_port port = usb("/dev/ttyUSB0", IDS[i][0], IDS[i][1], "", "");
        assert_true(ef_port_is_likely(&port));
        assert_string_equal(port.skip, "");
    }
    for (const struct ef_port_kind *k = EF_PORT_BRIDGES; k->what; k++)
        assert_null(ef_port_kind_find(EF_PORT_STRANGERS, k->vid, (uint16_t)k->pid));
}

static void strangers_are_skipped(void **state)
{
    (void)state;
    for (const struct ef_port_kind *k = EF_PORT_STRANGERS; k->what; k++) {
        struct ef_port port =
            usb("/dev/ttyACM0", k->vid, k->pid < 0 ? 0x1234 : (uint16_t)k->pid, "", "");
        assert_string_equal(port.skip, k->what);
        assert_false(ef_port_is_likely(&port));
    }
    struct ef_port port = usb("/dev/ttyUSB0", 0x10C4, 0xEA60, "Sonoff Zigbee 3.0 USB Dongle", "");
    assert_non_null(strstr(port.skip, "zigbee"));
    port = usb("/dev/ttyUSB0", 0x067B, 0x2303, "USB GPS Receiver", "");
    assert_non_null(strstr(port.skip, "gps"));
    port = other("/dev/rfcomm0", EF_PORT_BLUETOOTH);
    assert_non_null(strstr(port.skip, "Bluetooth"));
}

/* An Arduino with an ESP32 on it, and an Espressif chip that calls itself a gateway. */
static void boards_in_disguise(void **state)
{
    (void)state;
    struct ef_port port = usb("/dev/ttyACM0", 0x2341, 0x0070, "Nano ESP32", "");
    assert_string_equal(port.skip, "");
    port = usb("/dev/ttyACM0", 0x303A, 0x4001, "Zigbee Gateway", "");
    assert_string_equal(port.skip, "");
    assert_true(ef_port_is_likely(&port));
}

static size_t some_ports(struct ef_port ports[6])
{
    ports[0] =
        usb("/dev/ttyACM0", 0x303A, 0x1001, "USB JTAG/serial debug unit", "34:85:18:AA:BB:CC");
    ports[1] = usb("/dev/ttyUSB0", 0x10C4, 0xEA60, "CP2102N", "9a4c1b7e");
    ports[2] = usb("/dev/ttyUSB1", 0x10C4, 0xEA60, "CP2102N", "9a4c1b7e55");
    ports[3] = usb("/dev/ttyUSB2", 0x10C4, 0xEA60, "CP2102", "0001");
    ports[4] = usb("/dev/ttyUSB3", 0x1A86, 0x7523, "USB Serial", "");
    ports[5] = other("/dev/ttyS0", EF_PORT_NATIVE);
    return 6;
}

static void spellings(void **state)
{
    struct room *room = *state;
    static const struct {
        const char *spec, *name;
    } CASES[] = {
        {"hwid=303A:1001", "/dev/ttyACM0"},
        {"HWID=303a:1001", "/dev/ttyACM0"},
        {"hwid=1a86:7523", "/dev/ttyUSB3"},
        {"hwid=10C4:EA60:0001", "/dev/ttyUSB2"},
        {"hwid=10c4:ea60:9A4C1B7E", "/dev/ttyUSB0"},
        {"hwid=303a:1001:34:85:18:aa:bb:cc", "/dev/ttyACM0"},
        {"34:85:18:AA:BB:CC", "/dev/ttyACM0"},
        {"34:85:18:aa:bb:cc", "/dev/ttyACM0"},
        {"34:85", "/dev/ttyACM0"},
        {"0001", "/dev/ttyUSB2"},
        {"9a4c1b7e55", "/dev/ttyUSB1"},
        {"9a4c1b7e5", "/dev/ttyUSB1"},
        {"9a4c1b7e", "/dev/ttyUSB0"}, /* exactly so, though another begins so */
        {"/dev/ttyUSB9", "/dev/ttyUSB9"},
        {"/dev/serial/by-id/usb-x-if00-port0", "/dev/serial/by-id/usb-x-if00-port0"},
        {"rfc2217://host:2217", "rfc2217://host:2217"},
        {"./ttyBOARD", "./ttyBOARD"},
    };
    struct ef_port ports[6];
    size_t count = some_ports(ports);
    for (size_t i = 0; i < COUNT(CASES); i++) {
        assert_int_equal(ef_port_find(CASES[i].spec, ports, count, &room->log, room->name), EF_OK);
        assert_string_equal(room->name, CASES[i].name);
    }
}

/* Looks for `spec`; returns what is said of it. */
static const char *fails_to_find(struct room *room, const char *spec, enum ef_err wanted)
{
    struct ef_port ports[6];
    size_t count = some_ports(ports);
    assert_int_equal(truncate(room->log_path, 0), 0);
    assert_int_equal(ef_port_find(spec, ports, count, &room->log, room->name), wanted);
    FILE *file = fopen(room->log_path, "r");
    assert_non_null(file);
    room->said[fread(room->said, 1, sizeof(room->said) - 1, file)] = '\0';
    fclose(file);
    assert_non_null(strstr(room->said, spec));
    return room->said;
}

static void several_fit(void **state)
{
    struct room *room = *state;
    const char *text = fails_to_find(room, "hwid=10C4:EA60", EF_INVALID);
    assert_non_null(strstr(text, "/dev/ttyUSB0 (10C4:EA60, serial 9a4c1b7e)"));
    assert_non_null(strstr(text, "/dev/ttyUSB2 (10C4:EA60, serial 0001)"));
    assert_null(strstr(text, "ttyACM0"));
    text = fails_to_find(room, "9a4c", EF_INVALID);
    assert_non_null(strstr(text, "/dev/ttyUSB1"));
    assert_null(strstr(text, "ttyUSB2"));
}

static void none_fits(void **state)
{
    struct room *room = *state;
    static const char *const SPECS[] = {"hwid=303A:1002", "hwid=10C4:EA60:0002", "9a4c1b7f",
                                        "34:" /* too short a beginning */, "ttyUSB0"};
    for (size_t i = 0; i < COUNT(SPECS); i++) {
        const char *text = fails_to_find(room, SPECS[i], EF_MISSING);
        assert_non_null(strstr(text, "no such port"));
        assert_non_null(strstr(text, "/dev/ttyACM0 (303A:1001, serial 34:85:18:AA:BB:CC)"));
        assert_non_null(strstr(text, "/dev/ttyS0 (-)"));
    }
    assert_int_equal(ef_port_find("0001", NULL, 0, &room->log, room->name), EF_MISSING);
    /* The machine's own UART has no serial number: nothing is not its name. */
    assert_non_null(strstr(fails_to_find(room, "", EF_INVALID), "name is empty"));
}

static void bad_ids(void **state)
{
    struct room *room = *state;
    static const char *const SPECS[] = {
        "hwid=",           "hwid=303A",     "hwid=303A:",  "hwid=:1001",     "hwid=30303:1",
        "hwid=303A:1001:", "hwid=0x303A:1", "hwid=303G:1", "hwid=303A:10011"};
    for (size_t i = 0; i < COUNT(SPECS); i++)
        assert_non_null(strstr(fails_to_find(room, SPECS[i], EF_INVALID), "hwid=VID:PID"));
}

/* They keep their order; a URL is asked gently, whatever answers there. */
static void named_by_the_user(void **state)
{
    (void)state;
    struct ef_port ports[8];
    assert_int_equal(ef_ports_named("", ports, 8), 0);
    assert_int_equal(ef_ports_named(" ,\n", ports, 8), 0);
    assert_int_equal(ef_ports_named("socket://h:1, /dev/no-such,rfc2217://h:2 ", ports, 8), 3);
    assert_string_equal(ports[0].name, "socket://h:1");
    assert_string_equal(ports[1].name, "/dev/no-such");
    assert_string_equal(ports[2].name, "rfc2217://h:2");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ports[i].rank, EF_PORT_NAMED);
        assert_false(ef_port_is_likely(&ports[i]));
        assert_string_equal(ports[i].skip, "");
    }
    assert_int_equal(ports[0].bus, EF_PORT_NETWORK);
    assert_int_equal(ports[1].bus, EF_PORT_NATIVE);
    assert_int_equal(ef_ports_named("a b c d", ports, 3), 3);
}

static void words_that_are_ports(void **state)
{
    (void)state;
    assert_true(ef_port_is_spelling("socket://host:1"));
    assert_true(ef_port_is_spelling("hwid=303A:1001"));
    assert_true(ef_port_is_spelling("/dev/null"));
    assert_false(ef_port_is_spelling("board"));
    assert_false(ef_port_is_spelling("/tmp"));
    assert_false(ef_port_is_spelling("/dev/no-such-port"));
}

/* Whatever this machine has: ranked, sorted, each with a path. */
static void this_machine(void **state)
{
    (void)state;
    struct ef_port *ports = calloc(EF_PORTS_MAX, sizeof(*ports));
    assert_non_null(ports);
    size_t count = ef_ports_list(ports, EF_PORTS_MAX);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(strncmp(ports[i].name, "/dev/", 5), 0);
        assert_true(i == 0 || ports[i - 1].rank <= ports[i].rank);
    }
    free(ports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order),
        cmocka_unit_test(bridges_are_likely),
        cmocka_unit_test(strangers_are_skipped),
        cmocka_unit_test(boards_in_disguise),
        cmocka_unit_test_setup_teardown(spellings, room_open, room_close),
        cmocka_unit_test_setup_teardown(several_fit, room_open, room_close),
        cmocka_unit_test_setup_teardown(none_fits, room_open, room_close),
        cmocka_unit_test_setup_teardown(bad_ids, room_open, room_close),
        cmocka_unit_test(named_by_the_user),
        cmocka_unit_test(words_that_are_ports),
        cmocka_unit_test(this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
