/* The mask ROM's loader, as the transcripts of real ones show it. */
#include "board_state.h"
#include "call.h"
#include "flash.h"

#include "espflashfs/bytes.h"
#include "espflashfs/command.h"
#include "espflashfs/text.h"

#include <string.h>

enum {
    SYNC_LEN = 36,
    SYNC_REPLIES = 8,
    END_LEN = 4,
    ATTACH_LEN = 8,
    SLOW_READ_LEN = 8,
    SLOW_READ_BYTES = 64,
    ROM_BLOCK = 0x400,
    SECTORS_PER_BLOCK = 16
};

enum {
    ROM_BAD_MESSAGE = 0x05,
    ROM_FAILED = 0x06,
    ROM_BAD_CHECKSUM = 0x07,
    ROM_WRITE_FAILED = 0x08,
    ROM_BAD_DEFLATE = 0x0B
};

static uint8_t status_of(enum eb_result result)
{
    switch (result) {
    case EB_OK:
        return 0;
    case EB_BAD_LENGTH:
    case EB_UNKNOWN:
    case EB_GUARDED:
        return ROM_BAD_MESSAGE;
    case EB_BAD_CHECKSUM:
        return ROM_BAD_CHECKSUM;
    case EB_FLASH_FAILED:
        return ROM_WRITE_FAILED;
    case EB_BAD_DEFLATE:
        return ROM_BAD_DEFLATE;
    default:
        return ROM_FAILED;
    }
}

static void reply(struct eb_board *board, const struct eb_call *call, enum eb_result result)
{
    uint8_t status[4] = {result != EB_OK, status_of(result), 0, 0};
    eb_call_reply(board, board->rom.last_op, board->rom.last_value, result == EB_OK ? call : NULL,
                  status, board->config.chip->rom_status_len);
}

static enum eb_result rom_sync(struct eb_board *board, struct eb_call *call)
{
    static const uint8_t PREFIX[4] = {0x07, 0x07, 0x12, 0x20};
    if (call->len != SYNC_LEN || memcmp(call->payload, PREFIX, sizeof(PREFIX)) != 0)
        return EB_BAD_LENGTH;
    board->rom.last_value = ef_le32(call->payload);
    for (int i = 1; i < SYNC_REPLIES; i++)
        reply(board, call, EB_OK);
    return EB_OK;
}

static enum eb_result rom_read_reg(struct eb_board *board, struct eb_call *call)
{
    enum eb_result result = eb_call_read_reg(board, call);
    if (result == EB_OK)
        board->rom.last_value = call->value;
    return result;
}

static bool attached(const struct eb_board *board)
{
    return eb_registers_flash_answers(&board->regs);
}

static uint32_t erase_len(const struct eb_board *board, const struct eb_download *dl)
{
    uint32_t sectors = (dl->size + EB_NOR_SECTOR - 1) / EB_NOR_SECTOR;
    if ((board->config.chip->rom_has & EB_ROM_ERASE_BUG) != 0) {
        uint32_t first = dl->offset / EB_NOR_SECTOR;
        sectors += ef_min_u32(sectors, SECTORS_PER_BLOCK - first % SECTORS_PER_BLOCK);
    }
    return sectors * EB_NOR_SECTOR;
}

static enum eb_result begin(struct eb_board *board, struct eb_call *call, bool compressed)
{
    struct eb_download *dl = &board->download;
    unsigned has = board->config.chip->rom_has;
    uint32_t words = (has & EB_ROM_ENCRYPT_WORD) != 0 ? 5 : 4;
    if ((has & EB_ROM_FLASH) == 0)
        board->regs.attached = true; /* the ESP8266's way to attach its flash */
    enum eb_result result =
        eb_download_begin(dl, call->payload, call->len, compressed, words, ROM_BLOCK);
    if (result != EB_OK)
        return result;
    dl->active = false;
    if (!attached(board))
        return EB_NOT_ATTACHED;
    if (!ef_range_fits(dl->offset, dl->size, board->rom.believed))
        return EB_OUT_OF_RANGE;
    /* A ROM counts blocks; the ESP8266's size word is an erase size, not the data's. */
    if (!compressed)
        dl->remaining = dl->blocks * dl->block_size;
    result = eb_flash_erase(board, dl->offset, erase_len(board, dl));
    dl->active = result == EB_OK;
    return result;
}

static enum eb_result rom_flash_begin(struct eb_board *board, struct eb_call *call)
{
    return begin(board, call, false);
}

static enum eb_result rom_defl_begin(struct eb_board *board, struct eb_call *call)
{
    return begin(board, call, true);
}

static enum eb_result data(struct eb_board *board, struct eb_call *call, bool compressed)
{
    enum eb_result result =
        eb_download_check(&board->download, call->payload, call->len, compressed, call->checksum);
    return result == EB_OK ? eb_download_write(board, call->payload, call->len) : result;
}

static enum eb_result rom_flash_data(struct eb_board *board, struct eb_call *call)
{
    return data(board, call, false);
}

static enum eb_result rom_defl_data(struct eb_board *board, struct eb_call *call)
{
    return data(board, call, true);
}

static enum eb_result rom_end(struct eb_board *board, struct eb_call *call)
{
    (void)board;
    return call->len == END_LEN ? EB_LEAVES_LOADER : EB_BAD_LENGTH;
}

static enum eb_result rom_spi_attach(struct eb_board *board, struct eb_call *call)
{
    if (call->len != ATTACH_LEN)
        return EB_BAD_LENGTH;
    /* Wrong pins are no error, only nothing answers on them. */
    bool told_pads = (board->config.chip->rom_has & EB_ROM_TOLD_PADS) != 0;
    board->regs.attached = !told_pads || ef_le32(call->payload) == eb_chip_spi_pads(&board->regs);
    return EB_OK;
}

