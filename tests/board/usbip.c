#include "usbip.h"

#include "espflashfs/bytes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
    VERSION = 0x0111,
    OP_HEAD = 8,
    OP_REQ_DEVLIST = 0x8005,
    OP_REP_DEVLIST = 0x0005,
    OP_REQ_IMPORT = 0x8003,
    OP_REP_IMPORT = 0x0003,
    OP_NO_DEVICE = 4,
    BUSID_LEN = 32,
    DEVICE_LEN = 312,
    FULL_SPEED = 2,
    DEVICE_ID = 1 << 16 | 2, /* bus 1, device 2 */

    CMD_SUBMIT = 1,
    CMD_UNLINK = 2,
    RET_SUBMIT = 3,
    RET_UNLINK = 4,
    OUT = 0,
    IN = 1,

    /* Where in a command's head. */
    AT_SEQ = 4,
    AT_DEVICE = 8,
    AT_DIRECTION = 12,
    AT_ENDPOINT = 16,
    AT_UNLINKED = 20,
    AT_LENGTH = 24,
    AT_SETUP = 40,

    /* The wire carries Linux' numbers. */
    LINUX_EPIPE = 32,
    LINUX_ECONNRESET = 104
};

static const char BUSID[] = "1-1";

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_be32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void put_be16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void fail(struct eb_usbip *usbip, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void fail(struct eb_usbip *usbip, const char *format, ...)
{
    va_list args;
    usbip->broken = true;
    va_start(args, format);
    vsnprintf(usbip->why, sizeof(usbip->why), format, args);
    va_end(args);
}

/* What is under way is little, and a kernel that has a device attached takes it at once. */
static void send_both(struct eb_usbip *usbip, const uint8_t *head, size_t head_len,
                      const uint8_t *data, size_t data_len)
{
    /* sendmsg only reads it. */
    struct iovec parts[2] = {{.iov_base = (void *)head, .iov_len = head_len},
                             {.iov_base = (void *)data, .iov_len = data_len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (!usbip->broken &&
        sendmsg(usbip->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)(head_len + data_len))
        fail(usbip, "the host does not take its replies");
}

void eb_usbip_begin(struct eb_usbip *usbip, int fd)
{
    usbip->fd = fd;
    usbip->why[0] = '\0';
    usbip->imported = false;
    usbip->broken = false;
    usbip->listening = false;
    usbip->head_len = 0;
    usbip->out_left = 0;
    usbip->urb_count = 0;
    usbip->fifo_len = 0;
    usbip->held_back = false;
    eb_usb_plug(&usbip->device, usbip->model);
}

void eb_usbip_leave(struct eb_usbip *usbip)
{
    usbip->broken = true;
}

/* Up to `want` bytes of a head; true once they are there. */
static bool fill_head(struct eb_usbip *usbip, size_t want)
{
    while (usbip->head_len < want) {
        ssize_t n =
            recv(usbip->fd, usbip->head + usbip->head_len, want - usbip->head_len, MSG_DONTWAIT);
        if (n > 0)
            usbip->head_len += (size_t)n;
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
            usbip->broken = true;
        if (n <= 0)
            return false;
    }
    return true;
}

static void describe(const struct eb_usb_model *model, uint8_t out[DEVICE_LEN])
{
    enum { AT_BUSID = 256, AT_NUMBERS = 288, AT_CODES = 306 };
    memset(out, 0, DEVICE_LEN);
    snprintf((char *)out, AT_BUSID, "/simulated/usb1/%s", BUSID);
    memcpy(out + AT_BUSID, BUSID, sizeof(BUSID));
    uint8_t *p = out + AT_NUMBERS;
    put_be32(p, DEVICE_ID >> 16);
    put_be32(p + 4, DEVICE_ID & 0xFFFF);
    put_be32(p + 8, FULL_SPEED);
    put_be16(p + 12, model->vid);
    put_be16(p + 14, model->pid);
    put_be16(p + 16, model->release);
    p = out + AT_CODES;
    memcpy(p, model->class_code, 3);
    p[3] = 0; /* not configured yet */
    p[4] = 1; /* configurations */
    p[5] = model->interfaces;
}

static void answer_op(struct eb_usbip *usbip, uint16_t code, uint32_t status, const uint8_t *data,
                      size_t len)
{
    uint8_t head[OP_HEAD];
    put_be16(head, VERSION);
    put_be16(head + 2, code);
    put_be32(head + 4, status);
    send_both(usbip, head, sizeof(head), data, len);
}

static void answer_list(struct eb_usbip *usbip)
{
    /* A number of devices in front, and three bytes and a filler for each interface behind. */
    uint8_t list[4 + DEVICE_LEN + 4 * 8] = {0};
    put_be32(list, 1);
    describe(usbip->model, list + 4);
    answer_op(usbip, OP_REP_DEVLIST, 0, list, 4 + DEVICE_LEN + 4U * usbip->model->interfaces);
}

static void answer_import(struct eb_usbip *usbip)
{
    uint8_t device[DEVICE_LEN];
    usbip->imported = strncmp((const char *)usbip->head + OP_HEAD, BUSID, BUSID_LEN) == 0;
    describe(usbip->model, device);
    if (usbip->imported)
        answer_op(usbip, OP_REP_IMPORT, 0, device, sizeof(device));
    else
        answer_op(usbip, OP_REP_IMPORT, OP_NO_DEVICE, NULL, 0);
}

int eb_usbip_greet(struct eb_usbip *usbip)
{
    while (!usbip->imported && fill_head(usbip, OP_HEAD)) {
        switch (be32(usbip->head) & 0xFFFF) {
        case OP_REQ_DEVLIST:
            answer_list(usbip);
            break;
        case OP_REQ_IMPORT:
            if (!fill_head(usbip, OP_HEAD + BUSID_LEN))
                return usbip->broken ? -1 : 0;
            answer_import(usbip);
            break;
        default:
            fail(usbip, "no USB/IP request begins with %08x", be32(usbip->head));
        }
        usbip->head_len = 0;
        if (usbip->broken)
            break;
    }
    return usbip->broken ? -1 : usbip->imported;
}

static void answer_submit(struct eb_usbip *usbip, uint32_t seq, int status, uint32_t actual,
                          const uint8_t *data, size_t len)
{
    uint8_t head[EB_USBIP_HEAD] = {0};
    put_be32(head, RET_SUBMIT);
    put_be32(head + AT_SEQ, seq);
    put_be32(head + 20, (uint32_t)status);
    put_be32(head + 24, actual);
    send_both(usbip, head, sizeof(head), data, len);
}

static void drop_urb(struct eb_usbip *usbip, size_t i)
{
    usbip->urb_count--;
    memmove(usbip->urbs + i, usbip->urbs + i + 1, (usbip->urb_count - i) * sizeof(*usbip->urbs));
}

/* How much of what waits ends a transfer of `len` bytes now; 0: it waits for more. */
static size_t ends_now(const struct eb_usbip *usbip, size_t len)
{
    if (usbip->fifo_len >= len)
        return len;
    /* Only a packet that is not full, an empty one included, ends a transfer before its length. */
    bool short_packet = usbip->fifo_len % EB_USB_PACKET != 0 || usbip->ends_with_zero;
    return short_packet ? usbip->fifo_len : 0;
}

static void give_data(struct eb_usbip *usbip)
{
    for (size_t i = 0; i < usbip->urb_count && usbip->fifo_len > 0;) {
        struct eb_usbip_urb urb = usbip->urbs[i];
        if (urb.endpoint != EB_USB_BULK) {
            i++;
            continue;
        }
        size_t n = ends_now(usbip, urb.len);
        if (n == 0) {
            usbip->held_back = true;
            return;
        }
        drop_urb(usbip, i);
        answer_submit(usbip, urb.seq, 0, (uint32_t)n, usbip->fifo, n);
        usbip->fifo_len -= n;
        memmove(usbip->fifo, usbip->fifo + n, usbip->fifo_len);
    }
}

static void queue_in(struct eb_usbip *usbip, uint32_t seq, uint32_t endpoint, uint32_t len)
{
    if (usbip->urb_count == EB_USBIP_URBS || endpoint > 15 || len == 0) {
        fail(usbip, "a transfer of %u bytes from endpoint %u, with %zu waiting", len, endpoint,
             usbip->urb_count);
        return;
    }
    usbip->urbs[usbip->urb_count++] =
        (struct eb_usbip_urb){.seq = seq, .len = len, .endpoint = (uint8_t)endpoint};
    if (endpoint == EB_USB_BULK)
        usbip->listening = true;
    give_data(usbip);
}

/* The request in `head`, with its data if it brings some. */
static void run_control(struct eb_usbip *usbip)
{
    const uint8_t *raw = usbip->head + AT_SETUP;
    struct eb_usb_setup setup = {.type = raw[0],
                                 .request = raw[1],
                                 .value = ef_le16(raw + 2),
                                 .index = ef_le16(raw + 4),
                                 .length = ef_le16(raw + 6)};
    uint8_t answer[EB_USB_CONTROL];
    uint32_t seq = be32(usbip->head + AT_SEQ);
    uint32_t len = be32(usbip->head + AT_LENGTH);
    bool to_host = (setup.type & EB_USB_TO_HOST) != 0;
    if (setup.length != len || to_host != (be32(usbip->head + AT_DIRECTION) == IN)) {
        fail(usbip, "a control request whose transfer does not fit it");
        return;
    }
    int n = eb_usb_control(&usbip->device, &setup, usbip->control, answer);
    if (n == EB_USB_STALL) {
        answer_submit(usbip, seq, -LINUX_EPIPE, 0, NULL, 0);
    } else {
        uint32_t actual = to_host ? ef_min_u32((uint32_t)n, len) : len;
        answer_submit(usbip, seq, 0, actual, answer, to_host ? actual : 0);
    }
    usbip->on_control(usbip->ctx, &usbip->device);
}

static void submit(struct eb_usbip *usbip)
{
    uint32_t direction = be32(usbip->head + AT_DIRECTION);
    uint32_t endpoint = be32(usbip->head + AT_ENDPOINT);
    uint32_t seq = be32(usbip->head + AT_SEQ);
    uint32_t len = be32(usbip->head + AT_LENGTH);
    uint32_t longest = endpoint == 0 && direction == OUT ? EB_USB_CONTROL : EB_USBIP_LONGEST;
    if (be32(usbip->head + AT_DEVICE) != DEVICE_ID || direction > IN || len > longest)
        fail(usbip, "a transfer of %u bytes for device %08x", len, be32(usbip->head + AT_DEVICE));
    else if (direction == IN && endpoint != 0)
        queue_in(usbip, seq, endpoint, len);
    else if (direction == OUT && len > 0 && endpoint <= EB_USB_BULK)
        usbip->out_left = len;
    else if (endpoint == 0)
        run_control(usbip);
    else if (endpoint == EB_USB_BULK)
        answer_submit(usbip, seq, 0, 0, NULL, 0);
    else
        fail(usbip, "a transfer to endpoint %u", endpoint);
}

/* A port that is closed takes back what it asked for. */
static void close_port(struct eb_usbip *usbip)
{
    usbip->listening = false;
    usbip->fifo_len = 0;
}

static void unlink_urb(struct eb_usbip *usbip)
{
    uint8_t head[EB_USBIP_HEAD] = {0};
    uint32_t wanted = be32(usbip->head + AT_UNLINKED);
    size_t i = 0;
    while (i < usbip->urb_count && usbip->urbs[i].seq != wanted)
        i++;
    bool found = i < usbip->urb_count;
    if (found && usbip->urbs[i].endpoint == EB_USB_BULK)
        close_port(usbip);
    if (found)
        drop_urb(usbip, i);
    put_be32(head, RET_UNLINK);
    memcpy(head + AT_SEQ, usbip->head + AT_SEQ, 4);
    put_be32(head + 20, found ? (uint32_t)-LINUX_ECONNRESET : 0);
    send_both(usbip, head, sizeof(head), NULL, 0);
}

static void run_command(struct eb_usbip *usbip)
{
    uint32_t command = be32(usbip->head);
    if (command == CMD_SUBMIT)
        submit(usbip);
    else if (command == CMD_UNLINK)
        unlink_urb(usbip);
    else
        fail(usbip, "no USB/IP command begins with %08x", command);
}

/* More of the transfer in `head`: of a request into `control`, else into `buf`. */
static ssize_t take_data(struct eb_usbip *usbip, uint8_t *buf, size_t cap)
{
    uint32_t len = be32(usbip->head + AT_LENGTH);
    bool control = be32(usbip->head + AT_ENDPOINT) == 0;
    uint8_t *to = control ? usbip->control + (len - usbip->out_left) : buf;
    size_t want = control ? usbip->out_left : ef_min_u32(usbip->out_left, (uint32_t)cap);
    ssize_t n = recv(usbip->fd, to, want, MSG_DONTWAIT);
    if (n <= 0)
        return n;
    usbip->out_left -= (uint32_t)n;
    if (usbip->out_left == 0 && control)
        run_control(usbip);
    else if (usbip->out_left == 0)
        answer_submit(usbip, be32(usbip->head + AT_SEQ), 0, len, NULL, 0);
    if (usbip->out_left == 0)
        usbip->head_len = 0;
    return n;
}

ssize_t eb_usbip_read(struct eb_usbip *usbip, uint8_t *buf, size_t cap)
{
    while (!usbip->broken) {
        if (usbip->out_left > 0) {
            bool control = be32(usbip->head + AT_ENDPOINT) == 0;
            ssize_t n = take_data(usbip, buf, cap);
            if (n <= 0 || !control)
                return n;
            continue;
        }
        if (!fill_head(usbip, EB_USBIP_HEAD))
            break;
        run_command(usbip);
        if (usbip->out_left == 0)
            usbip->head_len = 0;
    }
    if (usbip->broken)
        return 0;
    errno = EAGAIN;
    return -1;
}

ssize_t eb_usbip_write(struct eb_usbip *usbip, const uint8_t *buf, size_t len)
{
    if (!usbip->listening)
        return (ssize_t)len;
    size_t room = sizeof(usbip->fifo) - usbip->fifo_len;
    size_t n = len < room ? len : room;
    memcpy(usbip->fifo + usbip->fifo_len, buf, n);
    usbip->fifo_len += n;
    give_data(usbip);
    errno = usbip->broken ? EPIPE : EAGAIN;
    return usbip->broken || n == 0 ? -1 : (ssize_t)n;
}
