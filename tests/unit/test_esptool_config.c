/* esptool's own configuration files: which one counts, and what is taken from it. */
#include "program/esptool_config.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SECTION "[esptool]\ncustom_reset_sequence = "

/* A home, and a folder to be in. */
struct room {
    struct ef_esptool_config config;
    struct ef_log log;
    char top[32];
    char back[4096]; /* where the test came from */
    char said[4096];
};

static void make_folder(const char *path)
{
    assert_int_equal(mkdir(path, 0755), 0);
}

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    char home[64];
    *state = room;
    if (!room || !getcwd(room->back, sizeof(room->back)))
        return -1;
    strcpy(room->top, "/tmp/ef-config.XXXXXX");
    if (!mkdtemp(room->top) || chdir(room->top) != 0)
        return -1;
    make_folder("home");
    make_folder("home/.config");
    make_folder("home/.config/esptool");
    make_folder("here");
    snprintf(home, sizeof(home), "%s/home", room->top);
    setenv("HOME", home, 1);
    unsetenv("ESPTOOL_CFGFILE");
    ef_log_init(&room->log, "test", EF_LOG_INFO);
    room->log.to_stderr = false;
    return ef_log_open_file(&room->log, "log") == 0 && chdir("here") == 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
    (void)st;
    (void)type;
    (void)place;
    return remove(path);
}

