#include "espflashfs/command.h"

#include "espflashfs/bytes.h"

#include <string.h>

enum {
    HEADER_LEN = 8,
    DIR_REQUEST = 0,
    DIR_REPLY = 1,
    STUB_STATUS_LEN = 2,
    REGISTER_TRIES = 3,
    DRAIN_MAX_MS = 1000,
    STALE_MAX = 64
};

struct named {
    uint8_t value;
    const char *text;
};

static const struct named OP_NAMES[] = {
    {EF_OP_FLASH_BEGIN, "FLASH_BEGIN"},
    {EF_OP_FLASH_DATA, "FLASH_DATA"},
    {EF_OP_FLASH_END, "FLASH_END"},
    {EF_OP_MEM_BEGIN, "MEM_BEGIN"},
    {EF_OP_MEM_END, "MEM_END"},
    {EF_OP_MEM_DATA, "MEM_DATA"},
    {EF_OP_SYNC, "SYNC"},
    {EF_OP_WRITE_REG, "WRITE_REG"},
    {EF_OP_READ_REG, "READ_REG"},
    {EF_OP_SPI_SET_PARAMS, "SPI_SET_PARAMS"},
    {EF_OP_SPI_ATTACH, "SPI_ATTACH"},
    {EF_OP_READ_FLASH_SLOW, "READ_FLASH_SLOW"},
    {EF_OP_CHANGE_BAUDRATE, "CHANGE_BAUDRATE"},
    {EF_OP_FLASH_DEFL_BEGIN, "FLASH_DEFL_BEGIN"},
    {EF_OP_FLASH_DEFL_DATA, "FLASH_DEFL_DATA"},
    {EF_OP_FLASH_DEFL_END, "FLASH_DEFL_END"},
    {EF_OP_SPI_FLASH_MD5, "SPI_FLASH_MD5"},
    {EF_OP_GET_SECURITY_INFO, "GET_SECURITY_INFO"},
    {EF_OP_ERASE_FLASH, "ERASE_FLASH"},
    {EF_OP_ERASE_REGION, "ERASE_REGION"},
    {EF_OP_READ_FLASH, "READ_FLASH"},
};

/* ROM error values: Espressif's serial protocol documentation, "Status bytes". */
static const struct named ROM_ERRORS[] = {
    {0x05, "message is invalid"},      {0x06, "failed to act on the message"},
    {0x07, "wrong checksum"},          {0x08, "flash write error"},
    {0x09, "flash read error"},        {0x0A, "flash read length error"},
    {0x0B, "deflate error"},           {0x0C, "deflate Adler-32 error"},
    {0x0D, "deflate parameter error"},
};

/* Stub error values, their first byte: esp-flasher-stub, src/commands.h. */
static const struct named STUB_ERRORS[] = {
    {0xC0, "wrong data length"},      {0xC1, "wrong checksum"},       {0xC2, "wrong block size"},
    {0xC3, "invalid command"},        {0xC4, "SPI operation failed"}, {0xC5, "SPI unlock failed"},
    {0xC6, "not in flash mode"},      {0xC7, "inflate error"},        {0xC8, "not enough data"},
    {0xC9, "too much data"},          {0xCA, "NAND program failed"},  {0xCB, "NAND erase failed"},
    {0xFF, "command not implemented"}};

static const char *lookup(const struct named *table, size_t count, uint8_t value)
{
    for (size_t i = 0; i < count; i++)
        if (table[i].value == value)
            return table[i].text;
    return "?";
}

const char *ef_command_name(enum ef_op op)
{
    return lookup(OP_NAMES, sizeof(OP_NAMES) / sizeof(OP_NAMES[0]), (uint8_t)op);
}

const char *ef_command_status_text(const struct ef_esp *esp, const uint8_t status[2])
{
    if (esp->stub)
        return lookup(STUB_ERRORS, sizeof(STUB_ERRORS) / sizeof(STUB_ERRORS[0]), status[0]);
    return lookup(ROM_ERRORS, sizeof(ROM_ERRORS) / sizeof(ROM_ERRORS[0]), status[1]);
}

