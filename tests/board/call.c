#include "call.h"

#include "board_state.h"
#include "flash.h"

#include "espflashfs/bytes.h"
#include "espflashfs/command.h"

#include <string.h>

enum {
    STATUS_MAX = 4,
    WRITE_REG_LEN = 16,
    READ_REG_LEN = 4,
    BAUD_LEN = 8,
    PARAMS_LEN = 24,
    MD5_LEN = 16,
    BAUD_MAX = 5000000,
    STUB_ROOM = 0x10000
};

static const char *const RESULT_TEXTS[EB_RESULT_COUNT] = {
    [EB_OK] = "fine",
    [EB_BAD_LENGTH] = "wrong length",
    [EB_BAD_CHECKSUM] = "wrong checksum",
    [EB_BAD_BLOCK_SIZE] = "block too large",
    [EB_BAD_SEQUENCE] = "wrong sequence number",
    [EB_NOT_STARTED] = "no begin before it",
    [EB_TOO_MUCH] = "more data than announced",
    [EB_UNFINISHED] = "data is missing",
    [EB_OUT_OF_RANGE] = "out of the flash's range",
    [EB_MISALIGNED] = "not aligned to a sector",
    [EB_NOT_ATTACHED] = "the flash is not attached",
    [EB_FLASH_FAILED] = "programming failed",
    [EB_BAD_DEFLATE] = "damaged deflate stream",
    [EB_BAD_ENTRY] = "entry point outside of what was uploaded",
    [EB_BAD_VALUE] = "wrong argument",
    [EB_UNKNOWN] = "unknown command",
    [EB_GUARDED] = "not in Secure Download Mode",
    [EB_UNSUPPORTED] = "not on this chip",
    [EB_LEAVES_LOADER] = "FLASH_END leaves a ROM's loader",
    [EB_INJECTED] = "injected",
};

enum eb_result eb_call_parse(struct eb_call *call, const uint8_t *frame, size_t len)
{
    *call = (struct eb_call){0};
    if (len < EB_CALL_HEADER_LEN || frame[0] != 0)
        return EB_BAD_VALUE;
    call->op = frame[1];
    call->len = ef_le16(frame + 2);
    call->checksum = ef_le32(frame + 4);
    call->payload = frame + EB_CALL_HEADER_LEN;
    return len == (size_t)call->len + EB_CALL_HEADER_LEN ? EB_OK : EB_BAD_LENGTH;
}

enum eb_result eb_call_run(struct eb_board *board, struct eb_call *call,
                           const struct eb_command *commands, size_t count, unsigned has)
{
    board->counters.commands++;
    board->counters.ops[call->op]++;
    board->changed = true;
    switch (eb_faults_command(&board->faults, call->op)) {
    case EB_REFUSE:
        eb_event(&board->log, "FAULT command 0x%02x rejected", call->op);
        return EB_INJECTED;
    case EB_SAY_YES:
        eb_event(&board->log, "FAULT command 0x%02x answered, and not done", call->op);
        return EB_OK;
    case EB_RESTART:
        eb_event(&board->log, "FAULT reset at command 0x%02x", call->op);
        eb_board_restart(board, board->cpu_ns);
        return EB_INJECTED;
    case EB_RUN:
        break;
    }
    bool secure = (board->config.security & EB_SECURITY_DOWNLOAD) != 0;
    if (secure && board->mode == EB_MODE_ROM && !eb_security_allows(call->op))
        return EB_GUARDED;
    for (size_t i = 0; i < count; i++) {
        if (commands[i].op == call->op && (commands[i].needs & ~has) == 0)
            return commands[i].run(board, call);
    }
    return EB_UNKNOWN;
}

void eb_call_log(struct eb_board *board, const struct eb_call *call, enum eb_result result,
                 uint64_t rejects_before)
{
    if (result == EB_OK || result == EB_INJECTED || board->counters.rejects != rejects_before)
        return;
    /* Every host asks GET_SECURITY_INFO first, to tell chips apart. */
    if (call->op == EF_OP_GET_SECURITY_INFO && (result == EB_UNKNOWN || result == EB_UNSUPPORTED))
        return;
    /* Nor is there another way to tell an ESP32-S2 in Secure Download Mode. */
    if (result == EB_GUARDED && call->op == EF_OP_READ_REG && call->len == READ_REG_LEN &&
        ef_le32(call->payload) == EB_CHIP_MAGIC_ADDR)
        return;
    eb_reject(board, "command 0x%02x, %u bytes: %s", call->op, call->len, RESULT_TEXTS[result]);
}

void eb_call_reply(struct eb_board *board, uint8_t op, uint32_t value, const struct eb_call *call,
                   const uint8_t *status, size_t status_len)
{
    uint8_t frame[EB_CALL_HEADER_LEN + EB_REPLY_DATA_MAX + STATUS_MAX];
    size_t data_len = call ? call->data_len : 0;
    frame[0] = 1;
    frame[1] = op;
    ef_put_le16(frame + 2, (uint16_t)(data_len + status_len));
    ef_put_le32(frame + 4, value);
    if (data_len > 0)
        memcpy(frame + EB_CALL_HEADER_LEN, call->data, data_len);
    memcpy(frame + EB_CALL_HEADER_LEN + data_len, status, status_len);
    eb_uart_send_frame(board, frame, EB_CALL_HEADER_LEN + data_len + status_len);
}

