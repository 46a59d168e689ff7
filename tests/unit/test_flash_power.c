/* The ESP32-P4 whose flash comes up unpowered: what is written, against esptool's sequence. */
#include "fake_loader.h"

#include "esp/session_steps.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    XPD_PADS = 0x5011010C,
    LDO_CURRENT = 0x501151BC,
    LDO = 0x501151B8,
    PMU_DATE = 0x501153FC,
    BY_ROM = 0x5012D034,
    WRITES_MAX = 16
};

/* A loader that keeps a list of what is written to its registers. */
struct room {
    struct ef_line_ops ops; /* first: the line points to it */
    struct fake_loader *fake;
    struct ef_session session;
    struct ef_slip_decoder slip;
    uint8_t frame[256];
    struct fake_reg writes[WRITES_MAX];
    size_t count;
};

static enum ef_err spy(struct ef_line *line, const uint8_t *buf, size_t len, ef_deadline deadline)
{
    struct room *room = (struct room *)line->ops;
    for (size_t at = 0, used; at < len; at += used) {
        const uint8_t *frame = room->frame;
        if (ef_slip_decode(&room->slip, buf + at, len - at, &used) == EF_SLIP_FRAME &&
            frame[1] == EF_OP_WRITE_REG && room->count < WRITES_MAX)
            room->writes[room->count++] =
                (struct fake_reg){ef_le32(frame + 8), ef_le32(frame + 12)};
    }
    return fake_write(line, buf, len, deadline);
}

static void enter(struct room *room, uint16_t revision)
{
    const struct ef_chip *chip = ef_chip_by_id(EF_CHIP_ESP32P4);
    *room = (struct room){.fake = fake_new(chip)};
    room->ops = *room->fake->line.ops;
    room->ops.write = spy;
    room->fake->line.ops = &room->ops;
    ef_slip_decoder_init(&room->slip, room->frame, sizeof(room->frame));
    room->session = (struct ef_session){
        .line = &room->fake->line, .chip = chip, .identity = {.revision = revision}};
    room->session.esp = room->fake->esp;
    fake_set(room->fake, LDO_CURRENT, 0x12345678);
    fake_set(room->fake, LDO, 0x76543210);
    fake_set(room->fake, PMU_DATE, 0x22306150);
}

static void leave(struct room *room)
{
    free(room->fake);
}

static void switched_on(void **state)
{
    (void)state;
    static const struct fake_reg WANT[] = {
        {XPD_PADS, 1},          {LDO_CURRENT, 0x1A345678}, {LDO, 0x76543290},
        {PMU_DATE, 0x22306153}, {LDO_CURRENT, 0x12345678}, {LDO, 0x00543290},
        {LDO, 0x00543290},      {LDO, 0x00543210},
    };
    for (uint16_t revision = 301; revision <= 302; revision++) {
        struct room room;
        enter(&room, revision);
        if (revision == 301)
            fake_set(room.fake, BY_ROM, 0x10000); /* means nothing to this one */
        assert_int_equal(ef_flash_power_on(&room.session), EF_OK);
        assert_int_equal(room.count, COUNT(WANT));
        assert_memory_equal(room.writes, WANT, sizeof(WANT));
        leave(&room);
    }
}

static void left_to_the_rom(void **state)
{
    (void)state;
    static const uint32_t DATES[] = {0x22306150, 0x22306151, 0x22306152};
    struct room room;
    for (size_t i = 0; i < COUNT(DATES); i++) {
        enter(&room, 302);
        fake_set(room.fake, BY_ROM, 0x10000);
        fake_set(room.fake, PMU_DATE, DATES[i]);
        assert_int_equal(ef_flash_power_on(&room.session), EF_OK);
        assert_int_equal(room.count, 0);
        leave(&room);
    }
    enter(&room, 302);
    fake_set(room.fake, BY_ROM, 0x10000);
    fake_set(room.fake, PMU_DATE, 0x22306153);
    assert_int_equal(ef_flash_power_on(&room.session), EF_OK);
    assert_int_equal(room.count, 1);
    assert_int_equal(room.writes[0].addr, PMU_DATE);
    assert_int_equal(room.writes[0].value, 0x22306150);
    leave(&room);
}

static void not_touched(void **state)
{
    (void)state;
    struct room room;
    static const uint16_t REVISIONS[] = {0, 103, 300, 303};
    for (size_t i = 0; i < COUNT(REVISIONS); i++) {
        enter(&room, REVISIONS[i]);
        assert_int_equal(ef_flash_power_on(&room.session), EF_OK);
        assert_int_equal(room.fake->op_count, 0);
        leave(&room);
    }
    for (int i = 0; i < 3; i++) {
        enter(&room, 301);
        room.session.esp.stub = i == 0;
        room.session.security.secure_download = i == 1;
        if (i == 2)
            room.session.chip = ef_chip_by_id(EF_CHIP_ESP32S3);
        assert_int_equal(ef_flash_power_on(&room.session), EF_OK);
        assert_int_equal(room.fake->op_count, 0);
        leave(&room);
    }
}

static void refused(void **state)
{
    (void)state;
    struct room room;
    enter(&room, 301);
    room.fake->refuse_op = EF_OP_WRITE_REG;
    room.fake->refuse = UINT32_MAX;
    room.fake->refuse_status = 0x06;
    assert_int_equal(ef_flash_power_on(&room.session), EF_REJECTED);
    assert_int_equal(fake_get(room.fake, XPD_PADS), 0);
    leave(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(switched_on),
        cmocka_unit_test(left_to_the_rom),
        cmocka_unit_test(not_touched),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
