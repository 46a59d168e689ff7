/* The simulated boards' ROM loaders: what they answer, and what they refuse. */
#include "drive.h"

#include "espflashfs/bytes.h"
#include "espflashfs/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SIZE = 4 << 20, BLOCK = 0x400, RAM = 0x40000000 };

#define WORDS(...)                                                                                 \
    sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), (const uint32_t[])                       \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static struct eb_drive *start(const char *chip)
{
    struct eb_drive *drive = eb_drive_new(chip, SIZE);
    assert_non_null(drive);
    assert_true(eb_drive_start(drive));
    return drive;
}

/* Attached, and told its true size. */
static struct eb_drive *start_ready(const char *chip)
{
    struct eb_drive *drive = start(chip);
    assert_true(eb_drive_words(drive, EF_OP_SPI_ATTACH, WORDS(0, 0)));
    assert_true(eb_drive_words(drive, EF_OP_SPI_SET_PARAMS,
                               WORDS(0, SIZE, 0x10000, 0x1000, 0x100, 0xFFFF)));
    assert_int_equal(eb_drive_status(drive, 0), 0);
    return drive;
}

static void finish(struct eb_drive *drive, unsigned rejects)
{
    assert_int_equal(eb_drive_rejects(drive), rejects);
    assert_int_equal(eb_board_counters(drive->board)->rejects, rejects);
    eb_drive_free(drive);
}

static void test_status_length_and_unknown_commands(void **state)
{
    (void)state;
    static const char *const CHIPS[] = {"esp8266", "esp32", "esp32c3"};
    for (size_t i = 0; i < 3; i++) {
        struct eb_drive *drive = start(CHIPS[i]);
        size_t status_len = i == 0 ? 2 : 4;
        assert_true(eb_drive_words(drive, EF_OP_READ_REG, WORDS(0x40001000)));
        assert_int_equal(drive->frame_len, 8 + status_len);
        uint32_t magic = ef_le32(drive->frame + 4);
        assert_int_equal(magic, eb_chip_find(CHIPS[i])->magic);
        /* Eight errors with the opcode and the value of the command before. */
        assert_false(eb_drive_words(drive, 0xD2, WORDS(0, 0, 0, 0)));
        for (int n = 0; n < 8; n++) {
            assert_int_equal(drive->frame[1], EF_OP_READ_REG);
            assert_int_equal(ef_le32(drive->frame + 4), magic);
            assert_int_equal(eb_drive_status(drive, 0), 0x0105);
            assert_int_equal(eb_drive_take(drive), n < 7);
        }
        finish(drive, 1);
    }
}

static void test_asking_for_security_info_is_no_violation(void **state)
{
    (void)state;
    struct eb_drive *old = start("esp32");
    assert_false(eb_drive_command(old, EF_OP_GET_SECURITY_INFO, NULL, 0, 0));
    finish(old, 0);
    struct eb_drive *drive = start("esp32c3");
    assert_true(eb_drive_command(drive, EF_OP_GET_SECURITY_INFO, NULL, 0, 0));
    assert_int_equal(drive->frame_len, 8 + 20 + 4);
    assert_int_equal(ef_le32(drive->frame + 8 + 12), 5);
    finish(drive, 0);
}

static void test_esp8266_has_few_commands(void **state)
{
    (void)state;
    static const uint8_t MISSING[] = {0x0B, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x12, 0x13};
    struct eb_drive *drive = start("esp8266");
    for (size_t i = 0; i < sizeof(MISSING); i++) {
        assert_false(eb_drive_words(drive, MISSING[i], WORDS(0, 0)));
        while (eb_drive_take(drive)) {
        }
    }
    finish(drive, sizeof(MISSING));
}

static void test_esp8266_erases_head_sectors_twice(void **state)
{
    (void)state;
    /* asked sectors at sector 14 of a block: 2 more are in its head, so 3 become 5 */
    struct eb_drive *drive = start("esp8266");
    assert_true(eb_drive_words(drive, EF_OP_FLASH_BEGIN, WORDS(0x3000, 1, BLOCK, 0xE000)));
    assert_int_equal(eb_drive_status(drive, 0), 0);
    const struct eb_nor *nor = eb_board_nor(drive->board);
    assert_int_equal(nor->sector_erases, 5);
    assert_int_equal(nor->sectors[13].erases, 0);
    assert_int_equal(nor->sectors[14].erases, 1);
    assert_int_equal(nor->sectors[18].erases, 1);
    assert_int_equal(nor->sectors[19].erases, 0);
    assert_true(eb_drive_words(drive, EF_OP_FLASH_BEGIN, WORDS(0x1000, 1, BLOCK, 0x20000)));
    assert_int_equal(nor->sector_erases, 7);
    finish(drive, 0);
}

