/*
 * The ROM's receiver: whole frames in a row, in the order they came. Real ROMs took eight
 * reads in flight and answered all of them; what does not fit is lost.
 */
#ifndef EB_ROM_INPUT_H
#define EB_ROM_INPUT_H

#include "espflashfs/slip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EB_ROM_FRAME_CAP = 0x1800 + 16 + 8, /* a RAM block with its headers */
    EB_ROM_FRAMES = 16
};

struct eb_rom_frame {
    uint8_t bytes[EB_ROM_FRAME_CAP];
    size_t len;
    int64_t at_ns;
};

struct eb_rom_input {
    struct ef_slip_decoder decoder;
    uint8_t decoded[EB_ROM_FRAME_CAP];
    struct eb_rom_frame frames[EB_ROM_FRAMES]; /* a ring */
    unsigned first, count;
};

void eb_rom_input_init(struct eb_rom_input *in);

/* False if a frame was damaged, too large, or found no place. */
bool eb_rom_input_byte(struct eb_rom_input *in, uint8_t byte, int64_t at_ns);

/* The oldest frame, or NULL; it stays until eb_rom_input_drop. */
const struct eb_rom_frame *eb_rom_input_first(const struct eb_rom_input *in);
void eb_rom_input_drop(struct eb_rom_input *in);

#endif
