#include "rom_input.h"

#include <string.h>

void eb_rom_input_init(struct eb_rom_input *in)
{
    ef_slip_decoder_init(&in->decoder, in->decoded, sizeof(in->decoded));
    in->first = 0;
    in->count = 0;
}

bool eb_rom_input_byte(struct eb_rom_input *in, uint8_t byte, int64_t at_ns)
{
    size_t used;
    enum ef_slip_event event = ef_slip_decode(&in->decoder, &byte, 1, &used);
    if (event != EF_SLIP_FRAME)
        return event == EF_SLIP_MORE;
    if (in->count == EB_ROM_FRAMES)
        return false;
    struct eb_rom_frame *frame = &in->frames[(in->first + in->count) % EB_ROM_FRAMES];
    memcpy(frame->bytes, in->decoder.buf, in->decoder.len);
    frame->len = in->decoder.len;
    frame->at_ns = at_ns;
    in->count++;
    return true;
}

const struct eb_rom_frame *eb_rom_input_first(const struct eb_rom_input *in)
{
    return in->count != 0 ? &in->frames[in->first] : NULL;
}

void eb_rom_input_drop(struct eb_rom_input *in)
{
    in->first = (in->first + 1) % EB_ROM_FRAMES;
    in->count--;
}
