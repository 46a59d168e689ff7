#include "nor.h"

#include "dice.h"

#include "espflashfs/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int fill_new_file(int fd, uint32_t size)
{
    uint8_t blank[EB_NOR_SECTOR];
    memset(blank, 0xFF, sizeof(blank));
    for (uint32_t done = 0; done < size; done += (uint32_t)sizeof(blank)) {
        if (write(fd, blank, sizeof(blank)) != (ssize_t)sizeof(blank))
            return -1;
    }
    return 0;
}

static int open_file(const char *path, uint32_t size, char *why, size_t why_cap)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        snprintf(why, why_cap, "cannot open %s: %s", path, strerror(errno));
        goto out;
    }
    if (st.st_size == 0 && fill_new_file(fd, size) < 0) {
        snprintf(why, why_cap, "cannot fill %s: %s", path, strerror(errno));
        goto out;
    }
    if (st.st_size != 0 && st.st_size != (off_t)size) {
        snprintf(why, why_cap, "%s holds %jd bytes, but the flash is to have %u", path,
                 (intmax_t)st.st_size, size);
        goto out;
    }
    return fd;
out:
    if (fd >= 0)
        close(fd);
    return -1;
}

int eb_nor_open(struct eb_nor *nor, const char *path, uint32_t size, char *why, size_t why_cap)
{
    *nor = (struct eb_nor){.size = size, .claim = size, .pulse_fd = -1};
    if (size == 0 || size % EB_NOR_BLOCK != 0) {
        snprintf(why, why_cap, "a flash of %u bytes is not made of 64 KiB blocks", size);
        return -1;
    }
    int fd = -1;
    if (path) {
        fd = open_file(path, size, why, why_cap);
        if (fd < 0)
            return -1;
    }
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (fd >= 0)
        close(fd);
    nor->sectors = calloc(size / EB_NOR_SECTOR, sizeof(*nor->sectors));
    if (map == MAP_FAILED || !nor->sectors) {
        snprintf(why, why_cap, "cannot map the flash: %s", strerror(errno));
        if (map != MAP_FAILED)
            munmap(map, size);
        free(nor->sectors);
        nor->sectors = NULL;
        return -1;
    }
    nor->bytes = map;
    if (!path)
        memset(nor->bytes, 0xFF, size);
    return 0;
}

void eb_nor_close(struct eb_nor *nor)
{
    if (nor->bytes)
        munmap(nor->bytes, nor->size);
    free(nor->sectors);
    *nor = (struct eb_nor){0};
}

void eb_nor_fail_power(struct eb_nor *nor, uint64_t op, uint64_t seed)
{
    nor->powerless = false;
    nor->power_op = op == 0 ? 0 : nor->erase_ops + nor->programs + op;
    nor->dice = seed != 0 ? seed : 1;
}

/* Counts the operation that begins now, false if there is no power for all of it. */
static bool has_power(struct eb_nor *nor, uint64_t *count)
{
    (*count)++;
    if (nor->pulse_fd >= 0 && write(nor->pulse_fd, "", 1) != 1)
        nor->pulse_fd = -1; /* nobody is there to count */
    nor->powerless = nor->power_op != 0 && nor->erase_ops + nor->programs >= nor->power_op;
    return !nor->powerless;
}

/* Each bit is as it was or as it is to be. */
static uint8_t some_bits(struct eb_nor *nor, uint8_t from, uint8_t to)
{
    uint8_t picked = (uint8_t)(eb_dice_roll(&nor->dice) >> 32);
    return (uint8_t)((from & ~picked) | (to & picked));
}

static void tear_erase(struct eb_nor *nor, uint8_t *cells, uint32_t len)
{
    enum { NOT_BEGUN, CLEARING, ERASING, LAST_BITS, STAGES };
    uint64_t stage = eb_dice_roll(&nor->dice) % STAGES;
    if (stage == CLEARING || stage == ERASING)
        for (uint32_t i = 0; i < len; i++)
            cells[i] = some_bits(nor, cells[i], stage == CLEARING ? 0 : 0xFF);
    if (stage == LAST_BITS) {
        uint64_t last = eb_dice_roll(&nor->dice);
        memset(cells, 0xFF, len);
        cells[last % len] = (uint8_t) ~(1U << (last >> 32) % 8);
    }
}

