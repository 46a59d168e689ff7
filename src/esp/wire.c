/*
 * What the chip's loader talks through. A port that is Espressif's own USB tells by its ids. Any
 * other may be at the far end of a network: there the chip knows, since a variable of its ROM
 * tells the port in use. The ids come first, because the variable moves with the ROM's revision.
 */
#include "session_steps.h"

enum { ESPRESSIF_VID = 0x303A, SERIAL_JTAG_PID = 0x1001, UARTDEV_MASK = 0xFF, OTG_BLOCK = 0x800 };

static enum ef_wire wire_by_usb_ids(const struct ef_session *s)
{
    const struct ef_usb_facts *usb = &s->chip->usb;
    if (s->line->usb_vid != ESPRESSIF_VID)
        return EF_WIRE_UART;
    if (usb->otg_pid && s->line->usb_pid == usb->otg_pid)
        return EF_WIRE_USB_OTG;
    return s->line->usb_pid == SERIAL_JTAG_PID && usb->uartdev_serial_jtag ? EF_WIRE_USB_JTAG
                                                                           : EF_WIRE_UART;
}

static enum ef_wire wire_by_uartdev(const struct ef_session *s, uint32_t uartdev)
{
    uint8_t serial_jtag = ef_chip_uartdev_serial_jtag(s->chip, &s->identity);
    if (s->chip->usb.uartdev_otg && uartdev == s->chip->usb.uartdev_otg)
        return EF_WIRE_USB_OTG;
    if (serial_jtag && uartdev == serial_jtag)
        return EF_WIRE_USB_JTAG;
    return EF_WIRE_UART;
}

enum ef_err ef_wire_detect(struct ef_session *s)
{
    uint32_t reg = ef_chip_uartdev_reg(s->chip, &s->identity);
    s->wire = wire_by_usb_ids(s);
    if (s->wire == EF_WIRE_UART && reg && !s->security.secure_download) {
        uint32_t uartdev;
        enum ef_err err = ef_read_sure(&s->esp, reg, &uartdev);
        if (err != EF_OK) {
            ef_log(s->log, EF_LOG_ERROR, "which port the loader talks through cannot be read: %s",
                   ef_err_text(err));
            return err;
        }
        s->wire = wire_by_uartdev(s, uartdev & UARTDEV_MASK);
    }
    s->esp.ram_block = s->wire == EF_WIRE_USB_OTG ? OTG_BLOCK : 0;
    ef_log(s->log, EF_LOG_DEBUG, "the loader talks through %s",
           s->wire == EF_WIRE_UART       ? "a UART"
           : s->wire == EF_WIRE_USB_JTAG ? "the built-in USB-Serial-JTAG"
                                         : "built-in USB-OTG");
    return EF_OK;
}

/*
 * A reset through USB-Serial-JTAG leaves the RTC's watchdog and the super watchdog running,
 * and the loader feeds neither: the chip would reset in the middle of the work. A stub that
 * runs already has been through this.
 */
enum ef_err ef_watchdogs_off(struct ef_session *s)
{
    const struct ef_watchdog_regs *w = &s->chip->watchdog;
    if (s->wire != EF_WIRE_USB_JTAG || s->esp.stub || s->security.secure_download || !w->wprotect)
        return EF_OK;
    uint32_t swd;
    enum ef_err err = ef_read_sure(&s->esp, w->swd_config, &swd);
    const uint32_t steps[][2] = {{w->wprotect, w->key},
                                 {w->config0, 0},
                                 {w->wprotect, 0},
                                 {w->swd_wprotect, w->swd_key},
                                 {w->swd_config, swd | w->swd_auto_feed},
                                 {w->swd_wprotect, 0}};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && err == EF_OK; i++)
        err = ef_command_write_reg(&s->esp, steps[i][0], steps[i][1]);
    if (err != EF_OK)
        ef_log(s->log, EF_LOG_ERROR, "the watchdogs cannot be switched off: %s", ef_err_text(err));
    return err;
}
