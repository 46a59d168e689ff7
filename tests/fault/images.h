/* Contents of flashes, always the same. */
#ifndef SW_IMAGES_H
#define SW_IMAGES_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that do not compress. */
void sw_image_bytes(uint8_t *bytes, size_t len, uint32_t seed);

/* What a board holds: data, a few blank sectors, some of one byte. */
void sw_image_old(uint8_t *bytes, uint32_t size);

/*
 * What is restored to it. Of each four blocks: one that differs in every sector, data and blank
 * ones mixed; one that differs in two; a blank one; one that differs in every other sector.
 */
void sw_image_new(uint8_t *bytes, uint32_t size);

#endif
