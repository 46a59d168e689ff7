/* One command and its reply, as a ROM and as a stub end it. */
#include "script_line.h"

#include "espflashfs/bytes.h"
#include "espflashfs/command.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct room {
    struct script_line *script;
    struct ef_link link;
    struct ef_esp esp;
    struct ef_reply reply;
};

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    room->script = script_new();
    ef_link_init(&room->link, &room->script->line);
    room->esp = (struct ef_esp){.link = &room->link, .rom_status = 4};
    return 0;
}

static int room_close(void **state)
{
    struct room *room = *state;
    free(room->script);
    free(room);
    return 0;
}

/* A reply frame: header, then `body` as it stands. */
static void reply_raw(struct room *room, uint8_t op, uint32_t value, const void *body, size_t len)
{
    uint8_t frame[512] = {0x01, op};
    ef_put_le16(frame + 2, (uint16_t)len);
    ef_put_le32(frame + 4, value);
    memcpy(frame + 8, body, len);
    script_frame(room->script, frame, 8 + len);
}

/* A reply with status bytes as many as this loader sends. */
static void reply(struct room *room, uint8_t op, uint32_t value, const void *data, size_t len,
                  uint8_t status, uint8_t why)
{
    uint8_t body[300] = {0};
    memcpy(body, data, len);
    body[len] = status;
    body[len + 1] = why;
    reply_raw(room, op, value, body, len + (room->esp.stub ? 2 : room->esp.rom_status));
}

static enum ef_err run(struct room *room, enum ef_op op, size_t reply_len)
{
    memset(&room->reply, 0x55, sizeof(room->reply));
    return ef_command(&room->esp, op, NULL, 0, 0, reply_len, 1000, &room->reply);
}

static void request_on_the_wire(void **state)
{
    struct room *room = *state;
    static const uint8_t PAYLOAD[] = {0xC0, 0x01};
    static const uint8_t WIRE[] = {0xC0, 0x00, 0x03, 0x02, 0x00, 0xEF, 0xBE,
                                   0xAD, 0xDE, 0xDB, 0xDC, 0x01, 0xC0};
    assert_int_equal(
        ef_command_send(&room->esp, EF_OP_FLASH_DATA, PAYLOAD, 2, 0xDEADBEEF, ef_deadline_in(1000)),
        EF_OK);
    assert_int_equal(room->script->sent_len, sizeof(WIRE));
    assert_memory_equal(room->script->sent, WIRE, sizeof(WIRE));
    assert_int_equal(room->esp.commands, 1);
    uint8_t *big = calloc(1, 0x10000);
    assert_int_equal(ef_command_send(&room->esp, EF_OP_FLASH_DATA, big, 0x10000, 0, 0), EF_INVALID);
    free(big);
}

static void status_lengths(void **state)
{
    struct room *room = *state;
    static const struct {
        bool stub;
        uint8_t rom_status;
    } LOADERS[] = {{false, 2}, {false, 4}, {true, 2}, {true, 4}};
    for (size_t i = 0; i < COUNT(LOADERS); i++) {
        room->esp.stub = LOADERS[i].stub;
        room->esp.rom_status = LOADERS[i].rom_status;
        reply(room, EF_OP_READ_REG, 0x12345678, "", 0, 0, 0);
        assert_int_equal(run(room, EF_OP_READ_REG, 0), EF_OK);
        assert_int_equal(room->reply.value, 0x12345678);
        assert_int_equal(room->reply.data_len, 0);
        /* Data that looks like a refusal is data. */
        reply(room, EF_OP_SPI_FLASH_MD5, 0, "\x01\x05\x01\x05", 4, 0, 0);
        assert_int_equal(run(room, EF_OP_SPI_FLASH_MD5, 4), EF_OK);
        assert_int_equal(room->reply.data_len, 4);
        assert_memory_equal(room->reply.data, "\x01\x05\x01\x05", 4);
        reply(room, EF_OP_SPI_FLASH_MD5, 0, "\0\0\0\0", 4, 1, 6);
        assert_int_equal(run(room, EF_OP_SPI_FLASH_MD5, 4), EF_REJECTED);
        assert_int_equal(room->reply.status[0], 1);
        assert_int_equal(room->reply.status[1], 6);
    }
}

/* A ROM's status is found behind the data that the command returns, not at the frame's end. */
static void status_behind_the_data(void **state)
{
    struct room *room = *state;
    reply_raw(room, EF_OP_READ_FLASH_SLOW, 0, "data\x01\x09\x00\x00", 8);
    assert_int_equal(run(room, EF_OP_READ_FLASH_SLOW, 4), EF_REJECTED);
    assert_int_equal(room->reply.status[1], 9);
    reply_raw(room, EF_OP_READ_FLASH_SLOW, 0, "data\x00\x00\x01\x09", 8);
    assert_int_equal(run(room, EF_OP_READ_FLASH_SLOW, 4), EF_OK);
}

