/* The steps of opening a session, in the order they run. Private to session.c. */
#ifndef ESPFLASHFS_SESSION_STEPS_H
#define ESPFLASHFS_SESSION_STEPS_H

#include "espflashfs/session.h"

enum {
    EF_ROM_BAUD = 115200,
    EF_IDENTIFY_TRIES = 5 /* at what has no checksum: what came twice in a row counts */
};

/* Resets (where asked for and possible) and syncs; on failure logs what seems to be there. */
enum ef_err ef_connect(struct ef_session *s);

/* A register, read until the same value came twice in a row: no checksum covers it. */
enum ef_err ef_read_sure(struct ef_esp *esp, uint32_t addr, uint32_t *value);

/* Asks for the security information until it came the same twice in a row. */
enum ef_err ef_security_confirm(struct ef_session *s);

/* From what the chip is known to be: session->guard. Says what is on, and what force lifts. */
enum ef_err ef_guard_read(struct ef_session *s);

/* Which kind of port the chip's loader talks through: session->wire. */
enum ef_err ef_wire_detect(struct ef_session *s);

/* On the built-in USB-Serial-JTAG only. */
enum ef_err ef_watchdogs_off(struct ef_session *s);

/* Chips that come up with it off, in their ROM: a stub that runs has it on. */
enum ef_err ef_flash_power_on(struct ef_session *s);

/* Settles on stub or ROM and loads the stub's file; sets no_flash_why where neither will do. */
enum ef_err ef_loader_choose(struct ef_session *s);

/* Starts what was chosen and attaches the flash. Also after a chip's reset. */
enum ef_err ef_loader_start(struct ef_session *s);

/* The flash id, read until the same one came twice in a row. EF_VERIFY where none does. */
enum ef_err ef_flash_id_read_sure(struct ef_session *s, uint32_t *id);

/* Reads the flash id and settles the size. */
enum ef_err ef_flash_detect(struct ef_session *s);

/*
 * Lowers *size to where the contents begin to repeat, if they do. Errors are the line's;
 * *size is then what had been found so far.
 */
enum ef_err ef_flash_find_repeat(struct ef_session *s, uint32_t *size);

/* SPI_SET_PARAMS: without it a ROM believes in 2 MiB. */
enum ef_err ef_flash_set_params(struct ef_session *s);

/*
 * Changes the baud at both ends. EF_UNSUPPORTED (the port), EF_REJECTED (the chip): nothing
 * was changed. Otherwise the line is at `baud`, EF_TIMEOUT if nothing answers there.
 */
enum ef_err ef_baud_change(struct ef_session *s, uint32_t baud);

/*
 * Of a loader that answers in the middle of work: makes of it the one that work can go on with,
 * if it is that of the board that was mounted. EF_FOREIGN (logged), EF_GONE, or the line's.
 */
enum ef_err ef_session_set_up_again(struct ef_session *s);

/* All is well: notes it for those who watch, and counts what went before as an absence if it was.
 */
void ef_session_note_at_work(struct ef_session *s);

/* A board that is not ours, perhaps not of our chip: has it run its firmware, if the line can. */
void ef_session_let_go(struct ef_session *s);

/* Leaves the board as config.after says; a device that leaves the bus in its reset is no error. */
void ef_session_leave_board(struct ef_session *s);

#endif
