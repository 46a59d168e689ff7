#include "wire.h"

#include "board_state.h"
#include "clock.h"
#include "host.h"
#include "wire_out.h"

#include "espflashfs/slip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAR_END_BAUD = 115200, BITS_PER_BYTE = 10, COMMAND_MIN = 10, OP_AT = 2 };

static const int64_t NS_PER_MS = 1000000;
static const int64_t NS_PER_S = INT64_C(1000) * 1000 * 1000;
static const int64_t SOON_NS = INT64_C(20) * 1000 * 1000 * 1000;
static const int64_t AWAY_NS = INT64_C(3) * 1000 * 1000 * 1000;
static const int64_t FOR_EVER_NS = INT64_C(3600) * 1000 * 1000 * 1000;

struct opened {
    struct ef_line line; /* first */
    struct sw_wire *wire;
};

static void hang_up(struct sw_wire *w)
{
    w->gone = true;
    sw_out_clear(w);
    w->in.held_until_ns = 0;
    w->in.held_len = 0;
}

/* Runs what is due. Power that fails in it is back at once. Returns when something is next. */
static int64_t advance(struct sw_wire *w)
{
    int64_t next = eb_board_advance(w->board, sw_clock_now_ns());
    if (!atomic_load(&w->armed) || !eb_board_powerless(w->board))
        return next;
    w->fired = true;
    if (w->point.fault == SW_POWER_HANG_UP)
        hang_up(w);
    sw_wire_boot(w, w->point.variant % 2 == 0);
    return eb_board_advance(w->board, sw_clock_now_ns());
}

/* Until the board has done what it was told, if that is soon. */
static void await_board(struct sw_wire *w)
{
    int64_t until_ns = sw_clock_now_ns() + SOON_NS;
    int64_t next = advance(w);
    while (next < until_ns && next != eb_board_watchdog_ns(w->board) &&
           eb_board_mode(w->board) != EB_MODE_FIRMWARE) {
        sw_clock_reach_ns(next);
        next = advance(w);
    }
}

static void to_board(struct sw_wire *w, const uint8_t *bytes, size_t len)
{
    uint8_t copy[SW_WIRE_IN_CAP];
    while (len > 0) {
        size_t n = len < sizeof(copy) ? len : sizeof(copy);
        memcpy(copy, bytes, n);
        sw_wire_garble(w, copy, n);
        eb_board_input(w->board, copy, n, sw_clock_now_ns());
        bytes += n;
        len -= n;
    }
    advance(w);
}

void sw_wire_boot(struct sw_wire *w, bool download)
{
    sw_out_cut(w, sw_clock_now_ns());
    if (eb_board_powerless(w->board))
        w->board->flash_busy_ns = 0;
    eb_nor_fail_power(&w->board->nor, 0, 0);
    eb_board_boot(w->board, download, sw_clock_now_ns());
}

static bool hits(struct sw_wire *w, enum sw_step step, uint32_t number)
{
    bool hit = sw_fault_step(w->point.fault) == step && w->point.step == number &&
               w->point.fault != SW_NONE;
    w->fired = w->fired || hit;
    return hit;
}

/* What becomes of one frame's bytes; returns how many there are then. */
static size_t damage(const struct sw_wire *w, enum sw_fault fault, uint8_t *bytes, size_t len)
{
    size_t at = sw_variant_at(fault, w->point.variant, (uint32_t)len);
    switch (fault) {
    case SW_DROP_IN:
    case SW_DROP_OUT:
        return 0;
    case SW_CUT_IN:
    case SW_CUT_OUT:
        memmove(bytes + at, bytes + at + 1, len - at - 1);
        return len - 1;
    case SW_DOUBLE_IN:
    case SW_DOUBLE_OUT:
        memmove(bytes + at + 1, bytes + at, len - at);
        return len + 1;
    case SW_FLIP_IN:
    case SW_FLIP_OUT:
        bytes[at] ^= sw_variant_bit(w->point.variant);
        return len;
    default:
        return len;
    }
}

