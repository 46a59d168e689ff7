/*
 * The stub's receiver: bytes of the line into two frame buffers, with the habits of
 * Espressif's stub. A frame is received into an armed buffer; arming happens only when
 * the loader polls. So a third frame that comes while two are held is lost. An END
 * directly behind an END leaves the frame again, in place of opening one.
 */
#ifndef EB_RECEIVER_H
#define EB_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A block of 0x4000 with its headers, and the slack that the stub leaves. */
enum { EB_FRAME_CAP = 0x4000 + 0xFF + 8, EB_FRAME_BUFFERS = 2 };

struct eb_frame {
    uint8_t bytes[EB_FRAME_CAP];
    size_t len;
    int64_t at_ns; /* when its last byte came */
    bool held;     /* whole or damaged, and not released yet */
    bool damaged;
};

struct eb_receiver {
    struct eb_frame frames[EB_FRAME_BUFFERS];
    int into;    /* the buffer that is armed, -1 for none */
    int current; /* the one that the loader works on, -1 for none */
    bool in_frame;
    bool escaped;
    uint64_t lost_ends; /* ENDs that found no armed buffer */
};

void eb_receiver_init(struct eb_receiver *rx);
void eb_receiver_byte(struct eb_receiver *rx, uint8_t byte, int64_t at_ns);

/* When a frame is there to be polled; INT64_MAX if none is. */
int64_t eb_receiver_ready_ns(const struct eb_receiver *rx);

/*
 * The oldest held frame, which stays until it is released, or NULL. Arms a free buffer.
 * A damaged frame is returned too.
 */
const struct eb_frame *eb_receiver_poll(struct eb_receiver *rx);

/* Gives the polled frame's buffer back; harmless when there is none. */
void eb_receiver_release(struct eb_receiver *rx);

#endif
