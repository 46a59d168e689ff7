/*
 * A boot loader at the far end of a line that is no device: it answers while it is written
 * to, and a read with nothing to read times out at once, so that no test waits. It knows
 * synchronisation, registers, the flash id through the SPI controller, security
 * information and uploads to RAM, and can be told to misbehave.
 */
#ifndef EF_TEST_FAKE_LOADER_H
#define EF_TEST_FAKE_LOADER_H

#include "espflashfs/bytes.h"
#include "espflashfs/chip.h"

#include <stdlib.h>
#include <string.h>

enum { FAKE_REGS = 64, FAKE_SEGMENTS = 8, FAKE_SEGMENT_MAX = 0x10000, FAKE_OPS = 1024 };

struct fake_reg {
    uint32_t addr, value;
};

struct fake_segment {
    uint32_t start, size, blocks, block_size, seen, len;
    uint8_t bytes[FAKE_SEGMENT_MAX];
};

struct fake_loader {
    struct ef_line line; /* first: the line's functions get this address */
    struct ef_link link;
    struct ef_esp esp;

    /* What it is; set by the test. */
    uint8_t rom_status; /* status bytes of its ROM */
    bool stub;
    size_t security_len; /* 0: does not know the command, 12 (ESP32-S2), 20 */
    uint8_t security[20];
    bool no_registers; /* Secure Download Mode */
    struct ef_spi_regs spi;
    uint32_t flash_id;
    bool spi_stays_busy;
    bool no_greeting;
    bool dead_after_mem_end;
    bool takes_flash; /* knows FLASH_BEGIN and FLASH_END, and does nothing */
    bool reboots;     /* an older stub: FLASH_END of 0 leads back to the ROM */

    /* Misbehaviour: the next `lose` requests of `lose_op` get no answer, ... */
    enum ef_op lose_op, refuse_op;
    unsigned lose, refuse;
    uint8_t refuse_status;

    /* What it saw. */
    uint8_t ops[FAKE_OPS];
    size_t op_count;
    struct fake_segment segments[FAKE_SEGMENTS];
    size_t segment_count;
    uint32_t entry;

    struct fake_reg regs[FAKE_REGS];
    size_t reg_count;
    bool dead;
    uint8_t last_op;
    uint32_t last_value;
    struct ef_slip_decoder slip;
    uint8_t frame[0x8000], out[0x10000];
    size_t out_len, out_pos;
};

static inline void fake_set(struct fake_loader *fake, uint32_t addr, uint32_t value)
{
    for (size_t i = 0; i < fake->reg_count; i++) {
        if (fake->regs[i].addr == addr) {
            fake->regs[i].value = value;
            return;
        }
    }
    if (fake->reg_count == FAKE_REGS)
        abort();
    fake->regs[fake->reg_count++] = (struct fake_reg){addr, value};
}

static inline uint32_t fake_get(const struct fake_loader *fake, uint32_t addr)
{
    for (size_t i = 0; i < fake->reg_count; i++) {
        if (fake->regs[i].addr == addr)
            return fake->regs[i].value;
    }
    return 0;
}

static inline size_t fake_op_seen(const struct fake_loader *fake, enum ef_op op)
{
    size_t seen = 0;
    for (size_t i = 0; i < fake->op_count; i++)
        seen += fake->ops[i] == (uint8_t)op;
    return seen;
}

static inline void fake_emit(struct fake_loader *fake, const uint8_t *frame, size_t len)
{
    if (fake->out_len + ef_slip_encoded_max(len) > sizeof(fake->out))
        abort();
    fake->out_len += ef_slip_encode(fake->out + fake->out_len, frame, len);
}

static inline void fake_reply(struct fake_loader *fake, uint8_t op, uint32_t value,
                              const uint8_t *data, size_t data_len, uint8_t status, uint8_t why)
{
    uint8_t frame[8 + 64 + 4] = {0x01, op};
    size_t status_len = fake->stub ? 2 : fake->rom_status;
    ef_put_le16(frame + 2, (uint16_t)(data_len + status_len));
    ef_put_le32(frame + 4, value);
    if (data_len > 0)
        memcpy(frame + 8, data, data_len);
    frame[8 + data_len] = status;
    frame[9 + data_len] = why;
    fake_emit(fake, frame, 8 + data_len + status_len);
    fake->last_op = op;
    fake->last_value = value;
}