uint32_t ef_command_checksum(const uint8_t *data, size_t len)
{
    uint8_t sum = 0xEF;
    for (size_t i = 0; i < len; i++)
        sum ^= data[i];
    return sum;
}

/* The bit in `changing` of a command that erases or writes flash, 0 for others. */
static uint32_t changing_bit(uint8_t op)
{
    static const uint8_t CHANGING[] = {EF_OP_FLASH_BEGIN,      EF_OP_FLASH_DATA,
                                       EF_OP_FLASH_DEFL_BEGIN, EF_OP_FLASH_DEFL_DATA,
                                       EF_OP_ERASE_FLASH,      EF_OP_ERASE_REGION};
    for (unsigned i = 0; i < sizeof(CHANGING); i++)
        if (CHANGING[i] == op)
            return 1U << i;
    return 0;
}

/* Every frame that comes in is looked at: does it answer a change that nobody asked for? */
static void watch_reply(struct ef_esp *esp, const uint8_t *frame, size_t len)
{
    if (len < HEADER_LEN + STUB_STATUS_LEN || frame[0] != DIR_REPLY ||
        (size_t)ef_le16(frame + 2) + HEADER_LEN != len)
        return;
    uint32_t bit = changing_bit(frame[1]);
    bool refused = frame[HEADER_LEN] != 0;
    if (bit && !(esp->changing & bit) && !refused) {
        if (esp->strays)
            ++*esp->strays;
        ef_log(esp->log, EF_LOG_ERROR,
               "the chip answers %s, which nobody asked for: a damaged command may have made it "
               "do that: compare the flash with your backup",
               ef_command_name((enum ef_op)frame[1]));
    }
    esp->changing &= ~bit;
}

enum ef_err ef_command_drain(struct ef_esp *esp, int quiet_ms)
{
    ef_deadline end = ef_deadline_in(DRAIN_MAX_MS);
    while (ef_deadline_left_ms(end) > 0) {
        const uint8_t *frame;
        size_t len;
        enum ef_err err = ef_link_receive(esp->link, ef_deadline_min(end, ef_deadline_in(quiet_ms)),
                                          &frame, &len);
        if (err == EF_OK)
            watch_reply(esp, frame, len);
        else if (err != EF_FRAMING)
            break;
    }
    return ef_link_resync(esp->link, 1);
}

enum ef_err ef_command_send(struct ef_esp *esp, enum ef_op op, const uint8_t *payload,
                            size_t payload_len, uint32_t checksum, ef_deadline deadline)
{
    uint8_t header[HEADER_LEN] = {DIR_REQUEST, (uint8_t)op};
    if (payload_len > UINT16_MAX)
        return EF_INVALID;
    ef_put_le16(header + 2, (uint16_t)payload_len);
    ef_put_le32(header + 4, checksum);
    esp->commands++;
    esp->changing |= changing_bit((uint8_t)op);
    return ef_link_send(esp->link, header, sizeof(header), payload, payload_len, deadline);
}

/* Splits a frame that is a reply to `op`; false if it is something else. */
static bool parse_header(const uint8_t *frame, size_t len, enum ef_op op, size_t *body_len)
{
    if (len < HEADER_LEN + STUB_STATUS_LEN || frame[0] != DIR_REPLY || frame[1] != (uint8_t)op)
        return false;
    *body_len = ef_le16(frame + 2);
    return *body_len == len - HEADER_LEN;
}

static enum ef_err parse_body(struct ef_esp *esp, enum ef_op op, const uint8_t *body,
                              size_t body_len, size_t reply_len, struct ef_reply *reply)
{
    size_t status_len = esp->stub ? STUB_STATUS_LEN : esp->rom_status;
    if (body_len >= reply_len + status_len) {
        memcpy(reply->data, body, reply_len);
        reply->data_len = reply_len;
        memcpy(reply->status, body + reply_len, 2);
    } else {
        /* Too short for data: a refusal carries its status alone. */
        memcpy(reply->status, body, 2);
        if (reply->status[0] == 0)
            return EF_FRAMING;
    }
    if (reply->status[0] == 0)
        return EF_OK;
    ef_log(esp->log, EF_LOG_DEBUG, "%s refused: status %02x %02x (%s)", ef_command_name(op),
           reply->status[0], reply->status[1], ef_command_status_text(esp, reply->status));
    return EF_REJECTED;
}

