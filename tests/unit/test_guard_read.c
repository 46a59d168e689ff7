/* What a chip's efuses and security information say, as a guard; and what its port is. */
#include "fake_loader.h"

#include "esp/session_steps.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct room {
    struct fake_loader *fake;
    struct ef_session session;
    struct ef_log log;
};

static int room_open(void **state)
{
    *state = calloc(1, sizeof(struct room));
    return *state ? 0 : -1;
}

static int room_close(void **state)
{
    struct room *room = *state;
    free(room->fake);
    free(room);
    return 0;
}

/* A fresh chip, not identified yet. */
static void enter(struct room *room, enum ef_chip_id id)
{
    free(room->fake);
    room->fake = fake_new(ef_chip_by_id(id));
    room->session = (struct ef_session){.line = &room->fake->line, .chip = ef_chip_by_id(id)};
    room->session.esp = room->fake->esp;
    room->session.config.stub = "rom";
}

/* Sets a field's lowest `bits` bits. */
static void burn(struct room *room, const struct ef_bits *field, uint32_t bits)
{
    if (field->width) {
        uint32_t old = fake_get(room->fake, field->reg);
        fake_set(room->fake, field->reg, old | bits << field->shift);
    }
}

/* As ef_chip_identify would, but for the words. */
static void learn(struct room *room)
{
    struct ef_session *s = &room->session;
    struct ef_identity *id = &s->identity;
    const struct ef_guard_regs *regs = &s->chip->guard;
    uint32_t value;
    assert_int_equal(ef_chip_read_bits(&s->esp, &regs->crypt_count, &value), EF_OK);
    id->flash_encryption = __builtin_parity(value);
    assert_int_equal(ef_chip_read_bits(&s->esp, &regs->no_manual_encrypt, &value), EF_OK);
    id->no_manual_encrypt = value != 0;
    assert_int_equal(ef_chip_read_bits(&s->esp, &regs->secure_boot, &value), EF_OK);
    id->secure_boot = value != 0;
    assert_int_equal(ef_chip_read_bits(&s->esp, &regs->secure_boot_v2, &value), EF_OK);
    id->secure_boot = id->secure_boot || (value != 0 && id->revision >= regs->secure_boot_v2_from);
    id->registers_read = true;
    assert_int_equal(ef_guard_read(s), EF_OK);
}

static void efuses_of_every_chip(void **state)
{
    struct room *room = *state;
    for (int id = 0; id < EF_CHIP_COUNT; id++) {
        const struct ef_guard_regs *regs = &ef_chip_by_id((enum ef_chip_id)id)->guard;
        const struct ef_guard *guard = &room->session.guard;
        bool has_any = regs->crypt_count.width != 0;
        enter(room, (enum ef_chip_id)id);
        learn(room);
        assert_int_equal(guard->encryption, EF_ENCRYPTION_OFF);
        assert_int_equal(guard->secure_boot, EF_SECURE_BOOT_OFF);
        assert_false(guard->secure_download);
        burn(room, &regs->crypt_count, 1);
        learn(room);
        assert_int_equal(guard->encryption,
                         has_any ? EF_ENCRYPTION_DEVELOPMENT : EF_ENCRYPTION_OFF);
        burn(room, &regs->crypt_count, 3); /* switched off again */
        learn(room);
        assert_int_equal(guard->encryption, EF_ENCRYPTION_OFF);
        burn(room, &regs->crypt_count, 7);
        burn(room, &regs->no_manual_encrypt, 1);
        learn(room);
        assert_int_equal(guard->encryption, has_any ? EF_ENCRYPTION_RELEASE : EF_ENCRYPTION_OFF);
        burn(room, &regs->secure_boot, 1);
        learn(room);
        assert_int_equal(guard->secure_boot, !has_any                     ? EF_SECURE_BOOT_OFF
                                             : regs->secure_boot_v2.width ? EF_SECURE_BOOT_V1
                                                                          : EF_SECURE_BOOT_V2);
    }
}

/* The ESP32's second scheme has an efuse of its own, which older silicon ignores. */
static void two_schemes(void **state)
{
    struct room *room = *state;
    const struct ef_guard_regs *regs = &ef_chip_by_id(EF_CHIP_ESP32)->guard;
    enter(room, EF_CHIP_ESP32);
    burn(room, &regs->secure_boot_v2, 1);
    room->session.identity.revision = 100;
    learn(room);
    assert_int_equal(room->session.guard.secure_boot, EF_SECURE_BOOT_OFF);
    room->session.identity.revision = 300;
    learn(room);
    assert_int_equal(room->session.guard.secure_boot, EF_SECURE_BOOT_V2);
    burn(room, &regs->secure_boot, 1);
    room->session.identity.revision = 100;
    learn(room);
    assert_int_equal(room->session.guard.secure_boot, EF_SECURE_BOOT_V1);
}

static void set_info(struct room *room, uint32_t flags, uint8_t crypt_count)
{
    ef_put_le32(room->fake->security, flags);
    room->fake->security[4] = crypt_count;
}

