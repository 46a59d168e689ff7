/* The simulated boards' stub: its commands, its deferred errors, its receiver. */
#include "drive.h"

#include "espflashfs/bytes.h"
#include "espflashfs/command.h"

#include <nettle/md5.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

enum { SIZE = 1 << 20, BLOCK = 0x4000 };

#define WORDS(...)                                                                                 \
    sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), (const uint32_t[])                       \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static struct eb_drive *start_with(struct eb_drive *drive)
{
    assert_non_null(drive);
    assert_true(eb_drive_start(drive));
    assert_true(eb_drive_start_stub(drive));
    return drive;
}

static struct eb_drive *start(void)
{
    return start_with(eb_drive_new("esp32", SIZE));
}

static void finish(struct eb_drive *drive, unsigned rejects)
{
    assert_int_equal(eb_drive_rejects(drive), rejects);
    eb_drive_free(drive);
}

static uint8_t *flash(struct eb_drive *drive)
{
    return eb_board_nor_to_fill(drive->board)->bytes;
}

static void fill(uint8_t *bytes, size_t len)
{
    uint32_t x = 1;
    for (size_t i = 0; i < len; i++) {
        x = x * 1103515245U + 12345U;
        bytes[i] = (uint8_t)(x >> 16);
    }
}

static void ack(struct eb_drive *drive, uint32_t total)
{
    uint8_t bytes[4];
    ef_put_le32(bytes, total);
    eb_drive_frame(drive, bytes, sizeof(bytes));
}

static void assert_md5_frame(struct eb_drive *drive, const uint8_t *bytes, size_t len)
{
    struct md5_ctx md5;
    uint8_t digest[MD5_DIGEST_SIZE];
    md5_init(&md5);
    md5_update(&md5, len, bytes);
    md5_digest(&md5, sizeof(digest), digest);
    assert_true(eb_drive_take(drive));
    assert_int_equal(drive->frame_len, sizeof(digest));
    assert_memory_equal(drive->frame, digest, sizeof(digest));
}

static void test_sync_and_status(void **state)
{
    (void)state;
    struct eb_drive *drive = start();
    uint8_t payload[36] = {0x07, 0x07, 0x12, 0x20};
    assert_true(eb_drive_command(drive, EF_OP_SYNC, payload, sizeof(payload), 0));
    for (int n = 0; n < 8; n++) {
        assert_int_equal(drive->frame_len, 10);
        assert_int_equal(ef_le32(drive->frame + 4), 0);
        assert_int_equal(eb_drive_take(drive), n < 7);
    }
    assert_true(eb_drive_command(drive, 0x99, NULL, 0, 0));
    assert_int_equal(eb_drive_status(drive, 0), 0xC300);
    assert_true(eb_drive_command(drive, EF_OP_GET_SECURITY_INFO, NULL, 0, 0));
    assert_int_equal(eb_drive_status(drive, 0), 0xFF00);
    assert_true(eb_drive_words(drive, EF_OP_SPI_ATTACH, WORDS(0, 0)));
    assert_int_equal(eb_drive_status(drive, 0), 0xC000);
    finish(drive, 2);
}

static void test_read(void **state)
{
    (void)state;
    struct eb_drive *drive = start();
    fill(flash(drive), SIZE);
    assert_true(eb_drive_words(drive, EF_OP_READ_FLASH, WORDS(0x1000, 9000, 0x1000, 64)));
    uint32_t got = 0;
    while (got < 9000) {
        assert_true(eb_drive_take(drive));
        assert_memory_equal(drive->frame, flash(drive) + 0x1000 + got, drive->frame_len);
        got += (uint32_t)drive->frame_len;
        assert_false(eb_drive_take(drive)); /* one packet at a time, window or not */
        ack(drive, got);
    }
    assert_md5_frame(drive, flash(drive) + 0x1000, 9000);
    assert_int_equal(eb_board_counters(drive->board)->reads, 1);
    assert_int_equal(eb_board_counters(drive->board)->read_bytes, 9000);
    finish(drive, 0);
}

