/*
 * What MEM_BEGIN, MEM_DATA and MEM_END laid into RAM: not the bytes, but enough to judge
 * sizes, sequence, checksums, and an entry point. One thread.
 */
#ifndef EB_RAM_H
#define EB_RAM_H

#include "result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EB_RAM_SEGMENTS = 8, EB_RAM_BLOCK = 0x1800, EB_USB_OTG_BLOCK = 0x800 };

struct eb_ram_segment {
    uint32_t start, len, received;
    uint32_t blocks, block_size, next_seq;
};

struct eb_ram {
    struct eb_ram_segment segments[EB_RAM_SEGMENTS]; /* the last one is being filled */
    size_t count;
    uint32_t uploaded; /* bytes of the segments, when they were last run */
};

void eb_ram_clear(struct eb_ram *ram);
/* Payloads as the serial protocol has them; `len` is the payload's. */
enum eb_result eb_ram_begin(struct eb_ram *ram, const uint8_t *payload, size_t len,
                            uint32_t max_block);
enum eb_result eb_ram_data(struct eb_ram *ram, const uint8_t *payload, size_t len,
                           uint32_t checksum);
/* *run: the loader is to jump to the entry point. */
enum eb_result eb_ram_end(struct eb_ram *ram, const uint8_t *payload, size_t len, bool *run);

/* 0xEF XOR-folded over `data`. */
uint32_t eb_checksum(const uint8_t *data, size_t len);

#endif