/* The ROM's own word is enough, wherever the efuse may lie. */
static void security_information(void **state)
{
    struct room *room = *state;
    static const struct {
        uint32_t flags;
        uint8_t crypt_count;
        bool registers;
        struct ef_guard guard;
    } CASES[] = {
        {0, 0, true, {0}},
        {0, 1, true, {.encryption = EF_ENCRYPTION_DEVELOPMENT}},
        {0, 3, true, {0}},
        {0, 7, true, {.encryption = EF_ENCRYPTION_RELEASE}},
        {EF_SECURE_BOOT_EN, 0, true, {.secure_boot = EF_SECURE_BOOT_V2}},
        {EF_SECURE_DOWNLOAD_ENABLE, 0, false, {.secure_download = true}},
        {EF_SECURE_DOWNLOAD_ENABLE | EF_SECURE_BOOT_EN,
         1,
         false,
         {EF_ENCRYPTION_ON, EF_SECURE_BOOT_V2, true, false}},
        {EF_SECURE_DOWNLOAD_ENABLE,
         7,
         false,
         {.encryption = EF_ENCRYPTION_RELEASE, .secure_download = true}},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        enter(room, EF_CHIP_ESP32C3);
        set_info(room, CASES[i].flags, CASES[i].crypt_count);
        room->fake->no_registers = !CASES[i].registers;
        struct ef_session *s = &room->session;
        assert_int_equal(ef_chip_detect(&s->esp, &s->chip, &s->security), EF_OK);
        assert_int_equal(ef_security_confirm(s), EF_OK);
        s->identity.registers_read = CASES[i].registers;
        assert_int_equal(ef_guard_read(s), EF_OK);
        assert_int_equal(s->guard.encryption, CASES[i].guard.encryption);
        assert_int_equal(s->guard.secure_boot, CASES[i].guard.secure_boot);
        assert_int_equal(s->guard.secure_download, CASES[i].guard.secure_download);
    }
}

/* A flipped bit in the first reading neither bars the flash nor opens it. */
static void a_damaged_reading(void **state)
{
    struct room *room = *state;
    struct ef_session *s = &room->session;
    enter(room, EF_CHIP_ESP32C3);
    set_info(room, EF_SECURE_BOOT_EN, 1);
    assert_int_equal(ef_chip_detect(&s->esp, &s->chip, &s->security), EF_OK);
    size_t before = fake_op_seen(room->fake, EF_OP_GET_SECURITY_INFO);
    s->security.flags ^= EF_SECURE_BOOT_EN | EF_SECURE_DOWNLOAD_ENABLE;
    s->security.secure_download = true;
    s->security.crypt_count = 0;
    assert_int_equal(ef_security_confirm(s), EF_OK);
    assert_int_equal(fake_op_seen(room->fake, EF_OP_GET_SECURITY_INFO) - before, 2);
    assert_int_equal(s->security.flags, EF_SECURE_BOOT_EN);
    assert_int_equal(s->security.crypt_count, 1);
    assert_false(s->security.secure_download);
    room->fake->lose_op = EF_OP_GET_SECURITY_INFO;
    room->fake->lose = 1;
    assert_int_equal(ef_security_confirm(s), EF_OK);
    room->fake->lose = 100;
    assert_int_equal(ef_security_confirm(s), EF_TIMEOUT);
}

/* In Secure Download Mode: nothing, nothing without a size, or the ROM alone. */
static void secure_download_loader(void **state)
{
    struct room *room = *state;
    struct ef_session *s = &room->session;
    enter(room, EF_CHIP_ESP32C3);
    s->config.stub = "auto";
    s->guard.secure_download = true;
    assert_int_equal(ef_loader_choose(s), EF_OK);
    assert_non_null(strstr(s->no_flash_why, "-o force and size="));
    assert_int_equal(ef_flash_detect(s), EF_OK);
    assert_int_equal(s->flash_size, 0);
    s->no_flash_why = NULL;
    s->guard.forced = true;
    assert_int_equal(ef_loader_choose(s), EF_OK);
    assert_non_null(strstr(s->no_flash_why, "size= must be given"));
    s->no_flash_why = NULL;
    s->config.size = 4 << 20;
    assert_int_equal(ef_loader_choose(s), EF_OK);
    assert_null(s->no_flash_why);
    assert_false(s->with_stub);
    assert_int_equal(fake_op_seen(room->fake, EF_OP_READ_REG), 0);
}

/* Every value of the ROM's variable, on every chip. */
static void ports_of_every_chip(void **state)
{
    struct room *room = *state;
    for (int id = 0; id < EF_CHIP_COUNT; id++) {
        const struct ef_chip *chip = ef_chip_by_id((enum ef_chip_id)id);
        uint32_t reg = ef_chip_uartdev_reg(chip, &(struct ef_identity){.revision = 999});
        for (uint32_t value = 0; value < 8; value++) {
            enum ef_wire expected = EF_WIRE_UART;
            if (chip->usb.uartdev_otg && value == chip->usb.uartdev_otg)
                expected = EF_WIRE_USB_OTG;
            else if (chip->usb.uartdev_serial_jtag && value == chip->usb.uartdev_serial_jtag)
                expected = EF_WIRE_USB_JTAG;
            enter(room, (enum ef_chip_id)id);
            struct ef_session *s = &room->session;
            s->identity.revision = 999;
            if (reg)
                fake_set(room->fake, reg, 0xABCDEF00 | value);
            assert_int_equal(ef_wire_detect(s), EF_OK);
            assert_int_equal(s->wire, reg ? expected : EF_WIRE_UART);
            assert_int_equal(s->esp.ram_block, s->wire == EF_WIRE_USB_OTG ? 0x800 : 0);
        }
    }
}

