/*
 * Which reset sequence suits which kind of port. The usual auto-reset circuit pulls EN low
 * while RTS alone is asserted and IO0 low while DTR alone is.
 */
#include "espflashfs/reset.h"

#include <string.h>

enum { ESPRESSIF_VID = 0x303A, USB_SERIAL_JTAG_PID = 0x1001, ESP_PROG_PID = 0x1002 };

/* With both lines at once EN never sees the step between; the long wait is for boards with a
 * large capacitor at EN, which is still charging when IO0 would be let go. */
static const struct ef_reset_way TIGHT = {"both lines at once",
                                          "U0,0|U1,1|U0,1|W0.1|U1,0|W0.05|U0,0|D0"};
static const struct ef_reset_way TIGHT_LONG = {"both lines at once, long",
                                               "U0,0|U1,1|U0,1|W0.1|U1,0|W0.55|U0,0|D0"};
static const struct ef_reset_way CLASSIC = {"classic", "D0|R1|W0.1|D1|R0|W0.05|D0"};
static const struct ef_reset_way CLASSIC_LONG = {"classic, long", "D0|R1|W0.1|D1|R0|W0.55|D0"};
/* The chip's USB-Serial-JTAG takes DTR alone for "download mode next" and RTS alone for "reset":
 * from one to the other the way goes through both, since neither would clear the first. */
static const struct ef_reset_way USB_JTAG = {"USB-Serial-JTAG",
                                             "R0|D0|W0.1|D1|R0|W0.1|R1|D0|R1|W0.1|D0|R0"};

static const struct ef_reset_way TO_FIRMWARE = {"hard reset", "D0|R1|W0.1|R0"};
/* Built-in USB must come up again before it takes the next change. */
static const struct ef_reset_way TO_FIRMWARE_USB = {"hard reset over USB", "D0|R1|W0.2|R0|W0.2"};

typedef const struct ef_reset_way *const ways[EF_RESET_ATTEMPTS];

static const ways BRIDGE_WAYS = {&TIGHT, &TIGHT_LONG, &CLASSIC, &CLASSIC_LONG};
static const ways ONE_BY_ONE_WAYS = {&CLASSIC, &CLASSIC_LONG, &CLASSIC, &CLASSIC_LONG};
static const ways USB_JTAG_WAYS = {&USB_JTAG, &USB_JTAG, &USB_JTAG, &USB_JTAG};
/* TinyUSB firmware (Arduino's USBCDC.cpp) waits for RTS, both, DTR, neither, one after another:
 * the classic sequence walks through these, the tight one leaves `both` out. */
static const ways USB_OTG_WAYS = {&CLASSIC, &TIGHT, &CLASSIC_LONG, &TIGHT_LONG};
/* Over a network nobody tells what is plugged in there. Wrong for the other kind, each does no
 * more than start its firmware. */
static const ways UNKNOWN_WAYS = {&CLASSIC, &USB_JTAG, &CLASSIC_LONG, &USB_JTAG};
static const ways UNKNOWN_TIGHT_WAYS = {&TIGHT, &USB_JTAG, &TIGHT_LONG, &USB_JTAG};

static bool is_usb_jtag(const struct ef_line *line)
{
    return line->usb_vid == ESPRESSIF_VID && line->usb_pid == USB_SERIAL_JTAG_PID;
}

static bool is_usb_otg(const struct ef_line *line)
{
    return line->usb_vid == ESPRESSIF_VID && line->usb_pid != USB_SERIAL_JTAG_PID &&
           line->usb_pid != ESP_PROG_PID;
}

static bool is_far_away(const struct ef_line *line)
{
    return line->usb_vid == 0 && strcmp(line->kind, "rfc2217") == 0;
}

const struct ef_reset_way *ef_reset_way_to_loader(const struct ef_line *line, bool usb_reset,
                                                  unsigned attempt)
{
    unsigned i = attempt % EF_RESET_ATTEMPTS;
    if (usb_reset || is_usb_jtag(line))
        return USB_JTAG_WAYS[i];
    if (is_usb_otg(line))
        return USB_OTG_WAYS[i];
    if (is_far_away(line))
        return line->one_by_one ? UNKNOWN_WAYS[i] : UNKNOWN_TIGHT_WAYS[i];
    return line->one_by_one ? ONE_BY_ONE_WAYS[i] : BRIDGE_WAYS[i];
}

const struct ef_reset_way *ef_reset_way_to_firmware(const struct ef_line *line, bool usb_reset)
{
    return usb_reset || is_usb_jtag(line) || is_usb_otg(line) ? &TO_FIRMWARE_USB : &TO_FIRMWARE;
}
