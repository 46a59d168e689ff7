#include "flash.h"

#include "board_state.h"

#include "espflashfs/bytes.h"

#include <nettle/md5.h>

/* W25Q32JV, typical, and the rate at which a chip digests. */
static const int64_t SECTOR_ERASE_NS = 45LL * 1000 * 1000;
static const int64_t BLOCK_ERASE_NS = 150LL * 1000 * 1000;
static const int64_t CHIP_ERASE_NS = 10LL * 1000 * 1000 * 1000;
static const int64_t PAGE_PROGRAM_NS = 400LL * 1000;
static const int64_t MD5_NS_PER_KIB = 976563;

static void start_operation(struct eb_board *board, int64_t ns)
{
    eb_cpu_wait(board, board->flash_busy_ns);
    if (board->config.real_flash_timing)
        board->flash_busy_ns = board->cpu_ns + ns;
    board->changed = true;
}

/*
 * What goes out to the flash: three bytes, unless the loader knows to send four. So past 16
 * MiB the flash starts again at 0.
 */
static uint32_t sent_addr(struct eb_board *board, uint32_t addr, const char *what)
{
    bool four = board->mode == EB_MODE_STUB && board->config.chip->stub_4_byte;
    if (four || addr < EB_FLASH_3_BYTES)
        return addr;
    eb_reject(board, "%s at 0x%x: this loader sends 3 bytes of it", what, addr);
    return addr % EB_FLASH_3_BYTES;
}

static void wait_ready(struct eb_board *board)
{
    eb_cpu_wait(board, board->flash_busy_ns);
}

enum eb_result eb_flash_erase_next(struct eb_board *board, uint32_t *addr, uint32_t *remaining)
{
    bool block = *addr % EB_NOR_BLOCK == 0 && *remaining >= EB_NOR_BLOCK;
    uint32_t len = block ? EB_NOR_BLOCK : EB_NOR_SECTOR;
    start_operation(board, block ? BLOCK_ERASE_NS : SECTOR_ERASE_NS);
    uint32_t at = sent_addr(board, *addr, "erase");
    enum eb_result result =
        block ? eb_nor_erase_block(&board->nor, at) : eb_nor_erase_sector(&board->nor, at);
    if (result != EB_OK) {
        eb_reject(board, "erase of 0x%x bytes at 0x%x: %s", len, *addr,
                  result == EB_MISALIGNED ? "misaligned" : "past the flash's end");
        return result;
    }
    *addr += len;
    *remaining -= ef_min_u32(len, *remaining);
    return EB_OK;
}

enum eb_result eb_flash_erase(struct eb_board *board, uint32_t addr, uint32_t len)
{
    while (len > 0) {
        enum eb_result result = eb_flash_erase_next(board, &addr, &len);
        if (result != EB_OK)
            return result;
    }
    wait_ready(board);
    return EB_OK;
}

void eb_flash_erase_chip(struct eb_board *board)
{
    start_operation(board, CHIP_ERASE_NS);
    eb_nor_erase_chip(&board->nor);
    wait_ready(board);
}

enum eb_result eb_flash_program(struct eb_board *board, uint32_t addr, const uint8_t *data,
                                uint32_t len)
{
    uint64_t pages = board->nor.programs;
    uint32_t bad_addr;
    wait_ready(board);
    addr = sent_addr(board, addr, "program");
    enum eb_result result = eb_nor_program(&board->nor, addr, data, len, &bad_addr);
    start_operation(board, (int64_t)(board->nor.programs - pages) * PAGE_PROGRAM_NS);
    wait_ready(board);
    if (result == EB_FLASH_FAILED)
        eb_reject(board, "program at 0x%x: a bit would go from 0 to 1 without an erase", bad_addr);
    else if (result != EB_OK)
        eb_reject(board, "program of 0x%x bytes at 0x%x: past the flash's end", len, addr);
    return result;
}

enum eb_result eb_flash_read(struct eb_board *board, uint32_t addr, uint8_t *out, uint32_t len)
{
    wait_ready(board);
    addr = sent_addr(board, addr, "read");
    enum eb_result result = eb_nor_read(&board->nor, addr, out, len);
    if (result != EB_OK)
        eb_reject(board, "read of 0x%x bytes at 0x%x: past the flash's end", len, addr);
    return result;
}

enum eb_result eb_flash_md5(struct eb_board *board, uint32_t addr, uint32_t len, uint8_t digest[16])
{
    struct md5_ctx md5;
    uint8_t chunk[EB_NOR_SECTOR];
    uint32_t total = len;
    md5_init(&md5);
    while (len > 0) {
        uint32_t n = ef_min_u32(len, sizeof(chunk));
        enum eb_result result = eb_flash_read(board, addr, chunk, n);
        if (result != EB_OK)
            return result;
        md5_update(&md5, n, chunk);
        addr += n;
        len -= n;
    }
    md5_digest(&md5, MD5_DIGEST_SIZE, digest);
    if (board->config.real_flash_timing)
        board->cpu_ns += (int64_t)total * MD5_NS_PER_KIB / 1024;
    board->counters.md5s++;
    return EB_OK;
}