/* A frame of the board's: they come whole, one a call. */
static void frame_out(struct sw_wire *w, const uint8_t *bytes, size_t len, int64_t at_ns)
{
    static _Thread_local uint8_t copy[SW_WIRE_IN_CAP];
    uint32_t number = ++w->print.frames_out;
    w->print.len_out[(number - 1) % SW_FRAMES_MAX] = (uint16_t)len;
    if (!hits(w, SW_STEP_FRAME_OUT, number) || len >= sizeof(copy)) {
        sw_out_put(w, bytes, len, at_ns);
        return;
    }
    memcpy(copy, bytes, len);
    size_t left = damage(w, w->point.fault, copy, len);
    if (w->point.fault == SW_LATE_OUT)
        w->out.held_until_ns = at_ns + sw_variant_late_ns(w->point.variant);
    sw_out_put(w, copy, left, at_ns);
    if (w->point.fault == SW_TWICE_OUT)
        sw_out_put(w, copy, left, at_ns);
}

static void outlet(void *ctx, const uint8_t *bytes, size_t len, int64_t start_ns, int64_t byte_ns)
{
    struct sw_wire *w = ctx;
    (void)byte_ns;
    if (w->silent || w->gone)
        return;
    if (atomic_load(&w->armed) && len > 2 && bytes[0] == EF_SLIP_END)
        frame_out(w, bytes, len, start_ns);
    else
        sw_out_put(w, bytes, len, start_ns);
}

/* Has the board itself misbehave at the command that comes next. */
static void one_fault(struct sw_wire *w, enum eb_fault_kind kind)
{
    struct eb_faults *faults = eb_board_faults(w->board);
    faults->count = 1;
    faults->list[0] = (struct eb_fault){.kind = kind, .index = faults->commands + 1};
}

static void command_fails(struct sw_wire *w, const uint8_t *bytes, size_t len)
{
    enum sw_fault fault = w->point.fault;
    bool begun = fault == SW_REBOOT_AFTER || fault == SW_HANG_UP_AFTER;
    if (fault == SW_REJECT || fault == SW_LIE) {
        one_fault(w, fault == SW_REJECT ? EB_FAULT_REJECT : EB_FAULT_LIE);
        to_board(w, bytes, len);
        return;
    }
    w->silent = true;
    if (begun) {
        to_board(w, bytes, len);
        await_board(w);
    }
    if (fault == SW_HANG_UP || fault == SW_HANG_UP_AFTER || fault == SW_UNPLUG)
        hang_up(w);
    if (fault == SW_UNPLUG)
        w->back_at_ns = sw_clock_now_ns() + AWAY_NS;
    if (fault == SW_SILENCE)
        return;
    w->silent = false;
    if (fault == SW_UNPLUG)
        sw_wire_boot(w, w->point.variant % 2 == 0);
    else if (fault != SW_HANG_UP && fault != SW_HANG_UP_AFTER)
        sw_wire_boot(w, fault != SW_FIRMWARE);
}

static void frame_in(struct sw_wire *w)
{
    uint8_t *bytes = w->in.bytes;
    size_t len = w->in.len;
    uint32_t number = ++w->print.frames_in;
    w->print.len_in[(number - 1) % SW_FRAMES_MAX] = (uint16_t)len;
    if (bytes[1] == 0 && len >= COMMAND_MIN && hits(w, SW_STEP_COMMAND, ++w->print.commands)) {
        command_fails(w, bytes, len);
        return;
    }
    if (!hits(w, SW_STEP_FRAME_IN, number)) {
        to_board(w, bytes, len);
        return;
    }
    w->hit_op = bytes[OP_AT];
    len = damage(w, w->point.fault, bytes, len);
    if (w->point.fault == SW_LATE_IN) {
        memcpy(w->in.held, bytes, len);
        w->in.held_len = len;
        w->in.held_until_ns = sw_clock_now_ns() + sw_variant_late_ns(w->point.variant);
        return;
    }
    to_board(w, bytes, len);
    if (w->point.fault == SW_TWICE_IN)
        to_board(w, bytes, len);
}

/* What was held comes, and all behind it. */
static void release_held(struct sw_wire *w)
{
    int64_t now = sw_clock_now_ns();
    if (w->in.held_until_ns && w->in.held_until_ns <= now) {
        w->in.held_until_ns = 0;
        to_board(w, w->in.held, w->in.held_len);
    }
}

static void pass_on(struct sw_wire *w)
{
    size_t len = w->in.len;
    bool held = w->in.held_until_ns != 0;
    if (held && len <= SW_WIRE_HELD_CAP - w->in.held_len) {
        memcpy(w->in.held + w->in.held_len, w->in.bytes, len);
        w->in.held_len += len;
    } else if (!held && atomic_load(&w->armed) && w->in.in_frame && len > 1) {
        frame_in(w);
    } else if (!held) {
        to_board(w, w->in.bytes, len);
    }
    w->in.len = 0;
    w->in.in_frame = false;
}

