#include "images.h"

#include <string.h>

enum { SECTOR = 4096, PER_BLOCK = 16 };

void sw_image_bytes(uint8_t *bytes, size_t len, uint32_t seed)
{
    uint32_t x = seed * 2654435761U + 1;
    for (size_t i = 0; i < len; i++) {
        x = x * 1664525U + 1013904223U;
        bytes[i] = (uint8_t)(x >> 24);
    }
}

void sw_image_old(uint8_t *bytes, uint32_t size)
{
    for (uint32_t s = 0; s < size / SECTOR; s++) {
        uint8_t *sector = bytes + (size_t)s * SECTOR;
        if (s % 11 == 5)
            memset(sector, 0xFF, SECTOR);
        else if (s % 11 == 8)
            memset(sector, (int)s, SECTOR);
        else
            sw_image_bytes(sector, SECTOR, s);
    }
}

void sw_image_new(uint8_t *bytes, uint32_t size)
{
    sw_image_old(bytes, size);
    for (uint32_t s = 0; s < size / SECTOR; s++) {
        uint8_t *sector = bytes + (size_t)s * SECTOR;
        uint32_t i = s % PER_BLOCK;
        switch (s / PER_BLOCK % 4) {
        case 0:
            if (i % 4 == 3)
                memset(sector, 0xFF, SECTOR);
            else
                sw_image_bytes(sector, SECTOR, 1000 + s);
            break;
        case 1:
            if (i == 3 || i == 9)
                sw_image_bytes(sector, SECTOR, 1000 + s);
            break;
        case 2:
            memset(sector, 0xFF, SECTOR);
            break;
        default:
            if (i % 2 != 0)
                memset(sector + 100, 0x42, 1000);
            break;
        }
    }
}