enum ef_err ef_command_receive(struct ef_esp *esp, enum ef_op op, size_t reply_len,
                               ef_deadline deadline, struct ef_reply *reply)
{
    struct ef_reply unused;
    if (!reply)
        reply = &unused;
    if (reply_len > sizeof(reply->data))
        return EF_INVALID;
    for (;;) {
        const uint8_t *frame;
        size_t len;
        size_t body_len;
        enum ef_err err = ef_link_receive(esp->link, deadline, &frame, &len);
        if (err != EF_OK)
            return err;
        watch_reply(esp, frame, len);
        if (!parse_header(frame, len, op, &body_len)) {
            if (ef_deadline_left_ms(deadline) == 0)
                return EF_TIMEOUT;
            continue;
        }
        reply->value = ef_le32(frame + 4);
        reply->data_len = 0;
        return parse_body(esp, op, frame + HEADER_LEN, body_len, reply_len, reply);
    }
}

enum ef_err ef_command(struct ef_esp *esp, enum ef_op op, const uint8_t *payload,
                       size_t payload_len, uint32_t checksum, size_t reply_len, int timeout_ms,
                       struct ef_reply *reply)
{
    int wire_ms = ef_link_wire_ms(esp->link, payload_len + reply_len);
    ef_deadline deadline = ef_deadline_in((int64_t)timeout_ms + wire_ms);
    enum ef_err err = ef_command_send(esp, op, payload, payload_len, checksum, deadline);
    if (err != EF_OK)
        return err;
    return ef_command_receive(esp, op, reply_len, deadline, reply);
}

/*
 * What is there before the command is sent answers an earlier one. A reply does not name its
 * register: one that came twice, or late, would be taken for the next register's, and the next
 * one's for the one behind it.
 */
static enum ef_err pass_over_stale(struct ef_esp *esp)
{
    const uint8_t *frame;
    size_t len;
    enum ef_err err = EF_OK;
    for (int i = 0; i < STALE_MAX && (err == EF_OK || err == EF_FRAMING); i++) {
        err = ef_link_receive(esp->link, ef_deadline_in(0), &frame, &len);
        if (err == EF_OK)
            watch_reply(esp, frame, len);
    }
    return err == EF_GONE ? err : EF_OK;
}

static enum ef_err register_command(struct ef_esp *esp, enum ef_op op, const uint8_t *payload,
                                    size_t len, struct ef_reply *reply)
{
    enum ef_err err = EF_OK;
    for (int i = 0; i < REGISTER_TRIES; i++) {
        err = pass_over_stale(esp);
        if (err == EF_OK)
            err = ef_command(esp, op, payload, len, 0, 0, EF_COMMAND_TIMEOUT_MS / REGISTER_TRIES,
                             reply);
        if (err != EF_TIMEOUT && err != EF_FRAMING)
            break;
        ef_command_drain(esp, 20);
    }
    if (err != EF_OK)
        ef_log(esp->log, EF_LOG_DEBUG, "%s %08x: %s", ef_command_name(op),
               (unsigned)ef_le32(payload), ef_err_text(err));
    return err;
}

enum ef_err ef_command_read_reg(struct ef_esp *esp, uint32_t addr, uint32_t *value)
{
    uint8_t payload[4];
    struct ef_reply reply;
    ef_put_le32(payload, addr);
    enum ef_err err = register_command(esp, EF_OP_READ_REG, payload, sizeof(payload), &reply);
    if (err == EF_OK)
        *value = reply.value;
    return err;
}

enum ef_err ef_command_write_reg(struct ef_esp *esp, uint32_t addr, uint32_t value)
{
    uint8_t payload[16];
    ef_put_le32(payload, addr);
    ef_put_le32(payload + 4, value);
    ef_put_le32(payload + 8, UINT32_MAX); /* mask: every bit */
    ef_put_le32(payload + 12, 0);         /* delay: none */
    return register_command(esp, EF_OP_WRITE_REG, payload, sizeof(payload), NULL);
}