static enum eb_result rom_spi_set_params(struct eb_board *board, struct eb_call *call)
{
    return eb_call_spi_params(call, &board->rom.believed);
}

static enum eb_result rom_read_slow(struct eb_board *board, struct eb_call *call)
{
    if (call->len != SLOW_READ_LEN)
        return EB_BAD_LENGTH;
    uint32_t addr = ef_le32(call->payload);
    uint32_t len = ef_le32(call->payload + 4);
    if (len > SLOW_READ_BYTES)
        return EB_BAD_VALUE;
    if (!attached(board))
        return EB_NOT_ATTACHED;
    if (!ef_range_fits(addr, len, board->rom.believed))
        return EB_OUT_OF_RANGE;
    enum eb_result result = eb_flash_read(board, addr, board->rom.slow_read, len);
    if (result != EB_OK)
        return result;
    memcpy(call->data, board->rom.slow_read, SLOW_READ_BYTES);
    call->data_len = SLOW_READ_BYTES;
    board->counters.reads++;
    board->counters.read_bytes += len;
    return EB_OK;
}

static enum eb_result rom_md5(struct eb_board *board, struct eb_call *call)
{
    uint8_t digest[16];
    char hex[2 * sizeof(digest) + 1];
    if (!attached(board))
        return EB_NOT_ATTACHED;
    enum eb_result result = eb_call_md5(board, call, board->rom.believed, digest);
    if (result != EB_OK)
        return result;
    ef_text_hex(hex, digest, sizeof(digest));
    call->data_len = 2 * sizeof(digest);
    memcpy(call->data, hex, call->data_len);
    return EB_OK;
}

static const struct eb_command ROM_COMMANDS[] = {
    {EF_OP_FLASH_BEGIN, 0, rom_flash_begin},
    {EF_OP_FLASH_DATA, 0, rom_flash_data},
    {EF_OP_FLASH_END, 0, rom_end},
    {EF_OP_MEM_BEGIN, 0, eb_call_mem_begin},
    {EF_OP_MEM_DATA, 0, eb_call_mem_data},
    {EF_OP_MEM_END, 0, eb_call_mem_end},
    {EF_OP_SYNC, 0, rom_sync},
    {EF_OP_WRITE_REG, 0, eb_call_write_reg},
    {EF_OP_READ_REG, 0, rom_read_reg},
    {EF_OP_SPI_SET_PARAMS, EB_ROM_FLASH, rom_spi_set_params},
    {EF_OP_SPI_ATTACH, EB_ROM_FLASH, rom_spi_attach},
    {EF_OP_READ_FLASH_SLOW, EB_ROM_FLASH, rom_read_slow},
    {EF_OP_CHANGE_BAUDRATE, EB_ROM_FLASH, eb_call_change_baud},
    {EF_OP_FLASH_DEFL_BEGIN, EB_ROM_FLASH, rom_defl_begin},
    {EF_OP_FLASH_DEFL_DATA, EB_ROM_FLASH, rom_defl_data},
    {EF_OP_FLASH_DEFL_END, EB_ROM_FLASH, rom_end},
    {EF_OP_SPI_FLASH_MD5, EB_ROM_FLASH, rom_md5},
    {EF_OP_GET_SECURITY_INFO, EB_ROM_SECURITY_INFO, eb_call_security_info},
};

static void answer(struct eb_board *board, const struct eb_rom_frame *frame)
{
    struct eb_call call;
    uint64_t rejects = board->counters.rejects;
    uint8_t op_before = board->rom.last_op;
    enum eb_result result = eb_call_parse(&call, frame->bytes, frame->len);
    if (result == EB_BAD_VALUE) {
        eb_reject(board, "a frame of %zu bytes that is no command", frame->len);
        return;
    }
    board->rom.last_op = call.op;
    if (result == EB_OK)
        result =
            eb_call_run(board, &call, ROM_COMMANDS, sizeof(ROM_COMMANDS) / sizeof(ROM_COMMANDS[0]),
                        board->config.chip->rom_has);
    eb_call_log(board, &call, result, rejects);
    if (result == EB_UNKNOWN || result == EB_GUARDED) {
        /* Eight errors, that still carry the opcode of the command before. */
        board->rom.last_op = op_before;
        for (int i = 1; i < SYNC_REPLIES; i++)
            reply(board, &call, result);
    }
    reply(board, &call, result);
    if (result == EB_OK && call.after)
        call.after(board, &call);
    if (result == EB_LEAVES_LOADER)
        eb_board_start_firmware(board);
}

bool eb_rom_step(struct eb_board *board, int64_t now_ns)
{
    const struct eb_rom_frame *frame = eb_rom_input_first(&board->rom.input);
    if (!frame || frame->at_ns > now_ns || board->cpu_ns > now_ns)
        return false;
    eb_cpu_wait(board, frame->at_ns);
    answer(board, frame);
    /* A stub that was started has emptied the input. */
    if (eb_rom_input_first(&board->rom.input) == frame)
        eb_rom_input_drop(&board->rom.input);
    return true;
}

int64_t eb_rom_next_ns(const struct eb_board *board)
{
    const struct eb_rom_frame *frame = eb_rom_input_first(&board->rom.input);
    if (!frame)
        return EB_NEVER;
    return frame->at_ns > board->cpu_ns ? frame->at_ns : board->cpu_ns;
}
