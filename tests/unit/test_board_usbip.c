/* USB/IP as a host speaks it to the simulated board's USB devices, and as one must not. */
#include "usbip.h"

#include "espflashfs/bytes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    OP_REPLY_LEN = 8 + 312,
    DEVICE_ID = 1 << 16 | 2,
    SUBMIT = 1,
    UNLINK = 2,
    OUT = 0,
    IN = 1,
    CLASS_OUT = 0x21,
    SET_LINE_CODING = 0x20,
    SET_CONTROL_LINE_STATE = 0x22,
    VENDOR_OUT = 0x41,
    VENDOR_IN = 0xC1,
    SET_BAUDRATE = 0x1E,
    SET_MHS = 0x07,
    SET_FLOW = 0x13,
    GET_FLOW = 0x14,
    STANDARD_IN = 0x80,
    GET_DESCRIPTOR = 6
};

struct room {
    struct eb_usbip usbip;
    int host;
    unsigned controls;
    bool dtr, rts; /* at the last of them */
    uint32_t seq;
};

static void count_control(void *ctx, const struct eb_usb_device *device)
{
    struct room *room = ctx;
    room->controls++;
    room->dtr = device->dtr;
    room->rts = device->rts;
}

static void put_be32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void say(struct room *room, const void *bytes, size_t len)
{
    assert_int_equal(send(room->host, bytes, len, MSG_NOSIGNAL), len);
}

static void hear(struct room *room, void *bytes, size_t len)
{
    assert_int_equal(recv(room->host, bytes, len, MSG_DONTWAIT), len);
}

