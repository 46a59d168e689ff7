#include "connect_steps.h"

#include <string.h>

/* The eight replies to one SYNC: seen on every ROM, and kept by the stubs. */
enum {
    SYNC_REPLIES = 8,
    SHORT_WAIT_MS = 100,
    LONG_WAIT_MS = 500,
    SHORT_TRIES = 8,
    QUIET_MS = 30,
    GIVE_UP_MS = 10000
};

static enum ef_err sync_once(struct ef_esp *esp, int wait_ms)
{
    static const uint8_t PAYLOAD[36] = {0x07, 0x07, 0x12, 0x20, 0x55, 0x55, 0x55, 0x55, 0x55,
                                        0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55,
                                        0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55,
                                        0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55};
    struct ef_reply reply;
    enum ef_err err = ef_command(esp, EF_OP_SYNC, PAYLOAD, sizeof(PAYLOAD), 0, 0, wait_ms, &reply);
    if (err != EF_OK)
        return err;
    /* What most of them say: on a line that damages one, a stub is not to pass for a ROM. */
    int replies = 1;
    int of_a_stub = reply.value == 0;
    for (; replies < SYNC_REPLIES; replies++) {
        err = ef_command_receive(esp, EF_OP_SYNC, 0, ef_deadline_in(SHORT_WAIT_MS), &reply);
        if (err == EF_GONE)
            return err;
        if (err != EF_OK)
            break;
        of_a_stub += reply.value == 0;
    }
    esp->stub = 2 * of_a_stub > replies;
    return ef_command_drain(esp, QUIET_MS);
}

/*
 * A stub takes END END for the end of one frame and nothing after it, so one END lost or
 * added on the line makes it miss every frame that follows: a lone END sets that right.
 * Not on the first tries, since no ROM has asked for it.
 */
static enum ef_err flip_frame_parity(struct ef_esp *esp)
{
    static const uint8_t END = EF_SLIP_END;
    return ef_line_write(esp->link->line, &END, 1, ef_deadline_in(SHORT_WAIT_MS));
}

enum ef_err ef_esp_sync(struct ef_esp *esp, int tries)
{
    ef_deadline end = ef_deadline_in(GIVE_UP_MS);
    if (esp->give_up)
        end = ef_deadline_min(end, esp->give_up);
    if (esp->no_sync)
        return ef_esp_recognize(esp);
    for (int i = 0; i < tries && ef_deadline_left_ms(end) > 0; i++) {
        if (esp->stop && esp->stop(esp->stop_user))
            return EF_INTERRUPTED;
        if (i >= 3 && i % 2 == 1 && flip_frame_parity(esp) == EF_GONE)
            return EF_GONE;
        enum ef_err err = sync_once(esp, i < SHORT_TRIES ? SHORT_WAIT_MS : LONG_WAIT_MS);
        if (err == EF_OK || err == EF_GONE)
            return err;
        ef_command_drain(esp, 1);
    }
    return EF_TIMEOUT;
}
