#include "ram.h"

#include "espflashfs/bytes.h"

enum { BEGIN_LEN = 16, DATA_HEADER_LEN = 16, END_LEN = 8 };

uint32_t eb_checksum(const uint8_t *data, size_t len)
{
    uint32_t sum = 0xEF;
    for (size_t i = 0; i < len; i++)
        sum ^= data[i];
    return sum;
}

void eb_ram_clear(struct eb_ram *ram)
{
    ram->count = 0;
}

static struct eb_ram_segment *last_segment(struct eb_ram *ram)
{
    return ram->count != 0 ? &ram->segments[ram->count - 1] : NULL;
}

static bool finished(const struct eb_ram_segment *segment)
{
    return segment->received == segment->len;
}

enum eb_result eb_ram_begin(struct eb_ram *ram, const uint8_t *payload, size_t len,
                            uint32_t max_block)
{
    if (len != BEGIN_LEN)
        return EB_BAD_LENGTH;
    const struct eb_ram_segment *last = last_segment(ram);
    if (last && !finished(last))
        ram->count--; /* a host that starts over, after a lost reply */
    struct eb_ram_segment segment = {.len = ef_le32(payload),
                                     .blocks = ef_le32(payload + 4),
                                     .block_size = ef_le32(payload + 8),
                                     .start = ef_le32(payload + 12)};
    if (segment.block_size == 0 || segment.block_size > max_block)
        return EB_BAD_BLOCK_SIZE;
    if (segment.blocks != (segment.len + segment.block_size - 1) / segment.block_size)
        return EB_BAD_VALUE;
    if (ram->count == EB_RAM_SEGMENTS)
        return EB_TOO_MUCH;
    ram->segments[ram->count++] = segment;
    return EB_OK;
}

enum eb_result eb_ram_data(struct eb_ram *ram, const uint8_t *payload, size_t len,
                           uint32_t checksum)
{
    if (len < DATA_HEADER_LEN)
        return EB_BAD_LENGTH;
    uint32_t data_len = (uint32_t)(len - DATA_HEADER_LEN);
    struct eb_ram_segment *segment = last_segment(ram);
    if (!segment)
        return EB_NOT_STARTED;
    if (ef_le32(payload) != data_len)
        return EB_BAD_LENGTH;
    if (eb_checksum(payload + DATA_HEADER_LEN, data_len) != checksum)
        return EB_BAD_CHECKSUM;
    if (data_len > segment->block_size)
        return EB_BAD_BLOCK_SIZE;
    if (ef_le32(payload + 4) != segment->next_seq)
        return EB_BAD_SEQUENCE;
    if (data_len > segment->len - segment->received)
        return EB_TOO_MUCH;
    segment->received += data_len;
    segment->next_seq++;
    return EB_OK;
}

static bool holds(const struct eb_ram *ram, uint32_t addr)
{
    for (size_t i = 0; i < ram->count; i++) {
        const struct eb_ram_segment *segment = &ram->segments[i];
        if (addr >= segment->start && addr - segment->start < segment->len)
            return true;
    }
    return false;
}

enum eb_result eb_ram_end(struct eb_ram *ram, const uint8_t *payload, size_t len, bool *run)
{
    *run = false;
    if (len != END_LEN)
        return EB_BAD_LENGTH;
    const struct eb_ram_segment *last = last_segment(ram);
    if (!last)
        return EB_NOT_STARTED;
    if (!finished(last))
        return EB_UNFINISHED;
    if (ef_le32(payload) == 0) {
        if (!holds(ram, ef_le32(payload + 4)))
            return EB_BAD_ENTRY;
        *run = true;
        ram->uploaded = 0;
        for (size_t i = 0; i < ram->count; i++)
            ram->uploaded += ram->segments[i].len;
    }
    ram->count = 0;
    return EB_OK;
}
