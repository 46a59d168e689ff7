/*
 * What lies between the host's modem lines and the chip: which way it boots. EN held low is
 * a chip that is off; some time after EN is let go it reaches its threshold, and the chip
 * boots into what IO0 says at that moment.
 */
#ifndef EB_CIRCUIT_H
#define EB_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

struct eb_board;

struct eb_circuit_state {
    bool dtr, rts;     /* the host's lines, true = asserted */
    bool boot_held;    /* a finger is on the BOOT button */
    bool usb_download; /* USB-Serial-JTAG's flag: the next reset is into download mode */
    int64_t boot_ns;   /* when EN reaches its threshold; EB_NEVER: it is low, or long past it */
};

/* Boots a chip whose EN has reached its threshold by `now_ns`; false if there is none. */
bool eb_circuit_step(struct eb_board *board, int64_t now_ns);

#endif
