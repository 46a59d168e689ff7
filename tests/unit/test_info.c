/* info.txt: fixed keys in a fixed order, whatever the board says of itself. */
#include "espflashfs/node.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct room {
    struct ef_session session;
    char port[EF_PORT_NAME_MAX];
    struct ef_mount mount;
    char *text;
};

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    struct ef_session *s = &room->session;
    s->config.port = room->port;
    s->chip = ef_chip_by_id(EF_CHIP_ESP32);
    strcpy(room->port, "/dev/ttyUSB0");
    s->baud = 460800;
    strcpy(s->identity.description, "ESP32-D0WDQ6 (revision v1.0)");
    strcpy(s->identity.features, "Wi-Fi, BT, Dual Core");
    strcpy(s->identity.crystal, "40MHz");
    s->identity.registers_read = true;
    memcpy(s->identity.mac, "\x24\x0A\xC4\x00\x01\xFF", 6);
    s->flash_id = 0x1640EF;
    s->flash_size = 4 << 20;
    s->flash_size_by_id = 4 << 20;
    s->with_stub = true;
    strcpy(s->stub.path, "/stubs/esp32.json");
    return 0;
}

static int room_close(void **state)
{
    struct room *room = *state;
    free(room->text);
    free(room);
    return 0;
}

static const char *text(struct room *room, bool read_only)
{
    free(room->text);
    room->text = ef_info_text(&room->session, read_only);
    assert_non_null(room->text);
    return room->text;
}

static void whole_text(void **state)
{
    assert_string_equal(text(*state, false), "Chip: ESP32-D0WDQ6 (revision v1.0)\n"
                                             "Features: Wi-Fi, BT, Dual Core\n"
                                             "Crystal: 40MHz\n"
                                             "MAC: 24:0a:c4:00:01:ff\n"
                                             "Manufacturer: ef (Winbond)\n"
                                             "Device: 4016\n"
                                             "Flash size by id: 4MB\n"
                                             "Detected flash size: 4MB\n"
                                             "Flash size in bytes: 4194304\n"
                                             "Flash size in hex: 0x400000\n"
                                             "Port: /dev/ttyUSB0\n"
                                             "Baud: 460800\n"
                                             "Loader: stub (/stubs/esp32.json)\n"
                                             "Security: none\n"
                                             "Flash access: read and write\n");
}

static void loaders_and_access(void **state)
{
    struct room *room = *state;
    assert_non_null(strstr(text(room, true), "\nFlash access: read only\n"));
    room->session.stub.path[0] = '\0';
    assert_non_null(strstr(text(room, false), "\nLoader: stub (was already running)\n"));
    room->session.with_stub = false;
    assert_non_null(strstr(text(room, false), "\nLoader: ROM\n"));
    room->session.no_flash_why = "it would brick";
    assert_non_null(strstr(text(room, false), "\nFlash access: none: it would brick\n"));
    room->session.baud = 0;
    assert_non_null(strstr(text(room, false), "\nBaud: set at the far end\n"));
}

static void chip_of_802_15_4(void **state)
{
    struct room *room = *state;
    struct ef_identity *id = &room->session.identity;
    id->has_mac_ext = true;
    memcpy(id->mac_ext, "\xFF\xFE", 2);
    assert_non_null(strstr(text(room, false), "\nMAC: 24:0a:c4:ff:fe:00:01:ff\n"
                                              "BASE MAC: 24:0a:c4:00:01:ff\n"
                                              "MAC_EXT: ff:fe\nManufacturer: "));
}

static void flash_type_and_voltage(void **state)
{
    struct room *room = *state;
    strcpy(room->session.identity.flash_type, "octal (8 data lines)");
    strcpy(room->session.identity.flash_voltage, "1.8V (set by eFuse)");
    assert_non_null(strstr(text(room, false), "\nFlash size in hex: 0x400000\n"
                                              "Flash type set in eFuse: octal (8 data lines)\n"
                                              "Flash voltage: 1.8V (set by eFuse)\nPort: "));
}

static void secure_download_mode(void **state)
{
    struct room *room = *state;
    room->session.identity =
        (struct ef_identity){.description = "ESP32-S3 in Secure Download Mode"};
    const char *got = text(room, false);
    static const char CHIP[] = "Chip: ESP32-S3 in Secure Download Mode\n"
                               "Features: unknown\nCrystal: unknown\nMAC: unknown\n";
    assert_memory_equal(got, CHIP, strlen(CHIP));
}

static void small_flash(void **state)
{
    struct room *room = *state;
    room->session.flash_size = 512 * 1024;
    room->session.flash_id = 0x130077;
    room->session.flash_size_by_id = 0;
    assert_non_null(strstr(text(room, false), "\nManufacturer: 77 (unknown)\nDevice: 0013\n"
                                              "Flash size by id: unknown\n"
                                              "Detected flash size: 512KB\n"));
}

