#include "receiver.h"

#include "espflashfs/slip.h"

void eb_receiver_init(struct eb_receiver *rx)
{
    for (int i = 0; i < EB_FRAME_BUFFERS; i++) {
        rx->frames[i].len = 0;
        rx->frames[i].held = false;
    }
    rx->into = 0;
    rx->current = -1;
    rx->in_frame = false;
    rx->escaped = false;
    rx->lost_ends = 0;
}

static void hold(struct eb_receiver *rx, bool damaged, int64_t at_ns)
{
    struct eb_frame *frame = &rx->frames[rx->into];
    frame->held = true;
    frame->damaged = damaged;
    frame->at_ns = at_ns;
    rx->into = -1;
    rx->in_frame = false;
    rx->escaped = false;
}

static void put(struct eb_receiver *rx, uint8_t byte, int64_t at_ns)
{
    struct eb_frame *frame = &rx->frames[rx->into];
    if (frame->len < EB_FRAME_CAP)
        frame->bytes[frame->len++] = byte;
    else
        hold(rx, true, at_ns);
}

static void take_escaped(struct eb_receiver *rx, uint8_t byte, int64_t at_ns)
{
    rx->escaped = false;
    if (byte == EF_SLIP_ESC_END)
        put(rx, EF_SLIP_END, at_ns);
    else if (byte == EF_SLIP_ESC_ESC)
        put(rx, EF_SLIP_ESC, at_ns);
    else
        hold(rx, true, at_ns);
}

static void take_end(struct eb_receiver *rx, int64_t at_ns)
{
    if (!rx->in_frame) {
        if (rx->into < 0) {
            rx->lost_ends++;
            return;
        }
        rx->frames[rx->into].len = 0;
        rx->in_frame = true;
    } else if (rx->frames[rx->into].len > 0) {
        hold(rx, false, at_ns);
    } else {
        rx->in_frame = false;
    }
}

void eb_receiver_byte(struct eb_receiver *rx, uint8_t byte, int64_t at_ns)
{
    if (rx->in_frame && rx->escaped)
        take_escaped(rx, byte, at_ns);
    else if (byte == EF_SLIP_END)
        take_end(rx, at_ns);
    else if (rx->in_frame && byte == EF_SLIP_ESC)
        rx->escaped = true;
    else if (rx->in_frame)
        put(rx, byte, at_ns);
}

static int oldest_waiting(const struct eb_receiver *rx)
{
    int oldest = -1;
    for (int i = 0; i < EB_FRAME_BUFFERS; i++) {
        const struct eb_frame *frame = &rx->frames[i];
        if (!frame->held || i == rx->current)
            continue;
        if (oldest < 0 || frame->at_ns < rx->frames[oldest].at_ns)
            oldest = i;
    }
    return oldest;
}

int64_t eb_receiver_ready_ns(const struct eb_receiver *rx)
{
    int i = oldest_waiting(rx);
    return i < 0 ? INT64_MAX : rx->frames[i].at_ns;
}

const struct eb_frame *eb_receiver_poll(struct eb_receiver *rx)
{
    int i = oldest_waiting(rx);
    if (i < 0)
        return NULL;
    rx->current = i;
    for (int spare = 0; spare < EB_FRAME_BUFFERS && rx->into < 0; spare++) {
        if (!rx->frames[spare].held)
            rx->into = spare;
    }
    return &rx->frames[i];
}

void eb_receiver_release(struct eb_receiver *rx)
{
    if (rx->current >= 0)
        rx->frames[rx->current].held = false;
    rx->current = -1;
}
