/*
 * Espressif's current flasher stub, by the behaviour of its public sources. Errors of
 * work that is done after the reply come with the next command, which is not run then.
 */
#include "board_state.h"
#include "call.h"
#include "flash.h"

#include "espflashfs/bytes.h"
#include "espflashfs/command.h"

#include <string.h>

enum {
    STATUS_LEN = 2,
    SYNC_LEN = 36,
    SYNC_REPLIES = 8,
    END_LEN = 4,
    ATTACH_LEN = 4,
    ERASE_REGION_LEN = 8,
    READ_LEN = 16,
    STUB_BLOCK = 0x4000,
    OP_RUN_USER_CODE = 0xD3
};

/* As they stand in a reply, high byte first. */
enum {
    STUB_BAD_LENGTH = 0xC000,
    STUB_BAD_CHECKSUM = 0xC100,
    STUB_BAD_BLOCK_SIZE = 0xC200,
    STUB_BAD_COMMAND = 0xC300,
    STUB_FLASH_FAILED = 0xC400,
    STUB_NOT_IN_FLASH_MODE = 0xC600,
    STUB_BAD_DEFLATE = 0xC700,
    STUB_TOO_MUCH = 0xC900,
    STUB_NOT_IMPLEMENTED = 0xFF00
};

static uint16_t code_of(enum eb_result result)
{
    switch (result) {
    case EB_OK:
        return 0;
    case EB_BAD_CHECKSUM:
        return STUB_BAD_CHECKSUM;
    case EB_BAD_BLOCK_SIZE:
        return STUB_BAD_BLOCK_SIZE;
    case EB_BAD_SEQUENCE:
    case EB_NOT_STARTED:
        return STUB_NOT_IN_FLASH_MODE;
    case EB_TOO_MUCH:
        return STUB_TOO_MUCH;
    case EB_BAD_DEFLATE:
        return STUB_BAD_DEFLATE;
    case EB_UNKNOWN:
        return STUB_BAD_COMMAND;
    case EB_UNSUPPORTED:
        return STUB_NOT_IMPLEMENTED;
    case EB_OUT_OF_RANGE:
    case EB_FLASH_FAILED:
    case EB_BAD_ENTRY:
    case EB_INJECTED:
        return STUB_FLASH_FAILED;
    default:
        return STUB_BAD_LENGTH;
    }
}

static void reply(struct eb_board *board, const struct eb_call *call, uint16_t code)
{
    uint8_t status[STATUS_LEN] = {(uint8_t)(code >> 8), (uint8_t)code};
    eb_call_reply(board, call->op, code == 0 ? call->value : 0, code == 0 ? call : NULL, status,
                  sizeof(status));
}

/* Its value word is 0: by that, a host knows a stub from a ROM. */
static enum eb_result stub_sync(struct eb_board *board, struct eb_call *call)
{
    if (call->len != SYNC_LEN)
        return EB_BAD_LENGTH;
    for (int i = 1; i < SYNC_REPLIES; i++)
        reply(board, call, 0);
    return EB_OK;
}

static enum eb_result begin(struct eb_board *board, struct eb_call *call, bool compressed)
{
    struct eb_download *dl = &board->download;
    uint32_t max_block = board->config.usb == EB_USB_OTG ? EB_USB_OTG_BLOCK : STUB_BLOCK;
    enum eb_result result =
        eb_download_begin(dl, call->payload, call->len, compressed, 0, max_block);
    if (result == EB_OK && !ef_range_fits(dl->offset, dl->size, board->stub.believed))
        result = EB_OUT_OF_RANGE;
    if (result == EB_OK)
        result = eb_download_erase_lazily(board);
    if (result != EB_OK)
        dl->active = false;
    return result;
}

static enum eb_result stub_flash_begin(struct eb_board *board, struct eb_call *call)
{
    return begin(board, call, false);
}

static enum eb_result stub_defl_begin(struct eb_board *board, struct eb_call *call)
{
    return begin(board, call, true);
}

static enum eb_result write_data(struct eb_board *board, struct eb_call *call)
{
    return eb_download_write(board, call->payload, call->len);
}

static enum eb_result data(struct eb_board *board, struct eb_call *call, bool compressed)
{
    call->after = write_data;
    return eb_download_check(&board->download, call->payload, call->len, compressed,
                             call->checksum);
}

static enum eb_result stub_flash_data(struct eb_board *board, struct eb_call *call)
{
    return data(board, call, false);
}

static enum eb_result stub_defl_data(struct eb_board *board, struct eb_call *call)
{
    return data(board, call, true);
}

/* Either END closes either kind of download; the word that asks for a reboot does nothing. */
static enum eb_result stub_end(struct eb_board *board, struct eb_call *call)
{
    if (call->len != END_LEN)
        return EB_BAD_LENGTH;
    if (!board->download.active)
        return EB_NOT_STARTED;
    if (board->download.remaining != 0)
        return EB_UNFINISHED;
    eb_download_close(&board->download);
    return EB_OK;
}

static enum eb_result stub_spi_attach(struct eb_board *board, struct eb_call *call)
{
    (void)board;
    return call->len == ATTACH_LEN ? EB_OK : EB_BAD_LENGTH;
}

static enum eb_result stub_spi_set_params(struct eb_board *board, struct eb_call *call)
{
    return eb_call_spi_params(call, &board->stub.believed);
}

static enum eb_result stub_md5(struct eb_board *board, struct eb_call *call)
{
    call->data_len = 16;
    return eb_call_md5(board, call, board->stub.believed, call->data);
}