static void test_a_read_is_cut_short(void **state)
{
    (void)state;
    struct eb_drive *drive = start();
    fill(flash(drive), SIZE);
    assert_true(eb_drive_words(drive, EF_OP_READ_FLASH, WORDS(0, 0x10000, 0x1000, 1)));
    assert_true(eb_drive_take(drive));
    ack(drive, 0x1000);
    assert_true(eb_drive_take(drive));
    eb_drive_frame(drive, (const uint8_t *)"", 1);
    assert_md5_frame(drive, flash(drive), 0x2000);
    assert_true(eb_drive_words(drive, EF_OP_READ_REG, WORDS(0x40001000)));
    assert_int_equal(ef_le32(drive->frame + 4), 0x00F01D83);
    finish(drive, 0);
}

static void test_acks_beyond_what_was_sent(void **state)
{
    (void)state;
    struct eb_drive *drive = start();
    assert_true(eb_drive_words(drive, EF_OP_READ_FLASH, WORDS(0, 0x2000, 0x1000, 1)));
    ack(drive, 0x1001);
    finish(drive, 1);
}

static void test_a_stray_ack_is_answered(void **state)
{
    (void)state;
    struct eb_drive *drive = start();
    ack(drive, 0x1000);
    assert_true(eb_drive_take(drive));
    assert_int_equal(drive->frame[1], 0x10);
    assert_int_equal(eb_drive_status(drive, 0), 0xC000);
    finish(drive, 1);
}

static void test_failures_of_deferred_work_come_next(void **state)
{
    (void)state;
    struct eb_drive *drive = start();
    /* Too large a packet is found after the reply. */
    assert_true(eb_drive_words(drive, EF_OP_READ_FLASH, WORDS(0, 0x2000, 0x2000, 1)));
    assert_int_equal(eb_drive_status(drive, 0), 0);
    assert_false(eb_drive_take(drive));
    assert_true(eb_drive_words(drive, EF_OP_ERASE_REGION, WORDS(0, 0x1000)));
    assert_int_equal(eb_drive_status(drive, 0), 0xC000);
    assert_int_equal(eb_board_nor(drive->board)->erase_ops, 0); /* it was not run */
    assert_true(eb_drive_words(drive, EF_OP_ERASE_REGION, WORDS(0, 0x1000)));
    assert_int_equal(eb_drive_status(drive, 0), 0);
    assert_int_equal(eb_board_nor(drive->board)->erase_ops, 1);
    finish(drive, 1);
}

static void test_programming_over_data_fails_later(void **state)
{
    (void)state;
    struct eb_drive *drive = start();
    static uint8_t data[BLOCK];
    assert_true(eb_drive_words(drive, EF_OP_FLASH_BEGIN, WORDS(BLOCK, 1, BLOCK, 0)));
    memset(data, 0x11, sizeof(data));
    flash(drive)[0x1000] = 0x22; /* behind the stub's back, in a sector it found blank... */
    assert_true(eb_drive_words(drive, EF_OP_FLASH_BEGIN, WORDS(0x1000, 1, 0x1000, 0)));
    flash(drive)[0] = 0x22; /* ...or had skipped already */
    assert_true(eb_drive_data(drive, EF_OP_FLASH_DATA, 0, data, 0x1000));
    assert_int_equal(eb_drive_status(drive, 0), 0);
    assert_true(eb_drive_words(drive, EF_OP_FLASH_END, WORDS(1)));
    assert_int_equal(eb_drive_status(drive, 0), 0xC400);
    assert_true(eb_drive_words(drive, EF_OP_FLASH_END, WORDS(1)));
    assert_int_equal(eb_drive_status(drive, 0), 0xC000); /* bytes remain */
    finish(drive, 2);
}