static int room_close(void **state)
{
    enum { FOLDERS_OPEN = 8 };
    struct room *room = *state;
    ef_esptool_config_free(&room->config);
    ef_log_free(&room->log);
    int rc = chdir(room->back);
    rc |= nftw(room->top, remove_one, FOLDERS_OPEN, FTW_DEPTH | FTW_PHYS);
    free(room);
    return rc;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static enum ef_err read_config(struct room *room)
{
    ef_esptool_config_free(&room->config);
    return ef_esptool_config_read(&room->config, &room->log);
}

static const char *log_text(struct room *room)
{
    FILE *file = fopen("../log", "r");
    assert_non_null(file);
    room->said[fread(room->said, 1, sizeof(room->said) - 1, file)] = '\0';
    fclose(file);
    return room->said;
}

/* The sequence that counts now is `wanted`, from a file whose path ends with `path`. */
static void expect(struct room *room, const char *wanted, const char *path)
{
    assert_int_equal(read_config(room), EF_OK);
    assert_non_null(room->config.reset_sequence);
    assert_string_equal(room->config.reset_sequence, wanted);
    size_t len = strlen(room->config.path);
    assert_true(len > strlen(path));
    assert_string_equal(room->config.path + len - strlen(path), path);
}

static void nothing_there(void **state)
{
    struct room *room = *state;
    assert_int_equal(read_config(room), EF_OK);
    assert_null(room->config.reset_sequence);
    assert_null(room->config.hard_reset_sequence);
    assert_string_equal(room->config.path, "");
}

/* From the last place to the first: each time the new file wins. */
static void order_of_places(void **state)
{
    struct room *room = *state;
    write_file("../home/tox.ini", SECTION "D0|R0|W1\n");
    expect(room, "D0|R0|W1", "/home/tox.ini");
    write_file("../home/setup.cfg", SECTION "D0|R0|W2\n");
    expect(room, "D0|R0|W2", "/home/setup.cfg");
    write_file("../home/esptool.cfg", SECTION "D0|R0|W3\n");
    expect(room, "D0|R0|W3", "/home/esptool.cfg");
    write_file("../home/.config/esptool/esptool.cfg", SECTION "D0|R0|W4\n");
    expect(room, "D0|R0|W4", "/.config/esptool/esptool.cfg");
    write_file("tox.ini", SECTION "D0|R0|W5\n");
    expect(room, "D0|R0|W5", "/here/tox.ini");
    write_file("esptool.cfg", SECTION "D0|R0|W6\n");
    expect(room, "D0|R0|W6", "/here/esptool.cfg");
    write_file("../named", SECTION "D0|R0|W7\n");
    setenv("ESPTOOL_CFGFILE", "../named", 1);
    expect(room, "D0|R0|W7", "/named");
    setenv("ESPTOOL_CFGFILE", "../missing", 1);
    expect(room, "D0|R0|W6", "/here/esptool.cfg");
}

/* The first file with the section counts, even where it says nothing of resets. */
static void the_first_with_a_section(void **state)
{
    struct room *room = *state;
    write_file("esptool.cfg", "[other]\ncustom_reset_sequence = D1\n");
    write_file("setup.cfg", "[esptool]\ntimeout = 5\n");
    write_file("tox.ini", SECTION "D0\n");
    assert_int_equal(read_config(room), EF_OK);
    assert_null(room->config.reset_sequence);
    assert_non_null(strstr(room->config.path, "/setup.cfg"));
}

static void spelling(void **state)
{
    static const char TEXT[] = "# [esptool]\n; custom_reset_sequence = D1|W1\n"
                               "[metadata]\ncustom_reset_sequence = D1|W2\n"
                               "[esptool]\r\n"
                               "timeout = 3\n"
                               "  custom_reset_sequence = D1|W3\n" /* goes on with timeout */
                               "\tcustom_reset_sequence = D1|W4\n"
                               "Custom_Reset_Sequence :  D0|R1|W0.1  \r\n"
                               "no pair at all\n"
                               "custom_hard_reset_sequence=R1|W0.2|R0\n"
                               "[later]\ncustom_reset_sequence = D1|W5";
    struct room *room = *state;
    assert_true(ef_esptool_config_parse(&room->config, TEXT));
    assert_string_equal(room->config.reset_sequence, "D0|R1|W0.1");
    assert_string_equal(room->config.hard_reset_sequence, "R1|W0.2|R0");
    assert_false(ef_esptool_config_parse(&room->config, ""));
    assert_false(ef_esptool_config_parse(&room->config, "[esptool"));
}

static void wrong_sequence(void **state)
{
    struct room *room = *state;
    write_file("esptool.cfg", SECTION "D0|Q1\n");
    assert_int_equal(read_config(room), EF_INVALID);
    assert_non_null(strstr(log_text(room), "esptool.cfg: custom_reset_sequence = D0|Q1: `Q1` is "
                                           "no step; it takes steps parted by |"));
    write_file("esptool.cfg", "[esptool]\ncustom_hard_reset_sequence = W1\n");
    assert_int_equal(read_config(room), EF_INVALID);
    assert_non_null(strstr(log_text(room), "custom_hard_reset_sequence = W1: it changes neither"));
}

static void written_by_anybody(void **state)
{
    struct room *room = *state;
    write_file("esptool.cfg", SECTION "D0|R0|W1\n");
    write_file("tox.ini", SECTION "D0|R0|W2\n");
    assert_int_equal(chmod("esptool.cfg", 0666), 0);
    expect(room, "D0|R0|W2", "/tox.ini");
    assert_non_null(strstr(log_text(room), "./esptool.cfg is not read"));
    setenv("ESPTOOL_CFGFILE", "esptool.cfg", 1);
    expect(room, "D0|R0|W1", "/esptool.cfg");
}

static void of_another_user(void **state)
{
    struct room *room = *state;
    if (geteuid() != 0)
        skip();
    write_file("esptool.cfg", SECTION "D0|R0|W1\n");
    assert_int_equal(chown("esptool.cfg", 12345, 12345), 0);
    assert_int_equal(read_config(room), EF_OK);
    assert_null(room->config.reset_sequence);
    assert_non_null(strstr(log_text(room), "another user's"));
}

/* Opening one would wait for whoever writes into it. */
static void no_file(void **state)
{
    struct room *room = *state;
    assert_int_equal(mkfifo("esptool.cfg", 0644), 0);
    make_folder("setup.cfg");
    write_file("tox.ini", SECTION "D0|R0|W2\n");
    expect(room, "D0|R0|W2", "/tox.ini");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_there, room_open, room_close),
        cmocka_unit_test_setup_teardown(order_of_places, room_open, room_close),
        cmocka_unit_test_setup_teardown(the_first_with_a_section, room_open, room_close),
        cmocka_unit_test_setup_teardown(spelling, room_open, room_close),
        cmocka_unit_test_setup_teardown(wrong_sequence, room_open, room_close),
        cmocka_unit_test_setup_teardown(written_by_anybody, room_open, room_close),
        cmocka_unit_test_setup_teardown(of_another_user, room_open, room_close),
        cmocka_unit_test_setup_teardown(no_file, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