static enum eb_result stub_erase_flash(struct eb_board *board, struct eb_call *call)
{
    (void)call;
    eb_flash_erase_chip(board);
    return EB_OK;
}

static enum eb_result stub_erase_region(struct eb_board *board, struct eb_call *call)
{
    if (call->len != ERASE_REGION_LEN)
        return EB_BAD_LENGTH;
    uint32_t addr = ef_le32(call->payload);
    uint32_t len = ef_le32(call->payload + 4);
    if (addr % EB_NOR_SECTOR != 0 || len % EB_NOR_SECTOR != 0)
        return EB_MISALIGNED;
    if (!ef_range_fits(addr, len, board->stub.believed))
        return EB_OUT_OF_RANGE;
    return eb_flash_erase(board, addr, len);
}

static enum eb_result start_read(struct eb_board *board, struct eb_call *call)
{
    return eb_stub_read_begin(board, call->payload);
}

static enum eb_result stub_read_flash(struct eb_board *board, struct eb_call *call)
{
    (void)board;
    if (call->len != READ_LEN)
        return EB_BAD_LENGTH;
    call->after = start_read;
    return EB_OK;
}

static const struct eb_command STUB_COMMANDS[] = {
    {EF_OP_FLASH_BEGIN, 0, stub_flash_begin},
    {EF_OP_FLASH_DATA, 0, stub_flash_data},
    {EF_OP_FLASH_END, 0, stub_end},
    {EF_OP_MEM_BEGIN, 0, eb_call_mem_begin},
    {EF_OP_MEM_DATA, 0, eb_call_mem_data},
    {EF_OP_MEM_END, 0, eb_call_mem_end},
    {EF_OP_SYNC, 0, stub_sync},
    {EF_OP_WRITE_REG, 0, eb_call_write_reg},
    {EF_OP_READ_REG, 0, eb_call_read_reg},
    {EF_OP_SPI_SET_PARAMS, 0, stub_spi_set_params},
    {EF_OP_SPI_ATTACH, 0, stub_spi_attach},
    {EF_OP_CHANGE_BAUDRATE, 0, eb_call_change_baud},
    {EF_OP_FLASH_DEFL_BEGIN, 0, stub_defl_begin},
    {EF_OP_FLASH_DEFL_DATA, 0, stub_defl_data},
    {EF_OP_FLASH_DEFL_END, 0, stub_end},
    {EF_OP_SPI_FLASH_MD5, 0, stub_md5},
    {EF_OP_GET_SECURITY_INFO, 0, eb_call_security_info},
    {EF_OP_ERASE_FLASH, 0, stub_erase_flash},
    {EF_OP_ERASE_REGION, 0, stub_erase_region},
    {EF_OP_READ_FLASH, 0, stub_read_flash},
};

static void run(struct eb_board *board, struct eb_call *call)
{
    uint64_t rejects = board->counters.rejects;
    enum eb_result result =
        eb_call_run(board, call, STUB_COMMANDS, sizeof(STUB_COMMANDS) / sizeof(STUB_COMMANDS[0]),
                    board->config.chip->rom_has);
    eb_call_log(board, call, result, rejects);
    reply(board, call, code_of(result));
    if (result != EB_OK || !call->after)
        return;
    rejects = board->counters.rejects;
    result = call->after(board, call);
    eb_call_log(board, call, result, rejects);
    board->stub.deferred = code_of(result);
}

static void answer(struct eb_board *board, const struct eb_frame *frame)
{
    struct eb_call call;
    enum eb_result result = eb_call_parse(&call, frame->bytes, frame->len);
    if (result == EB_BAD_VALUE) {
        /* Judged by what the buffer holds, which may be an older frame's bytes. */
        eb_reject(board, "a frame of %zu bytes that is no command", frame->len);
        call.op = frame->bytes[1];
        reply(board, &call, frame->bytes[0] != 0 ? STUB_BAD_COMMAND : STUB_BAD_LENGTH);
    } else if (result != EB_OK) {
        eb_call_log(board, &call, result, board->counters.rejects);
        reply(board, &call, code_of(result));
    } else if (board->stub.deferred != 0) {
        uint16_t code = board->stub.deferred;
        board->stub.deferred = 0;
        eb_event(&board->log, "DEFERRED error 0x%04x answers command 0x%02x", code, call.op);
        reply(board, &call, code);
    } else if (call.op != OP_RUN_USER_CODE) { /* which has no reply, and no effect today */
        run(board, &call);
    }
}

bool eb_stub_step(struct eb_board *board, int64_t now_ns)
{
    if (board->cpu_ns > now_ns)
        return false;
    if (board->stub.read.active)
        return eb_stub_read_step(board, now_ns);
    if (eb_receiver_ready_ns(&board->rx) > now_ns)
        return false;
    const struct eb_frame *frame = eb_receiver_poll(&board->rx);
    if (!frame)
        return false;
    eb_cpu_wait(board, frame->at_ns);
    if (frame->damaged)
        eb_event(&board->log, "DAMAGED frame of %zu bytes dropped", frame->len);
    else
        answer(board, frame);
    eb_receiver_release(&board->rx);
    return true;
}

int64_t eb_stub_next_ns(const struct eb_board *board)
{
    int64_t ready_ns = eb_receiver_ready_ns(&board->rx);
    if (eb_stub_read_can_go_on(&board->stub.read))
        ready_ns = board->cpu_ns;
    return ready_ns > board->cpu_ns || ready_ns == EB_NEVER ? ready_ns : board->cpu_ns;
}
