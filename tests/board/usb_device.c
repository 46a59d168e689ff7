/* What every USB device answers: the standard requests of USB 2.0, chapter 9. */
#include "usb_device.h"

#include "espflashfs/bytes.h"

#include <string.h>

enum {
    TYPE_MASK = 0x60,
    TYPE_STANDARD = 0,

    GET_STATUS = 0,
    CLEAR_FEATURE = 1,
    SET_FEATURE = 3,
    GET_DESCRIPTOR = 6,
    GET_CONFIGURATION = 8,
    SET_CONFIGURATION = 9,
    GET_INTERFACE = 10,
    SET_INTERFACE = 11,

    DEVICE = 1,
    CONFIGURATION = 2,
    STRING = 3,
    DEVICE_LEN = 18,
    STRING_MAX = 120 /* characters; a descriptor has a byte for its length */
};

void eb_usb_plug(struct eb_usb_device *device, const struct eb_usb_model *model)
{
    *device = (struct eb_usb_device){.model = model, .baud = model->first_baud};
}

static int device_descriptor(const struct eb_usb_model *model, uint8_t *answer)
{
    static const uint8_t HEAD[] = {DEVICE_LEN, DEVICE, 0x00, 0x02};
    memcpy(answer, HEAD, sizeof(HEAD));
    memcpy(answer + 4, model->class_code, 3);
    answer[7] = EB_USB_PACKET;
    ef_put_le16(answer + 8, model->vid);
    ef_put_le16(answer + 10, model->pid);
    ef_put_le16(answer + 12, model->release);
    answer[14] = 1; /* where its strings are */
    answer[15] = 2;
    answer[16] = 3;
    answer[17] = 1; /* configurations */
    return DEVICE_LEN;
}

static int string_descriptor(const struct eb_usb_model *model, unsigned index, uint8_t *answer)
{
    static const uint8_t LANGUAGES[] = {4, STRING, 0x09, 0x04}; /* English alone */
    if (index == 0) {
        memcpy(answer, LANGUAGES, sizeof(LANGUAGES));
        return sizeof(LANGUAGES);
    }
    if (index > sizeof(model->strings) / sizeof(model->strings[0]))
        return EB_USB_STALL;
    const char *text = model->strings[index - 1];
    size_t len = strnlen(text, STRING_MAX);
    answer[0] = (uint8_t)(2 + 2 * len);
    answer[1] = STRING;
    for (size_t i = 0; i < len; i++)
        ef_put_le16(answer + 2 + 2 * i, (uint8_t)text[i]);
    return answer[0];
}

static int descriptor(const struct eb_usb_model *model, uint16_t which, uint8_t *answer)
{
    switch (which >> 8) {
    case DEVICE:
        return device_descriptor(model, answer);
    case CONFIGURATION:
        memcpy(answer, model->configuration, model->configuration_len);
        return (int)model->configuration_len;
    case STRING:
        return string_descriptor(model, which & 0xFF, answer);
    default: /* a device of full speed has no qualifier */
        return EB_USB_STALL;
    }
}

static int standard_request(struct eb_usb_device *device, const struct eb_usb_setup *setup,
                            uint8_t *answer)
{
    switch (setup->request) {
    case GET_DESCRIPTOR:
        return descriptor(device->model, setup->value, answer);
    case GET_STATUS:
        ef_put_le16(answer, 0);
        return 2;
    case GET_CONFIGURATION:
        answer[0] = device->configured;
        return 1;
    case GET_INTERFACE:
        answer[0] = 0;
        return 1;
    case SET_CONFIGURATION:
        if (setup->value > 1)
            return EB_USB_STALL;
        device->configured = (uint8_t)setup->value;
        return 0;
    case CLEAR_FEATURE:
    case SET_FEATURE:
    case SET_INTERFACE:
        return 0;
    default:
        return EB_USB_STALL;
    }
}

int eb_usb_control(struct eb_usb_device *device, const struct eb_usb_setup *setup,
                   const uint8_t *data, uint8_t *answer)
{
    if ((setup->type & TYPE_MASK) == TYPE_STANDARD)
        return standard_request(device, setup, answer);
    return device->model->request(device, setup, data, answer);
}
