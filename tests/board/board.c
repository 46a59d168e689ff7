#include "board.h"

#include "board_state.h"

#include "espflashfs/slip.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BAUD = 115200, ROM_BELIEVED_SIZE = 2 << 20, UART_FIFO = 128 };

static const int64_t NS_PER_BYTE_AT_1_BAUD = 10LL * 1000 * 1000 * 1000;

void eb_reject(struct eb_board *board, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    eb_event_v(&board->log, "REJECT ", format, args);
    va_end(args);
    board->counters.rejects++;
    board->changed = true;
}

void eb_cpu_wait(struct eb_board *board, int64_t until_ns)
{
    if (until_ns > board->cpu_ns)
        board->cpu_ns = until_ns;
}

static void set_rate(struct eb_board *board, uint32_t baud)
{
    board->uart.baud = baud;
    board->faults.baud = baud;
    board->uart.byte_ns = board->config.real_line_rate ? NS_PER_BYTE_AT_1_BAUD / baud : 0;
}

void eb_uart_set_baud(struct eb_board *board, uint32_t baud)
{
    const struct eb_chip *chip = board->config.chip;
    uint32_t clock_hz =
        eb_chip_crystal_hz(chip, board->config.variant) * chip->uart_clocks_per_crystal;
    set_rate(board, baud);
    eb_registers_write(&board->regs, chip->clkdiv_addr, clock_hz / baud);
    eb_event(&board->log, "BAUD %u", baud);
}

static void transmit(struct eb_board *board, const uint8_t *bytes, size_t len)
{
    struct eb_uart *uart = &board->uart;
    if (len == 0 || board->nor.powerless || board->mode == EB_MODE_HELD)
        return;
    int64_t start_ns = uart->tx_free_ns > board->cpu_ns ? uart->tx_free_ns : board->cpu_ns;
    uart->tx_free_ns = start_ns + (int64_t)len * uart->byte_ns;
    board->counters.bytes_out += len;
    board->config.outlet(board->config.outlet_ctx, bytes, len, start_ns, uart->byte_ns);
}

static void transmit_through_faults(struct eb_board *board, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        struct eb_fault_effect effect = eb_faults_byte(&board->faults, EB_OUT, bytes[i]);
        if (effect.delay_ms > 0) {
            eb_cpu_wait(board, board->uart.tx_free_ns);
            board->uart.tx_free_ns = board->cpu_ns + (int64_t)effect.delay_ms * 1000000;
        }
        transmit(board, effect.bytes, effect.len);
    }
}

void eb_uart_send(struct eb_board *board, const uint8_t *bytes, size_t len)
{
    if (board->faults.touches_bytes[EB_OUT])
        transmit_through_faults(board, bytes, len);
    else
        transmit(board, bytes, len);
    eb_cpu_wait(board, board->uart.tx_free_ns - UART_FIFO * board->uart.byte_ns);
    board->counters.damaged = board->faults.damaged;
    board->changed = true;
}

void eb_uart_send_at(struct eb_board *board, uint32_t baud, const uint8_t *bytes, size_t len)
{
    uint32_t in_force = board->uart.baud;
    set_rate(board, baud);
    eb_uart_send(board, bytes, len);
    set_rate(board, in_force);
}

void eb_uart_send_frame(struct eb_board *board, const uint8_t *payload, size_t len)
{
    uint8_t encoded[2 * EB_FRAME_CAP + 2];
    eb_uart_send(board, encoded, ef_slip_encode(encoded, payload, len));
}

void eb_board_start_stub(struct eb_board *board)
{
    static const uint8_t GREETING[4] = {'O', 'H', 'A', 'I'};
    eb_receiver_init(&board->rx);
    eb_rom_input_init(&board->rom.input);
    eb_stub_read_drop(board);
    board->stub.deferred = 0;
    board->stub.believed = board->nor.claim;
    board->regs.attached = true;
    board->mode = EB_MODE_STUB;
    eb_event(&board->log, "STUB started");
    eb_uart_send_frame(board, GREETING, sizeof(GREETING));
}

void eb_board_hang(struct eb_board *board)
{
    board->mode = EB_MODE_FIRMWARE;
    board->firmware_ns = EB_NEVER;
}

void eb_board_start_firmware(struct eb_board *board)
{
    board->mode = EB_MODE_FIRMWARE;
    eb_event(&board->log, "FIRMWARE started");
    eb_firmware_boot(board);
}

