/* A CP2102 bridge, 10C4:EA60: vendor requests as Silicon Labs' AN571 names them. */
#include "usb_device.h"

#include "espflashfs/bytes.h"

#include <string.h>

enum {
    VENDOR_OUT = 0x41, /* to the interface */
    VENDOR_IN = 0xC1,
    VENDOR_DEVICE_IN = 0xC0,

    IFC_ENABLE = 0x00,
    SET_LINE_CTL = 0x03,
    GET_LINE_CTL = 0x04,
    SET_MHS = 0x07,
    GET_MDMSTS = 0x08,
    GET_COMM_STATUS = 0x10,
    PURGE = 0x12,
    SET_FLOW = 0x13,
    GET_FLOW = 0x14,
    SET_CHARS = 0x19,
    SET_BAUDRATE = 0x1E,
    VENDOR_SPECIFIC = 0xFF,
    GET_PARTNUM = 0x370B,

    PART_CP2102 = 0x02,
    COMM_STATUS_LEN = 19,
    FLOW_LEN = 16,
    BAUD_MIN = 300,
    BAUD_MAX = 1000000, /* the CP2102's, by its data sheet */

    MHS_DTR = 1 << 0,
    MHS_RTS = 1 << 1,
    MHS_DTR_COUNTS = 1 << 8,
    MHS_RTS_COUNTS = 1 << 9,
    STATUS_INPUTS = 0xB0 /* CTS, DSR and DCD stand */
};

static const uint8_t CONFIGURATION[] = {
    9, 2, 32,   0, 1,  1,    0, 0x80, 50, /* 32 bytes, one interface, 100 mA from the bus */
    9, 4, 0,    0, 2,  0xFF, 0, 0,    2,  /* a vendor's own */
    7, 5, 0x81, 2, 64, 0,    0,           /* bulk in */
    7, 5, 0x01, 2, 64, 0,    0,           /* bulk out */
};

static int set_baud(struct eb_usb_device *device, const struct eb_usb_setup *setup,
                    const uint8_t *data)
{
    if (setup->length != 4)
        return EB_USB_STALL;
    uint32_t baud = ef_le32(data);
    if (baud < BAUD_MIN || baud > BAUD_MAX)
        return EB_USB_STALL;
    device->baud = baud;
    return 0;
}

static int set_lines(struct eb_usb_device *device, uint16_t value)
{
    if ((value & MHS_DTR_COUNTS) != 0)
        device->dtr = (value & MHS_DTR) != 0;
    if ((value & MHS_RTS_COUNTS) != 0)
        device->rts = (value & MHS_RTS) != 0;
    return 0;
}

/* The first word's lowest two bits are DTR, the second's bits 6 and 7 RTS: 1 asserts it. */
static int set_flow(struct eb_usb_device *device, const struct eb_usb_setup *setup,
                    const uint8_t *data)
{
    if (setup->length != FLOW_LEN)
        return EB_USB_STALL;
    memcpy(device->flow, data, FLOW_LEN);
    device->dtr = (data[0] & 3) == 1;
    device->rts = (data[4] >> 6 & 3) == 1;
    return 0;
}

static int to_device(struct eb_usb_device *device, const struct eb_usb_setup *setup,
                     const uint8_t *data)
{
    switch (setup->request) {
    case SET_BAUDRATE:
        return set_baud(device, setup, data);
    case SET_MHS:
        return set_lines(device, setup->value);
    case SET_FLOW:
        return set_flow(device, setup, data);
    case SET_LINE_CTL:
        ef_put_le16(device->format, setup->value);
        return 0;
    case IFC_ENABLE:
    case PURGE:
    case SET_CHARS:
        return 0;
    default:
        return EB_USB_STALL;
    }
}

static int to_host(const struct eb_usb_device *device, const struct eb_usb_setup *setup,
                   uint8_t *answer)
{
    switch (setup->request) {
    case GET_LINE_CTL:
        memcpy(answer, device->format, 2);
        return 2;
    case GET_FLOW:
        memcpy(answer, device->flow, FLOW_LEN);
        return FLOW_LEN;
    case GET_MDMSTS:
        answer[0] =
            (uint8_t)(STATUS_INPUTS | (device->dtr ? MHS_DTR : 0) | (device->rts ? MHS_RTS : 0));
        return 1;
    case GET_COMM_STATUS: /* no errors, nothing held, nothing queued */
        memset(answer, 0, COMM_STATUS_LEN);
        return COMM_STATUS_LEN;
    default:
        return EB_USB_STALL;
    }
}

static int request(struct eb_usb_device *device, const struct eb_usb_setup *setup,
                   const uint8_t *data, uint8_t *answer)
{
    if (setup->type == VENDOR_OUT)
        return to_device(device, setup, data);
    if (setup->type == VENDOR_IN)
        return to_host(device, setup, answer);
    if (setup->type != VENDOR_DEVICE_IN || setup->request != VENDOR_SPECIFIC ||
        setup->value != GET_PARTNUM)
        return EB_USB_STALL;
    answer[0] = PART_CP2102;
    return 1;
}

const struct eb_usb_model EB_USB_CP210X = {
    .vid = 0x10C4,
    .pid = 0xEA60,
    .release = 0x0100,
    .interfaces = 1,
    .configuration = CONFIGURATION,
    .configuration_len = sizeof(CONFIGURATION),
    .strings = {"Silicon Labs", "CP2102 USB to UART Bridge Controller", "0001"},
    .first_baud = 115200,
    .request = request};
