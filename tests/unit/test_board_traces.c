/*
 * Replays the host's side of transcripts of real mask ROMs and stubs into the board, and
 * compares what it answers.
 *
 * A transcript shows a frame's full length but only its first 64 bytes. Host frames are
 * rebuilt from that: commands of up to 64 bytes are exact. A longer plain block (MEM_DATA,
 * FLASH_DATA) is filled up so that its checksum is the transcript's. A compressed stream is
 * stored blocks of unknown bytes: it is rebuilt whole, with checksums of its own.
 *
 * Replies are compared by number, length, opcode, value word and status. Data too, byte by
 * byte, where it does not depend on contents that nobody knows: flash reads and digests are
 * compared by length alone. CLKDIV's value is the recorder's measurement of its own baud,
 * and not compared.
 */
#include "drive.h"

#include "espflashfs/bytes.h"
#include "espflashfs/command.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

enum {
    SHOWN = 64,
    LINE_CAP = 512,
    HEADER_LEN = 8,
    DATA_AT = 24, /* a data command's bytes, behind header and its four words */
    STORED_LEN = 5000,
    STREAM_CAP = 8192,
    FLASH_SIZE = 4 << 20,
    FILES = 25,
    REPLIES_AT_LEAST = 1600
};

struct replay {
    struct eb_drive *drive;
    const char *path;
    unsigned line;
    uint8_t request[SHOWN]; /* the last command's head: says what its replies are */
    bool stub;
    uint8_t stream[STREAM_CAP]; /* a rebuilt deflate stream, and what was sent of it */
    size_t stream_len, stream_sent;
    unsigned compared;
};

struct shown_frame {
    bool from_host;
    size_t len;
    uint8_t head[SHOWN];
    size_t head_len;
};

static bool parse_line(const char *line, struct shown_frame *frame)
{
    char direction[8];
    char kind[8];
    int at = 0;
    *frame = (struct shown_frame){0};
    if (sscanf(line, "%*f %7s %7s %zu %n", direction, kind, &frame->len, &at) != 3)
        return false;
    frame->from_host = strcmp(direction, "host>") == 0;
    unsigned byte;
    int used;
    while (frame->head_len < SHOWN && sscanf(line + at, "%2x%n", &byte, &used) == 1) {
        frame->head[frame->head_len++] = (uint8_t)byte;
        at += used;
    }
    return strcmp(kind, "slip") == 0;
}

/* 5000 bytes in one stored block, as the transcripts' streams begin. */
static void rebuild_stream(struct replay *replay)
{
    static const uint8_t HEAD[] = {0x78, 0xDA, 0x01, 0x88, 0x13, 0x77, 0xEC};
    uint8_t *stream = replay->stream;
    memcpy(stream, HEAD, sizeof(HEAD));
    for (size_t i = 0; i < STORED_LEN; i++)
        stream[sizeof(HEAD) + i] = (uint8_t)(i * 7);
    uLong sum = adler32(adler32(0, NULL, 0), stream + sizeof(HEAD), STORED_LEN);
    uint8_t *end = stream + sizeof(HEAD) + STORED_LEN;
    for (int i = 0; i < 4; i++)
        end[i] = (uint8_t)(sum >> (24 - 8 * i));
    replay->stream_len = sizeof(HEAD) + STORED_LEN + 4;
    replay->stream_sent = 0;
}

static uint32_t checksum_of(const uint8_t *bytes, size_t len)
{
    uint32_t sum = 0xEF;
    for (size_t i = 0; i < len; i++)
        sum ^= bytes[i];
    return sum;
}

static void complete(struct replay *replay, uint8_t *frame, size_t len)
{
    uint8_t *data = frame + DATA_AT;
    size_t data_len = len - DATA_AT;
    if (frame[1] == EF_OP_FLASH_DEFL_DATA) {
        assert_true(replay->stream_sent + data_len <= replay->stream_len);
        memcpy(data, replay->stream + replay->stream_sent, data_len);
        replay->stream_sent += data_len;
        ef_put_le32(frame + 4, checksum_of(data, data_len));
    } else {
        frame[len - 1] ^= (uint8_t)(checksum_of(data, data_len) ^ ef_le32(frame + 4));
    }
}

static void send_host_frame(struct replay *replay, const struct shown_frame *shown)
{
    static uint8_t frame[EB_FRAME_CAP];
    assert_true(shown->len <= sizeof(frame));
    memset(frame, 0xA5, sizeof(frame));
    memcpy(frame, shown->head, shown->head_len);
    if (shown->len > 4) {
        memset(replay->request, 0, sizeof(replay->request));
        memcpy(replay->request, shown->head, shown->head_len);
    }
    if (shown->len > HEADER_LEN && frame[1] == EF_OP_FLASH_DEFL_BEGIN)
        rebuild_stream(replay);
    if (shown->len > SHOWN)
        complete(replay, frame, shown->len);
    eb_drive_frame(replay->drive, frame, shown->len);
}