/* A refusal may come without the data. */
static void short_refusals(void **state)
{
    struct room *room = *state;
    reply(room, EF_OP_SPI_FLASH_MD5, 0, "", 0, 1, 5);
    assert_int_equal(run(room, EF_OP_SPI_FLASH_MD5, 32), EF_REJECTED);
    assert_int_equal(room->reply.status[1], 5);
    assert_int_equal(room->reply.data_len, 0);
    reply_raw(room, EF_OP_SPI_FLASH_MD5, 0, "\x01\x05", 2); /* two bytes from a four-byte ROM */
    assert_int_equal(run(room, EF_OP_SPI_FLASH_MD5, 32), EF_REJECTED);
}

static void truncated_replies(void **state)
{
    struct room *room = *state;
    reply(room, EF_OP_SPI_FLASH_MD5, 0, "half", 4, 0, 0);
    /* "ha" is no status: nothing of this may be taken for a digest. */
    assert_int_not_equal(run(room, EF_OP_SPI_FLASH_MD5, 32), EF_OK);
    reply_raw(room, EF_OP_SPI_FLASH_MD5, 0, "\0\0", 2);
    assert_int_equal(run(room, EF_OP_SPI_FLASH_MD5, 32), EF_FRAMING);
    /* Cut off in the header, or with a length that is not the frame's: passed over. */
    script_frame(room->script, "\x01\x13\x04\x00\0\0\0\0\0", 9);
    script_frame(room->script, "\x01\x13\x05\x00\0\0\0\0\0\0\0\0", 12);
    script_frame(room->script, "\x01\x13\x03\x00\0\0\0\0\0\0\0\0", 12);
    script_frame(room->script, "\x01", 1);
    assert_int_equal(run(room, EF_OP_SPI_FLASH_MD5, 0), EF_TIMEOUT);
}

static void stale_replies(void **state)
{
    struct room *room = *state;
    reply(room, EF_OP_SYNC, 1, "", 0, 0, 0);
    reply(room, EF_OP_WRITE_REG, 2, "", 0, 1, 5);
    script_frame(room->script, "\x00\x0A\x04\x00\0\0\0\0\0\0\0\0", 12); /* an echo of a request */
    script_frame(room->script, "OHAI", 4);
    reply(room, EF_OP_READ_REG, 42, "", 0, 0, 0);
    reply(room, EF_OP_READ_REG, 43, "", 0, 0, 0);
    assert_int_equal(run(room, EF_OP_READ_REG, 0), EF_OK);
    assert_int_equal(room->reply.value, 42);
    assert_int_equal(run(room, EF_OP_READ_REG, 0), EF_OK);
    assert_int_equal(room->reply.value, 43);
}

/* Other replies without end do not outlast the deadline. */
static void stale_replies_for_ever(void **state)
{
    struct room *room = *state;
    static const uint8_t SYNC[] = {0xC0, 0x01, 0x08, 0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xC0};
    room->script->babble = SYNC;
    room->script->babble_len = sizeof(SYNC);
    assert_int_equal(ef_command(&room->esp, EF_OP_READ_REG, NULL, 0, 0, 0, 5, NULL), EF_TIMEOUT);
}

static void errors_of_the_line(void **state)
{
    struct room *room = *state;
    assert_int_equal(run(room, EF_OP_READ_REG, 0), EF_TIMEOUT);
    script_error(room->script, EF_GONE);
    assert_int_equal(run(room, EF_OP_READ_REG, 0), EF_GONE);
    script_bytes(room->script, "\xC0\x01\xDB\x01\xC0", 5);
    assert_int_equal(run(room, EF_OP_READ_REG, 0), EF_FRAMING);
    room->script->write_err = EF_GONE;
    assert_int_equal(run(room, EF_OP_READ_REG, 0), EF_GONE);
    assert_int_equal(ef_command_receive(&room->esp, EF_OP_READ_REG, EF_REPLY_DATA_MAX + 1,
                                        ef_deadline_in(10), NULL),
                     EF_INVALID);
}

static void checksums(void **state)
{
    (void)state;
    static const uint8_t BYTES[] = {0x01, 0x02, 0xEF, 0xFF};
    assert_int_equal(ef_command_checksum(BYTES, 0), 0xEF);
    assert_int_equal(ef_command_checksum(BYTES, 1), 0xEE);
    assert_int_equal(ef_command_checksum(BYTES, 3), 0x03);
    assert_int_equal(ef_command_checksum(BYTES, 4), 0xFC);
}

/* The look for what an earlier command's reply left there finds nothing. */
static void nothing_stale(struct room *room)
{
    script_error(room->script, EF_TIMEOUT);
}