enum eb_result eb_call_read_reg(struct eb_board *board, struct eb_call *call)
{
    if (call->len != READ_REG_LEN)
        return EB_BAD_LENGTH;
    call->value = eb_registers_read(&board->regs, ef_le32(call->payload));
    return EB_OK;
}

enum eb_result eb_call_write_reg(struct eb_board *board, struct eb_call *call)
{
    if (call->len == 0 || call->len % WRITE_REG_LEN != 0)
        return EB_BAD_LENGTH;
    for (const uint8_t *p = call->payload; p < call->payload + call->len; p += WRITE_REG_LEN) {
        uint32_t addr = ef_le32(p);
        uint32_t mask = ef_le32(p + 8);
        uint32_t kept = eb_registers_read(&board->regs, addr) & ~mask;
        board->cpu_ns += (int64_t)ef_le32(p + 12) * 1000;
        if (!eb_watchdog_unlocked(board, addr)) {
            eb_event(&board->log, "LOST write to 0x%08x: a watchdog's key is missing", addr);
            continue;
        }
        if (!eb_registers_write(&board->regs, addr, (ef_le32(p + 4) & mask) | kept))
            return EB_TOO_MUCH;
    }
    return EB_OK;
}

enum eb_result eb_call_mem_begin(struct eb_board *board, struct eb_call *call)
{
    uint32_t max_block = board->config.usb == EB_USB_OTG ? EB_USB_OTG_BLOCK : EB_RAM_BLOCK;
    return eb_ram_begin(&board->ram, call->payload, call->len, max_block);
}

enum eb_result eb_call_mem_data(struct eb_board *board, struct eb_call *call)
{
    return eb_ram_data(&board->ram, call->payload, call->len, call->checksum);
}

static enum eb_result run_uploaded(struct eb_board *board, struct eb_call *call)
{
    const struct eb_config *config = &board->config;
    uint32_t entry = ef_le32(call->payload + 4);
    uint32_t start = eb_chip_stub_start(config->chip, config->variant);
    eb_event(&board->log, "UPLOADED %u bytes, entry 0x%08x", board->ram.uploaded, entry);
    bool elsewhere = start != 0 && (entry < start || entry - start >= STUB_ROOM);
    if (elsewhere || (config->variant && config->variant->stub_dies)) {
        eb_reject(board, "a stub that does not run on this revision: entry 0x%08x", entry);
        eb_board_hang(board);
        return EB_OK;
    }
    eb_board_start_stub(board);
    return EB_OK;
}

enum eb_result eb_call_mem_end(struct eb_board *board, struct eb_call *call)
{
    bool run;
    enum eb_result result = eb_ram_end(&board->ram, call->payload, call->len, &run);
    if (result == EB_OK && run)
        call->after = run_uploaded;
    return result;
}

static enum eb_result switch_baud(struct eb_board *board, struct eb_call *call)
{
    const struct eb_config *config = &board->config;
    uint64_t baud = ef_le32(call->payload);
    /* A ROM that takes its crystal for another sets a divider that is off by as much. */
    if (board->mode == EB_MODE_ROM && config->chip->rom_crystal_hz != 0)
        baud =
            baud * eb_chip_crystal_hz(config->chip, config->variant) / config->chip->rom_crystal_hz;
    eb_cpu_wait(board, board->uart.tx_free_ns);
    eb_uart_set_baud(board, (uint32_t)baud);
    return EB_OK;
}

enum eb_result eb_call_change_baud(struct eb_board *board, struct eb_call *call)
{
    if (call->len != BAUD_LEN)
        return EB_BAD_LENGTH;
    uint32_t baud = ef_le32(call->payload);
    if (baud == 0 || baud > BAUD_MAX)
        return EB_BAD_VALUE;
    /* A ROM is told 0 for the old baud, a stub the old baud itself. */
    if (board->mode == EB_MODE_ROM && ef_le32(call->payload + 4) != 0)
        return EB_BAD_VALUE;
    call->after = switch_baud;
    return EB_OK;
}

enum eb_result eb_call_security_info(struct eb_board *board, struct eb_call *call)
{
    if (call->len != 0)
        return EB_BAD_LENGTH;
    const struct eb_chip *chip = board->config.chip;
    if ((chip->rom_has & EB_ROM_SECURITY_INFO) == 0)
        return EB_UNSUPPORTED;
    eb_security_info(chip, board->config.security, call->data);
    call->data_len = chip->security_len;
    return EB_OK;
}

enum eb_result eb_call_spi_params(const struct eb_call *call, uint32_t *size)
{
    if (call->len != PARAMS_LEN)
        return EB_BAD_LENGTH;
    const uint8_t *p = call->payload;
    if (ef_le32(p + 4) == 0 || ef_le32(p + 8) != EB_NOR_BLOCK || ef_le32(p + 12) != EB_NOR_SECTOR ||
        ef_le32(p + 16) != EB_NOR_PAGE)
        return EB_BAD_VALUE;
    *size = ef_le32(p + 4);
    return EB_OK;
}

enum eb_result eb_call_md5(struct eb_board *board, struct eb_call *call, uint32_t believed,
                           uint8_t digest[16])
{
    if (call->len != MD5_LEN)
        return EB_BAD_LENGTH;
    uint32_t addr = ef_le32(call->payload);
    uint32_t len = ef_le32(call->payload + 4);
    if (!ef_range_fits(addr, len, believed))
        return EB_OUT_OF_RANGE;
    return eb_flash_md5(board, addr, len, digest);
}
