/*
 * SLIP frames over a line. One thread at a time; every call ends at its deadline.
 * What arrives outside frames (a boot log, noise) is kept, newest last, to tell the user
 * what is talking there.
 */
#ifndef ESPFLASHFS_LINK_H
#define ESPFLASHFS_LINK_H

#include "espflashfs/line.h"
#include "espflashfs/slip.h"

enum {
    EF_LINK_FRAME_MAX = 0x8000, /* twice the largest frame a loader sends */
    EF_LINK_RX = 0x4000,        /* a packet of a stub's read and what comes behind it, escaped */
    EF_LINK_NOISE_MAX = 512     /* a boot log up to the mode that it booted in, and more */
};

struct ef_link {
    struct ef_line *line; /* not owned */
    struct ef_slip_decoder slip;
    uint8_t frame[EF_LINK_FRAME_MAX];
    uint8_t rx[EF_LINK_RX];
    size_t rx_len, rx_pos;
    bool ready; /* ef_link_wait_begin took in a whole frame */
    char noise[EF_LINK_NOISE_MAX + 1];
    size_t noise_len;
};

void ef_link_init(struct ef_link *link, struct ef_line *line);

/* One frame made of two parts (header and payload; either may be empty). */
enum ef_err ef_link_send(struct ef_link *link, const uint8_t *head, size_t head_len,
                         const uint8_t *body, size_t body_len, ef_deadline deadline);

/*
 * The next whole frame; it stays valid until the next call. EF_TIMEOUT, EF_GONE, or
 * EF_FRAMING for a damaged frame (which was dropped).
 */
enum ef_err ef_link_receive(struct ef_link *link, ef_deadline deadline, const uint8_t **frame,
                            size_t *len);

/*
 * Waits until the next frame has begun (its first payload byte is here) or is whole.
 * Nothing is consumed.
 */
enum ef_err ef_link_wait_begin(struct ef_link *link, ef_deadline deadline);

/*
 * The milliseconds that `bytes` take on this line, each perhaps escaped, at the baud in
 * force (115200 where the far end owns it): what a deadline must allow for on top.
 */
int ef_link_wire_ms(const struct ef_link *link, size_t bytes);

/* Forgets half a frame and drops what comes in until `quiet_ms` of silence. */
enum ef_err ef_link_resync(struct ef_link *link, int quiet_ms);

#endif