/* The transcripts' MACs, as their efuses spell them: not all begin with Espressif's OUI. */
static struct eb_drive *board_of(const char *chip)
{
    static const uint8_t ESP32_MAC[6] = {0x10, 0x01, 0x00, 0xC4, 0x0A, 0x24};
    static const uint8_t ESP32C3_MAC[6] = {0xC4, 0x0A, 0x24, 0xFE, 0x10, 0x01};
    struct eb_drive *drive = eb_drive_new(chip, FLASH_SIZE);
    assert_non_null(drive);
    drive->config.has_mac = strcmp(chip, "esp8266") != 0;
    memcpy(drive->config.mac, strcmp(chip, "esp32") == 0 ? ESP32_MAC : ESP32C3_MAC, 6);
    assert_true(eb_drive_start(drive));
    return drive;
}

static bool asks_clkdiv(const struct replay *replay)
{
    uint32_t addr = ef_le32(replay->request + HEADER_LEN);
    return replay->request[1] == EF_OP_READ_REG && addr == replay->drive->config.chip->clkdiv_addr;
}

/* How many of a reply's bytes do not depend on contents that the transcript hides. */
static size_t known_len(const struct replay *replay, const struct shown_frame *shown)
{
    uint8_t op = replay->request[1];
    bool is_reply = shown->len >= HEADER_LEN && shown->head[0] == 1 && shown->head[1] == op;
    if (op == EF_OP_READ_FLASH && !(is_reply && shown->len == HEADER_LEN + 2))
        return 0;
    if (op == EF_OP_SPI_FLASH_MD5 || op == EF_OP_READ_FLASH_SLOW || asks_clkdiv(replay))
        return 4;
    return shown->head_len;
}

/* Status, and the value word, of a reply whose data are not known. */
static bool same_tail(const struct replay *replay, const struct shown_frame *shown)
{
    const struct eb_drive *drive = replay->drive;
    size_t status_len = replay->stub ? 2 : drive->config.chip->rom_status_len;
    size_t status_at = shown->len - status_len;
    uint8_t op = replay->request[1];
    if (op != EF_OP_SPI_FLASH_MD5 && op != EF_OP_READ_FLASH_SLOW && !asks_clkdiv(replay))
        return true;
    if (shown->len <= SHOWN &&
        memcmp(drive->frame + status_at, shown->head + status_at, status_len) != 0)
        return false;
    return asks_clkdiv(replay) || memcmp(drive->frame + 4, shown->head + 4, 4) == 0;
}

static void compare_reply(struct replay *replay, const struct shown_frame *shown)
{
    struct eb_drive *drive = replay->drive;
    if (!eb_drive_take(drive))
        fail_msg("%s:%u: the board sent nothing", replay->path, replay->line);
    if (drive->frame_len != shown->len ||
        memcmp(drive->frame, shown->head, known_len(replay, shown)) != 0 ||
        !same_tail(replay, shown))
        fail_msg("%s:%u: the board's frame differs", replay->path, replay->line);
    if (shown->len == 4 && memcmp(shown->head, "OHAI", 4) == 0)
        replay->stub = true;
    replay->compared++;
}

static unsigned replay_file(const char *path)
{
    char line[LINE_CAP];
    char chip[16];
    const char *name = strrchr(path, '/') + 1;
    assert_int_equal(sscanf(name, "%15[^-]", chip), 1);
    struct replay *replay = calloc(1, sizeof(*replay));
    FILE *in = fopen(path, "re");
    assert_non_null(replay);
    assert_non_null(in);
    replay->drive = board_of(chip);
    replay->path = name;
    while (fgets(line, sizeof(line), in)) {
        struct shown_frame shown;
        replay->line++;
        if (!parse_line(line, &shown))
            continue;
        if (!shown.from_host) {
            compare_reply(replay, &shown);
            continue;
        }
        if (eb_drive_take(replay->drive))
            fail_msg("%s:%u: the board sent more than the chip", name, replay->line);
        send_host_frame(replay, &shown);
    }
    fclose(in);
    if (eb_drive_take(replay->drive))
        fail_msg("%s: the board sent more than the chip", name);
    if (eb_drive_rejects(replay->drive) != 0)
        fail_msg("%s: the board refused something", name);
    unsigned compared = replay->compared;
    eb_drive_free(replay->drive);
    free(replay);
    return compared;
}

static void test_transcripts(void **state)
{
    (void)state;
    glob_t found;
    if (glob(EF_SOURCE_DIR "/../shared/traces/*-*-*.txt", 0, NULL, &found) != 0)
        skip(); /* the transcripts lie beside the repository, not in it */
    unsigned compared = 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        unsigned here = replay_file(found.gl_pathv[i]);
        assert_true(here > 40);
        compared += here;
    }
    print_message("%zu transcripts, %u replies compared\n", found.gl_pathc, compared);
    assert_true(found.gl_pathc >= FILES);
    assert_true(compared >= REPLIES_AT_LEAST);
    globfree(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_transcripts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
