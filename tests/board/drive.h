/*
 * Drives a board in-process, as a host would: for unit tests. Time is made up: it jumps to
 * whatever the board does next, so that nothing waits. Not part of the program's work.
 */
#ifndef EB_DRIVE_H
#define EB_DRIVE_H

#include "board.h"
#include "receiver.h"

enum { EB_DRIVE_OUT_CAP = 1 << 20 };

struct eb_drive {
    struct eb_config config; /* set what a test wants before eb_drive_start */
    struct eb_board *board;
    int64_t now_ns;
    int64_t out_ns; /* when the last byte so far was out */
    uint8_t out[EB_DRIVE_OUT_CAP];
    size_t out_len, out_pos;
    uint8_t frame[EB_FRAME_CAP]; /* the last frame taken */
    size_t frame_len;
    char why[EB_WHY_CAP]; /* why the board could not be made */
    FILE *log_file;
};

/* A config for `chip` with a flash in memory. NULL if the host is out of memory. */
struct eb_drive *eb_drive_new(const char *chip, uint32_t flash_size);
/* Makes the board; false with the reason in drive->why. */
bool eb_drive_start(struct eb_drive *drive);
void eb_drive_free(struct eb_drive *drive);

/* Raw bytes, or one SLIP frame of payload; then runs the board until it waits. */
void eb_drive_bytes(struct eb_drive *drive, const uint8_t *bytes, size_t len);
void eb_drive_frame(struct eb_drive *drive, const uint8_t *payload, size_t len);

/* The next frame that the board sent into drive->frame; false if there is none. */
bool eb_drive_take(struct eb_drive *drive);

/* The host's modem lines; then `ms` pass, with whatever the board does in them. */
void eb_drive_lines(struct eb_drive *drive, bool dtr, bool rts, unsigned ms);
void eb_drive_wait(struct eb_drive *drive, unsigned ms);

/*
 * A command, and its first reply into drive->frame. False if there is no reply, or it is
 * not this opcode's. Status bytes are the caller's to look at.
 */
bool eb_drive_command(struct eb_drive *drive, uint8_t op, const void *payload, size_t len,
                      uint32_t checksum);

/* The same with up to six words as payload. */
bool eb_drive_words(struct eb_drive *drive, uint8_t op, size_t count, const uint32_t *words);

/* MEM_DATA, FLASH_DATA, FLASH_DEFL_DATA with the right checksum. */
bool eb_drive_data(struct eb_drive *drive, uint8_t op, uint32_t seq, const uint8_t *data,
                   size_t len);

/* The reply's status word, high byte first: 0 is fine. `data_len`: what comes before it. */
unsigned eb_drive_status(const struct eb_drive *drive, size_t data_len);

/* Sync, and a small upload that starts the stub. */
bool eb_drive_start_stub(struct eb_drive *drive);

/* How many lines beginning so were logged, `REJECT ` for one. */
unsigned eb_drive_logged(struct eb_drive *drive, const char *prefix);
unsigned eb_drive_rejects(struct eb_drive *drive);

#endif