static uint32_t id_of_size(uint32_t size)
{
    uint32_t exponent = 0;
    while ((1U << exponent) < size)
        exponent++;
    return exponent << 16 | 0x40C8; /* as the transcripts' GD25Q32 */
}

/* What an id promises, 0 where its size byte says nothing. */
static uint32_t size_of_id(uint32_t id)
{
    uint32_t code = id >> 16 & 0xFF;
    if (code >= 0x12 && code <= 0x1C)
        return 1U << code;
    if (code >= 0x20 && code <= 0x22)
        return 1U << (code + 6);
    if (code >= 0x32 && code <= 0x3A)
        return 1U << (code - 0x20);
    return 0;
}

static uint32_t flash_id(const struct eb_config *config)
{
    const struct eb_variant *variant = config->variant;
    if (config->has_flash_id)
        return config->flash_id;
    if (variant && variant->flash_id != 0 && size_of_id(variant->flash_id) == config->flash_size)
        return variant->flash_id;
    return id_of_size(config->flash_size);
}

static void preset_registers(struct eb_board *board)
{
    const struct eb_config *config = &board->config;
    const struct eb_chip *chip = config->chip;
    const struct eb_variant *variant = config->variant;
    eb_registers_init(&board->regs, &chip->spi, flash_id(config));
    eb_chip_preset(chip, variant, &board->regs, config->has_mac ? config->mac : chip->mac);
    uint32_t uart_no_addr =
        variant && variant->uart_no_addr != 0 ? variant->uart_no_addr : chip->uart_no.addr;
    if (uart_no_addr != 0)
        eb_registers_write(&board->regs, uart_no_addr, chip->uart_no.value[config->usb]);
    if (variant)
        board->regs.power = variant->power;
    eb_security_preset(chip, config->security, &board->regs);
    for (size_t i = 0; i < config->efuse_count; i++)
        eb_registers_write(&board->regs, config->efuses[i].addr, config->efuses[i].value);
    eb_watchdog_arm(board);
}

static void start_rom(struct eb_board *board)
{
    const struct eb_config *config = &board->config;
    uint32_t id = flash_id(config);
    if (size_of_id(id) > board->nor.claim)
        board->nor.claim = size_of_id(id);
    if (config->flash_size > board->nor.claim)
        board->nor.claim = config->flash_size;
    preset_registers(board);
    eb_uart_set_baud(board, FIRST_BAUD);
    eb_rom_input_init(&board->rom.input);
    eb_receiver_init(&board->rx);
    board->rom.believed =
        (config->chip->rom_has & EB_ROM_FLASH) != 0 ? ROM_BELIEVED_SIZE : board->nor.claim;
    board->stub.believed = board->nor.claim;
    board->mode = EB_MODE_ROM;
}

void eb_board_boot(struct eb_board *board, bool download, int64_t at_ns)
{
    eb_stub_read_drop(board);
    eb_download_close(&board->download);
    memset(&board->rom, 0, sizeof(board->rom));
    memset(&board->stub, 0, sizeof(board->stub));
    eb_ram_clear(&board->ram);
    board->cpu_ns = at_ns;
    board->uart.tx_free_ns = at_ns;
    board->firmware_ns = EB_NEVER;
    board->firmware_line = 0;
    start_rom(board);
    if (download)
        eb_rom_greet(board);
    else
        eb_board_start_firmware(board);
    board->changed = true;
}

struct eb_board *eb_board_new(const struct eb_config *config, char *why)
{
    struct eb_board *board = calloc(1, sizeof(*board));
    if (!board)
        return NULL;
    uint32_t size = config->real_size != 0 ? config->real_size : config->flash_size;
    if (eb_nor_open(&board->nor, config->flash_path, size, why, EB_WHY_CAP) < 0) {
        free(board);
        return NULL;
    }
    board->config = *config;
    board->faults = config->faults;
    board->log = config->log;
    board->firmware_ns = EB_NEVER;
    board->circuit.boot_ns = EB_NEVER;
    board->changed = true;
    if (config->pulse_fd > 0)
        board->nor.pulse_fd = config->pulse_fd;
    for (size_t i = 0; i < board->faults.count; i++)
        if (board->faults.list[i].kind == EB_FAULT_POWER)
            eb_nor_fail_power(&board->nor, board->faults.list[i].index,
                              eb_faults_random(&board->faults));
    start_rom(board);
    if (config->firmware)
        board->mode = EB_MODE_FIRMWARE;
    return board;
}

