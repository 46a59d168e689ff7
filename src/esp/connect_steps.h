/* The parts of connecting to a board. Private to connect.c and its neighbours. */
#ifndef ESPFLASHFS_CONNECT_STEPS_H
#define ESPFLASHFS_CONNECT_STEPS_H

#include "session_steps.h"

/* What a chip that does not answer said when it booted. */
struct ef_boot_report {
    char mode[12];    /* "0x13", or the ESP8266's "3,6"; empty where none was seen */
    bool download;    /* it boots into its loader */
    bool no_firmware; /* its flash holds nothing that it could run */
};

/* Adds what `text`, a piece of a boot log, tells. */
void ef_boot_report_read(struct ef_boot_report *report, const char *text);

/* True if `text` holds a sentence of a satellite receiver (NMEA 0183: "$GPGGA,"). */
bool ef_connect_is_gps(const char *text);

/* True if what came in reads like a boot log, and not like noise. */
bool ef_connect_hears_text(const struct ef_session *s);

/*
 * Resets (where asked for and possible) and syncs, and says nothing of it. EF_TIMEOUT, EF_GONE,
 * EF_INTERRUPTED.
 */
enum ef_err ef_connect_quietly(struct ef_session *s, struct ef_boot_report *report);

/* Logs what seems to be on the line and what to do next. */
void ef_connect_explain(struct ef_session *s, enum ef_err err, const struct ef_boot_report *report);

/*
 * Asks the person at the terminal to hold BOOT and tap RESET, and SYNCs until the chip
 * answers, for up to a minute; the board may leave the bus and come back meanwhile.
 * EF_TIMEOUT, EF_GONE.
 */
enum ef_err ef_connect_ask(struct ef_session *s);

/* Where there is one. s->line is NULL then. */
void ef_connect_close_line(struct ef_session *s);

/*
 * Closes the line and opens the port again, by its own spelling, if it is there; the lines that
 * opening asserts are let go. Whatever hinders it is EF_GONE, logged only if `tell`, and then
 * s->line is NULL.
 */
enum ef_err ef_connect_open_again(struct ef_session *s, bool tell);

/*
 * A device that left the bus in its reset: ef_connect_open_again as soon as it is back. EF_GONE
 * (logged) where it is not by the deadline, and then s->line is NULL; or, with the line as it
 * was, where nothing can come back. EF_INTERRUPTED where esp->stop says so.
 */
enum ef_err ef_connect_reopen(struct ef_session *s, ef_deadline deadline);

/*
 * Finds out without SYNC whether a stub or a ROM answers: by the length of a reply's status,
 * and where both have two bytes by how it refuses. Changes nothing on the chip. Sets
 * esp->stub. EF_TIMEOUT, EF_GONE.
 */
enum ef_err ef_esp_recognize(struct ef_esp *esp);

#endif
