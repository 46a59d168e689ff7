#include "session_steps.h"

enum { ESPRESSIF_VID = 0x303A, SERIAL_JTAG_PID = 0x1001 };

void ef_wire_detect(struct ef_session *s)
{
    s->wire = EF_WIRE_UART;
    if (s->line->usb_vid == ESPRESSIF_VID)
        s->wire = s->line->usb_pid == SERIAL_JTAG_PID ? EF_WIRE_USB_JTAG : EF_WIRE_USB_OTG;
}