static void test_plain_write(void **state)
{
    (void)state;
    struct eb_drive *drive = start_ready("esp32");
    uint8_t data[BLOCK];
    memset(data, 0x5A, sizeof(data));
    assert_true(eb_drive_words(drive, EF_OP_FLASH_BEGIN, WORDS(2 * BLOCK, 2, BLOCK, 0x5000)));
    assert_true(eb_drive_data(drive, EF_OP_FLASH_DATA, 0, data, BLOCK));
    assert_true(eb_drive_data(drive, EF_OP_FLASH_DATA, 1, data, BLOCK));
    assert_int_equal(eb_drive_status(drive, 0), 0);
    assert_memory_equal(eb_board_nor(drive->board)->bytes + 0x5400, data, BLOCK);
    assert_int_equal(eb_board_nor(drive->board)->sector_erases, 1);
    assert_int_equal(eb_board_nor(drive->board)->programs, 8);
    finish(drive, 0);
}

static void test_bad_data_is_refused(void **state)
{
    (void)state;
    struct eb_drive *drive = start_ready("esp32");
    uint8_t data[2 * BLOCK] = {0};
    uint8_t payload[16 + 4] = {4};
    assert_true(eb_drive_data(drive, EF_OP_FLASH_DATA, 0, data, BLOCK)); /* no begin */
    assert_int_equal(eb_drive_status(drive, 0), 0x0106);
    assert_true(eb_drive_words(drive, EF_OP_FLASH_BEGIN, WORDS(2 * BLOCK, 2, BLOCK, 0)));
    assert_true(eb_drive_data(drive, EF_OP_FLASH_DATA, 1, data, BLOCK)); /* not its turn */
    assert_int_equal(eb_drive_status(drive, 0), 0x0106);
    assert_true(eb_drive_data(drive, EF_OP_FLASH_DATA, 0, data, sizeof(data))); /* too large */
    assert_int_equal(eb_drive_status(drive, 0), 0x0106);
    assert_true(eb_drive_command(drive, EF_OP_FLASH_DATA, payload, 20, 0xEE)); /* checksum */
    assert_int_equal(eb_drive_status(drive, 0), 0x0107);
    payload[0] = 5;
    assert_true(eb_drive_command(drive, EF_OP_FLASH_DATA, payload, 20, 0xEF)); /* length */
    assert_int_equal(eb_drive_status(drive, 0), 0x0105);
    assert_int_equal(eb_board_nor(drive->board)->programs, 0);
    finish(drive, 5);
}

static void test_a_bit_from_0_to_1_is_refused(void **state)
{
    (void)state;
    struct eb_drive *drive = start_ready("esp32");
    uint8_t data[BLOCK] = {0};
    /* Two begins' worth of blocks over one erased sector: the second pass finds zeros. */
    assert_true(eb_drive_words(drive, EF_OP_FLASH_BEGIN, WORDS(0x1000, 8, BLOCK, 0)));
    for (uint32_t seq = 0; seq < 4; seq++)
        assert_true(eb_drive_data(drive, EF_OP_FLASH_DATA, seq, data, BLOCK));
    memset(eb_board_nor_to_fill(drive->board)->bytes + 0x1000, 0, BLOCK);
    memset(data, 1, sizeof(data));
    assert_true(eb_drive_data(drive, EF_OP_FLASH_DATA, 4, data, BLOCK));
    assert_int_equal(eb_drive_status(drive, 0), 0x0108);
    finish(drive, 1);
}

