/* One command being answered, and the table that a loader finds its handler in. */
#ifndef EB_CALL_H
#define EB_CALL_H

#include "result.h"

#include <stddef.h>
#include <stdint.h>

struct eb_board;
struct eb_call;

enum { EB_CALL_HEADER_LEN = 8, EB_REPLY_DATA_MAX = 64 };

typedef enum eb_result (*eb_handler)(struct eb_board *board, struct eb_call *call);

struct eb_call {
    uint8_t op;
    const uint8_t *payload;
    uint16_t len;
    uint32_t checksum;
    uint32_t value; /* of the reply's header: a stub's only */
    uint8_t data[EB_REPLY_DATA_MAX];
    size_t data_len;
    eb_handler after; /* run once the reply is out; its failure is a stub's deferred error */
};

struct eb_command {
    uint8_t op;
    unsigned needs; /* bits of eb_chip.rom_has, 0 for any chip */
    eb_handler run;
};

/*
 * Parses a frame's header into *call. EB_BAD_LENGTH where the header's length is not the
 * frame's, EB_BAD_VALUE where it is too short to be a command or is none.
 */
enum eb_result eb_call_parse(struct eb_call *call, const uint8_t *frame, size_t len);

/* Counts the command, and runs it unless a fault rejects it. */
enum eb_result eb_call_run(struct eb_board *board, struct eb_call *call,
                           const struct eb_command *commands, size_t count, unsigned has);

/* A REJECT line for a result that is not EB_OK, unless something closer wrote one. */
void eb_call_log(struct eb_board *board, const struct eb_call *call, enum eb_result result,
                 uint64_t rejects_before);

/* Sends a reply frame: header, data, then `status_len` status bytes. */
void eb_call_reply(struct eb_board *board, uint8_t op, uint32_t value, const struct eb_call *call,
                   const uint8_t *status, size_t status_len);

/* Handlers that ROM and stub have in common. */
enum eb_result eb_call_read_reg(struct eb_board *board, struct eb_call *call);
enum eb_result eb_call_write_reg(struct eb_board *board, struct eb_call *call);
enum eb_result eb_call_mem_begin(struct eb_board *board, struct eb_call *call);
enum eb_result eb_call_mem_data(struct eb_board *board, struct eb_call *call);
enum eb_result eb_call_mem_end(struct eb_board *board, struct eb_call *call);
enum eb_result eb_call_change_baud(struct eb_board *board, struct eb_call *call);
enum eb_result eb_call_security_info(struct eb_board *board, struct eb_call *call);
/* SPI_SET_PARAMS' argument; *size is the flash's. */
enum eb_result eb_call_spi_params(const struct eb_call *call, uint32_t *size);
/* SPI_FLASH_MD5 within `believed` bytes of flash. */
enum eb_result eb_call_md5(struct eb_board *board, struct eb_call *call, uint32_t believed,
                           uint8_t digest[16]);

#endif
