/*
 * USB/IP, as the kernel's Documentation/usb/usbip_protocol.rst has it: one simulated USB device for
 * one host at a time, over a connected socket that does not block. Nothing that the host sends is
 * believed: what cannot be is said in `why`, and the socket is to be closed, which pulls the
 * device.
 */
#ifndef EB_USBIP_H
#define EB_USBIP_H

#include "usb_device.h"

#include <sys/types.h>

enum {
    EB_USBIP_URBS = 64,        /* transfers that wait for data at most */
    EB_USBIP_HEAD = 48,        /* every command's and reply's head */
    EB_USBIP_LONGEST = 16384,  /* bytes of one transfer at most */
    EB_USBIP_FIFO_CAP = 65536, /* bytes on their way to the host */
    EB_USBIP_WHY_CAP = 96
};

struct eb_usbip_urb {
    uint32_t seq, len;
    uint8_t endpoint;
};

struct eb_usbip {
    /* Set by the owner. */
    const struct eb_usb_model *model;
    bool ends_with_zero; /* a transfer of a multiple of 64 bytes is ended by an empty packet */
    void (*on_control)(void *ctx, const struct eb_usb_device *device); /* after each request */
    void *ctx;

    char why[EB_USBIP_WHY_CAP]; /* what the host did, "" if it left in peace */
    struct eb_usb_device device;
    int fd;
    bool imported, broken;
    bool listening; /* the port is open: the host asked for its data, and goes on asking */
    uint8_t head[EB_USBIP_HEAD];
    size_t head_len;
    uint8_t control[EB_USB_CONTROL]; /* of the request in `head` */
    uint32_t out_left;               /* bytes to come of the transfer in `head` */
    struct eb_usbip_urb urbs[EB_USBIP_URBS];
    size_t urb_count;
    uint8_t fifo[EB_USBIP_FIFO_CAP];
    size_t fifo_len;
    bool held_back; /* once at least, what was there filled packets: the host waited for more */
};

/* The device leaves the bus: the next read ends as if the host had left. */
void eb_usbip_leave(struct eb_usbip *usbip);

/* A host came on `fd`: the device is plugged in, but not attached to it yet. */
void eb_usbip_begin(struct eb_usbip *usbip, int fd);

/* Answers what is asked before a host attaches the device. 1 once it has, 0 not yet, -1 it left. */
int eb_usbip_greet(struct eb_usbip *usbip);

/*
 * As read(2): the port's data from the host, `cap` > 0. What else comes is answered on the way; an
 * on_control comes before the bytes that follow it.
 */
ssize_t eb_usbip_read(struct eb_usbip *usbip, uint8_t *buf, size_t cap);

/* As write(2): the port's data to the host. While the port is not open, it is lost. */
ssize_t eb_usbip_write(struct eb_usbip *usbip, const uint8_t *buf, size_t len);

#endif