static void a_flash_that_is_smaller_than_its_id(void **state)
{
    struct room *room = *state;
    room->session.flash_size = 2 << 20;
    room->session.flash_repeats = true;
    assert_non_null(strstr(text(room, false),
                           "\nFlash size by id: 4MB (doubtful: the contents repeat)"
                           "\nDetected flash size: 2MB\n"));
}

static void built_in_usb_has_no_baud(void **state)
{
    struct room *room = *state;
    room->session.wire = EF_WIRE_USB_JTAG;
    assert_non_null(strstr(text(room, false), "\nBaud: none (built-in USB)\n"));
}

static void secure_download_mode_knows_little(void **state)
{
    struct room *room = *state;
    struct ef_session *s = &room->session;
    s->guard.secure_download = true;
    s->guard.encryption = EF_ENCRYPTION_ON;
    s->flash_size = 0;
    s->flash_size_by_id = 0;
    s->no_flash_why = "why";
    assert_non_null(strstr(text(room, false),
                           "\nManufacturer: unknown\nDevice: unknown\nFlash size by id: unknown\n"
                           "Detected flash size: unknown\nFlash size in bytes: unknown\n"
                           "Flash size in hex: unknown\n"));
    assert_non_null(strstr(text(room, false), "\nSecurity: flash encryption, Secure Download Mode\n"
                                              "Flash access: none: why\n"));
    s->no_flash_why = NULL;
    s->guard.forced = true;
    s->flash_size = 4 << 20;
    assert_non_null(strstr(text(room, false), "\nFlash access: write only (-o force), "));
}

/* One key a line, even where the port's name holds a line break. */
static void stays_one_key_a_line(void **state)
{
    struct room *room = *state;
    snprintf(room->port, sizeof(room->port), "/dev/tty\nChip: forged\033[2J");
    assert_non_null(strstr(text(room, false), "\nPort: /dev/tty\\x0aChip: forged\\x1b[2J\n"));
    memset(room->port, 1, sizeof(room->port) - 1);
    assert_non_null(strstr(text(room, false), "\\x01\\x01\nBaud: "));
}

static void node(void **state)
{
    struct room *room = *state;
    ef_mount_init(&room->mount, &room->session, NULL, false);
    struct ef_node *info = &room->mount.node[EF_NODE_INFO];
    struct ef_patience patience = {0};
    void *handle = NULL;
    uint8_t buf[1024];
    assert_int_equal(info->ops->open(info, O_WRONLY, &handle), -EACCES);
    assert_int_equal(info->ops->open(info, O_RDWR, &handle), -EACCES);
    assert_int_equal(info->ops->open(info, O_RDONLY, &handle), 0);
    const char *all = text(room, false);
    size_t len = strlen(all);
    assert_int_equal(info->ops->size(info), len);
    assert_int_equal(info->ops->read(info, handle, buf, sizeof(buf), 0, patience), len);
    assert_memory_equal(buf, all, len);
    assert_int_equal(info->ops->read(info, handle, buf, 5, 6, patience), 5);
    assert_memory_equal(buf, all + 6, 5);
    assert_int_equal(info->ops->read(info, handle, buf, 5, len - 1, patience), 1);
    assert_int_equal(info->ops->read(info, handle, buf, 5, len, patience), 0);
    assert_int_equal(info->ops->read(info, handle, buf, 5, UINT64_MAX, patience), 0);
    info->ops->release(info, handle);
    pthread_mutex_destroy(&room->mount.lock);
}

static void presence(void **state)
{
    struct room *room = *state;
    ef_mount_init(&room->mount, &room->session, NULL, true);
    assert_true(room->mount.node[EF_NODE_FLASH].present);
    assert_int_equal(room->mount.node[EF_NODE_FLASH].mode, 0400);
    assert_int_equal(room->mount.node[EF_NODE_ERASE].mode, 0400);
    room->session.no_flash_why = "no";
    ef_mount_init(&room->mount, &room->session, NULL, false);
    assert_false(room->mount.node[EF_NODE_FLASH].present);
    assert_false(room->mount.node[EF_NODE_ERASE].present);
    assert_true(room->mount.node[EF_NODE_INFO].present);
    assert_int_equal(room->mount.node[EF_NODE_INFO].mode, 0400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole_text, room_open, room_close),
        cmocka_unit_test_setup_teardown(loaders_and_access, room_open, room_close),
        cmocka_unit_test_setup_teardown(chip_of_802_15_4, room_open, room_close),
        cmocka_unit_test_setup_teardown(flash_type_and_voltage, room_open, room_close),
        cmocka_unit_test_setup_teardown(secure_download_mode, room_open, room_close),
        cmocka_unit_test_setup_teardown(small_flash, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_flash_that_is_smaller_than_its_id, room_open, room_close),
        cmocka_unit_test_setup_teardown(built_in_usb_has_no_baud, room_open, room_close),
        cmocka_unit_test_setup_teardown(secure_download_mode_knows_little, room_open, room_close),
        cmocka_unit_test_setup_teardown(stays_one_key_a_line, room_open, room_close),
        cmocka_unit_test_setup_teardown(node, room_open, room_close),
        cmocka_unit_test_setup_teardown(presence, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
