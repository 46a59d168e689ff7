/* What is remembered of ports: by which name, for how long, and for how many. */
#include "esp/baud.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct room {
    struct ef_session session;
    struct ef_line line;
    char folder[64];
    char file[96];
    char text[0x10000];
};

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    strcpy(room->folder, "/tmp/ef-state-XXXXXX");
    if (!mkdtemp(room->folder))
        return -1;
    snprintf(room->file, sizeof(room->file), "%s/a/b/rates", room->folder);
    room->session.line = &room->line;
    strcpy(room->line.name, "/dev/ttyUSB0");
    return 0;
}

static int room_close(void **state)
{
    struct room *room = *state;
    char path[128];
    unlink(room->file);
    snprintf(path, sizeof(path), "%s/a/b", room->folder);
    rmdir(path);
    snprintf(path, sizeof(path), "%s/a", room->folder);
    rmdir(path);
    int rc = rmdir(room->folder); /* fails where something else was left */
    free(room);
    return rc;
}

/* The folder is made with the first thing to remember. */
static void use_folder(struct room *room, char path[96])
{
    snprintf(path, 96, "%s/a/b", room->folder);
    room->session.config.state_folder = path;
}

static const char *text(struct room *room)
{
    FILE *file = fopen(room->file, "r");
    assert_non_null(file);
    room->text[fread(room->text, 1, sizeof(room->text) - 1, file)] = '\0';
    fclose(file);
    return room->text;
}

static void expect(struct room *room, uint32_t good, uint32_t failed)
{
    struct ef_baud_memory memory;
    ef_baud_recall(&room->session, &memory);
    assert_int_equal(memory.good, good);
    assert_int_equal(memory.failed, failed);
    assert_int_equal(memory.fresh, good != 0);
}

static void without_a_folder(void **state)
{
    struct room *room = *state;
    ef_baud_remember(&room->session, 460800, 921600);
    expect(room, 0, 0);
}

static void a_port_by_its_name(void **state)
{
    struct room *room = *state;
    char folder[96];
    use_folder(room, folder);
    expect(room, 0, 0);
    ef_baud_remember(&room->session, 460800, 921600);
    expect(room, 460800, 921600);
    struct stat st;
    assert_int_equal(stat(room->file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    strcpy(room->line.name, "/dev/ttyUSB1");
    expect(room, 0, 0);
    ef_baud_remember(&room->session, 3000000, 0);
    expect(room, 3000000, 0);
    strcpy(room->line.name, "/dev/ttyUSB0");
    expect(room, 460800, 921600);
}

/* A USB device is known again on another port; another one on this port is not it. */
static void a_usb_device_by_its_serial_number(void **state)
{
    struct room *room = *state;
    char folder[96];
    use_folder(room, folder);
    room->line.usb_vid = 0x10C4;
    room->line.usb_pid = 0xEA60;
    strcpy(room->line.usb_serial, "0001 \n2");
    ef_baud_remember(&room->session, 921600, 1500000);
    assert_non_null(strstr(text(room), " 10c4:ea60 0001 \\x0a2\n"));
    strcpy(room->line.name, "/dev/ttyUSB7");
    expect(room, 921600, 1500000);
    room->line.usb_pid = 0xEA61;
    expect(room, 0, 0);
    room->line.usb_pid = 0xEA60;
    room->line.usb_serial[0] = '\0';
    expect(room, 0, 0);
}

/* The age of what is known already counts from when it was found out. */
static void the_age_stays(void **state)
{
    struct room *room = *state;
    char folder[96];
    use_folder(room, folder);
    ef_baud_remember(&room->session, 460800, 921600);
    FILE *file = fopen(room->file, "w");
    assert_non_null(file);
    long long then_s = (long long)time(NULL) - 6 * 24 * 3600;
    fprintf(file, "460800 921600 %lld /dev/ttyUSB0\n", then_s);
    fclose(file);
    char before[256];
    snprintf(before, sizeof(before), "%s", text(room));
    ef_baud_remember(&room->session, 460800, 921600);
    assert_string_equal(text(room), before);
    ef_baud_remember(&room->session, 115200, 460800);
    expect(room, 115200, 460800);
    assert_string_not_equal(text(room), before);
}

static void the_oldest_are_forgotten(void **state)
{
    struct room *room = *state;
    char folder[96];
    use_folder(room, folder);
    for (int i = 0; i < 70; i++) {
        snprintf(room->line.name, sizeof(room->line.name), "/dev/ttyUSB%d", i);
        ef_baud_remember(&room->session, 460800, 921600);
    }
    expect(room, 460800, 921600);
    strcpy(room->line.name, "/dev/ttyUSB6");
    expect(room, 460800, 921600);
    strcpy(room->line.name, "/dev/ttyUSB5");
    expect(room, 0, 0);
}

/* A name of the greatest length, all of it escaped, is a key like another. */
static void a_long_name(void **state)
{
    struct room *room = *state;
    char folder[96];
    use_folder(room, folder);
    memset(room->line.name, 1, sizeof(room->line.name) - 1);
    ef_baud_remember(&room->session, 460800, 921600);
    expect(room, 460800, 921600);
    room->line.name[sizeof(room->line.name) - 2] = 2;
    expect(room, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_folder, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_port_by_its_name, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_usb_device_by_its_serial_number, room_open, room_close),
        cmocka_unit_test_setup_teardown(the_age_stays, room_open, room_close),
        cmocka_unit_test_setup_teardown(the_oldest_are_forgotten, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_long_name, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
