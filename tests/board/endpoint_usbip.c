/* A USB device that a kernel attaches over the network; the host is there while it is attached. */
#include "endpoint.h"

#include "usbip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct kind {
    const char *name;
    const struct eb_usb_model *model;
    bool has_baud, ends_with_zero;
    bool leaves; /* the bus, whenever the chip is reset */
};

static const struct kind KINDS[] = {
    {.name = "jtag", .model = &EB_USB_JTAG},
    {.name = "jtag-zero", .model = &EB_USB_JTAG, .ends_with_zero = true},
    {.name = "jtag-leaves", .model = &EB_USB_JTAG, .leaves = true},
    {.name = "cp210x", .model = &EB_USB_CP210X, .has_baud = true, .ends_with_zero = true},
};

struct usbip_state {
    struct eb_usbip usbip;
    const struct kind *kind;
    bool dtr, rts; /* as they were told */
    uint32_t baud;
    bool told_held_back;
};

static void take_control(void *ctx, const struct eb_usb_device *device)
{
    struct eb_endpoint *endpoint = ctx;
    struct usbip_state *state = endpoint->state;
    if (device->baud != state->baud) {
        state->baud = device->baud;
        eb_event(endpoint->log, "USB BAUD %u", device->baud);
    }
    if (device->dtr == state->dtr && device->rts == state->rts)
        return;
    state->dtr = device->dtr;
    state->rts = device->rts;
    if (endpoint->on_lines)
        endpoint->on_lines(endpoint->on_lines_ctx, device->dtr, device->rts);
}

/* A device that was plugged in anew asserts nothing. */
static void forget_lines(struct eb_endpoint *endpoint)
{
    struct usbip_state *state = endpoint->state;
    if ((state->dtr || state->rts) && endpoint->on_lines)
        endpoint->on_lines(endpoint->on_lines_ctx, false, false);
    state->dtr = false;
    state->rts = false;
}

static void usbip_chip_off(struct eb_endpoint *endpoint)
{
    struct usbip_state *state = endpoint->state;
    if (endpoint->fd < 0 || !state->kind->leaves)
        return;
    eb_event(endpoint->log, "USB LEAVES the bus");
    eb_usbip_leave(&state->usbip);
}

static void usbip_hang_up(struct eb_endpoint *endpoint)
{
    struct usbip_state *state = endpoint->state;
    if (endpoint->fd < 0)
        return;
    if (state->usbip.why[0])
        eb_event(endpoint->log, "USB/IP: %s", state->usbip.why);
    close(endpoint->fd);
    endpoint->fd = -1;
}

static int usbip_look(struct eb_endpoint *endpoint, bool *connected)
{
    struct usbip_state *state = endpoint->state;
    if (endpoint->fd < 0) {
        endpoint->fd = eb_endpoint_accept(endpoint);
        if (endpoint->fd < 0) {
            *connected = false;
            return endpoint->listen_fd;
        }
        eb_usbip_begin(&state->usbip, endpoint->fd);
        state->baud = 0;
        forget_lines(endpoint);
    }
    if (state->usbip.held_back && !state->told_held_back)
        eb_event(endpoint->log, "USB HOLDS data back behind a full packet, the first time");
    state->told_held_back = state->usbip.held_back;
    bool left = state->usbip.broken;
    if (left || (!state->usbip.imported && eb_usbip_greet(&state->usbip) < 0))
        usbip_hang_up(endpoint);
    *connected = endpoint->fd >= 0 && state->usbip.imported;
    return endpoint->fd >= 0 ? endpoint->fd : endpoint->listen_fd;
}

static uint32_t usbip_host_baud(const struct eb_endpoint *endpoint)
{
    const struct usbip_state *state = endpoint->state;
    return state->kind->has_baud ? state->usbip.device.baud : 0;
}

static ssize_t usbip_read(struct eb_endpoint *endpoint, uint8_t *buf, size_t cap)
{
    struct usbip_state *state = endpoint->state;
    return eb_usbip_read(&state->usbip, buf, cap);
}

static ssize_t usbip_write(struct eb_endpoint *endpoint, const uint8_t *buf, size_t len)
{
    struct usbip_state *state = endpoint->state;
    return eb_usbip_write(&state->usbip, buf, len);
}

static void usbip_close(struct eb_endpoint *endpoint)
{
    usbip_hang_up(endpoint);
    close(endpoint->listen_fd);
    free(endpoint->state);
}

static const struct eb_endpoint_kind USBIP_KIND = {.look = usbip_look,
                                                   .host_baud = usbip_host_baud,
                                                   .baud_counts = true,
                                                   .read = usbip_read,
                                                   .write = usbip_write,
                                                   .chip_off = usbip_chip_off,
                                                   .hang_up = usbip_hang_up,
                                                   .close = usbip_close};

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++)
        if (strcmp(KINDS[i].name, name) == 0)
            return &KINDS[i];
    return NULL;
}

int eb_endpoint_open_usbip(struct eb_endpoint *endpoint, const char *where, char *why,
                           size_t why_cap)
{
    char port[8];
    size_t port_len = strcspn(where, ":");
    const struct kind *kind = where[port_len] ? find_kind(where + port_len + 1) : &KINDS[0];
    if (!kind || port_len >= sizeof(port)) {
        snprintf(why, why_cap,
                 "usbip:PORT:KIND knows jtag, jtag-zero, jtag-leaves and cp210x, not '%s'", where);
        return -1;
    }
    struct usbip_state *state = calloc(1, sizeof(*state));
    if (!state) {
        snprintf(why, why_cap, "out of memory");
        return -1;
    }
    memcpy(port, where, port_len);
    port[port_len] = '\0';
    if (eb_endpoint_open_socket(endpoint, port, why, why_cap) < 0) {
        free(state);
        return -1;
    }
    state->kind = kind;
    state->usbip.model = kind->model;
    state->usbip.ends_with_zero = kind->ends_with_zero;
    state->usbip.on_control = take_control;
    state->usbip.ctx = endpoint;
    endpoint->state = state;
    endpoint->kind = &USBIP_KIND;
    return 0;
}
