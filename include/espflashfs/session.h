/*
 * One connected board, from an opened port to a flash that can be read.
 *
 * Opening runs on the caller's thread; afterwards the session belongs to the line
 * worker's thread, but for the fields that never change once it is open (everything
 * except `link`, `esp`, `line`, `rates` and what stands behind them), and those that say so.
 */
#ifndef ESPFLASHFS_SESSION_H
#define ESPFLASHFS_SESSION_H

#include "espflashfs/chip.h"
#include "espflashfs/guard.h"
#include "espflashfs/stub.h"

/* How a board is brought into its boot loader, and how it is left; esptool's words. */
enum ef_before {
    EF_BEFORE_DEFAULT_RESET,   /* the sequence that the kind of port calls for */
    EF_BEFORE_USB_RESET,       /* the built-in USB-Serial-JTAG's, whatever the port */
    EF_BEFORE_NO_RESET,        /* it is in its boot loader already */
    EF_BEFORE_NO_RESET_NO_SYNC /* and answers commands: not even SYNC is sent */
};
enum ef_after {
    EF_AFTER_HARD_RESET,
    EF_AFTER_NO_RESET,     /* a ROM is left; a stub is left running its ROM's loader again */
    EF_AFTER_NO_RESET_STUB /* a stub goes on running */
};

/* How much is done to a port before it is given up. */
enum ef_trial {
    EF_TRIAL_FULL,
    EF_TRIAL_BRIEF, /* one of several candidates: few resets, few SYNCs, nobody is asked */
    EF_TRIAL_GENTLE /* perhaps no board at all: it is never reset, and what speaks unasked, as no
                       boot loader does, is sent nothing */
};

/* What the chip's loader talks through. Built-in USB has no baud. */
enum ef_wire {
    EF_WIRE_UART,
    EF_WIRE_USB_JTAG, /* the built-in USB-Serial-JTAG */
    EF_WIRE_USB_OTG
};

struct ef_session_config {
    const char *port;
    uint32_t baud;    /* to work at; the connection starts at 115200 */
    bool baud_auto;   /* the highest rate that works instead, as esp/baud.c finds it */
    const char *chip; /* NULL or "auto": whatever answers */
    enum ef_before before;
    enum ef_after after;
    enum ef_trial trial;
    const char *reset_sequence;      /* NULL, or one in esptool's spelling ("D0|R1|W0.1") */
    const char *hard_reset_sequence; /* NULL, or one that starts the firmware */
    bool force;                      /* what would brick or return nonsense is let through */
    bool ask;                        /* a person is at a terminal: may be asked to press BOOT */
    const char *state_folder;        /* where ports' rates are remembered; NULL: nowhere */
    const char *stub;                /* "auto", "rom", a file or a folder */
    const char *const *stub_folders; /* NULL-terminated: where "auto" looks first */
    uint64_t size;                   /* 0: from the flash id */
};

/* What is known of the line's rates; the line's own `baud` is the one in force. Of esp/baud.c. */
struct ef_rates {
    uint32_t working;     /* settled on; 0 before that */
    uint32_t slowdowns;   /* times that work had to go on at a lower rate */
    uint32_t rom_million; /* what the ROM is to be told for 1000000 baud */
    bool advised;         /* that a lower rate would be better than the one that was given */
    uint64_t debt;        /* failures of late, as bytes; what comes through clean pays it off */
    uint64_t debt_at;     /* bytes through the line when it was reckoned */
};

struct ef_session {
    struct ef_session_config config;
    struct ef_log *log;
    struct ef_line *line;
    struct ef_link link;
    struct ef_esp esp;
    const struct ef_chip *chip;
    struct ef_identity identity;
    struct ef_security security; /* the reply to GET_SECURITY_INFO */
    struct ef_guard guard;
    enum ef_wire wire;
    struct ef_rates rates;
    struct ef_stub stub; /* kept, to be uploaded again after a reset of the chip */
    bool with_stub;
    uint32_t flash_id;
    uint32_t flash_size;          /* bytes */
    uint64_t flash_size_by_id;    /* what the flash id tells, 0 if nothing */
    bool flash_repeats;           /* it tells more than there is: contents repeat past flash_size */
    bool size_is_chip;            /* it came from the flash id: ERASE_FLASH erases just that */
    bool loader_ready;            /* started, attached, told the flash's size */
    const char *no_flash_why;     /* NULL, or why flash.bin is not offered */
    bool answered;                /* a boot loader did */
    uint64_t bytes_in, bytes_out; /* over a line that is closed again */
    bool resettable;              /* it has, or had, modem lines */
    _Atomic uint32_t baud;        /* as work goes on at; 0: the far end owns it. Any thread */
    bool was_away;                /* the chip was reset, or its line closed, since work went well */
    uint64_t absences; /* times that it was, and what it held need not be what it holds */
    char told[160];    /* what was said last of a board that is there and is not the right one */
};

/*
 * Opens the port, resets the board into its loader, syncs, identifies chip and flash and
 * starts the stub. What it does is logged at info level, one line each; a failure is
 * logged with what to do next. Blocks up to about 40 s, two minutes where something babbles without
 * end, and for a minute more where a person is asked to press BOOT. On failure nothing is left
 * open.
 */
enum ef_err ef_session_open(const struct ef_session_config *config, struct ef_log *log,
                            struct ef_session *session);

/*
 * Brings a line that lost step back: drops what is in flight, syncs, and sets the loader
 * up again if the chip was reset meanwhile, unless another board answers now (EF_FOREIGN, logged).
 * With baud=auto, a rate at which it is asked for too often is left for the next lower one
 * (rates.slowdowns counts), and a board that does not answer at any rate is reset where the line
 * can. EF_GONE, or EF_TIMEOUT after about 5 s, 20 s with baud=auto, and 40 s where something
 * babbles.
 */
enum ef_err ef_session_recover(struct ef_session *session);

/*
 * One look whether a board that is gone, or does not answer any more, is back: opens the port
 * anew, brings the board into its loader as config.before says, makes sure that it is the one
 * that was mounted (chip, MAC, flash id), and starts and tells its loader what the one before
 * was told, at no higher a rate. Then it is EF_OK, and `absences` has counted.
 *
 * EF_GONE: the port is not there, or is but not ours yet; at once, but for a network whose host
 * is silent (5 s). EF_TIMEOUT and other kinds: something is there and does not answer (2 s to
 * 3 s), or was lost again. EF_FOREIGN: another board, logged once for each, and left to its
 * firmware where the line can reset it. EF_INTERRUPTED: `stop`, which is asked every 200 ms until
 * a loader answers, said so; it may be NULL. After a failure only this, and ef_session_close, may
 * be called.
 */
enum ef_err ef_session_return(struct ef_session *session, bool (*stop)(void *user), void *user);

/* Leaves the board as config.after says and closes the port. */
void ef_session_close(struct ef_session *session);

/* False where the far end of the line owns the rate, and on built-in USB, which has none. */
bool ef_session_has_baud(const struct ef_session *session);

/*
 * SYNC up to `tries` times, 100 ms apart at first. Sets esp->stub by who answered. Where
 * esp->no_sync is set, other commands find that out instead, a few times at most.
 * EF_TIMEOUT, EF_GONE, or EF_INTERRUPTED where esp->stop says so.
 */
enum ef_err ef_esp_sync(struct ef_esp *esp, int tries);

#endif