static void test_blank_sectors_are_not_erased(void **state)
{
    (void)state;
    struct eb_drive *drive = start();
    static uint8_t data[BLOCK];
    fill(data, sizeof(data));
    const struct eb_nor *nor = eb_board_nor(drive->board);
    assert_true(eb_drive_words(drive, EF_OP_FLASH_BEGIN, WORDS(BLOCK, 1, BLOCK, 0)));
    assert_true(eb_drive_data(drive, EF_OP_FLASH_DATA, 0, data, BLOCK));
    assert_int_equal(nor->sector_erases, 0);
    assert_memory_equal(nor->bytes, data, BLOCK);
    /* From the first dirty sector on, all are erased, blank or not. */
    assert_true(eb_drive_words(drive, EF_OP_FLASH_BEGIN, WORDS(BLOCK, 1, BLOCK, 0x3000)));
    assert_true(eb_drive_data(drive, EF_OP_FLASH_DATA, 0, data, BLOCK));
    assert_int_equal(nor->sector_erases, 4);
    assert_memory_equal(nor->bytes + 0x3000, data, BLOCK);
    assert_true(eb_drive_words(drive, EF_OP_FLASH_END, WORDS(1)));
    assert_int_equal(eb_drive_status(drive, 0), 0);
    finish(drive, 0);
}

static void test_erase_commands(void **state)
{
    (void)state;
    struct eb_drive *drive = start();
    const struct eb_nor *nor = eb_board_nor(drive->board);
    memset(flash(drive), 0, SIZE);
    assert_true(eb_drive_words(drive, EF_OP_ERASE_REGION, WORDS(0xF000, 0x12000)));
    assert_int_equal(eb_drive_status(drive, 0), 0);
    assert_int_equal(nor->erase_ops, 3); /* a sector, a block, a sector */
    assert_int_equal(nor->sector_erases, 18);
    assert_int_equal(nor->bytes[0xEFFF], 0);
    assert_int_equal(nor->bytes[0x20FFF], 0xFF);
    assert_int_equal(nor->bytes[0x21000], 0);
    assert_true(eb_drive_words(drive, EF_OP_ERASE_REGION, WORDS(0x800, 0x1000)));
    assert_int_equal(eb_drive_status(drive, 0), 0xC000);
    assert_true(eb_drive_words(drive, EF_OP_ERASE_REGION, WORDS(SIZE, 0x1000)));
    assert_int_equal(eb_drive_status(drive, 0), 0xC400);
    assert_true(eb_drive_command(drive, EF_OP_ERASE_FLASH, NULL, 0, 0));
    assert_int_equal(nor->bytes[0], 0xFF);
    finish(drive, 2);
}

static uint32_t deflate_all(uint8_t *out, uint32_t cap, const uint8_t *in, uint32_t len)
{
    uLongf out_len = cap;
    assert_int_equal(compress2(out, &out_len, in, len, 9), Z_OK);
    return (uint32_t)out_len;
}

static void test_compressed_write(void **state)
{
    (void)state;
    struct eb_drive *drive = start();
    enum { LEN = 100001 };
    static uint8_t data[LEN];
    static uint8_t packed[2 * LEN];
    fill(data, LEN / 2); /* the rest stays zero: one block unpacks to a lot */
    uint32_t packed_len = deflate_all(packed, sizeof(packed), data, LEN);
    uint32_t blocks = (packed_len + BLOCK - 1) / BLOCK;
    assert_true(eb_drive_words(drive, EF_OP_FLASH_DEFL_BEGIN, WORDS(LEN, blocks, BLOCK, 0)));
    for (uint32_t seq = 0; seq < blocks; seq++) {
        uint32_t n = ef_min_u32(BLOCK, packed_len - seq * BLOCK);
        assert_true(
            eb_drive_data(drive, EF_OP_FLASH_DEFL_DATA, seq, packed + (size_t)seq * BLOCK, n));
        assert_int_equal(eb_drive_status(drive, 0), 0);
    }
    assert_true(eb_drive_words(drive, EF_OP_FLASH_DEFL_END, WORDS(1)));
    assert_int_equal(eb_drive_status(drive, 0), 0);
    assert_memory_equal(flash(drive), data, LEN);
    finish(drive, 0);
}