/* A ROM says eight times that it does not know, under the command before; a stub once. */
static inline void fake_unknown(struct fake_loader *fake, uint8_t op)
{
    if (fake->stub) {
        fake_reply(fake, op, 0, NULL, 0, 0xFF, 0x00);
        return;
    }
    for (int i = 0; i < 8; i++)
        fake_reply(fake, fake->last_op, fake->last_value, NULL, 0, 0x01, 0x05);
}

static inline void fake_done(struct fake_loader *fake, uint8_t op, uint8_t why)
{
    uint32_t value = fake->stub ? 0 : fake->last_value;
    fake_reply(fake, op, value, NULL, 0, why ? 1 : 0, why);
}

static inline void fake_spi_run(struct fake_loader *fake)
{
    uint32_t base = fake->spi.base;
    uint32_t bits = fake->spi.miso_dlen ? fake_get(fake, base + fake->spi.miso_dlen) + 1
                                        : (fake_get(fake, base + fake->spi.usr1) >> 8 & 0x1FF) + 1;
    bool right = fake_get(fake, base + fake->spi.usr) == 0x90000000 &&
                 fake_get(fake, base + fake->spi.usr2) == 0x7000009F && bits == 24 &&
                 fake_get(fake, base + fake->spi.w0) == 0;
    fake_set(fake, base + fake->spi.w0, right ? fake->flash_id : 0xDEADBEEF);
    fake_set(fake, base, fake->spi_stays_busy ? UINT32_C(1) << 18 : 0);
}

static inline void fake_registers(struct fake_loader *fake, uint8_t op, const uint8_t *payload,
                                  size_t len)
{
    size_t want = op == EF_OP_READ_REG ? 4 : 16;
    if (fake->no_registers) {
        fake_unknown(fake, op);
    } else if (len != want) {
        fake_done(fake, op, 0x05);
    } else if (op == EF_OP_READ_REG) {
        fake_reply(fake, op, fake_get(fake, ef_le32(payload)), NULL, 0, 0, 0);
    } else {
        uint32_t mask = ef_le32(payload + 8);
        uint32_t old = fake_get(fake, ef_le32(payload));
        fake_set(fake, ef_le32(payload), (old & ~mask) | (ef_le32(payload + 4) & mask));
        if (fake->spi.base != 0 && ef_le32(payload) == fake->spi.base &&
            (ef_le32(payload + 4) >> 18 & 1))
            fake_spi_run(fake);
        fake_done(fake, op, 0);
    }
}

static inline uint8_t fake_mem_data(struct fake_loader *fake, const uint8_t *payload, size_t len,
                                    uint32_t checksum)
{
    if (len < 16 || fake->segment_count == 0 || ef_le32(payload) != len - 16)
        return 0x05;
    struct fake_segment *segment = &fake->segments[fake->segment_count - 1];
    size_t data_len = len - 16;
    if (ef_le32(payload + 4) != segment->seen || segment->seen >= segment->blocks ||
        data_len > segment->block_size || segment->len + data_len > segment->size)
        return 0x05;
    if (ef_command_checksum(payload + 16, data_len) != checksum)
        return 0x07;
    memcpy(segment->bytes + segment->len, payload + 16, data_len);
    segment->len += (uint32_t)data_len;
    segment->seen++;
    return 0;
}

static inline void fake_mem(struct fake_loader *fake, uint8_t op, const uint8_t *payload,
                            size_t len, uint32_t checksum)
{
    static const uint8_t OHAI[] = {'O', 'H', 'A', 'I'};
    if (op == EF_OP_MEM_DATA) {
        fake_done(fake, op, fake_mem_data(fake, payload, len, checksum));
    } else if (op == EF_OP_MEM_BEGIN) {
        bool good = len == 16 && fake->segment_count < FAKE_SEGMENTS &&
                    ef_le32(payload) <= FAKE_SEGMENT_MAX;
        if (good)
            fake->segments[fake->segment_count++] =
                (struct fake_segment){.size = ef_le32(payload),
                                      .blocks = ef_le32(payload + 4),
                                      .block_size = ef_le32(payload + 8),
                                      .start = ef_le32(payload + 12)};
        fake_done(fake, op, good ? 0 : 0x05);
    } else if (len != 8) {
        fake_done(fake, op, 0x05);
    } else {
        fake->entry = ef_le32(payload + 4);
        fake_done(fake, op, 0);
        fake->stub = ef_le32(payload) == 0;
        fake->dead = fake->dead_after_mem_end;
        if (fake->stub && !fake->no_greeting && !fake->dead)
            fake_emit(fake, OHAI, sizeof(OHAI));
    }
}