static bool silent(struct room *room)
{
    uint8_t byte;
    return recv(room->host, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
}

static struct room *plugged(const struct eb_usb_model *model, bool ends_with_zero)
{
    int pair[2];
    struct room *room = calloc(1, sizeof(*room));
    assert_non_null(room);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    room->host = pair[0];
    room->usbip.model = model;
    room->usbip.ends_with_zero = ends_with_zero;
    room->usbip.on_control = count_control;
    room->usbip.ctx = room;
    eb_usbip_begin(&room->usbip, pair[1]);
    return room;
}

static void pull(struct room *room)
{
    close(room->host);
    close(room->usbip.fd);
    free(room);
}

static void import(struct room *room)
{
    uint8_t request[8 + 32] = {0x01, 0x11, 0x80, 0x03};
    uint8_t reply[OP_REPLY_LEN];
    memcpy(request + 8, "1-1", 4);
    say(room, request, sizeof(request));
    assert_int_equal(eb_usbip_greet(&room->usbip), 1);
    hear(room, reply, sizeof(reply));
    assert_int_equal(be32(reply), 0x01110003);
    assert_int_equal(be32(reply + 4), 0);
    assert_string_equal((char *)reply + 8 + 256, "1-1");
}

static struct room *attached(const struct eb_usb_model *model, bool ends_with_zero)
{
    struct room *room = plugged(model, ends_with_zero);
    import(room);
    return room;
}

/* A command's head, in parts that arrive one by one; returns its number. */
static uint32_t command(struct room *room, uint32_t direction, uint32_t endpoint, uint32_t len,
                        const uint8_t setup[8])
{
    uint8_t head[EB_USBIP_HEAD] = {0};
    put_be32(head, SUBMIT);
    put_be32(head + 4, ++room->seq);
    put_be32(head + 8, DEVICE_ID);
    put_be32(head + 12, direction);
    put_be32(head + 16, endpoint);
    put_be32(head + 24, len);
    if (setup)
        memcpy(head + 40, setup, 8);
    say(room, head, sizeof(head));
    return room->seq;
}

/* The device has read all that there is, and has no data for the port. */
static void runs(struct room *room)
{
    uint8_t buf[16];
    assert_int_equal(eb_usbip_read(&room->usbip, buf, sizeof(buf)), -1);
    assert_int_equal(errno, EAGAIN);
}

static void hangs_up(struct room *room)
{
    uint8_t buf[16];
    assert_int_equal(eb_usbip_read(&room->usbip, buf, sizeof(buf)), 0);
    assert_true(room->usbip.why[0] != '\0');
}

/* The reply to `seq`: its status; *actual is what was moved, with the bytes in `data` if any. */
static int reply(struct room *room, uint32_t seq, uint32_t *actual, uint8_t *data)
{
    uint8_t head[EB_USBIP_HEAD];
    hear(room, head, sizeof(head));
    assert_int_equal(be32(head), 3);
    assert_int_equal(be32(head + 4), seq);
    *actual = be32(head + 24);
    if (data && *actual > 0)
        hear(room, data, *actual);
    return (int)be32(head + 20);
}

/* A control request; its status, and the answer's length. */
static int control(struct room *room, uint8_t type, uint8_t request, uint16_t value, void *data,
                   uint16_t len, uint32_t *actual)
{
    bool in = (type & EB_USB_TO_HOST) != 0;
    uint8_t setup[8] = {type, request};
    ef_put_le16(setup + 2, value);
    ef_put_le16(setup + 6, len);
    uint32_t seq = command(room, in ? IN : OUT, 0, len, setup);
    if (!in && len > 0)
        say(room, data, len);
    runs(room);
    return reply(room, seq, actual, in ? data : NULL);
}

static void test_list_then_import(void **state)
{
    static const uint8_t DEVLIST[8] = {0x01, 0x11, 0x80, 0x05};
    uint8_t reply[12 + 312 + 3 * 4];
    struct room *room = plugged(&EB_USB_JTAG, false);
    (void)state;
    say(room, DEVLIST, sizeof(DEVLIST));
    assert_int_equal(eb_usbip_greet(&room->usbip), 0);
    hear(room, reply, sizeof(reply));
    assert_int_equal(be32(reply), 0x01110005);
    assert_int_equal(be32(reply + 8), 1);
    assert_int_equal(be32(reply + 12 + 300), 0x303A1001);
    assert_true(silent(room));
    import(room);
    pull(room);
}

static void test_unknown_bus_id_and_noise(void **state)
{
    uint8_t request[8 + 32] = {0x01, 0x11, 0x80, 0x03};
    uint8_t reply[8];
    struct room *room = plugged(&EB_USB_JTAG, false);
    (void)state;
    memset(request + 8, '1', 32);
    say(room, request, sizeof(request));
    assert_int_equal(eb_usbip_greet(&room->usbip), 0);
    hear(room, reply, sizeof(reply));
    assert_int_not_equal(be32(reply + 4), 0);
    say(room, "GET / HTTP/1.0\r\n", 16);
    assert_int_equal(eb_usbip_greet(&room->usbip), -1);
    pull(room);
}

static void test_descriptors(void **state)
{
    static const struct eb_usb_model *const MODELS[] = {&EB_USB_JTAG, &EB_USB_CP210X};
    uint8_t data[255] = {0};
    uint32_t actual;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct room *room = attached(MODELS[i], true);
        assert_int_equal(control(room, STANDARD_IN, GET_DESCRIPTOR, 0x0100, data, 18, &actual), 0);
        assert_int_equal(actual, 18);
        assert_int_equal(ef_le16(data + 8), MODELS[i]->vid);
        assert_int_equal(ef_le16(data + 10), MODELS[i]->pid);
        /* As hosts do: its head first, then as long as that says. */
        assert_int_equal(control(room, STANDARD_IN, GET_DESCRIPTOR, 0x0200, data, 9, &actual), 0);
        assert_int_equal(actual, 9);
        uint16_t total = ef_le16(data + 2);
        assert_int_equal(control(room, STANDARD_IN, GET_DESCRIPTOR, 0x0200, data, 255, &actual), 0);
        assert_int_equal(actual, total);
        size_t at = 0;
        while (at < total)
            at += data[at];
        assert_int_equal(at, total);
        assert_int_equal(control(room, STANDARD_IN, GET_DESCRIPTOR, 0x0302, data, 255, &actual), 0);
        assert_int_equal(data[0], actual);
        assert_int_equal(control(room, STANDARD_IN, GET_DESCRIPTOR, 0x0309, data, 255, &actual),
                         -EPIPE);
        assert_int_equal(control(room, STANDARD_IN, GET_DESCRIPTOR, 0x0600, data, 10, &actual),
                         -EPIPE);
        pull(room);
    }
}