static void take_byte(struct sw_wire *w, uint8_t byte)
{
    bool end = byte == EF_SLIP_END;
    if (end && w->in.in_frame && w->in.len == 1)
        pass_on(w); /* END END: the first one alone */
    if (end && !w->in.in_frame && w->in.len > 0)
        pass_on(w);
    w->in.bytes[w->in.len++] = byte;
    bool begins = end && w->in.len == 1;
    if (begins)
        w->in.in_frame = true;
    if ((end && !begins) || w->in.len == SW_WIRE_IN_CAP - 1)
        pass_on(w);
}

static int64_t time_of(const struct sw_wire *w, size_t len)
{
    uint32_t baud = w->open && w->open->baud ? w->open->baud : FAR_END_BAUD;
    return (int64_t)len * BITS_PER_BYTE * NS_PER_S / baud;
}

static enum ef_err wire_write(struct ef_line *line, const uint8_t *buf, size_t len,
                              ef_deadline deadline)
{
    struct sw_wire *w = ((struct opened *)line)->wire;
    (void)deadline;
    sw_host_pass(1);
    sw_clock_pass_ns(time_of(w, len));
    release_held(w);
    for (size_t i = 0; i < len && !w->gone; i++)
        take_byte(w, buf[i]);
    /* A lone END, or what is no frame at all. */
    if (w->in.len > 0 && (!w->in.in_frame || (len == 1 && w->in.len == 1)))
        pass_on(w);
    sw_host_pass(-1);
    return w->gone ? EF_GONE : EF_OK;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return b && b < a ? b : a;
}

/* Lets time pass up to what comes next; false if that is the deadline. */
static bool wait_for_more(struct sw_wire *w, int64_t out_ns, int64_t deadline_ns)
{
    int64_t next = advance(w);
    next = earlier(next, w->in.held_until_ns);
    next = earlier(next, out_ns);
    bool in_time = next < deadline_ns;
    sw_clock_reach_ns(in_time ? next : deadline_ns);
    release_held(w);
    advance(w);
    return in_time;
}

static enum ef_err wire_read(struct ef_line *line, uint8_t *buf, size_t cap, ef_deadline deadline,
                             size_t *got)
{
    struct sw_wire *w = ((struct opened *)line)->wire;
    int64_t deadline_ns = deadline * NS_PER_MS;
    enum ef_err err = EF_OK;
    sw_host_pass(1);
    w->waits_for_ever = w->waits_for_ever || deadline_ns - sw_clock_now_ns() > FOR_EVER_NS;
    release_held(w);
    while (err == EF_OK) {
        int64_t next_ns;
        size_t left = sw_out_ready(w, &next_ns);
        if (w->gone) {
            err = EF_GONE;
        } else if (left > 0) {
            *got = left < cap ? left : cap;
            memcpy(buf, w->out.bytes + w->out.pos, *got);
            w->out.pos += *got;
            sw_clock_pass_ns(time_of(w, *got));
            break;
        } else if (!wait_for_more(w, next_ns, deadline_ns)) {
            err = EF_TIMEOUT;
        }
    }
    sw_host_pass(-1);
    return err;
}

static enum ef_err wire_set_baud(struct ef_line *line, uint32_t baud)
{
    (void)baud;
    return ((struct opened *)line)->wire->gone ? EF_GONE : EF_OK;
}

static enum ef_err wire_set_lines(struct ef_line *line, bool dtr, bool rts)
{
    struct sw_wire *w = ((struct opened *)line)->wire;
    if (w->gone)
        return EF_GONE;
    sw_host_pass(1);
    eb_board_set_lines(w->board, dtr, rts, sw_clock_now_ns());
    sw_host_pass(-1);
    return EF_OK;
}

static enum ef_err wire_set_one_line(struct ef_line *line, enum ef_modem_line which, bool on)
{
    const struct eb_circuit_state *now = &((struct opened *)line)->wire->board->circuit;
    return wire_set_lines(line, which == EF_DTR ? on : now->dtr, which == EF_RTS ? on : now->rts);
}

static void wire_close(struct ef_line *line)
{
    ((struct opened *)line)->wire->open = NULL;
    free(line);
}

