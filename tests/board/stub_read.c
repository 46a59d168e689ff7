/*
 * READ_FLASH of the stub: data frames, each answered by the host with a frame of four
 * bytes, the total received. One packet is on its way at a time, whatever window the host
 * asks for. A frame of another length stops the read. Last comes the MD5 of what was sent.
 */
#include "board_state.h"
#include "flash.h"

#include "espflashfs/bytes.h"

#include <nettle/md5.h>
#include <stdlib.h>

enum { PACKET_MAX = 4096, ACK_LEN = 4 };

void eb_stub_read_drop(struct eb_board *board)
{
    free(board->stub.read.digest);
    board->stub.read = (struct eb_stub_read){0};
}

enum eb_result eb_stub_read_begin(struct eb_board *board, const uint8_t *args)
{
    struct eb_stub_read *read = &board->stub.read;
    *read = (struct eb_stub_read){.addr = ef_le32(args),
                                  .remaining = ef_le32(args + 4),
                                  .total = ef_le32(args + 4),
                                  .packet = ef_le32(args + 8)};
    if (read->packet == 0 || read->packet > PACKET_MAX)
        return EB_BAD_LENGTH;
    if (!ef_range_fits(read->addr, read->total, board->stub.believed))
        return EB_OUT_OF_RANGE;
    struct md5_ctx *md5 = malloc(sizeof(*md5));
    if (!md5)
        return EB_FLASH_FAILED;
    md5_init(md5);
    read->digest = md5;
    read->active = true;
    board->counters.reads++;
    /* The command's buffer goes back now, so that both can take acknowledgements. */
    eb_receiver_release(&board->rx);
    return EB_OK;
}

static void finish(struct eb_board *board)
{
    uint8_t digest[MD5_DIGEST_SIZE];
    md5_digest(board->stub.read.digest, sizeof(digest), digest);
    eb_stub_read_drop(board);
    eb_uart_send_frame(board, digest, sizeof(digest));
    board->changed = true;
}

static void send_packet(struct eb_board *board)
{
    struct eb_stub_read *read = &board->stub.read;
    uint8_t packet[PACKET_MAX];
    uint32_t n = ef_min_u32(read->remaining, read->packet);
    if (eb_flash_read(board, read->addr, packet, n) != EB_OK) {
        eb_stub_read_drop(board);
        return;
    }
    md5_update(read->digest, n, packet);
    eb_uart_send_frame(board, packet, n);
    board->counters.read_bytes += n;
    board->changed = true;
    read->addr += n;
    read->remaining -= n;
    read->sent += n;
    read->packets_sent++;
}

/* Takes one frame of the host's. False if it stops the read. */
static bool take_ack(struct eb_board *board, const struct eb_frame *frame)
{
    struct eb_stub_read *read = &board->stub.read;
    if (frame->damaged) {
        eb_event(&board->log, "DAMAGED acknowledgement dropped");
        return true;
    }
    if (frame->len != ACK_LEN) {
        eb_event(&board->log, "READ stopped by a frame of %zu bytes after %u of %u", frame->len,
                 read->sent, read->total);
        return false;
    }
    read->acked = ef_le32(frame->bytes);
    read->packets_acked++;
    if (read->acked > read->sent || read->packets_acked > read->packets_sent)
        eb_reject(board, "acknowledgement of %u bytes when %u were sent", read->acked, read->sent);
    return true;
}

static bool all_acked(const struct eb_stub_read *read)
{
    return read->remaining == 0 && read->acked >= read->total;
}

static bool may_send(const struct eb_stub_read *read)
{
    return read->remaining > 0 && read->packets_sent == read->packets_acked;
}

bool eb_stub_read_can_go_on(const struct eb_stub_read *read)
{
    return read->active && (all_acked(read) || may_send(read));
}

bool eb_stub_read_step(struct eb_board *board, int64_t now_ns)
{
    struct eb_stub_read *read = &board->stub.read;
    const struct eb_frame *frame = NULL;
    if (eb_receiver_ready_ns(&board->rx) <= now_ns)
        frame = eb_receiver_poll(&board->rx);
    if (frame) {
        eb_cpu_wait(board, frame->at_ns);
        bool go_on = take_ack(board, frame);
        eb_receiver_release(&board->rx);
        if (!go_on) {
            finish(board);
            return true;
        }
    }
    if (may_send(read)) {
        send_packet(board);
        return true;
    }
    if (all_acked(read)) {
        finish(board);
        return true;
    }
    return frame != NULL;
}
