/* Getting into step with whatever answers: a ROM, a stub, or neither. */
#include "fake_loader.h"
#include "script_line.h"

#include "espflashfs/session.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct room {
    struct fake_loader *fake;
};

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    room->fake = fake_new(ef_chip_by_id(EF_CHIP_ESP32));
    return 0;
}

static int room_close(void **state)
{
    struct room *room = *state;
    free(room->fake);
    free(room);
    return 0;
}

/* All eight replies are taken in, and who answered is known. */
static void rom_and_stub(void **state)
{
    struct fake_loader *fake = ((struct room *)*state)->fake;
    for (int stub = 0; stub < 2; stub++) {
        uint32_t value;
        fake->stub = stub;
        fake->esp.stub = !stub;
        fake->esp.rom_status = 2; /* not known yet when the first sync is sent */
        assert_int_equal(ef_esp_sync(&fake->esp, 1), EF_OK);
        assert_int_equal(fake->esp.stub, stub);
        fake->esp.rom_status = 4;
        assert_int_equal(fake->out_len, 0);
        assert_int_equal(ef_command_read_reg(&fake->esp, 0x40001000, &value), EF_OK);
    }
    assert_int_equal(fake_op_seen(fake, EF_OP_SYNC), 2);
}

static void lost_requests(void **state)
{
    struct fake_loader *fake = ((struct room *)*state)->fake;
    fake->lose_op = EF_OP_SYNC;
    fake->lose = 6;
    assert_int_equal(ef_esp_sync(&fake->esp, 7), EF_OK);
    fake->lose = 7;
    assert_int_equal(ef_esp_sync(&fake->esp, 7), EF_TIMEOUT);
    assert_int_equal(fake_op_seen(fake, EF_OP_SYNC), 14);
}

static void refused_once(void **state)
{
    struct fake_loader *fake = ((struct room *)*state)->fake;
    fake->refuse_op = EF_OP_SYNC;
    fake->refuse = 1;
    fake->refuse_status = 0x05;
    assert_int_equal(ef_esp_sync(&fake->esp, 2), EF_OK);
}

static void silence(void **state)
{
    struct fake_loader *fake = ((struct room *)*state)->fake;
    fake->dead = true;
    assert_int_equal(ef_esp_sync(&fake->esp, 5), EF_TIMEOUT);
    assert_int_equal(ef_esp_sync(&fake->esp, 0), EF_TIMEOUT);
}

/* Half a frame that a program before us left behind does not swallow the first sync for ever. */
static void half_a_frame_before(void **state)
{
    struct fake_loader *fake = ((struct room *)*state)->fake;
    static const uint8_t HALF[] = {0xC0, 0x00, 0x0A, 0x04};
    fake_write(&fake->line, HALF, sizeof(HALF), 0);
    assert_int_equal(ef_esp_sync(&fake->esp, 3), EF_OK);
}

static void old_output_is_no_answer(void **state)
{
    struct fake_loader *fake = ((struct room *)*state)->fake;
    uint32_t value;
    memcpy(fake->out, "boot log \xC0garbage\xC0", 18);
    fake->out_len = 18;
    fake_reply(fake, EF_OP_READ_REG, 0xBAD, NULL, 0, 0, 0);
    assert_int_equal(ef_esp_sync(&fake->esp, 3), EF_OK);
    assert_int_equal(ef_command_read_reg(&fake->esp, 0x40001000, &value), EF_OK);
    assert_int_not_equal(value, 0xBAD);
}

static void the_payload(void **state)
{
    (void)state;
    struct script_line *script = script_new();
    struct ef_link *link = calloc(1, sizeof(*link));
    ef_link_init(link, &script->line);
    struct ef_esp esp = {.link = link, .rom_status = 2};
    assert_int_equal(ef_esp_sync(&esp, 1), EF_TIMEOUT);
    assert_int_equal(script->sent_len, 1 + 8 + 36 + 1);
    assert_memory_equal(script->sent, "\xC0\x00\x08\x24\x00\0\0\0\0\x07\x07\x12\x20\x55", 14);
    for (size_t i = 13; i < 45; i++)
        assert_int_equal(script->sent[i], 0x55);
    free(link);
    free(script);
}

/* From the fourth try on, a lone END between tries sets a stub right that lost count of them. */
static void a_lone_end(void **state)
{
    (void)state;
    struct script_line *script = script_new();
    struct ef_link *link = calloc(1, sizeof(*link));
    ef_link_init(link, &script->line);
    struct ef_esp esp = {.link = link, .rom_status = 2};
    assert_int_equal(ef_esp_sync(&esp, 3), EF_TIMEOUT);
    assert_int_equal(script->sent_len, 3 * 46);
    script->sent_len = 0;
    assert_int_equal(ef_esp_sync(&esp, 4), EF_TIMEOUT);
    assert_int_equal(script->sent_len, 4 * 46 + 1);
    assert_memory_equal(script->sent + 3 * 46, "\xC0\xC0\x00\x08", 4);
    free(link);
    free(script);
}

static void gone(void **state)
{
    (void)state;
    struct script_line *script = script_new();
    struct ef_link *link = calloc(1, sizeof(*link));
    ef_link_init(link, &script->line);
    struct ef_esp esp = {.link = link, .rom_status = 2};
    script_error(script, EF_GONE);
    assert_int_equal(ef_esp_sync(&esp, 5), EF_GONE);
    assert_int_equal(esp.commands, 1);
    script->write_err = EF_GONE;
    assert_int_equal(ef_esp_sync(&esp, 5), EF_GONE);
    free(link);
    free(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rom_and_stub, room_open, room_close),
        cmocka_unit_test_setup_teardown(lost_requests, room_open, room_close),
        cmocka_unit_test_setup_teardown(refused_once, room_open, room_close),
        cmocka_unit_test_setup_teardown(silence, room_open, room_close),
        cmocka_unit_test_setup_teardown(half_a_frame_before, room_open, room_close),
        cmocka_unit_test_setup_teardown(old_output_is_no_answer, room_open, room_close),
        cmocka_unit_test_setup_teardown(the_payload, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_lone_end, room_open, room_close),
        cmocka_unit_test_setup_teardown(gone, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