static const struct ef_line_ops SERIAL = {.read = wire_read,
                                          .write = wire_write,
                                          .set_baud = wire_set_baud,
                                          .set_lines = wire_set_lines,
                                          .set_one_line = wire_set_one_line,
                                          .close = wire_close};
static const struct ef_line_ops SOCKET = {
    .read = wire_read, .write = wire_write, .close = wire_close};

void sw_wire_port(const struct sw_wire *w, char port[SW_PORT_MAX])
{
    snprintf(port, SW_PORT_MAX, "sweep:%p", (const void *)w);
}

/* Linked in place of the program's (--wrap), so that a session opens a wire as any port. */
enum ef_err wrap_ef_line_open(const char *spec, uint32_t baud, struct ef_log *log,
                              struct ef_line **line) SW_WRAP(ef_line_open);
enum ef_err wrap_ef_line_open(const char *spec, uint32_t baud, struct ef_log *log,
                              struct ef_line **line)
{
    void *at = NULL;
    if (sscanf(spec, "sweep:%p", &at) != 1)
        return EF_MISSING;
    struct sw_wire *w = at;
    if (w->gone && w->back_at_ns && w->back_at_ns <= sw_clock_now_ns())
        w->gone = false;
    if (w->gone)
        return EF_MISSING;
    struct opened *opened = calloc(1, sizeof(*opened));
    if (!opened)
        return EF_NOMEM;
    opened->wire = w;
    opened->line.ops = w->kind == SW_LINE_SERIAL ? &SERIAL : &SOCKET;
    opened->line.kind = w->kind == SW_LINE_SERIAL ? "serial" : "socket";
    opened->line.baud = w->kind == SW_LINE_SERIAL ? baud : 0;
    opened->line.log = log;
    snprintf(opened->line.name, sizeof(opened->line.name), "board");
    w->open = &opened->line;
    sw_out_clear(w);
    *line = &opened->line;
    return EF_OK;
}

struct sw_wire *sw_wire_new(struct eb_config *config, enum sw_line_kind kind, char *why)
{
    struct sw_wire *w = calloc(1, sizeof(*w));
    if (!w)
        return NULL;
    w->kind = kind;
    config->outlet = outlet;
    config->cut = sw_out_cut;
    config->outlet_ctx = w;
    w->board = eb_board_new(config, why);
    if (w->board)
        return w;
    free(w);
    return NULL;
}

void sw_wire_free(struct sw_wire *w)
{
    if (!w)
        return;
    eb_board_free(w->board);
    free(w);
}

void sw_wire_arm(struct sw_wire *w, const struct sw_point *point)
{
    struct eb_nor *nor = &w->board->nor;
    memset(&w->print, 0, sizeof(w->print));
    w->point = *point;
    w->fired = false;
    w->hit_op = 0;
    w->waits_for_ever = false;
    w->print.flash_ops = (uint32_t)(nor->erase_ops + nor->programs);
    if (sw_fault_step(point->fault) == SW_STEP_FLASH)
        eb_nor_fail_power(nor, point->step, point->seed + point->variant);
    atomic_store(&w->armed, true);
}

void sw_wire_disarm(struct sw_wire *w)
{
    struct eb_nor *nor = &w->board->nor;
    atomic_store(&w->armed, false);
    eb_board_faults(w->board)->count = 0;
    w->print.flash_ops = (uint32_t)(nor->erase_ops + nor->programs) - w->print.flash_ops;
    nor->power_op = 0;
}

void sw_wire_mend(struct sw_wire *w)
{
    enum eb_mode mode = eb_board_mode(w->board);
    bool busy = w->board->cpu_ns > sw_clock_now_ns() + SOON_NS;
    bool stuck =
        w->kind == SW_LINE_SOCKET && (busy || (mode != EB_MODE_ROM && mode != EB_MODE_STUB));
    /* Nobody is back before the flash has ended what it had begun. */
    sw_clock_pass_ns(SOON_NS);
    advance(w);
    w->gone = false;
    w->back_at_ns = 0;
    w->silent = false;
    w->point = (struct sw_point){0};
    w->in.len = w->in.held_len = 0;
    w->in.in_frame = false;
    w->in.held_until_ns = 0;
    sw_out_clear(w);
    if (eb_board_powerless(w->board) || stuck)
        sw_wire_boot(w, true);
}
