/* What runs when the board is not in download mode: it prints, and hears nothing. */
#include "board_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { APP_BAUD = 115200, ESP8266_ROM_BAUD = 74880 };

static const int64_t LINE_EVERY_NS = 500LL * 1000 * 1000;

static void print(struct eb_board *board, uint32_t baud, const char *text)
{
    eb_uart_send_at(board, baud, (const uint8_t *)text, strlen(text));
}

/* The ESP8266's ROM means 115200 and a crystal of 40 MHz; with the usual 26 MHz it is this. */
static uint32_t rom_baud(const struct eb_board *board)
{
    return (board->config.chip->rom_has & EB_ROM_FLASH) != 0 ? APP_BAUD : ESP8266_ROM_BAUD;
}

void eb_rom_greet(struct eb_board *board)
{
    bool esp8266 = (board->config.chip->rom_has & EB_ROM_FLASH) == 0;
    print(board, rom_baud(board),
          esp8266 ? "\r\n ets Jan  8 2013,rst cause:2, boot mode:(1,6)\r\n\r\n"
                  : "rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT)\r\nwaiting for download\r\n");
}

void eb_firmware_boot(struct eb_board *board)
{
    print(board, rom_baud(board), board->config.chip->boot_log);
    print(board, APP_BAUD,
          "I (31) boot: ESP-IDF 2nd stage bootloader\r\n"
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
    print(board, APP_BAUD, line);
    board->firmware_ns += LINE_EVERY_NS;
    return true;
}
