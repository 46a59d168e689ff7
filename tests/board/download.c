#include "download.h"

#include "board_state.h"
#include "flash.h"

#include "espflashfs/bytes.h"

enum { BEGIN_WORDS = 4, ENCRYPT_WORDS = 5, DATA_HEADER_LEN = 16 };

void eb_download_close(struct eb_download *dl)
{
    if (dl->stream_open)
        inflateEnd(&dl->stream);
    dl->stream_open = false;
    dl->active = false;
}

enum eb_result eb_download_begin(struct eb_download *dl, const uint8_t *payload, size_t len,
                                 bool compressed, uint32_t words, uint32_t max_block)
{
    bool plain_len = len == (size_t)BEGIN_WORDS * 4 && words != ENCRYPT_WORDS;
    bool long_len = len == (size_t)ENCRYPT_WORDS * 4 && words != BEGIN_WORDS;
    if (!plain_len && !long_len)
        return EB_BAD_LENGTH;
    eb_download_close(dl);
    dl->compressed = compressed;
    dl->size = ef_le32(payload);
    dl->blocks = ef_le32(payload + 4);
    dl->block_size = ef_le32(payload + 8);
    dl->offset = ef_le32(payload + 12);
    dl->next_seq = 0;
    dl->write_addr = dl->offset;
    dl->remaining = dl->size;
    dl->erase_remaining = 0;
    if (dl->block_size > max_block)
        return EB_BAD_BLOCK_SIZE;
    if (dl->size != 0 && dl->offset % EB_NOR_SECTOR != 0)
        return EB_MISALIGNED;
    if (compressed) {
        dl->stream = (z_stream){0};
        dl->stream_open = inflateInit(&dl->stream) == Z_OK;
        dl->stream_done = false;
        dl->window_len = 0;
    }
    dl->active = true;
    return EB_OK;
}

enum eb_result eb_download_check(const struct eb_download *dl, const uint8_t *payload, size_t len,
                                 bool compressed, uint32_t checksum)
{
    if (len < DATA_HEADER_LEN)
        return EB_BAD_LENGTH;
    if (!dl->active || dl->compressed != compressed)
        return EB_NOT_STARTED;
    size_t data_len = len - DATA_HEADER_LEN;
    if (ef_le32(payload) != data_len)
        return EB_BAD_LENGTH;
    if (eb_checksum(payload + DATA_HEADER_LEN, data_len) != checksum)
        return EB_BAD_CHECKSUM;
    if (data_len > dl->block_size)
        return EB_BAD_BLOCK_SIZE;
    if (ef_le32(payload + 4) != dl->next_seq)
        return EB_BAD_SEQUENCE;
    if (dl->next_seq >= dl->blocks || dl->remaining == 0)
        return EB_TOO_MUCH;
    return EB_OK;
}

static enum eb_result erase_step(struct eb_board *board)
{
    struct eb_download *dl = &board->download;
    if (dl->erase_remaining == 0)
        return EB_OK;
    if (!dl->dirty_seen) {
        uint8_t sector[EB_NOR_SECTOR];
        enum eb_result result = eb_flash_read(board, dl->erase_addr, sector, sizeof(sector));
        if (result != EB_OK)
            return result;
        if (ef_bytes_blank(sector, sizeof(sector))) {
            dl->erase_addr += EB_NOR_SECTOR;
            dl->erase_remaining -= EB_NOR_SECTOR;
            return EB_OK;
        }
        dl->dirty_seen = true;
    }
    return eb_flash_erase_next(board, &dl->erase_addr, &dl->erase_remaining);
}

enum eb_result eb_download_erase_lazily(struct eb_board *board)
{
    struct eb_download *dl = &board->download;
    dl->erase_addr = dl->offset;
    dl->erase_remaining = ef_align_down(dl->size + EB_NOR_SECTOR - 1, EB_NOR_SECTOR);
    dl->dirty_seen = false;
    return erase_step(board);
}

static enum eb_result write_out(struct eb_board *board, const uint8_t *data, uint32_t len)
{
    struct eb_download *dl = &board->download;
    if (len > dl->remaining)
        return EB_TOO_MUCH;
    while (dl->erase_remaining > 0 && dl->erase_addr < dl->write_addr + len) {
        enum eb_result result = erase_step(board);
        if (result != EB_OK)
            return result;
    }
    enum eb_result result = eb_flash_program(board, dl->write_addr, data, len);
    if (result == EB_OK) {
        dl->write_addr += len;
        dl->remaining -= len;
    }
    return result;
}

/* One call of inflate into what is left of the window; *more: it has output left. */
static enum eb_result inflate_some(struct eb_download *dl, bool *more)
{
    z_stream *z = &dl->stream;
    if (dl->stream_done)
        return EB_BAD_DEFLATE;
    z->next_out = dl->window + dl->window_len;
    z->avail_out = EB_DEFLATE_WINDOW - dl->window_len;
    int status = inflate(z, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
        return EB_BAD_DEFLATE;
    dl->window_len = EB_DEFLATE_WINDOW - z->avail_out;
    dl->stream_done = status == Z_STREAM_END;
    *more = z->avail_in > 0 || (z->avail_out == 0 && !dl->stream_done);
    return EB_OK;
}

static enum eb_result write_compressed(struct eb_board *board, uint8_t *data, uint32_t len)
{
    struct eb_download *dl = &board->download;
    dl->stream.next_in = data;
    dl->stream.avail_in = len;
    bool more = len > 0;
    while (more) {
        /* The stub uses the time of unpacking to get ahead with erasing. */
        if (board->flash_busy_ns <= board->cpu_ns) {
            enum eb_result result = erase_step(board);
            if (result != EB_OK)
                return result;
        }
        enum eb_result result = inflate_some(dl, &more);
        if (result != EB_OK)
            return result;
        if (dl->stream_done || dl->window_len == EB_DEFLATE_WINDOW) {
            result = write_out(board, dl->window, dl->window_len);
            if (result != EB_OK)
                return result;
            dl->window_len = 0;
        }
    }
    return EB_OK;
}

enum eb_result eb_download_write(struct eb_board *board, const uint8_t *payload, size_t len)
{
    struct eb_download *dl = &board->download;
    uint32_t data_len = (uint32_t)(len - DATA_HEADER_LEN);
    const uint8_t *data = payload + DATA_HEADER_LEN;
    dl->next_seq++;
    if (dl->compressed)
        return write_compressed(board, (uint8_t *)data, data_len);
    /* The last plain block is padded; what lies past the announced size is dropped. */
    return write_out(board, data, ef_min_u32(data_len, dl->remaining));
}