static void test_cdc_lines_and_baud(void **state)
{
    uint8_t coding[7] = {0x00, 0x08, 0x07, 0x00, 0, 0, 8}; /* 460800 */
    uint32_t actual;
    struct room *room = attached(&EB_USB_JTAG, false);
    (void)state;
    assert_int_equal(control(room, CLASS_OUT, SET_LINE_CODING, 0, coding, 7, &actual), 0);
    assert_int_equal(actual, 7);
    assert_int_equal(room->usbip.device.baud, 460800);
    assert_int_equal(control(room, CLASS_OUT, SET_CONTROL_LINE_STATE, 2, NULL, 0, &actual), 0);
    assert_true(room->rts && !room->dtr);
    assert_int_equal(control(room, CLASS_OUT, SET_CONTROL_LINE_STATE, 1, NULL, 0, &actual), 0);
    assert_true(room->dtr && !room->rts);
    assert_int_equal(room->controls, 3);
    assert_int_equal(control(room, CLASS_OUT, SET_LINE_CODING, 0, coding, 6, &actual), -EPIPE);
    pull(room);
}

static void test_cp210x_lines_and_baud(void **state)
{
    uint8_t baud[4];
    uint8_t flow[16] = {0};
    uint8_t back[16];
    uint32_t actual;
    struct room *room = attached(&EB_USB_CP210X, true);
    (void)state;
    ef_put_le32(baud, 921600);
    assert_int_equal(control(room, VENDOR_OUT, SET_BAUDRATE, 0, baud, 4, &actual), 0);
    assert_int_equal(room->usbip.device.baud, 921600);
    ef_put_le32(baud, 1500000);
    assert_int_equal(control(room, VENDOR_OUT, SET_BAUDRATE, 0, baud, 4, &actual), -EPIPE);
    assert_int_equal(room->usbip.device.baud, 921600);
    /* The mask tells which of the two is meant. */
    assert_int_equal(control(room, VENDOR_OUT, SET_MHS, 0x0303, NULL, 0, &actual), 0);
    assert_true(room->dtr && room->rts);
    assert_int_equal(control(room, VENDOR_OUT, SET_MHS, 0x0100, NULL, 0, &actual), 0);
    assert_true(!room->dtr && room->rts);
    flow[0] = 1;
    assert_int_equal(control(room, VENDOR_OUT, SET_FLOW, 0, flow, 16, &actual), 0);
    assert_true(room->dtr && !room->rts);
    assert_int_equal(control(room, VENDOR_IN, GET_FLOW, 0, back, 16, &actual), 0);
    assert_memory_equal(flow, back, 16);
    pull(room);
}

static void test_data_from_the_host(void **state)
{
    uint8_t data[100];
    uint8_t got[100];
    uint32_t actual;
    struct room *room = attached(&EB_USB_JTAG, false);
    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)i;
    uint32_t seq = command(room, OUT, EB_USB_BULK, sizeof(data), NULL);
    runs(room);
    say(room, data, 30);
    assert_int_equal(eb_usbip_read(&room->usbip, got, sizeof(got)), 30);
    runs(room);
    say(room, data + 30, 70);
    assert_true(silent(room));
    /* No more is taken than there is room for. */
    assert_int_equal(eb_usbip_read(&room->usbip, got + 30, 50), 50);
    assert_int_equal(eb_usbip_read(&room->usbip, got + 80, 50), 20);
    assert_memory_equal(data, got, sizeof(data));
    assert_int_equal(reply(room, seq, &actual, NULL), 0);
    assert_int_equal(actual, sizeof(data));
    pull(room);
}

static void test_a_full_packet_is_held_back(void **state)
{
    uint8_t data[130] = {0};
    uint8_t got[128];
    uint32_t actual;
    struct room *room = attached(&EB_USB_JTAG, false);
    (void)state;
    /* Nobody has the port open: lost. */
    assert_int_equal(eb_usbip_write(&room->usbip, data, 5), 5);
    uint32_t seq = command(room, IN, EB_USB_BULK, 128, NULL);
    runs(room);
    assert_true(silent(room));
    assert_int_equal(eb_usbip_write(&room->usbip, data, 64), 64);
    assert_true(silent(room));
    assert_true(room->usbip.held_back);
    assert_int_equal(eb_usbip_write(&room->usbip, data, 3), 3);
    assert_int_equal(reply(room, seq, &actual, got), 0);
    assert_int_equal(actual, 67);
    /* A transfer that is full needs no end. */
    seq = command(room, IN, EB_USB_BULK, 128, NULL);
    runs(room);
    assert_int_equal(eb_usbip_write(&room->usbip, data, 128), 128);
    assert_int_equal(reply(room, seq, &actual, got), 0);
    assert_int_equal(actual, 128);
    pull(room);
}

