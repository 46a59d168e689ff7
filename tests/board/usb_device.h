/*
 * A simulated USB device that is a serial port: descriptors, control requests, and how the port
 * is set. Full speed, one configuration; bulk data goes through endpoint 1 both ways. Nothing here
 * blocks. Numbers are Espressif's and Silicon Labs' own; requests as the USB 2.0 and CDC 1.2
 * (PSTN) specifications and Silicon Labs' AN571 have them.
 */
#ifndef EB_USB_DEVICE_H
#define EB_USB_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EB_USB_PACKET = 64,
    EB_USB_BULK = 1,      /* the endpoint of the port's data */
    EB_USB_STALL = -1,    /* how a device says no */
    EB_USB_CONTROL = 256, /* bytes of a control request's data at most */
    EB_USB_TO_HOST = 0x80 /* in a request's type and an endpoint's address */
};

struct eb_usb_setup {
    uint8_t type, request;
    uint16_t value, index, length;
};

struct eb_usb_device;

struct eb_usb_model {
    uint16_t vid, pid, release;
    uint8_t class_code[3]; /* class, subclass, protocol */
    uint8_t interfaces;
    const uint8_t *configuration; /* the descriptor, with all that belongs to it */
    size_t configuration_len;
    const char *strings[3]; /* manufacturer, product, serial number */
    uint32_t first_baud;
    /*
     * A class or vendor request: `data` holds setup->length bytes from the host, or `answer` takes
     * up to EB_USB_CONTROL bytes for it. The answer's length (0 towards the device), or
     * EB_USB_STALL.
     */
    int (*request)(struct eb_usb_device *device, const struct eb_usb_setup *setup,
                   const uint8_t *data, uint8_t *answer);
};

struct eb_usb_device {
    const struct eb_usb_model *model;
    uint8_t configured;
    bool dtr, rts;               /* as the host has them */
    uint32_t baud;               /* as the host has it */
    uint8_t format[8], flow[16]; /* what a host set and may read back; the model's */
};

extern const struct eb_usb_model EB_USB_JTAG, EB_USB_CP210X;

/* As it is when it was just plugged in. */
void eb_usb_plug(struct eb_usb_device *device, const struct eb_usb_model *model);

/* Any control request; as eb_usb_model.request. */
int eb_usb_control(struct eb_usb_device *device, const struct eb_usb_setup *setup,
                   const uint8_t *data, uint8_t *answer);

#endif