static void test_damaged_and_short_streams(void **state)
{
    (void)state;
    struct eb_drive *drive = start();
    static uint8_t data[5000];
    static uint8_t packed[6000];
    fill(data, sizeof(data));
    uint32_t len = deflate_all(packed, sizeof(packed), data, sizeof(data));
    assert_true(eb_drive_words(drive, EF_OP_FLASH_DEFL_BEGIN, WORDS(5000, 1, BLOCK, 0)));
    assert_true(eb_drive_data(drive, EF_OP_FLASH_DEFL_DATA, 0, packed, len - 10));
    assert_int_equal(eb_drive_status(drive, 0), 0);
    assert_true(eb_drive_words(drive, EF_OP_FLASH_DEFL_END, WORDS(1)));
    assert_int_equal(eb_drive_status(drive, 0), 0xC000);
    packed[0] ^= 0xFF;
    assert_true(eb_drive_words(drive, EF_OP_FLASH_DEFL_BEGIN, WORDS(5000, 1, BLOCK, 0)));
    assert_true(eb_drive_data(drive, EF_OP_FLASH_DEFL_DATA, 0, packed, len));
    assert_int_equal(eb_drive_status(drive, 0), 0);
    assert_true(eb_drive_words(drive, EF_OP_READ_REG, WORDS(0)));
    assert_int_equal(eb_drive_status(drive, 0), 0xC700);
    finish(drive, 2);
}

static void test_the_receivers_quirks(void **state)
{
    (void)state;
    struct eb_drive *drive = start();
    static const uint8_t ASK[] = {0xC0, 0, EF_OP_READ_REG, 4, 0,    0,   0, 0,
                                  0,    0, 0x10,           0, 0x40, 0xC0};
    const uint8_t end = 0xC0;
    /* A lone END opens a frame; the next one closes the empty frame: the command is lost. */
    eb_drive_bytes(drive, &end, 1);
    eb_drive_bytes(drive, ASK, sizeof(ASK));
    assert_false(eb_drive_take(drive));
    /* Its last END opened a frame again: with one more END, all is well. */
    eb_drive_bytes(drive, &end, 1);
    eb_drive_bytes(drive, ASK, sizeof(ASK));
    assert_true(eb_drive_take(drive));
    /* A wrong escape drops the frame, and its END then opens one. */
    const uint8_t wrong[] = {0xC0, 1, 0xDB, 0x00, 0xC0, 0xC0};
    eb_drive_bytes(drive, wrong, sizeof(wrong));
    eb_drive_bytes(drive, ASK, sizeof(ASK));
    assert_true(eb_drive_take(drive));
    finish(drive, 0);
}

static void test_a_third_frame_is_lost(void **state)
{
    (void)state;
    struct eb_drive *drive = eb_drive_new("esp32", SIZE);
    drive->config.real_flash_timing = true;
    start_with(drive);
    /* An erase keeps the stub busy: it holds that frame and one more. */
    const uint8_t erase[] = {0, EF_OP_ERASE_REGION, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0};
    const uint8_t ask[] = {0, EF_OP_READ_REG, 4, 0, 0, 0, 0, 0, 0, 0x10, 0, 0x40};
    uint8_t burst[64];
    size_t len = 0;
    burst[len++] = 0xC0;
    memcpy(burst + len, erase, sizeof(erase));
    len += sizeof(erase);
    burst[len++] = 0xC0;
    for (int i = 0; i < 2; i++) {
        burst[len++] = 0xC0;
        memcpy(burst + len, ask, sizeof(ask));
        len += sizeof(ask);
        burst[len++] = 0xC0;
    }
    int64_t begin_ns = drive->now_ns;
    eb_drive_bytes(drive, burst, len);
    assert_true(eb_drive_take(drive));
    assert_int_equal(drive->frame[1], EF_OP_ERASE_REGION);
    assert_true(eb_drive_take(drive));
    assert_int_equal(drive->frame[1], EF_OP_READ_REG);
    assert_false(eb_drive_take(drive));
    assert_int_equal(drive->out_ns - begin_ns, 45000000);
    finish(drive, 0);
}