static void test_ranges_and_alignment(void **state)
{
    (void)state;
    struct eb_drive *drive = start("esp32");
    assert_true(eb_drive_words(drive, EF_OP_FLASH_BEGIN, WORDS(BLOCK, 1, BLOCK, 0)));
    assert_int_equal(eb_drive_status(drive, 0), 0x0106); /* not attached */
    assert_true(eb_drive_words(drive, EF_OP_SPI_ATTACH, WORDS(0, 0)));
    assert_true(eb_drive_words(drive, EF_OP_READ_FLASH_SLOW, WORDS(0x200000 - 64, 64)));
    assert_int_equal(eb_drive_status(drive, 64), 0);
    assert_true(eb_drive_words(drive, EF_OP_READ_FLASH_SLOW, WORDS(0x200000, 64)));
    assert_int_equal(eb_drive_status(drive, 0), 0x0106); /* believes in 2 MiB */
    assert_true(eb_drive_words(drive, EF_OP_FLASH_BEGIN, WORDS(BLOCK, 1, BLOCK, 0x200000)));
    assert_int_equal(eb_drive_status(drive, 0), 0x0106);
    assert_true(eb_drive_words(drive, EF_OP_FLASH_BEGIN, WORDS(BLOCK, 1, BLOCK, 0x100)));
    assert_int_equal(eb_drive_status(drive, 0), 0x0106); /* misaligned */
    assert_true(eb_drive_words(drive, EF_OP_FLASH_BEGIN, WORDS(BLOCK, 1, BLOCK, 0, 0)));
    assert_int_equal(eb_drive_status(drive, 0), 0x0105); /* the ESP32 has no fifth word */
    assert_int_equal(eb_board_nor(drive->board)->erase_ops, 0);
    finish(drive, 5);
}

static void test_short_reads_show_the_last_tail(void **state)
{
    (void)state;
    struct eb_drive *drive = start_ready("esp32c3");
    struct eb_nor *nor = eb_board_nor_to_fill(drive->board);
    for (uint8_t i = 0; i < 128; i++)
        nor->bytes[i] = i;
    assert_true(eb_drive_words(drive, EF_OP_READ_FLASH_SLOW, WORDS(0, 64)));
    assert_memory_equal(drive->frame + 8, nor->bytes, 64);
    assert_true(eb_drive_words(drive, EF_OP_READ_FLASH_SLOW, WORDS(64, 8)));
    assert_int_equal(drive->frame_len, 8 + 64 + 4);
    assert_memory_equal(drive->frame + 8, nor->bytes + 64, 8);
    assert_memory_equal(drive->frame + 16, nor->bytes + 8, 56);
    assert_int_equal(eb_board_counters(drive->board)->reads, 2);
    assert_int_equal(eb_board_counters(drive->board)->read_bytes, 72);
    finish(drive, 0);
}

static void test_md5_is_hex(void **state)
{
    (void)state;
    struct eb_drive *drive = start_ready("esp32");
    memcpy(eb_board_nor_to_fill(drive->board)->bytes, "abc", 3);
    assert_true(eb_drive_words(drive, EF_OP_SPI_FLASH_MD5, WORDS(0, 3, 0, 0)));
    assert_memory_equal(drive->frame + 8, "900150983cd24fb0d6963f7d28e17f72", 32);
    assert_int_equal(eb_drive_status(drive, 32), 0);
    assert_int_equal(eb_board_counters(drive->board)->md5s, 1);
    finish(drive, 0);
}

static uint32_t read_id(struct eb_drive *drive, uint32_t base)
{
    assert_true(eb_drive_words(drive, EF_OP_WRITE_REG, WORDS(base + 0x1C, 0x90000000, ~0U, 0)));
    assert_true(eb_drive_words(drive, EF_OP_WRITE_REG, WORDS(base + 0x24, 0x7000009F, ~0U, 0)));
    assert_true(eb_drive_words(drive, EF_OP_WRITE_REG, WORDS(base + 0x80, 0, ~0U, 0)));
    assert_true(eb_drive_words(drive, EF_OP_WRITE_REG, WORDS(base, 1U << 18, ~0U, 0)));
    assert_true(eb_drive_words(drive, EF_OP_READ_REG, WORDS(base)));
    assert_int_equal(ef_le32(drive->frame + 4), 0);
    assert_true(eb_drive_words(drive, EF_OP_READ_REG, WORDS(base + 0x80)));
    return ef_le32(drive->frame + 4);
}

static void test_flash_id_through_the_controller(void **state)
{
    (void)state;
    struct eb_drive *drive = start("esp32");
    assert_int_equal(read_id(drive, 0x3FF42000), 0xFFFFFF);
    assert_true(eb_drive_words(drive, EF_OP_SPI_ATTACH, WORDS(0, 0)));
    assert_int_equal(read_id(drive, 0x3FF42000), 0x1640C8);
    finish(drive, 0);
}

