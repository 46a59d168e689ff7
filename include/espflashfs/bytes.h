/* Fixed-width integers in byte buffers, and checked sizes. Any thread, never blocks. */
#ifndef ESPFLASHFS_BYTES_H
#define ESPFLASHFS_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline uint16_t ef_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (uint16_t)(p[1] << 8));
}

static inline uint32_t ef_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline void ef_put_le16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void ef_put_le32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

/* In network order. */
static inline uint32_t ef_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static inline void ef_put_be32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static inline uint32_t ef_min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* `align` is a power of two. */
static inline uint32_t ef_align_down(uint32_t v, uint32_t align)
{
    return v & ~(align - 1U);
}

/* True if [addr, addr+len) lies inside [0, size). */
static inline bool ef_range_fits(uint64_t addr, uint64_t len, uint64_t size)
{
    return addr <= size && len <= size - addr;
}

/* True if every one of the `len` bytes reads as erased NOR flash (0xFF). */
bool ef_bytes_blank(const uint8_t *p, size_t len);

#endif