static void registers(void **state)
{
    struct room *room = *state;
    uint32_t value = 7;
    nothing_stale(room);
    reply(room, EF_OP_READ_REG, 0xCAFE, "", 0, 0, 0);
    assert_int_equal(ef_command_read_reg(&room->esp, 0x40001000, &value), EF_OK);
    assert_int_equal(value, 0xCAFE);
    assert_int_equal(room->script->sent_len, 14);
    assert_memory_equal(room->script->sent, "\xC0\x00\x0A\x04\0\0\0\0\0\x00\x10\x00\x40\xC0", 14);
    nothing_stale(room);
    reply(room, EF_OP_READ_REG, 0xCAFE, "", 0, 1, 5);
    assert_int_equal(ef_command_read_reg(&room->esp, 0x40001000, &value), EF_REJECTED);
    nothing_stale(room);
    reply(room, EF_OP_WRITE_REG, 0, "", 0, 0, 0);
    room->script->sent_len = 0;
    assert_int_equal(ef_command_write_reg(&room->esp, 4, 0x11223344), EF_OK);
    assert_int_equal(room->script->sent_len, 26);
    assert_memory_equal(room->script->sent + 9,
                        "\x04\0\0\0\x44\x33\x22\x11\xFF\xFF\xFF\xFF\0\0\0\0", 16);
}

/* Asked up to three times, if what failed may heal. */
static void registers_are_asked_again(void **state)
{
    struct room *room = *state;
    uint32_t value = 7;
    assert_int_equal(ef_command_read_reg(&room->esp, 0, &value), EF_TIMEOUT);
    assert_int_equal(room->esp.commands, 3);
    assert_int_equal(value, 7);
    nothing_stale(room);
    script_error(room->script, EF_TIMEOUT);
    script_error(room->script, EF_TIMEOUT); /* resync */
    script_error(room->script, EF_TIMEOUT);
    nothing_stale(room);
    script_bytes(room->script, "\xC0\xDBx\xC0", 4);
    script_error(room->script, EF_TIMEOUT); /* resync */
    script_error(room->script, EF_TIMEOUT);
    nothing_stale(room);
    reply(room, EF_OP_READ_REG, 9, "", 0, 0, 0);
    assert_int_equal(ef_command_read_reg(&room->esp, 0, &value), EF_OK);
    assert_int_equal(value, 9);
    room->esp.commands = 0;
    script_error(room->script, EF_GONE);
    assert_int_equal(ef_command_read_reg(&room->esp, 0, &value), EF_GONE);
    assert_int_equal(room->esp.commands, 0);
    nothing_stale(room);
    script_error(room->script, EF_GONE);
    assert_int_equal(ef_command_read_reg(&room->esp, 0, &value), EF_GONE);
    assert_int_equal(room->esp.commands, 1);
}

/* A reply names its command, not its register: one that came twice is not the next one's. */
static void a_reply_that_comes_twice_is_not_the_next_registers(void **state)
{
    struct room *room = *state;
    uint32_t value = 7;
    nothing_stale(room);
    reply(room, EF_OP_READ_REG, 0xCAFE, "", 0, 0, 0);
    assert_int_equal(ef_command_read_reg(&room->esp, 0x100, &value), EF_OK);
    reply(room, EF_OP_READ_REG, 0xCAFE, "", 0, 0, 0);
    nothing_stale(room);
    reply(room, EF_OP_READ_REG, 0xBEEF, "", 0, 0, 0);
    assert_int_equal(ef_command_read_reg(&room->esp, 0x104, &value), EF_OK);
    assert_int_equal(value, 0xBEEF);
}

static void names_and_texts(void **state)
{
    struct room *room = *state;
    assert_string_equal(ef_command_name(EF_OP_SPI_FLASH_MD5), "SPI_FLASH_MD5");
    assert_string_equal(ef_command_name(EF_OP_READ_FLASH), "READ_FLASH");
    assert_string_equal(ef_command_name((enum ef_op)0x7F), "?");
    assert_string_equal(ef_command_status_text(&room->esp, (uint8_t[]){1, 7}), "wrong checksum");
    assert_string_equal(ef_command_status_text(&room->esp, (uint8_t[]){1, 0x77}), "?");
    room->esp.stub = true;
    assert_string_equal(ef_command_status_text(&room->esp, (uint8_t[]){0xC1, 0}), "wrong checksum");
    assert_string_equal(ef_command_status_text(&room->esp, (uint8_t[]){0xFF, 0}),
                        "command not implemented");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(request_on_the_wire, room_open, room_close),
        cmocka_unit_test_setup_teardown(status_lengths, room_open, room_close),
        cmocka_unit_test_setup_teardown(status_behind_the_data, room_open, room_close),
        cmocka_unit_test_setup_teardown(short_refusals, room_open, room_close),
        cmocka_unit_test_setup_teardown(truncated_replies, room_open, room_close),
        cmocka_unit_test_setup_teardown(stale_replies, room_open, room_close),
        cmocka_unit_test_setup_teardown(stale_replies_for_ever, room_open, room_close),
        cmocka_unit_test_setup_teardown(errors_of_the_line, room_open, room_close),
        cmocka_unit_test_setup_teardown(checksums, room_open, room_close),
        cmocka_unit_test_setup_teardown(registers, room_open, room_close),
        cmocka_unit_test_setup_teardown(registers_are_asked_again, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_reply_that_comes_twice_is_not_the_next_registers,
                                        room_open, room_close),
        cmocka_unit_test_setup_teardown(names_and_texts, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
