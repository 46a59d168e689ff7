/* What is on its way from the board to the host, with the time that it has left the board. */
#ifndef SW_WIRE_OUT_H
#define SW_WIRE_OUT_H

#include "wire.h"

/* Two ends that differ in their baud hear noise. */
void sw_wire_garble(const struct sw_wire *wire, uint8_t *bytes, size_t len);

void sw_out_put(struct sw_wire *wire, const uint8_t *bytes, size_t len, int64_t at_ns);

/* How many bytes are there, and when the next ones will be (0: none are on their way). */
size_t sw_out_ready(const struct sw_wire *wire, int64_t *next_ns);

/* The chip is off: what it had not sent by now never comes. An eb_cut. */
void sw_out_cut(void *wire, int64_t now_ns);
void sw_out_clear(struct sw_wire *wire);

#endif
