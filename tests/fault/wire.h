/*
 * The line to a simulated board in this process, and what goes wrong on it. Behind
 * ef_line_open: a session opens it by the name sw_wire_port gives. It belongs to one thread at a
 * time, as any line, and lets the sweep's time pass where a read waits.
 */
#ifndef SW_WIRE_H
#define SW_WIRE_H

#include "board.h"
#include "plan.h"

#include "espflashfs/line.h"

#include <stdatomic.h>

enum sw_line_kind {
    SW_LINE_SERIAL, /* with baud and modem lines */
    SW_LINE_SOCKET  /* with neither */
};

enum {
    SW_WIRE_IN_CAP = 0x9000,
    SW_WIRE_HELD_CAP = 1 << 16,
    SW_WIRE_OUT_CAP = 1 << 20,
    SW_WIRE_PIECES = 4096
};

struct sw_wire {
    struct eb_board *board;
    enum sw_line_kind kind;
    struct ef_line *open; /* NULL while nobody has it */
    struct sw_point point;
    atomic_bool armed;
    bool fired, gone, silent;
    uint8_t hit_op;      /* of the command that a fault of a frame hit, before it did */
    int64_t back_at_ns;  /* gone: until then; 0: for good */
    bool waits_for_ever; /* a read without a deadline was seen */
    struct sw_footprint print;
    struct {
        uint8_t bytes[SW_WIRE_IN_CAP];
        size_t len;
        bool in_frame;
        uint8_t held[SW_WIRE_HELD_CAP]; /* late, and what came behind it */
        size_t held_len;
        int64_t held_until_ns; /* 0: nothing is held */
    } in;
    struct {
        uint8_t bytes[SW_WIRE_OUT_CAP];
        size_t len, pos;
        struct {
            size_t end;
            int64_t at_ns; /* when the bytes up to there have left the board */
        } piece[SW_WIRE_PIECES];
        size_t pieces;
        int64_t held_until_ns; /* what comes from now on is late */
    } out;
};

/* A board of `config`, switched on in its loader. NULL with a sentence in `why`. */
struct sw_wire *sw_wire_new(struct eb_config *config, enum sw_line_kind kind, char *why);
void sw_wire_free(struct sw_wire *wire);

enum { SW_PORT_MAX = 40 };
void sw_wire_port(const struct sw_wire *wire, char port[SW_PORT_MAX]);

/* Counts steps from 1 from here on, and has `point` happen. */
void sw_wire_arm(struct sw_wire *wire, const struct sw_point *point);
void sw_wire_disarm(struct sw_wire *wire);

/*
 * After a run: whatever went wrong is over. A board without power is switched on, one that no
 * modem line can bring into its loader is brought there by hand.
 */
void sw_wire_mend(struct sw_wire *wire);

/* Boots into download mode as after power-on; a line that is open stays so. */
void sw_wire_boot(struct sw_wire *wire, bool download);

#endif