static void tear_program(struct eb_nor *nor, uint8_t *cells, const uint8_t *data, uint32_t len)
{
    uint32_t whole = (uint32_t)(eb_dice_roll(&nor->dice) % (len + 1));
    memcpy(cells, data, whole);
    for (uint32_t i = whole; i < len; i++)
        cells[i] = some_bits(nor, cells[i], data[i]);
}

static enum eb_result erase(struct eb_nor *nor, uint32_t addr, uint32_t len)
{
    if (addr % len != 0)
        return EB_MISALIGNED;
    if (!ef_range_fits(addr, len, nor->claim))
        return EB_OUT_OF_RANGE;
    uint32_t real = addr % nor->size;
    if (nor->powerless)
        return EB_OK;
    if (has_power(nor, &nor->erase_ops))
        memset(nor->bytes + real, 0xFF, len);
    else
        tear_erase(nor, nor->bytes + real, len);
    for (uint32_t i = 0; i < len / EB_NOR_SECTOR; i++)
        nor->sectors[real / EB_NOR_SECTOR + i].erases++;
    nor->sector_erases += len / EB_NOR_SECTOR;
    return EB_OK;
}

enum eb_result eb_nor_erase_sector(struct eb_nor *nor, uint32_t addr)
{
    return erase(nor, addr, EB_NOR_SECTOR);
}

enum eb_result eb_nor_erase_block(struct eb_nor *nor, uint32_t addr)
{
    return erase(nor, addr, EB_NOR_BLOCK);
}

void eb_nor_erase_chip(struct eb_nor *nor)
{
    if (nor->powerless)
        return;
    if (has_power(nor, &nor->erase_ops))
        memset(nor->bytes, 0xFF, nor->size);
    else
        tear_erase(nor, nor->bytes, nor->size);
    for (uint32_t i = 0; i < nor->size / EB_NOR_SECTOR; i++)
        nor->sectors[i].erases++;
    nor->sector_erases += nor->size / EB_NOR_SECTOR;
}

static enum eb_result program_page(struct eb_nor *nor, uint32_t addr, const uint8_t *data,
                                   uint32_t len, uint32_t *bad_addr)
{
    uint32_t real = addr % nor->size;
    uint8_t *cells = nor->bytes + real;
    for (uint32_t i = 0; i < len; i++) {
        if ((data[i] & ~cells[i]) != 0) {
            *bad_addr = addr + i;
            return EB_FLASH_FAILED;
        }
    }
    if (has_power(nor, &nor->programs))
        memcpy(cells, data, len);
    else
        tear_program(nor, cells, data, len);
    nor->sectors[real / EB_NOR_SECTOR].programs++;
    return EB_OK;
}

enum eb_result eb_nor_program(struct eb_nor *nor, uint32_t addr, const uint8_t *data, uint32_t len,
                              uint32_t *bad_addr)
{
    *bad_addr = addr;
    if (!ef_range_fits(addr, len, nor->claim))
        return EB_OUT_OF_RANGE;
    while (len > 0 && !nor->powerless) {
        uint32_t n = ef_min_u32(len, EB_NOR_PAGE - addr % EB_NOR_PAGE);
        enum eb_result result = program_page(nor, addr, data, n, bad_addr);
        if (result != EB_OK)
            return result;
        addr += n;
        data += n;
        len -= n;
    }
    return EB_OK;
}

enum eb_result eb_nor_read(const struct eb_nor *nor, uint32_t addr, uint8_t *out, uint32_t len)
{
    if (!ef_range_fits(addr, len, nor->claim))
        return EB_OUT_OF_RANGE;
    while (len > 0) {
        uint32_t real = addr % nor->size;
        uint32_t n = ef_min_u32(len, nor->size - real);
        memcpy(out, nor->bytes + real, n);
        addr += n;
        out += n;
        len -= n;
    }
    return EB_OK;
}