void eb_board_free(struct eb_board *board)
{
    if (!board)
        return;
    eb_stub_read_drop(board);
    eb_download_close(&board->download);
    eb_nor_close(&board->nor);
    eb_event_log_close(&board->log);
    free(board);
}

static void feed(struct eb_board *board, uint8_t byte, int64_t now_ns)
{
    board->counters.bytes_in++;
    if (board->mode == EB_MODE_ROM) {
        if (!eb_rom_input_byte(&board->rom.input, byte, now_ns))
            eb_event(&board->log, "DAMAGED or surplus frame dropped");
    } else if (board->mode == EB_MODE_STUB) {
        uint64_t lost = board->rx.lost_ends;
        eb_receiver_byte(&board->rx, byte, now_ns);
        if (board->rx.lost_ends != lost)
            eb_event(&board->log, "LOST a frame: both buffers are held");
    }
}

void eb_board_input(struct eb_board *board, const uint8_t *bytes, size_t len, int64_t now_ns)
{
    for (size_t i = 0; i < len; i++) {
        eb_board_advance(board, now_ns);
        feed(board, bytes[i], now_ns);
    }
    eb_board_advance(board, now_ns);
    board->counters.damaged = board->faults.damaged;
    board->changed = true;
}

static bool step(struct eb_board *board, int64_t now_ns)
{
    if (board->nor.powerless)
        return false;
    switch (board->mode) {
    case EB_MODE_ROM:
        return eb_rom_step(board, now_ns);
    case EB_MODE_STUB:
        return eb_stub_step(board, now_ns);
    case EB_MODE_HELD:
        return eb_circuit_step(board, now_ns);
    case EB_MODE_FIRMWARE:
        break;
    }
    return eb_firmware_step(board, now_ns);
}

static int64_t next_ns(const struct eb_board *board)
{
    if (board->nor.powerless)
        return EB_NEVER;
    switch (board->mode) {
    case EB_MODE_ROM:
        return eb_rom_next_ns(board);
    case EB_MODE_STUB:
        return eb_stub_next_ns(board);
    case EB_MODE_HELD:
        return board->circuit.boot_ns;
    case EB_MODE_FIRMWARE:
        break;
    }
    return board->firmware_ns;
}

int64_t eb_board_advance(struct eb_board *board, int64_t now_ns)
{
    int64_t watchdog_ns = eb_watchdog_run(board, now_ns);
    while (step(board, now_ns)) {
    }
    int64_t next = next_ns(board);
    return watchdog_ns < next ? watchdog_ns : next;
}

int64_t eb_board_watchdog_ns(const struct eb_board *board)
{
    return board->watchdog_ns;
}

void eb_board_connected(struct eb_board *board, int64_t now_ns)
{
    eb_event(&board->log, "CONNECTED");
    if (board->mode == EB_MODE_FIRMWARE) {
        eb_cpu_wait(board, now_ns);
        eb_firmware_boot(board);
    }
}

void eb_board_hung_up(struct eb_board *board, int64_t now_ns)
{
    eb_board_advance(board, now_ns);
    eb_event(&board->log, "HUNG UP");
    board->firmware_ns = EB_NEVER;
}

uint32_t eb_board_baud(const struct eb_board *board)
{
    return board->uart.baud;
}

int64_t eb_board_byte_ns(const struct eb_board *board)
{
    return board->uart.byte_ns;
}

enum eb_mode eb_board_mode(const struct eb_board *board)
{
    return board->mode;
}

const struct eb_counters *eb_board_counters(const struct eb_board *board)
{
    return &board->counters;
}

const struct eb_nor *eb_board_nor(const struct eb_board *board)
{
    return &board->nor;
}

struct eb_nor *eb_board_nor_to_fill(struct eb_board *board)
{
    return &board->nor;
}

struct eb_faults *eb_board_faults(struct eb_board *board)
{
    return &board->faults;
}

struct eb_event_log *eb_board_log(struct eb_board *board)
{
    return &board->log;
}

bool eb_board_powerless(const struct eb_board *board)
{
    return board->nor.powerless;
}

bool eb_board_take_changed(struct eb_board *board)
{
    bool changed = board->changed;
    board->changed = false;
    return changed;
}