static inline void fake_command(struct fake_loader *fake, const uint8_t *frame, size_t len)
{
    if (len < 8 || frame[0] != 0 || ef_le16(frame + 2) != len - 8 || fake->dead)
        return;
    uint8_t op = frame[1];
    if (fake->op_count < FAKE_OPS)
        fake->ops[fake->op_count++] = op;
    if (fake->lose > 0 && op == (uint8_t)fake->lose_op) {
        fake->lose--;
        return;
    }
    if (fake->refuse > 0 && op == (uint8_t)fake->refuse_op) {
        fake->refuse--;
        fake_done(fake, op, fake->refuse_status);
        return;
    }
    switch (op) {
    case EF_OP_SYNC:
        for (int i = 0; i < 8; i++)
            fake_reply(fake, op, fake->stub ? 0 : 0x20120707, NULL, 0, 0, 0);
        break;
    case EF_OP_READ_REG:
    case EF_OP_WRITE_REG:
        fake_registers(fake, op, frame + 8, len - 8);
        break;
    case EF_OP_MEM_BEGIN:
    case EF_OP_MEM_DATA:
    case EF_OP_MEM_END:
        fake_mem(fake, op, frame + 8, len - 8, ef_le32(frame + 4));
        break;
    case EF_OP_GET_SECURITY_INFO:
        if (fake->security_len > 0)
            fake_reply(fake, op, fake->last_value, fake->security, fake->security_len, 0, 0);
        else
            fake_unknown(fake, op);
        break;
    case EF_OP_FLASH_BEGIN:
    case EF_OP_FLASH_END:
        if (!fake->takes_flash) {
            fake_unknown(fake, op);
            break;
        }
        fake_done(fake, op, 0);
        if (op == EF_OP_FLASH_END && ef_le32(frame + 8) == 0 && fake->reboots)
            fake->stub = false;
        break;
    default:
        fake_unknown(fake, op);
        break;
    }
}

static inline enum ef_err fake_read(struct ef_line *line, uint8_t *buf, size_t cap,
                                    ef_deadline deadline, size_t *got)
{
    struct fake_loader *fake = (struct fake_loader *)line;
    (void)deadline;
    size_t left = fake->out_len - fake->out_pos;
    if (left == 0)
        return EF_TIMEOUT;
    *got = left < cap ? left : cap;
    memcpy(buf, fake->out + fake->out_pos, *got);
    fake->out_pos += *got;
    if (fake->out_pos == fake->out_len)
        fake->out_pos = fake->out_len = 0;
    return EF_OK;
}

static inline enum ef_err fake_write(struct ef_line *line, const uint8_t *buf, size_t len,
                                     ef_deadline deadline)
{
    struct fake_loader *fake = (struct fake_loader *)line;
    (void)deadline;
    for (size_t at = 0, used; at < len; at += used) {
        if (ef_slip_decode(&fake->slip, buf + at, len - at, &used) == EF_SLIP_FRAME)
            fake_command(fake, fake->slip.buf, fake->slip.len);
    }
    return EF_OK;
}

/* A loader of `chip`, or of an unknown one where it is NULL. Free with free(). */
static inline struct fake_loader *fake_new(const struct ef_chip *chip)
{
    static const struct ef_line_ops OPS = {.read = fake_read, .write = fake_write};
    struct fake_loader *fake = calloc(1, sizeof(*fake));
    if (!fake)
        abort();
    fake->line = (struct ef_line){.ops = &OPS, .name = "fake", .kind = "fake", .baud = 115200};
    ef_link_init(&fake->link, &fake->line);
    ef_slip_decoder_init(&fake->slip, fake->frame, sizeof(fake->frame));
    fake->rom_status = chip ? chip->rom_status_bytes : 4;
    fake->last_op = EF_OP_SYNC;
    fake->last_value = 0x20120707;
    fake->flash_id = 0x1640C8;
    if (chip) {
        fake->spi = chip->spi;
        fake_set(fake, 0x40001000, chip->magic ? chip->magic : 0x1B31506F);
        fake->security_len = chip->security_chip_id >= 0 ? 20 : 0;
        if (chip->id == EF_CHIP_ESP32S2)
            fake->security_len = 12;
        if (chip->security_chip_id >= 0)
            ef_put_le32(fake->security + 12, (uint32_t)chip->security_chip_id);
    }
    fake->esp = (struct ef_esp){.link = &fake->link, .rom_status = fake->rom_status};
    return fake;
}

#endif
