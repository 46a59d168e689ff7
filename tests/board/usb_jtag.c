/*
 * The built-in USB-Serial-JTAG, 303A:1001: a CDC-ACM port, and a JTAG adapter that nobody uses
 * here. It has a baud because CDC wants one; nothing goes by it.
 */
#include "usb_device.h"

#include "espflashfs/bytes.h"

#include <string.h>

enum {
    CLASS_OUT = 0x21,
    CLASS_IN = 0xA1,
    SET_LINE_CODING = 0x20,
    GET_LINE_CODING = 0x21,
    SET_CONTROL_LINE_STATE = 0x22,
    SEND_BREAK = 0x23,
    LINE_CODING_LEN = 7,
    STATE_DTR = 1 << 0,
    STATE_RTS = 1 << 1
};

static const uint8_t CONFIGURATION[] = {
    9,   2,    98,   0,    3,  1,    0,    0xC0,
    250,                                      /* 98 bytes, three interfaces, self-powered, 500 mA */
    8,   11,   0,    2,    2,  2,    0,    0, /* the first two are one function: CDC-ACM */
    9,   4,    0,    0,    1,  2,    2,    0,
    0,                                  /* 0: its control */
    5,   0x24, 0,    0x10, 1,           /* CDC 1.10 */
    5,   0x24, 1,    0,    1,           /* no call management; data on interface 1 */
    4,   0x24, 2,    2,                 /* line coding and line state */
    5,   0x24, 6,    0,    1,           /* control 0, data 1 */
    7,   5,    0x82, 3,    64, 0,    1, /* notifications, of which there are none */
    9,   4,    1,    0,    2,  10,   2,    0,
    0,                                  /* 1: its data */
    7,   5,    0x01, 2,    64, 0,    1, /*    bulk out */
    7,   5,    0x81, 2,    64, 0,    1, /*    bulk in */
    9,   4,    2,    0,    2,  0xFF, 0xFF, 1,
    0,                                  /* 2: JTAG */
    7,   5,    0x02, 2,    64, 0,    1, /*    bulk out */
    7,   5,    0x83, 2,    64, 0,    1, /*    bulk in */
};

static int request(struct eb_usb_device *device, const struct eb_usb_setup *setup,
                   const uint8_t *data, uint8_t *answer)
{
    switch (setup->type << 8 | setup->request) {
    case CLASS_OUT << 8 | SET_LINE_CODING:
        if (setup->length != LINE_CODING_LEN)
            return EB_USB_STALL;
        memcpy(device->format, data, LINE_CODING_LEN);
        device->baud = ef_le32(data);
        return 0;
    case CLASS_IN << 8 | GET_LINE_CODING:
        memcpy(answer, device->format, LINE_CODING_LEN);
        return LINE_CODING_LEN;
    case CLASS_OUT << 8 | SET_CONTROL_LINE_STATE:
        device->dtr = (setup->value & STATE_DTR) != 0;
        device->rts = (setup->value & STATE_RTS) != 0;
        return 0;
    case CLASS_OUT << 8 | SEND_BREAK:
        return 0;
    default:
        return EB_USB_STALL;
    }
}

const struct eb_usb_model EB_USB_JTAG = {
    .vid = 0x303A,
    .pid = 0x1001,
    .release = 0x0101,
    .class_code = {0xEF, 2, 1},
    .interfaces = 3,
    .configuration = CONFIGURATION,
    .configuration_len = sizeof(CONFIGURATION),
    .strings = {"Espressif", "USB JTAG/serial debug unit", "60:55:F9:00:01:10"},
    .first_baud = 115200,
    .request = request};
