/*
 * One command of the boot loader and its reply, over a SLIP line.
 *
 * A struct ef_esp is one board's loader as it is spoken to now: which line, how many
 * status bytes a reply ends with, stub or ROM. It belongs to one thread at a time (the
 * line worker's); every call blocks up to the deadline it is given and no longer.
 */
#ifndef ESPFLASHFS_COMMAND_H
#define ESPFLASHFS_COMMAND_H

#include "espflashfs/clock.h"
#include "espflashfs/error.h"
#include "espflashfs/link.h"
#include "espflashfs/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Opcodes, by the names of Espressif's serial protocol documentation. */
enum ef_op {
    EF_OP_FLASH_BEGIN = 0x02,
    EF_OP_FLASH_DATA = 0x03,
    EF_OP_FLASH_END = 0x04,
    EF_OP_MEM_BEGIN = 0x05,
    EF_OP_MEM_END = 0x06,
    EF_OP_MEM_DATA = 0x07,
    EF_OP_SYNC = 0x08,
    EF_OP_WRITE_REG = 0x09,
    EF_OP_READ_REG = 0x0A,
    EF_OP_SPI_SET_PARAMS = 0x0B,
    EF_OP_SPI_ATTACH = 0x0D,
    EF_OP_READ_FLASH_SLOW = 0x0E,
    EF_OP_CHANGE_BAUDRATE = 0x0F,
    EF_OP_FLASH_DEFL_BEGIN = 0x10,
    EF_OP_FLASH_DEFL_DATA = 0x11,
    EF_OP_FLASH_DEFL_END = 0x12,
    EF_OP_SPI_FLASH_MD5 = 0x13,
    EF_OP_GET_SECURITY_INFO = 0x14,
    EF_OP_ERASE_FLASH = 0xD0,
    EF_OP_ERASE_REGION = 0xD1,
    EF_OP_READ_FLASH = 0xD2
};

enum {
    EF_COMMAND_TIMEOUT_MS = 3000, /* for commands that touch no flash */
    EF_REPLY_DATA_MAX = 256
};

struct ef_esp {
    struct ef_link *link;
    struct ef_log *log;
    bool no_sync;       /* SYNC is never sent: replies tell who answers */
    bool stub;          /* a stub answers: 2 status bytes, its own commands */
    uint8_t rom_status; /* status bytes of this chip's ROM: 2 on the ESP8266, else 4 */
    uint16_t ram_block; /* the most that MEM_DATA may carry; 0: the usual */
    uint64_t commands;  /* sent so far */
    uint32_t changing;  /* commands that change flash, sent and not yet answered: a bit each */
    uint64_t *strays;   /* NULL, or counts replies to such commands that were never sent */
    /* 0, or when SYNCs are to be over that belong to one search for a loader, over all rates and
     * resets: what babbles without end costs each of them seconds. */
    ef_deadline give_up;
    /* NULL, or asked before each SYNC: true ends what it is for with EF_INTERRUPTED. */
    bool (*stop)(void *user);
    void *stop_user;
};

struct ef_reply {
    uint32_t value;                  /* the header's value word */
    uint8_t data[EF_REPLY_DATA_MAX]; /* what the command returns before its status */
    size_t data_len;
    uint8_t status[2]; /* status[0] != 0: refused, status[1] says why */
};

/*
 * Sends `op` with `payload_len` bytes and waits for the reply that carries the same opcode;
 * stale replies of other opcodes are passed over. `reply_len` is the number of data bytes
 * that the command is known to return in front of its status. `checksum` is 0 but for the
 * data commands (ef_command_checksum). `reply` may be NULL. The deadline is `timeout_ms` and
 * the time that the bytes take on the wire.
 *
 * EF_REJECTED: the chip refused (logged with operation and status); reply->status is set.
 * EF_TIMEOUT, EF_GONE, EF_FRAMING as usual. Nothing is repeated here.
 */
enum ef_err ef_command(struct ef_esp *esp, enum ef_op op, const uint8_t *payload,
                       size_t payload_len, uint32_t checksum, size_t reply_len, int timeout_ms,
                       struct ef_reply *reply);

/*
 * Drops what comes in until `quiet_ms` of silence, 1 s at most, and half a frame with it.
 * Replies in it are looked at: one flipped bit makes ERASE_FLASH of READ_FLASH, and the
 * reply to it is all that tells.
 */
enum ef_err ef_command_drain(struct ef_esp *esp, int quiet_ms);

/* The two halves of ef_command, for commands in flight together. */
enum ef_err ef_command_send(struct ef_esp *esp, enum ef_op op, const uint8_t *payload,
                            size_t payload_len, uint32_t checksum, ef_deadline deadline);
enum ef_err ef_command_receive(struct ef_esp *esp, enum ef_op op, size_t reply_len,
                               ef_deadline deadline, struct ef_reply *reply);

/* 0xEF XOR-folded over `data`: what MEM_DATA, FLASH_DATA and FLASH_DEFL_DATA carry. */
uint32_t ef_command_checksum(const uint8_t *data, size_t len);

/* Registers: idempotent where the register is, so repeated up to three times if transient. */
enum ef_err ef_command_read_reg(struct ef_esp *esp, uint32_t addr, uint32_t *value);
enum ef_err ef_command_write_reg(struct ef_esp *esp, uint32_t addr, uint32_t value);

/* "SPI_FLASH_MD5" for a known opcode, "?" else. */
const char *ef_command_name(enum ef_op op);

/* The ROM's or stub's word for a refused command's status bytes, for messages. */
const char *ef_command_status_text(const struct ef_esp *esp, const uint8_t status[2]);

#endif
