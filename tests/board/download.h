/*
 * A download into the flash: FLASH_BEGIN/DATA/END and FLASH_DEFL_BEGIN/DATA/END, as far as
 * ROM and stub have it in common. A ROM erases before it answers the begin; a stub erases
 * piecemeal ahead of the writes, and leaves blank sectors alone up to the first that is not.
 */
#ifndef EB_DOWNLOAD_H
#define EB_DOWNLOAD_H

#include "result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

struct eb_board;

enum { EB_DEFLATE_WINDOW = 32768 };

struct eb_download {
    bool active, compressed;
    uint32_t size, blocks, block_size, offset; /* as the begin said */
    uint32_t next_seq;
    uint32_t write_addr, remaining; /* bytes still to be written */
    uint32_t erase_addr, erase_remaining;
    bool dirty_seen; /* a sector that was not blank: from there on, all are erased */
    bool stream_open, stream_done;
    z_stream stream;
    uint8_t window[EB_DEFLATE_WINDOW]; /* written out when full, and at the stream's end */
    uint32_t window_len;
};

/* Judges and takes over a begin; erases nothing. `words` is 4 or 5, or 0 for either. */
enum eb_result eb_download_begin(struct eb_download *dl, const uint8_t *payload, size_t len,
                                 bool compressed, uint32_t words, uint32_t max_block);

/* Judges a data command before anything of it is written. */
enum eb_result eb_download_check(const struct eb_download *dl, const uint8_t *payload, size_t len,
                                 bool compressed, uint32_t checksum);

/* Writes a data command that passed the check. */
enum eb_result eb_download_write(struct eb_board *board, const uint8_t *payload, size_t len);

/* Schedules the sectors of the download for erasing on the way, and starts the first. */
enum eb_result eb_download_erase_lazily(struct eb_board *board);

void eb_download_close(struct eb_download *dl);

#endif