static void test_a_bridge_ends_its_transfers(void **state)
{
    uint8_t data[64] = {0};
    uint8_t got[256];
    uint32_t actual;
    struct room *room = attached(&EB_USB_CP210X, true);
    (void)state;
    uint32_t seq = command(room, IN, EB_USB_BULK, 256, NULL);
    runs(room);
    assert_int_equal(eb_usbip_write(&room->usbip, data, 64), 64);
    assert_int_equal(reply(room, seq, &actual, got), 0);
    assert_int_equal(actual, 64);
    assert_false(room->usbip.held_back);
    pull(room);
}

static void test_unlink(void **state)
{
    uint8_t head[EB_USBIP_HEAD] = {0};
    uint8_t back[EB_USBIP_HEAD];
    uint8_t byte = 0;
    struct room *room = attached(&EB_USB_JTAG, false);
    (void)state;
    uint32_t seq = command(room, IN, EB_USB_BULK, 128, NULL);
    runs(room);
    put_be32(head, UNLINK);
    put_be32(head + 4, 77);
    put_be32(head + 8, DEVICE_ID);
    put_be32(head + 20, seq);
    for (int i = 0; i < 2; i++) {
        say(room, head, sizeof(head));
        runs(room);
        hear(room, back, sizeof(back));
        assert_int_equal(be32(back), 4);
        assert_int_equal(be32(back + 4), 77);
        /* The second time it is not there any more. */
        assert_int_equal((int)be32(back + 20), i == 0 ? -ECONNRESET : 0);
    }
    /* The port is closed now. */
    assert_int_equal(eb_usbip_write(&room->usbip, &byte, 1), 1);
    assert_int_equal(room->usbip.fifo_len, 0);
    pull(room);
}

/* A command that cannot be: the device is pulled rather than read past what it has. */
static void refused(uint32_t direction, uint32_t endpoint, uint32_t len, const uint8_t setup[8])
{
    struct room *room = attached(&EB_USB_JTAG, false);
    command(room, direction, endpoint, len, setup);
    hangs_up(room);
    pull(room);
}

static void test_what_cannot_be(void **state)
{
    static const uint8_t SHORTER[8] = {STANDARD_IN, GET_DESCRIPTOR, 0, 1, 0, 0, 18, 0};
    static const uint8_t WRONG_WAY[8] = {CLASS_OUT, SET_LINE_CODING, 0, 0, 0, 0, 7, 0};
    (void)state;
    refused(OUT, EB_USB_BULK, EB_USBIP_LONGEST + 1, NULL);
    refused(OUT, EB_USB_BULK, UINT32_MAX, NULL);
    refused(IN, EB_USB_BULK, UINT32_MAX, NULL);
    refused(IN, EB_USB_BULK, 0, NULL);
    refused(IN, 16, 64, NULL);
    refused(OUT, 2, 64, NULL);
    refused(2, EB_USB_BULK, 64, NULL);
    refused(OUT, 0, EB_USB_CONTROL + 1, NULL);
    refused(IN, 0, 64, SHORTER);
    refused(IN, 0, 7, WRONG_WAY);
}

static void test_too_many_transfers(void **state)
{
    struct room *room = attached(&EB_USB_JTAG, false);
    (void)state;
    for (int i = 0; i < EB_USBIP_URBS; i++)
        command(room, IN, EB_USB_BULK, 64, NULL);
    runs(room);
    command(room, IN, EB_USB_BULK, 64, NULL);
    hangs_up(room);
    pull(room);
}

static void test_the_host_leaves_in_a_head(void **state)
{
    uint8_t buf[16];
    struct room *room = attached(&EB_USB_JTAG, false);
    (void)state;
    say(room, "\0\0\0\1", 4);
    runs(room);
    shutdown(room->host, SHUT_WR);
    assert_int_equal(eb_usbip_read(&room->usbip, buf, sizeof(buf)), 0);
    assert_string_equal(room->usbip.why, "");
    pull(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_then_import),
        cmocka_unit_test(test_unknown_bus_id_and_noise),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_cdc_lines_and_baud),
        cmocka_unit_test(test_cp210x_lines_and_baud),
        cmocka_unit_test(test_data_from_the_host),
        cmocka_unit_test(test_a_full_packet_is_held_back),
        cmocka_unit_test(test_a_bridge_ends_its_transfers),
        cmocka_unit_test(test_unlink),
        cmocka_unit_test(test_what_cannot_be),
        cmocka_unit_test(test_too_many_transfers),
        cmocka_unit_test(test_the_host_leaves_in_a_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