static void test_baud_and_line_rate(void **state)
{
    (void)state;
    struct eb_drive *drive = eb_drive_new("esp32", SIZE);
    drive->config.real_line_rate = true;
    start_with(drive);
    assert_true(eb_drive_words(drive, EF_OP_CHANGE_BAUDRATE, WORDS(1000000, 115200)));
    assert_int_equal(eb_board_baud(drive->board), 1000000);
    int64_t begin_ns = drive->now_ns;
    assert_true(eb_drive_words(drive, EF_OP_READ_REG, WORDS(0x3FF40014)));
    assert_int_equal(ef_le32(drive->frame + 4), 40);        /* CLKDIV follows */
    assert_int_equal(drive->out_ns - begin_ns, 12 * 10000); /* 12 bytes of 10 bits */
    finish(drive, 0);
}

static void test_injected_rejects(void **state)
{
    (void)state;
    struct eb_drive *drive = eb_drive_new("esp32", SIZE);
    assert_int_equal(
        eb_faults_add(&drive->config.faults, "reject-op:0xd1:2", drive->why, EB_WHY_CAP), 0);
    start_with(drive);
    assert_true(eb_drive_words(drive, EF_OP_ERASE_REGION, WORDS(0, 0x1000)));
    assert_int_equal(eb_drive_status(drive, 0), 0);
    assert_true(eb_drive_words(drive, EF_OP_ERASE_REGION, WORDS(0, 0x1000)));
    assert_int_equal(eb_drive_status(drive, 0), 0xC400);
    assert_true(eb_drive_words(drive, EF_OP_ERASE_REGION, WORDS(0, 0x1000)));
    assert_int_equal(eb_drive_status(drive, 0), 0);
    assert_int_equal(eb_board_nor(drive->board)->erase_ops, 2);
    finish(drive, 0); /* what a test injects is no violation */
}

static bool reads_magic(struct eb_drive *drive)
{
    bool right = eb_drive_words(drive, EF_OP_READ_REG, WORDS(0x40001000)) &&
                 eb_drive_status(drive, 0) == 0 && ef_le32(drive->frame + 4) == 0x00F01D83;
    drive->out_pos = drive->out_len; /* what damage left of it */
    return right;
}

static void test_damage_above_a_baud(void **state)
{
    (void)state;
    struct eb_drive *drive = eb_drive_new("esp32", SIZE);
    struct eb_faults *faults = &drive->config.faults;
    char *why = drive->why;
    assert_int_equal(eb_faults_add(faults, "damage:out:460800", why, EB_WHY_CAP), -1);
    assert_int_equal(eb_faults_add(faults, "damage:out:460800:1000000", why, EB_WHY_CAP), 0);
    assert_int_equal(eb_faults_add(faults, "damage:in:115200:1000000:1000000", why, EB_WHY_CAP), 0);
    start_with(drive);
    assert_true(reads_magic(drive));
    assert_true(eb_drive_words(drive, EF_OP_CHANGE_BAUDRATE, WORDS(460800, 115200)));
    assert_true(reads_magic(drive));
    assert_true(eb_drive_words(drive, EF_OP_CHANGE_BAUDRATE, WORDS(460801, 460800)));
    assert_false(reads_magic(drive));
    eb_drive_words(drive, EF_OP_CHANGE_BAUDRATE, WORDS(460800, 460801));
    drive->out_pos = drive->out_len;
    assert_true(reads_magic(drive));
    assert_int_equal(eb_board_baud(drive->board), 460800);
    finish(drive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sync_and_status),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_a_read_is_cut_short),
        cmocka_unit_test(test_acks_beyond_what_was_sent),
        cmocka_unit_test(test_a_stray_ack_is_answered),
        cmocka_unit_test(test_failures_of_deferred_work_come_next),
        cmocka_unit_test(test_programming_over_data_fails_later),
        cmocka_unit_test(test_blank_sectors_are_not_erased),
        cmocka_unit_test(test_erase_commands),
        cmocka_unit_test(test_compressed_write),
        cmocka_unit_test(test_damaged_and_short_streams),
        cmocka_unit_test(test_the_receivers_quirks),
        cmocka_unit_test(test_a_third_frame_is_lost),
        cmocka_unit_test(test_baud_and_line_rate),
        cmocka_unit_test(test_injected_rejects),
        cmocka_unit_test(test_damage_above_a_baud),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
