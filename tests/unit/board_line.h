/*
 * A line to a simulated board in this process. The board's time is made up, so that nothing
 * waits: it has answered when a write returns, and a read with nothing to read times out at
 * once. Requests can be damaged on their way in.
 */
#ifndef EF_TEST_BOARD_LINE_H
#define EF_TEST_BOARD_LINE_H

#include "drive.h"
#include "line_in.h"
#include "line_out.h"

#include "espflashfs/session.h"

#include "esp/session_steps.h"

#include <stdlib.h>
#include <string.h>

struct board_line {
    struct ef_line line; /* first */
    struct eb_drive *drive;
    struct ef_session session;
    bool gone;
    void *user;             /* of who puts operations of its own in front of the line's */
    uint32_t max_baud;      /* of a serial line: the port takes no higher */
    struct eb_line_in rate; /* of a serial line: garbles where the ends differ in it */
    struct eb_line_out usb; /* in between where it holds packets back */
};

static inline void board_line_garble(struct board_line *self, uint8_t *bytes, size_t len)
{
    self->rate.board = self->drive->board;
    self->rate.host_baud = self->line.baud;
    self->rate.baud_counts = true;
    eb_line_garble(&self->rate, bytes, len);
}

static inline enum ef_err board_line_read(struct ef_line *line, uint8_t *buf, size_t cap,
                                          ef_deadline deadline, size_t *got)
{
    struct board_line *self = (struct board_line *)line;
    struct eb_drive *drive = self->drive;
    (void)deadline;
    if (self->gone)
        return EF_GONE;
    size_t left = drive->out_len - drive->out_pos;
    if (self->usb.usb_hold) {
        eb_line_out_put(&self->usb, drive->out + drive->out_pos, left, 0, 0);
        drive->out_pos = drive->out_len;
        *got = eb_line_out_take(&self->usb, drive->now_ns, buf, cap);
        return *got ? EF_OK : EF_TIMEOUT;
    }
    if (left == 0)
        return EF_TIMEOUT;
    *got = left < cap ? left : cap;
    memcpy(buf, drive->out + drive->out_pos, *got);
    board_line_garble(self, buf, *got);
    drive->out_pos += *got;
    return EF_OK;
}

static inline enum ef_err board_line_write(struct ef_line *line, const uint8_t *buf, size_t len,
                                           ef_deadline deadline)
{
    struct board_line *self = (struct board_line *)line;
    (void)deadline;
    if (self->gone)
        return EF_GONE;
    struct eb_faults *faults = eb_board_faults(self->drive->board);
    if (!faults->touches_bytes[EB_IN] && line->baud == 0) {
        eb_drive_bytes(self->drive, buf, len);
        return EF_OK;
    }
    for (size_t i = 0; i < len; i++) {
        struct eb_fault_effect effect = eb_faults_byte(faults, EB_IN, buf[i]);
        board_line_garble(self, effect.bytes, effect.len);
        eb_drive_bytes(self->drive, effect.bytes, effect.len);
    }
    return EF_OK;
}

static inline void board_line_close(struct ef_line *line)
{
    (void)line;
}

static inline enum ef_err board_line_set_baud(struct ef_line *line, uint32_t baud)
{
    return baud <= ((struct board_line *)line)->max_baud ? EF_OK : EF_UNSUPPORTED;
}

/* What a reset sequence waits for passes for the board as well. */
static inline enum ef_err board_line_set_lines(struct ef_line *line, bool dtr, bool rts)
{
    eb_drive_lines(((struct board_line *)line)->drive, dtr, rts, 60);
    return EF_OK;
}

/* Makes a serial line of it: with a baud, and garbled where the two ends differ in it. */
static inline void board_line_make_serial(struct board_line *self, bool modem_lines)
{
    static const struct ef_line_ops PLAIN = {.read = board_line_read,
                                             .write = board_line_write,
                                             .set_baud = board_line_set_baud,
                                             .close = board_line_close};
    static const struct ef_line_ops MODEM = {.read = board_line_read,
                                             .write = board_line_write,
                                             .set_baud = board_line_set_baud,
                                             .set_lines = board_line_set_lines,
                                             .close = board_line_close};
    self->line.ops = modem_lines ? &MODEM : &PLAIN;
    self->line.baud = EF_ROM_BAUD;
    self->max_baud = UINT32_MAX;
    if (modem_lines)
        self->session.config.before = EF_BEFORE_DEFAULT_RESET;
}

/* A session that begins anew, with the board as it is. */
static inline void board_line_begin(struct board_line *self, bool stub)
{
    const struct eb_config *config = &self->drive->config;
    struct ef_session *s = &self->session;
    ef_stub_free(&s->stub);
    memset(s, 0, sizeof(*s));
    s->line = &self->line;
    ef_link_init(&s->link, s->line);
    s->esp = (struct ef_esp){.link = &s->link, .rom_status = 2};
    s->config = (struct ef_session_config){
        .port = "board", .before = EF_BEFORE_NO_RESET, .stub = stub ? "auto" : "rom"};
    s->config.size = config->flash_size;
    if (stub) {
        s->with_stub = true;
        s->stub.text_len = 16;
        s->stub.text = calloc(1, s->stub.text_len);
        uint32_t start = eb_chip_stub_start(config->chip, config->variant);
        s->stub.text_start = s->stub.entry = start != 0 ? start : 0x40000000;
    }
}

/* Of a board that has its config and is not switched on yet. */
static inline struct board_line *board_line_switch_on(struct eb_drive *drive, bool stub)
{
    static const struct ef_line_ops OPS = {
        .read = board_line_read, .write = board_line_write, .close = board_line_close};
    struct board_line *self = calloc(1, sizeof(*self));
    if (!self || !eb_drive_start(drive))
        abort();
    self->drive = drive;
    self->line = (struct ef_line){.ops = &OPS, .name = "board", .kind = "board"};
    board_line_begin(self, stub);
    return self;
}

/* A session with a board of `chip`, opened as ef_session_open does but for the port. A flash
 * id of 0 is the one that goes with the size. */
static inline struct board_line *board_line_new_with_id(const char *chip, uint32_t flash_size,
                                                        bool stub, uint32_t flash_id)
{
    struct eb_drive *drive = eb_drive_new(chip, flash_size);
    if (!drive)
        abort();
    drive->config.has_flash_id = flash_id != 0;
    drive->config.flash_id = flash_id;
    return board_line_switch_on(drive, stub);
}

static inline struct board_line *board_line_new(const char *chip, uint32_t flash_size, bool stub)
{
    return board_line_new_with_id(chip, flash_size, stub, 0);
}

static inline enum ef_err board_line_start(struct board_line *self)
{
    struct ef_session *s = &self->session;
    enum ef_err err = ef_connect(s);
    if (err == EF_OK)
        err = ef_chip_detect(&s->esp, &s->chip, &s->security);
    if (err == EF_OK)
        err = ef_chip_identify(&s->esp, s->chip, &s->security, &s->identity);
    if (err == EF_OK)
        err = ef_loader_start(s);
    return err == EF_OK ? ef_flash_detect(s) : err;
}

static inline void board_line_free(struct board_line *self)
{
    ef_stub_free(&self->session.stub);
    eb_line_out_free(&self->usb);
    eb_drive_free(self->drive);
    free(self);
}

#endif
