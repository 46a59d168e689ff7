/* What runs when the board is not in download mode: it prints, and hears nothing. */
#include "board_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const int64_t LINE_EVERY_NS = 500LL * 1000 * 1000;

static void print(struct eb_board *board, const char *text)
{
    eb_uart_send(board, (const uint8_t *)text, strlen(text));
}

void eb_firmware_boot(struct eb_board *board)
{
    print(board, board->config.chip->boot_log);
    print(board, "I (31) boot: ESP-IDF 2nd stage bootloader\r\n"
                 "I (58) boot: Loaded app from partition at offset 0x10000\r\n");
    board->firmware_ns = board->cpu_ns + LINE_EVERY_NS;
}

bool eb_firmware_step(struct eb_board *board, int64_t now_ns)
{
    char line[64];
    if (board->firmware_ns > now_ns)
        return false;
    eb_cpu_wait(board, board->firmware_ns);
    snprintf(line, sizeof(line), "I (%" PRIu64 ") app: still here\r\n",
             ++board->firmware_line * 500);
    print(board, line);
    board->firmware_ns += LINE_EVERY_NS;
    return true;
}