static void test_uploads_are_judged(void **state)
{
    (void)state;
    struct eb_drive *drive = start("esp32");
    uint8_t code[32] = {0};
    uint8_t payload[20] = {4};
    assert_true(eb_drive_data(drive, EF_OP_MEM_DATA, 0, code, 32)); /* no begin */
    assert_int_equal(eb_drive_status(drive, 0), 0x0106);
    assert_true(eb_drive_words(drive, EF_OP_MEM_BEGIN, WORDS(64, 2, 0x2000, RAM)));
    assert_int_equal(eb_drive_status(drive, 0), 0x0106); /* block too large */
    assert_true(eb_drive_words(drive, EF_OP_MEM_BEGIN, WORDS(64, 2, 32, RAM)));
    assert_true(eb_drive_data(drive, EF_OP_MEM_DATA, 1, code, 32)); /* sequence */
    assert_int_equal(eb_drive_status(drive, 0), 0x0106);
    assert_true(eb_drive_command(drive, EF_OP_MEM_DATA, payload, 20, 0)); /* checksum */
    assert_int_equal(eb_drive_status(drive, 0), 0x0107);
    assert_true(eb_drive_data(drive, EF_OP_MEM_DATA, 0, code, 32));
    assert_true(eb_drive_words(drive, EF_OP_MEM_END, WORDS(0, RAM))); /* half is missing */
    assert_int_equal(eb_drive_status(drive, 0), 0x0106);
    assert_true(eb_drive_data(drive, EF_OP_MEM_DATA, 1, code, 32));
    assert_true(eb_drive_words(drive, EF_OP_MEM_END, WORDS(0, RAM + 64))); /* entry outside */
    assert_int_equal(eb_drive_status(drive, 0), 0x0106);
    assert_int_equal(eb_board_mode(drive->board), EB_MODE_ROM);
    assert_true(eb_drive_words(drive, EF_OP_MEM_END, WORDS(0, RAM + 60)));
    assert_int_equal(eb_drive_status(drive, 0), 0);
    assert_true(eb_drive_take(drive));
    assert_memory_equal(drive->frame, "OHAI", 4);
    assert_int_equal(eb_board_mode(drive->board), EB_MODE_STUB);
    finish(drive, 6);
}

static void test_flash_end_leaves_the_loader(void **state)
{
    (void)state;
    struct eb_drive *drive = start_ready("esp32");
    assert_true(eb_drive_words(drive, EF_OP_FLASH_END, WORDS(1)));
    assert_int_equal(eb_drive_status(drive, 0), 0x0106);
    assert_int_equal(eb_board_mode(drive->board), EB_MODE_FIRMWARE);
    assert_false(eb_drive_words(drive, EF_OP_READ_REG, WORDS(0x40001000)));
    finish(drive, 1);
}

static void test_eight_reads_in_flight(void **state)
{
    (void)state;
    struct eb_drive *drive = start_ready("esp32");
    uint8_t burst[8 * 20];
    size_t len = 0;
    for (uint32_t i = 0; i < 8; i++) {
        uint8_t request[16] = {0, EF_OP_READ_FLASH_SLOW, 8};
        ef_put_le32(request + 8, 64 * i);
        request[12] = 64;
        eb_board_nor_to_fill(drive->board)->bytes[(size_t)64 * i] = (uint8_t)i;
        burst[len++] = 0xC0;
        /* An address byte is 0xC0 once. */
        for (size_t k = 0; k < sizeof(request); k++) {
            burst[len++] = request[k] == 0xC0 ? 0xDB : request[k];
            if (request[k] == 0xC0)
                burst[len++] = 0xDC;
        }
        burst[len++] = 0xC0;
    }
    eb_drive_bytes(drive, burst, len);
    for (uint8_t i = 0; i < 8; i++) {
        assert_true(eb_drive_take(drive));
        assert_int_equal(drive->frame[8], i);
    }
    finish(drive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_length_and_unknown_commands),
        cmocka_unit_test(test_asking_for_security_info_is_no_violation),
        cmocka_unit_test(test_esp8266_has_few_commands),
        cmocka_unit_test(test_esp8266_erases_head_sectors_twice),
        cmocka_unit_test(test_plain_write),
        cmocka_unit_test(test_bad_data_is_refused),
        cmocka_unit_test(test_a_bit_from_0_to_1_is_refused),
        cmocka_unit_test(test_ranges_and_alignment),
        cmocka_unit_test(test_short_reads_show_the_last_tail),
        cmocka_unit_test(test_md5_is_hex),
        cmocka_unit_test(test_flash_id_through_the_controller),
        cmocka_unit_test(test_uploads_are_judged),
        cmocka_unit_test(test_flash_end_leaves_the_loader),
        cmocka_unit_test(test_eight_reads_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
