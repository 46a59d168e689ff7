/*
 * The simulated board, without any line around it: bytes in with the time they arrived,
 * bytes out with the time they leave. Time is given by the caller, in nanoseconds from
 * any start, and never runs backwards; nothing here blocks or looks at a clock, so a
 * unit test can drive it in one go. One thread.
 */
#ifndef EB_BOARD_H
#define EB_BOARD_H

#include "chips.h"
#include "counters.h"
#include "event_log.h"
#include "faults.h"
#include "nor.h"
#include "security.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EB_NEVER INT64_MAX
enum { EB_WHY_CAP = 256 };

/* What plays on the board's UART. */
enum eb_mode {
    EB_MODE_ROM,
    EB_MODE_STUB,
    EB_MODE_FIRMWARE,
    EB_MODE_HELD /* nothing: EN is low, or not at its threshold yet */
};

/*
 * Takes `len` bytes that leave the chip one after another: byte i is out at
 * start_ns + (i + 1) * byte_ns.
 */
typedef void (*eb_outlet)(void *ctx, const uint8_t *bytes, size_t len, int64_t start_ns,
                          int64_t byte_ns);

/* What an outlet was given and has not left the chip by `now_ns` never will. */
typedef void (*eb_cut)(void *ctx, int64_t now_ns);

/* What lies between the host's modem lines and the chip. */
enum eb_circuit {
    EB_CIRCUIT_AUTO_RESET, /* two transistors: EN low while RTS alone, IO0 low while DTR alone */
    EB_CIRCUIT_NONE,       /* buttons only */
    EB_CIRCUIT_USB_JTAG    /* the built-in USB-Serial-JTAG's own logic */
};

struct eb_config {
    enum eb_circuit circuit;
    int64_t en_delay_ns; /* from EN let go to its threshold: a resistor and a capacitor */
    const struct eb_chip *chip;
    const struct eb_variant *variant; /* NULL: the chip's presets as they are */
    enum eb_usb_kind usb;
    unsigned security;                /* EB_SECURITY_… */
    const struct eb_register *efuses; /* register words of the caller's choice, or NULL */
    size_t efuse_count;
    const char *flash_path; /* NULL: memory only */
    uint32_t flash_size;    /* bytes, a multiple of 64 KiB */
    uint32_t real_size;     /* what the flash holds when its id claims flash_size; 0: that */
    bool has_mac, has_flash_id;
    uint8_t mac[6];
    uint32_t flash_id;      /* as struct eb_registers has it */
    bool real_line_rate;    /* bytes take their time at the baud in force */
    bool real_flash_timing; /* erases, programs and digests take a data sheet's time */
    bool firmware;          /* boots into its firmware, not into download mode */
    struct eb_faults faults;
    int pulse_fd;            /* see nor.h; 0: none */
    struct eb_event_log log; /* the board closes it */
    eb_outlet outlet;
    eb_cut cut; /* may be NULL */
    void *outlet_ctx;
};

struct eb_board;

/* NULL with a sentence in `why` (EB_WHY_CAP bytes): then the log stays the caller's. */
struct eb_board *eb_board_new(const struct eb_config *config, char *why);
void eb_board_free(struct eb_board *board);

/* Bytes that arrive at the chip at `now_ns`, after everything due before was run. */
void eb_board_input(struct eb_board *board, const uint8_t *bytes, size_t len, int64_t now_ns);

/* Runs what is due; returns when something will be next, or EB_NEVER. */
int64_t eb_board_advance(struct eb_board *board, int64_t now_ns);

/* A host opened or left the line. The loader keeps its state, as on a real board. */
void eb_board_connected(struct eb_board *board, int64_t now_ns);
void eb_board_hung_up(struct eb_board *board, int64_t now_ns);

/*
 * The host's modem lines as they are from now on (true = asserted), through the circuit
 * between them and the chip's EN and IO0: a reset happens here. While EN is low, input is lost.
 */
void eb_board_set_lines(struct eb_board *board, bool dtr, bool rts, int64_t now_ns);

/*
 * The chip resets by itself, as at a brown-out, into what config.firmware says; and the board's
 * supply, without which the host has no modem lines either.
 */
void eb_board_restart(struct eb_board *board, int64_t now_ns);
void eb_board_set_power(struct eb_board *board, bool on, int64_t now_ns);

/* A person holds BOOT and taps RESET, whatever the circuit. */
void eb_board_press_buttons(struct eb_board *board, int64_t now_ns);

/* When a watchdog will reset the chip, EB_NEVER if none is running. */
int64_t eb_board_watchdog_ns(const struct eb_board *board);

uint32_t eb_board_baud(const struct eb_board *board);
/* How long a byte is on the line now; 0 unless the line rate is real. */
int64_t eb_board_byte_ns(const struct eb_board *board);
enum eb_mode eb_board_mode(const struct eb_board *board);
const struct eb_counters *eb_board_counters(const struct eb_board *board);
const struct eb_nor *eb_board_nor(const struct eb_board *board);
struct eb_nor *eb_board_nor_to_fill(struct eb_board *board); /* for tests */

/* The faults that befall this board's bytes: the line in front of it applies those of IN. */
struct eb_faults *eb_board_faults(struct eb_board *board);
struct eb_event_log *eb_board_log(struct eb_board *board);

/* Its power failed (see faults.h): nothing comes from it, and it hears nothing. */
bool eb_board_powerless(const struct eb_board *board);

/* True once after anything that the counters' file shows has changed. */
bool eb_board_take_changed(struct eb_board *board);

#endif
