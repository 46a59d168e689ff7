#include "drive.h"

#include "ram.h"

#include "espflashfs/bytes.h"
#include "espflashfs/command.h"
#include "espflashfs/slip.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER_LEN = 8, DATA_HEADER_LEN = 16, WORDS_MAX = 6, STUB_LEN = 16, ANY_RAM = 0x40000000 };

static void take_out(void *ctx, const uint8_t *bytes, size_t len, int64_t start_ns, int64_t byte_ns)
{
    struct eb_drive *drive = ctx;
    if (drive->out_pos == drive->out_len || drive->out_pos > EB_DRIVE_OUT_CAP / 2) {
        drive->out_len -= drive->out_pos;
        memmove(drive->out, drive->out + drive->out_pos, drive->out_len);
        drive->out_pos = 0;
    }
    if (len > EB_DRIVE_OUT_CAP - drive->out_len)
        abort();
    memcpy(drive->out + drive->out_len, bytes, len);
    drive->out_len += len;
    drive->out_ns = start_ns + (int64_t)len * byte_ns;
}

struct eb_drive *eb_drive_new(const char *chip, uint32_t flash_size)
{
    struct eb_drive *drive = calloc(1, sizeof(*drive));
    if (!drive)
        return NULL;
    drive->config.chip = eb_chip_find(chip);
    drive->config.flash_size = flash_size;
    drive->config.outlet = take_out;
    drive->config.outlet_ctx = drive;
    eb_faults_init(&drive->config.faults, 1);
    return drive;
}

bool eb_drive_start(struct eb_drive *drive)
{
    drive->log_file = tmpfile();
    drive->config.log.file = drive->log_file;
    drive->board = eb_board_new(&drive->config, drive->why);
    return drive->board != NULL;
}

void eb_drive_free(struct eb_drive *drive)
{
    if (!drive)
        return;
    if (!drive->board && drive->log_file)
        fclose(drive->log_file);
    eb_board_free(drive->board);
    free(drive);
}

static void settle(struct eb_drive *drive)
{
    int64_t next;
    while (eb_board_mode(drive->board) != EB_MODE_FIRMWARE &&
           (next = eb_board_advance(drive->board, drive->now_ns)) != EB_NEVER &&
           next != eb_board_watchdog_ns(drive->board))
        drive->now_ns = next;
    /* A host acts on a reply no sooner than it has it. */
    if (drive->out_ns > drive->now_ns)
        drive->now_ns = drive->out_ns;
}

void eb_drive_bytes(struct eb_drive *drive, const uint8_t *bytes, size_t len)
{
    eb_board_input(drive->board, bytes, len, drive->now_ns);
    settle(drive);
}

void eb_drive_wait(struct eb_drive *drive, unsigned ms)
{
    enum { NS_PER_MS = 1000000 };
    drive->now_ns += (int64_t)ms * NS_PER_MS;
    eb_board_advance(drive->board, drive->now_ns);
}

void eb_drive_lines(struct eb_drive *drive, bool dtr, bool rts, unsigned ms)
{
    eb_board_set_lines(drive->board, dtr, rts, drive->now_ns);
    eb_drive_wait(drive, ms);
}

void eb_drive_frame(struct eb_drive *drive, const uint8_t *payload, size_t len)
{
    uint8_t encoded[2 * EB_FRAME_CAP + 2];
    eb_drive_bytes(drive, encoded, ef_slip_encode(encoded, payload, len));
}

bool eb_drive_take(struct eb_drive *drive)
{
    struct ef_slip_decoder decoder;
    ef_slip_decoder_init(&decoder, drive->frame, sizeof(drive->frame));
    while (drive->out_pos < drive->out_len) {
        size_t used;
        enum ef_slip_event event = ef_slip_decode(&decoder, drive->out + drive->out_pos,
                                                  drive->out_len - drive->out_pos, &used);
        drive->out_pos += used;
        if (event == EF_SLIP_FRAME) {
            drive->frame_len = decoder.len;
            return true;
        }
    }
    return false;
}

bool eb_drive_command(struct eb_drive *drive, uint8_t op, const void *payload, size_t len,
                      uint32_t checksum)
{
    uint8_t request[EB_FRAME_CAP] = {0, op};
    ef_put_le16(request + 2, (uint16_t)len);
    ef_put_le32(request + 4, checksum);
    if (len > 0)
        memcpy(request + HEADER_LEN, payload, len);
    eb_drive_frame(drive, request, HEADER_LEN + len);
    return eb_drive_take(drive) && drive->frame[0] == 1 && drive->frame[1] == op;
}

bool eb_drive_words(struct eb_drive *drive, uint8_t op, size_t count, const uint32_t *words)
{
    uint8_t payload[4 * WORDS_MAX];
    for (size_t i = 0; i < count; i++)
        ef_put_le32(payload + 4 * i, words[i]);
    return eb_drive_command(drive, op, payload, 4 * count, 0);
}

bool eb_drive_data(struct eb_drive *drive, uint8_t op, uint32_t seq, const uint8_t *data,
                   size_t len)
{
    uint8_t payload[EB_FRAME_CAP] = {0};
    ef_put_le32(payload, (uint32_t)len);
    ef_put_le32(payload + 4, seq);
    memcpy(payload + DATA_HEADER_LEN, data, len);
    return eb_drive_command(drive, op, payload, DATA_HEADER_LEN + len, eb_checksum(data, len));
}

unsigned eb_drive_status(const struct eb_drive *drive, size_t data_len)
{
    size_t at = HEADER_LEN + data_len;
    if (drive->frame_len < at + 2)
        return 0xFFFF;
    return (unsigned)drive->frame[at] << 8 | drive->frame[at + 1];
}

static bool sync(struct eb_drive *drive)
{
    uint8_t payload[36] = {0x07, 0x07, 0x12, 0x20};
    memset(payload + 4, 0x55, sizeof(payload) - 4);
    if (!eb_drive_command(drive, EF_OP_SYNC, payload, sizeof(payload), 0))
        return false;
    unsigned more = 0;
    while (eb_drive_take(drive))
        more++;
    return more == 7;
}

bool eb_drive_start_stub(struct eb_drive *drive)
{
    uint32_t start = eb_chip_stub_start(drive->config.chip, drive->config.variant);
    if (start == 0)
        start = ANY_RAM;
    const uint32_t begin[] = {STUB_LEN, 1, STUB_LEN, start};
    const uint32_t end[] = {0, start};
    static const uint8_t CODE[STUB_LEN] = {0};
    return sync(drive) && eb_drive_words(drive, EF_OP_MEM_BEGIN, 4, begin) &&
           eb_drive_data(drive, EF_OP_MEM_DATA, 0, CODE, sizeof(CODE)) &&
           eb_drive_words(drive, EF_OP_MEM_END, 2, end) && eb_drive_status(drive, 0) == 0 &&
           eb_drive_take(drive) && drive->frame_len == 4 && memcmp(drive->frame, "OHAI", 4) == 0;
}

unsigned eb_drive_logged(struct eb_drive *drive, const char *prefix)
{
    unsigned count = 0;
    char line[512];
    fflush(drive->log_file);
    rewind(drive->log_file);
    while (fgets(line, sizeof(line), drive->log_file)) {
        if (strncmp(line, prefix, strlen(prefix)) == 0)
            count++;
    }
    fseek(drive->log_file, 0, SEEK_END);
    return count;
}

unsigned eb_drive_rejects(struct eb_drive *drive)
{
    return eb_drive_logged(drive, "REJECT ");
}
