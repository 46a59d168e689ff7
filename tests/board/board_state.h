/* What the parts of the board share: one struct for the chip's whole state. */
#ifndef EB_BOARD_STATE_H
#define EB_BOARD_STATE_H

#include "board.h"
#include "circuit.h"
#include "download.h"
#include "ram.h"
#include "receiver.h"
#include "registers.h"
#include "result.h"
#include "rom_input.h"
#include "watchdog.h"

struct eb_rom {
    struct eb_rom_input input;
    uint8_t last_op;       /* what replies to unknown commands repeat */
    uint32_t last_value;   /* the value word of every reply until SYNC or READ_REG sets it */
    uint32_t believed;     /* the flash size it goes by, until SPI_SET_PARAMS */
    uint8_t slow_read[64]; /* keeps the last answer's tail, which short reads show again */
};

struct eb_stub_read {
    bool active;
    uint32_t addr, remaining, total, packet;
    uint32_t sent, acked; /* bytes */
    uint32_t packets_sent, packets_acked;
    void *digest; /* struct md5_ctx, owned */
};

struct eb_stub {
    uint16_t deferred; /* the error that the next command will answer, 0 for none */
    uint32_t believed; /* flash size in bytes */
    struct eb_stub_read read;
};

struct eb_uart {
    uint32_t baud;
    int64_t byte_ns;
    int64_t tx_free_ns; /* when the last byte given to it will be out */
};

struct eb_board {
    struct eb_config config;
    enum eb_mode mode;
    struct eb_circuit_state circuit;
    struct eb_nor nor;
    struct eb_registers regs;
    struct eb_counters counters;
    struct eb_faults faults;
    struct eb_event_log log;
    struct eb_uart uart;
    struct eb_receiver rx; /* the stub's */
    struct eb_ram ram;
    struct eb_download download;
    struct eb_rom rom;
    struct eb_stub stub;
    int64_t cpu_ns;         /* the CPU's own time: busy until then */
    int64_t watchdog_ns;    /* when it resets the chip, EB_NEVER, or negative: not started */
    int64_t flash_busy_ns;  /* the flash is erasing or programming until then */
    int64_t firmware_ns;    /* when the firmware prints its next line */
    uint64_t firmware_line; /* how many it printed */
    bool changed;
};

/* Logs a REJECT line and counts it. */
void eb_reject(struct eb_board *board, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The chip's CPU waits until `until_ns`, if that is still to come. */
void eb_cpu_wait(struct eb_board *board, int64_t until_ns);

/* Switches the UART and its CLKDIV register. */
void eb_uart_set_baud(struct eb_board *board, uint32_t baud);

/* Sends bytes as they are; the CPU is held up to where the last 128 fit the FIFO. */
void eb_uart_send(struct eb_board *board, const uint8_t *bytes, size_t len);

/* The same at a baud of its own; the one in force stays. */
void eb_uart_send_at(struct eb_board *board, uint32_t baud, const uint8_t *bytes, size_t len);

/* Sends one SLIP frame of at most EB_FRAME_CAP bytes. */
void eb_uart_send_frame(struct eb_board *board, const uint8_t *payload, size_t len);

/* Its CPU runs into nothing that answers: a stub that is not for this chip. */
void eb_board_hang(struct eb_board *board);

/* The ROM is left for the stub just uploaded, or for the firmware. */
void eb_board_start_stub(struct eb_board *board);
void eb_board_start_firmware(struct eb_board *board);

/* EN has reached its threshold at `at_ns`: all but the flash's contents is as after power-on. */
void eb_board_boot(struct eb_board *board, bool download, int64_t at_ns);

/* Each runs one thing that is due by `now_ns`; false if nothing is. */
bool eb_rom_step(struct eb_board *board, int64_t now_ns);
bool eb_stub_step(struct eb_board *board, int64_t now_ns);
bool eb_firmware_step(struct eb_board *board, int64_t now_ns);
/* When the next thing will be due, EB_NEVER if it waits for the host. */
int64_t eb_rom_next_ns(const struct eb_board *board);
int64_t eb_stub_next_ns(const struct eb_board *board);

/* READ_FLASH of the stub, from its reply on; see stub_read.c. */
enum eb_result eb_stub_read_begin(struct eb_board *board, const uint8_t *args);
bool eb_stub_read_step(struct eb_board *board, int64_t now_ns);
/* It has a packet or the digest to send, without waiting for the host. */
bool eb_stub_read_can_go_on(const struct eb_stub_read *read);
void eb_stub_read_drop(struct eb_board *board);

/* Sends the boot log, or what the ROM says in download mode. */
void eb_firmware_boot(struct eb_board *board);
void eb_rom_greet(struct eb_board *board);

#endif