/* Without registers, the port's USB ids; somebody else's ids mean nothing. */
static void ports_by_usb_ids(void **state)
{
    struct room *room = *state;
    static const struct {
        enum ef_chip_id chip;
        uint16_t vid, pid;
        enum ef_wire wire;
    } CASES[] = {{EF_CHIP_ESP32C3, 0x303A, 0x1001, EF_WIRE_USB_JTAG},
                 {EF_CHIP_ESP32S2, 0x303A, 0x0002, EF_WIRE_USB_OTG},
                 {EF_CHIP_ESP32S3, 0x303A, 0x1001, EF_WIRE_USB_JTAG},
                 {EF_CHIP_ESP32S3, 0x303A, 0x0009, EF_WIRE_USB_OTG},
                 {EF_CHIP_ESP32, 0x303A, 0x1001, EF_WIRE_UART},
                 {EF_CHIP_ESP32C3, 0x303A, 0x1002, EF_WIRE_UART},
                 {EF_CHIP_ESP32C3, 0x10C4, 0xEA60, EF_WIRE_UART},
                 {EF_CHIP_ESP32C3, 0, 0, EF_WIRE_UART}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        enter(room, CASES[i].chip);
        room->session.security.secure_download = true;
        room->fake->line.usb_vid = CASES[i].vid;
        room->fake->line.usb_pid = CASES[i].pid;
        assert_int_equal(ef_wire_detect(&room->session), EF_OK);
        assert_int_equal(room->session.wire, CASES[i].wire);
        assert_int_equal(fake_op_seen(room->fake, EF_OP_READ_REG), 0);
    }
}

/* The variable moves from one revision of a ROM to the next; the ids don't. */
static void usb_ids_win(void **state)
{
    struct room *room = *state;
    enter(room, EF_CHIP_ESP32C3);
    room->fake->line.usb_vid = 0x303A;
    room->fake->line.usb_pid = 0x1001;
    assert_int_equal(ef_wire_detect(&room->session), EF_OK);
    assert_int_equal(room->session.wire, EF_WIRE_USB_JTAG);
    enter(room, EF_CHIP_ESP32C61);
    room->session.identity.revision = 2;
    fake_set(room->fake, 0x4084F5EC, 3);
    assert_int_equal(ef_wire_detect(&room->session), EF_OK);
    assert_int_equal(room->session.wire, EF_WIRE_USB_JTAG);
}

static void watchdogs(void **state)
{
    struct room *room = *state;
    unsigned with_watchdogs = 0;
    for (int id = 0; id < EF_CHIP_COUNT; id++) {
        enter(room, (enum ef_chip_id)id);
        struct ef_session *s = &room->session;
        const struct ef_watchdog_regs *w = &s->chip->watchdog;
        if (!w->wprotect || !w->swd_config)
            continue;
        with_watchdogs++;
        fake_set(room->fake, w->config0, 0xFFFFFFFF);
        fake_set(room->fake, w->swd_config, 1);
        assert_int_equal(ef_watchdogs_off(s), EF_OK); /* a UART: left alone */
        assert_int_equal(fake_op_seen(room->fake, EF_OP_WRITE_REG), 0);
        s->wire = EF_WIRE_USB_JTAG;
        assert_int_equal(ef_watchdogs_off(s), EF_OK);
        assert_int_equal(fake_get(room->fake, w->config0), 0);
        assert_int_equal(fake_get(room->fake, w->swd_config), 1 | w->swd_auto_feed);
        assert_int_equal(fake_get(room->fake, w->wprotect), 0);
        assert_int_equal(fake_get(room->fake, w->swd_wprotect), 0);
        assert_int_equal(fake_op_seen(room->fake, EF_OP_WRITE_REG), 6);
    }
    assert_true(with_watchdogs >= 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(efuses_of_every_chip, room_open, room_close),
        cmocka_unit_test_setup_teardown(two_schemes, room_open, room_close),
        cmocka_unit_test_setup_teardown(security_information, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_damaged_reading, room_open, room_close),
        cmocka_unit_test_setup_teardown(secure_download_loader, room_open, room_close),
        cmocka_unit_test_setup_teardown(ports_of_every_chip, room_open, room_close),
        cmocka_unit_test_setup_teardown(ports_by_usb_ids, room_open, room_close),
        cmocka_unit_test_setup_teardown(usb_ids_win, room_open, room_close),
        cmocka_unit_test_setup_teardown(watchdogs, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
