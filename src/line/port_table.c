/*
 * USB ids, as data: what is found on Espressif boards, and what is surely something else.
 * Vendors and products are those of the public list usb.ids, of libraries' headers and of the
 * makers' own udev rules. The README shows these tables.
 */
#include "port_table.h"

#include <stddef.h>

enum { ANY_PID = -1 };

const struct ef_port_kind EF_PORT_BRIDGES[] = {
    {0x10C4, 0xEA60, "Silicon Labs CP2102, CP2104"},
    {0x10C4, 0xEA61, "Silicon Labs CP210x"},
    {0x10C4, 0xEA63, "Silicon Labs CP210x"},
    {0x10C4, 0xEA70, "Silicon Labs CP2105"},
    {0x10C4, 0xEA71, "Silicon Labs CP2108"},
    {0x1A86, 0x7522, "WCH CH340"},
    {0x1A86, 0x7523, "WCH CH340"},
    {0x1A86, 0x5523, "WCH CH341"},
    {0x1A86, 0x55D2, "WCH CH342"},
    {0x1A86, 0x55D3, "WCH CH343"},
    {0x1A86, 0x55D4, "WCH CH9102"},
    {0x1A86, 0x55D5, "WCH CH344"},
    {0x0403, 0x6001, "FTDI FT232R"},
    {0x0403, 0x6010, "FTDI FT2232 (ESP-Prog)"},
    {0x0403, 0x6011, "FTDI FT4232H"},
    {0x0403, 0x6014, "FTDI FT232H"},
    {0x0403, 0x6015, "FTDI FT-X"},
    {0x067B, 0x2303, "Prolific PL2303"},
    {0x067B, 0x23A3, "Prolific PL2303GC"},
    {0, 0, NULL},
};

/* Of vendors that are skipped, what is an Espressif board all the same. */
const struct ef_port_kind EF_PORT_EXCEPTIONS[] = {
    {0x2341, 0x0070, "Arduino Nano ESP32"},
    {0, 0, NULL},
};

const struct ef_port_kind EF_PORT_STRANGERS[] = {
    /* Bytes that they do not expect, or a dropped DTR, can end a call or a fix. */
    {0x1546, ANY_PID, "u-blox: GPS receiver or modem"},
    {0x091E, ANY_PID, "Garmin: GPS receiver"},
    {0x12D1, ANY_PID, "Huawei: modem or phone"},
    {0x19D2, ANY_PID, "ZTE: modem"},
    {0x1199, ANY_PID, "Sierra Wireless: modem"},
    {0x05C6, ANY_PID, "Qualcomm: modem"},
    {0x2C7C, ANY_PID, "Quectel: modem"},
    {0x1BC7, ANY_PID, "Telit: modem"},
    {0x1E0E, ANY_PID, "SIMCom: modem"},
    {0x0AF0, ANY_PID, "Option: modem"},
    {0x2CB7, ANY_PID, "Fibocom: modem"},
    {0x1E2D, ANY_PID, "Cinterion: modem"},
    {0x0BDB, ANY_PID, "Ericsson: modem"},
    {0x1410, ANY_PID, "Novatel: modem"},
    {0x1BBB, ANY_PID, "TCL: modem"},
    {0x0E8D, ANY_PID, "MediaTek: phone or GPS receiver"},
    /* Opening the port restarts them, and so their print, their flight or their sketch. */
    {0x2341, ANY_PID, "Arduino: its board is reset by whoever opens it"},
    {0x2A03, ANY_PID, "Arduino: its board is reset by whoever opens it"},
    {0x2C99, ANY_PID, "Prusa: 3D printer"},
    {0x27B1, ANY_PID, "UltiMachine: 3D printer"},
    {0x1D50, 0x6015, "Smoothieboard: 3D printer"},
    {0x1D50, 0x6029, "Marlin: 3D printer"},
    {0x1D50, 0x60EC, "Duet: 3D printer"},
    {0x1D50, 0x60ED, "Duet: 3D printer"},
    {0x1D50, 0x614E, "Klipper: 3D printer"},
    {0x0483, ANY_PID, "STMicroelectronics: ST-Link, printer or flight controller"},
    /* Boards and probes of other makers. */
    {0x2E8A, ANY_PID, "Raspberry Pi: Pico or debug probe"},
    {0x16C0, ANY_PID, "PJRC: Teensy, or another V-USB device"},
    {0x1366, ANY_PID, "SEGGER: J-Link"},
    {0x0D28, ANY_PID, "Arm: DAPLink probe"},
    {0x1D50, 0x6018, "Black Magic Probe"},
    {0x03EB, ANY_PID, "Atmel: board or debugger"},
    {0x0451, ANY_PID, "Texas Instruments: board or debugger"},
    {0x1915, ANY_PID, "Nordic: board or radio"},
    /* A house hangs on them. */
    {0x1CF1, ANY_PID, "dresden elektronik: Zigbee gateway"},
    {0x0658, ANY_PID, "Sigma Designs: Z-Wave stick"},
    {0, 0, NULL},
};

/* Devices behind a bridge's own ids, which give themselves away by their names. */
const char *const EF_PORT_STRANGE_WORDS[] = {"zigbee", "z-wave",   "zwave", "skyconnect",
                                             "zbt-",   "conbee",   "gps",   "gnss",
                                             "modem",  "digilent", "obd",   NULL};

const struct ef_port_kind *ef_port_kind_find(const struct ef_port_kind *table, uint16_t vid,
                                             uint16_t pid)
{
    for (; table->what; table++)
        if (table->vid == vid && (table->pid == ANY_PID || table->pid == pid))
            return table;
    return NULL;
}
