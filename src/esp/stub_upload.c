#include "espflashfs/stub.h"

#include "espflashfs/bytes.h"
#include "espflashfs/session.h"

#include <inttypes.h>
#include <string.h>

enum {
    RAM_BLOCK = 0x1800,
    DATA_HEADER_LEN = 16,
    SEGMENT_TRIES = 3,
    SYNC_TRIES = 5,
    QUIET_MS = 50,
    GREETING_TIMEOUT_MS = 3000,
    BITS_PER_BYTE_ON_LINE = 10,
    ROM_WRONG_CHECKSUM = 0x07
};

static const uint8_t GREETING[4] = {'O', 'H', 'A', 'I'};

struct segment {
    const char *name;
    const uint8_t *bytes;
    size_t len;
    uint32_t start;
};

/* The usual time, and what the line needs for a frame of which every byte is escaped. */
static int block_timeout_ms(const struct ef_esp *esp)
{
    uint32_t baud = esp->link->line->baud;
    if (baud == 0)
        return 2 * EF_COMMAND_TIMEOUT_MS;
    uint64_t bits = UINT64_C(2) * (DATA_HEADER_LEN + RAM_BLOCK) * BITS_PER_BYTE_ON_LINE;
    return EF_COMMAND_TIMEOUT_MS + (int)(bits * 1000 / baud);
}

static enum ef_err send_block(struct ef_esp *esp, const uint8_t *bytes, size_t len, uint32_t seq,
                              struct ef_reply *reply)
{
    uint8_t payload[DATA_HEADER_LEN + RAM_BLOCK] = {0};
    ef_put_le32(payload, (uint32_t)len);
    ef_put_le32(payload + 4, seq);
    memcpy(payload + DATA_HEADER_LEN, bytes, len);
    return ef_command(esp, EF_OP_MEM_DATA, payload, DATA_HEADER_LEN + len,
                      ef_command_checksum(bytes, len), 0, block_timeout_ms(esp), reply);
}

static enum ef_err send_segment(struct ef_esp *esp, const struct segment *segment,
                                struct ef_reply *reply)
{
    size_t block = esp->ram_block ? ef_min_u32(esp->ram_block, RAM_BLOCK) : RAM_BLOCK;
    size_t blocks = (segment->len + block - 1) / block;
    uint8_t payload[16];
    ef_put_le32(payload, (uint32_t)segment->len);
    ef_put_le32(payload + 4, (uint32_t)blocks);
    ef_put_le32(payload + 8, (uint32_t)block);
    ef_put_le32(payload + 12, segment->start);
    enum ef_err err = ef_command(esp, EF_OP_MEM_BEGIN, payload, sizeof(payload), 0, 0,
                                 EF_COMMAND_TIMEOUT_MS, reply);
    for (size_t i = 0; i < blocks && err == EF_OK; i++) {
        size_t at = i * block;
        size_t len = segment->len - at < block ? segment->len - at : block;
        err = send_block(esp, segment->bytes + at, len, (uint32_t)i, reply);
    }
    return err;
}

static enum ef_err sync_again(struct ef_esp *esp)
{
    enum ef_err err = ef_command_drain(esp, QUIET_MS);
    return err == EF_OK ? ef_esp_sync(esp, SYNC_TRIES) : err;
}

/* MEM_BEGIN starts a segment over, whatever became of the blocks before: safe to repeat. */
static enum ef_err upload_segment(struct ef_esp *esp, const struct segment *segment)
{
    enum ef_err err = EF_OK;
    for (int attempt = 1; segment->len > 0 && attempt <= SEGMENT_TRIES; attempt++) {
        struct ef_reply reply = {0};
        err = send_segment(esp, segment, &reply);
        bool damaged = err == EF_TIMEOUT || err == EF_FRAMING ||
                       (err == EF_REJECTED && reply.status[1] == ROM_WRONG_CHECKSUM);
        if (err == EF_OK)
            return EF_OK;
        ef_log(esp->log, damaged && attempt < SEGMENT_TRIES ? EF_LOG_INFO : EF_LOG_ERROR,
               "stub upload: %s at 0x%08" PRIx32 ", attempt %d: %s (status %02x %02x)",
               segment->name, segment->start, attempt, ef_err_text(err), reply.status[0],
               reply.status[1]);
        if (!damaged)
            return err;
        enum ef_err synced = sync_again(esp);
        if (synced != EF_OK)
            return synced;
    }
    return err;
}

/*
 * The ROM's reply to MEM_END may be cut short by the stub that takes the UART over, so only
 * a refusal in it counts.
 */
static enum ef_err start(struct ef_esp *esp, uint32_t entry)
{
    uint8_t payload[8] = {0};
    ef_put_le32(payload + 4, entry);
    ef_deadline deadline = ef_deadline_in(GREETING_TIMEOUT_MS);
    enum ef_err err = ef_command_send(esp, EF_OP_MEM_END, payload, sizeof(payload), 0, deadline);
    while (err == EF_OK) {
        const uint8_t *frame;
        size_t len;
        err = ef_link_receive(esp->link, deadline, &frame, &len);
        if (err == EF_OK && len == sizeof(GREETING) && memcmp(frame, GREETING, len) == 0) {
            esp->stub = true;
            return EF_OK;
        }
        if (err == EF_OK && len >= 10 && frame[0] == 0x01 && frame[1] == EF_OP_MEM_END &&
            frame[8] != 0) {
            ef_log(esp->log, EF_LOG_ERROR,
                   "stub upload: the ROM refuses to start 0x%08" PRIx32 " (status %02x %02x)",
                   entry, frame[8], frame[9]);
            return EF_REJECTED;
        }
        if (err == EF_OK || err == EF_FRAMING)
            err = ef_deadline_left_ms(deadline) > 0 ? EF_OK : EF_TIMEOUT;
    }
    if (err == EF_TIMEOUT && sync_again(esp) == EF_OK && esp->stub) {
        ef_log(esp->log, EF_LOG_INFO, "stub upload: the greeting got lost, but the stub answers");
        return EF_OK;
    }
    ef_log(esp->log, EF_LOG_ERROR, "stub upload: no greeting from the stub at 0x%08" PRIx32 ": %s",
           entry, ef_err_text(err));
    return err;
}

enum ef_err ef_stub_upload(struct ef_esp *esp, const struct ef_stub *stub)
{
    if (esp->stub)
        return EF_INVALID;
    const struct segment segments[] = {
        {"text", stub->text, stub->text_len, stub->text_start},
        {"data", stub->data, stub->data_len, stub->data_start},
    };
    for (size_t i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
        enum ef_err err = upload_segment(esp, &segments[i]);
        if (err != EF_OK)
            return err;
    }
    return start(esp, stub->entry);
}
