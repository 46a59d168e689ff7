/* Who answers, a stub or a ROM, where no SYNC may be sent. */
#include "connect_steps.h"

#include "espflashfs/bytes.h"

enum {
    MAGIC_REG = 0x40001000,
    HEADER_LEN = 8,
    SHORT_STATUS_LEN = 2, /* of every stub, and of the ESP8266's ROM */
    LONG_STATUS_LEN = 4,  /* of every other ROM */
    STUB_ERROR_MIN = 0xC0,
    TRIES = 5,
    REPLY_MS = 300,
    QUIET_MS = 30
};

/* The magic value of the ESP8266, whose ROM ends a reply as a stub does. */
static const uint32_t ESP8266_MAGIC = 0xFFF0C101;

struct answer {
    size_t body_len;
    uint32_t value;
    uint8_t status[2];
};

/* The next frame that looks like a reply to anything. */
static enum ef_err receive(struct ef_esp *esp, ef_deadline deadline, struct answer *answer)
{
    for (;;) {
        const uint8_t *frame;
        size_t len;
        enum ef_err err = ef_link_receive(esp->link, deadline, &frame, &len);
        if (err != EF_OK && err != EF_FRAMING)
            return err;
        if (err == EF_OK && len >= HEADER_LEN + SHORT_STATUS_LEN && frame[0] == 0x01 &&
            (size_t)ef_le16(frame + 2) + HEADER_LEN == len) {
            *answer = (struct answer){.body_len = len - HEADER_LEN,
                                      .value = ef_le32(frame + 4),
                                      .status = {frame[HEADER_LEN], frame[HEADER_LEN + 1]}};
            return EF_OK;
        }
        if (ef_deadline_left_ms(deadline) == 0)
            return EF_TIMEOUT;
    }
}

static enum ef_err ask(struct ef_esp *esp, enum ef_op op, const uint8_t *payload, size_t len,
                       struct answer *answer)
{
    enum ef_err err = EF_TIMEOUT;
    for (int i = 0; i < TRIES && (err == EF_TIMEOUT || err == EF_FRAMING); i++) {
        ef_deadline deadline = ef_deadline_in(REPLY_MS + ef_link_wire_ms(esp->link, len));
        ef_command_drain(esp, 1);
        err = ef_command_send(esp, op, payload, len, 0, deadline);
        if (err == EF_OK)
            err = receive(esp, deadline, answer);
    }
    if (err == EF_OK)
        err = ef_command_drain(esp, QUIET_MS);
    return err;
}

enum ef_err ef_esp_recognize(struct ef_esp *esp)
{
    struct answer answer;
    uint8_t payload[4];
    ef_put_le32(payload, MAGIC_REG);
    enum ef_err err = ask(esp, EF_OP_READ_REG, payload, sizeof(payload), &answer);
    if (err != EF_OK)
        return err;
    esp->stub = answer.body_len < LONG_STATUS_LEN;
    if (!esp->stub || answer.value != ESP8266_MAGIC)
        return EF_OK;
    /* Neither knows this command on an ESP8266, and each has error values of its own. */
    err = ask(esp, EF_OP_GET_SECURITY_INFO, NULL, 0, &answer);
    if (err == EF_OK)
        esp->stub = answer.status[0] >= STUB_ERROR_MIN;
    return err;
}
