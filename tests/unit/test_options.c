/* argv, -o and the environment into one checked struct. */
#include "program/options.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct room {
    struct ef_options options;
    char said[4096]; /* what went to standard error */
    char folder[32]; /* an empty mount point: `@` in the lines below */
};

static int room_open(void **state)
{
    static const char *const VARIABLES[] = {"ESPTOOL_PORT", "ESPTOOL_BAUD", "ESPTOOL_CHIP",
                                            "ESPTOOL_BEFORE", "ESPTOOL_AFTER"};
    for (size_t i = 0; i < COUNT(VARIABLES); i++)
        unsetenv(VARIABLES[i]);
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    strcpy(room->folder, "/tmp/ef-options.XXXXXX");
    return mkdtemp(room->folder) ? 0 : -1;
}

static int room_close(void **state)
{
    struct room *room = *state;
    ef_options_free(&room->options);
    rmdir(room->folder);
    free(room);
    return 0;
}

/* Parses the words of `line`, which one blank parts, and keeps what is said. */
static int parse(struct room *room, const char *line)
{
    char copy[512];
    char *argv[32] = {"espflashfs"};
    int argc = 1;
    char *save = NULL;
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
        argv[argc++] = strcmp(w, "@") == 0 ? room->folder : w;
    ef_options_free(&room->options);
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stderr);
    int old = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    int rc = ef_options_parse(argc, argv, &room->options);
    fflush(stderr);
    dup2(old, STDERR_FILENO);
    close(old);
    rewind(file);
    room->said[fread(room->said, 1, sizeof(room->said) - 1, file)] = '\0';
    fclose(file);
    return rc;
}

static void defaults(void **state)
{
    struct room *room = *state;
    assert_int_equal(parse(room, "@"), 0);
    const struct ef_options *o = &room->options;
    assert_null(o->port);
    assert_string_equal(o->mountpoint, room->folder);
    assert_true(o->baud >= 115200);
    assert_int_equal(o->size, 0);
    assert_int_equal(o->before, EF_BEFORE_DEFAULT_RESET);
    assert_int_equal(o->after, EF_AFTER_HARD_RESET);
    assert_string_equal(o->stub, "auto");
    assert_null(o->log_file);
    assert_int_equal(o->read_only | o->foreground | o->debug | o->probe | o->help | o->version, 0);
    assert_string_equal(room->said, "");
}

/* Each way to spell each option. */
static void spellings(void **state)
{
    struct room *room = *state;
    static const char *const LINES[] = {
        "/dev/p @ -o "
        "baud=921600,chip=esp32,before=no-reset,after=no-reset,stub=rom,size=4M,log=/l,ro",
        "-o port=/dev/p,baud=921600,chip=esp32 -o before=no_reset,after=no_reset -o stub=rom "
        "-o size=0x400000 -o log=/l -o ro @",
        "--port=/dev/p --baud=921600 --chip=esp32 --before=no-reset --after=no-reset --stub=rom "
        "--size=4MiB --log=/l --ro @",
        "--port /dev/p --baud 921600 --chip esp32 --before no-reset --after no-reset --stub rom "
        "--size 4096k --log /l --ro @",
        "-p /dev/p -b 921600 --chip esp32 --before no-reset --after no-reset --stub rom "
        "--size 4M --log /l --ro @",
    };
    for (size_t i = 0; i < COUNT(LINES); i++) {
        assert_int_equal(parse(room, LINES[i]), 0);
        const struct ef_options *o = &room->options;
        assert_string_equal(o->port, "/dev/p");
        assert_string_equal(o->mountpoint, room->folder);
        assert_int_equal(o->baud, 921600);
        assert_string_equal(o->chip, "esp32");
        assert_int_equal(o->before, EF_BEFORE_NO_RESET);
        assert_int_equal(o->after, EF_AFTER_NO_RESET);
        assert_string_equal(o->stub, "rom");
        assert_int_equal(o->size, 4 << 20);
        assert_string_equal(o->log_file, "/l");
        assert_true(o->read_only);
    }
}

static void caches(void **state)
{
    struct room *room = *state;
    assert_int_equal(parse(room, "@"), 0);
    assert_true(room->options.keep_images);
    assert_null(room->options.cache);
    assert_int_equal(room->options.cache_size, 32 << 20);
    assert_int_equal(parse(room, "@ -o cache=none,cache_size=2M"), 0);
    assert_false(room->options.keep_images);
    assert_int_equal(room->options.cache_size, 2 << 20);
    assert_int_equal(parse(room, "@ --cache=/tmp/."), 0);
    assert_true(room->options.keep_images);
    assert_string_equal(room->options.cache, "/tmp");
}

static void flags(void **state)
{
    struct room *room = *state;
    assert_int_equal(parse(room, "-f @"), 0);
    assert_true(room->options.foreground);
    assert_int_equal(parse(room, "-o debug @"), 0);
    assert_true(room->options.debug);
    assert_int_equal(parse(room, "--help"), 0);
    assert_true(room->options.help);
    assert_int_equal(parse(room, "-V"), 0);
    assert_true(room->options.version);
    assert_int_equal(parse(room, "--probe /dev/p"), 0);
    assert_string_equal(room->options.port, "/dev/p");
    assert_null(room->options.mountpoint);
    assert_int_equal(parse(room, "--probe"), 0);
    assert_null(room->options.port);
}

static void environment(void **state)
{
    struct room *room = *state;
    setenv("ESPTOOL_PORT", "socket://h:1", 1);
    setenv("ESPTOOL_BAUD", "230400", 1);
    setenv("ESPTOOL_CHIP", "esp32c3", 1);
    setenv("ESPTOOL_BEFORE", "no_reset", 1);
    setenv("ESPTOOL_AFTER", "no-reset", 1);
    assert_int_equal(parse(room, "@"), 0);
    assert_string_equal(room->options.port, "socket://h:1");
    assert_int_equal(room->options.baud, 230400);
    assert_string_equal(room->options.chip, "esp32c3");
    assert_int_equal(room->options.before, EF_BEFORE_NO_RESET);
    assert_int_equal(room->options.after, EF_AFTER_NO_RESET);
    /* The command line wins. */
    assert_int_equal(parse(room, "/dev/p @ --baud=115200 --chip=auto --before=default-reset "
                                 "--after=hard_reset"),
                     0);
    assert_string_equal(room->options.port, "/dev/p");
    assert_int_equal(room->options.baud, 115200);
    assert_string_equal(room->options.chip, "auto");
    assert_int_equal(room->options.before, EF_BEFORE_DEFAULT_RESET);
    assert_int_equal(room->options.after, EF_AFTER_HARD_RESET);
    setenv("ESPTOOL_BAUD", "fast", 1);
    assert_int_equal(parse(room, "@"), -1);
    assert_non_null(strstr(room->said, "fast"));
}

static void upper_and_lower_case_are_one(void **state)
{
    struct room *room = *state;
    assert_int_equal(parse(room, "@ --before=No_Reset-NO_SYNC --after=NO-RESET --chip=AUTO "
                                 "--baud=Auto"),
                     0);
    assert_int_equal(room->options.before, EF_BEFORE_NO_RESET_NO_SYNC);
    assert_int_equal(room->options.after, EF_AFTER_NO_RESET);
    assert_string_equal(room->options.chip, "auto");
    assert_true(room->options.baud_auto);
    assert_int_equal(parse(room, "@ --before=UsbReset --chip=ESP32-C3"), 0);
    assert_int_equal(room->options.before, EF_BEFORE_USB_RESET);
    assert_int_equal(parse(room, "@ --after=no-rese"), -1);
    assert_int_equal(parse(room, "@ --after=no-resets"), -1);
}

/* Behind -o a comma would end the value. */
static void reset_sequences(void **state)
{
    struct room *room = *state;
    assert_int_equal(parse(room, "@ --custom_reset_sequence=D0|R1|W0.1|U1,0"), 0);
    assert_string_equal(room->options.reset_sequence, "D0|R1|W0.1|U1,0");
    assert_int_equal(parse(room, "@ -o custom_reset_sequence=U1\\,0|W0.1,ro"), 0);
    assert_string_equal(room->options.reset_sequence, "U1,0|W0.1");
    assert_int_equal(room->options.read_only, 1);
}

static void partition_offset(void **state)
{
    struct room *room = *state;
    assert_int_equal(parse(room, "@"), 0);
    assert_int_equal(room->options.table_addr, 0x8000);
    assert_int_equal(parse(room, "@ -o partition_offset=0x10000"), 0);
    assert_int_equal(room->options.table_addr, 0x10000);
    assert_int_equal(parse(room, "@ --partition_offset=40k"), 0);
    assert_int_equal(room->options.table_addr, 40960);
    assert_int_equal(parse(room, "@ --partition_offset 36864"), 0);
    assert_int_equal(room->options.table_addr, 0x9000);
}

static void reconnect(void **state)
{
    struct room *room = *state;
    assert_int_equal(parse(room, "@"), 0);
    assert_int_equal(room->options.reconnect_ms, 30000);
    assert_int_equal(parse(room, "@ -o reconnect=0"), 0);
    assert_int_equal(room->options.reconnect_ms, 0);
    assert_int_equal(parse(room, "@ --reconnect=86400"), 0);
    assert_int_equal(room->options.reconnect_ms, 86400000);
}

/* Not resolved: what a link leads to changes when a board is plugged in again. */
static void relative_port(void **state)
{
    struct room *room = *state;
    char old[PATH_MAX];
    char full[PATH_MAX];
    assert_non_null(getcwd(old, sizeof(old)));
    assert_int_equal(chdir("/tmp"), 0);
    char link[] = "ef-port.XXXXXX";
    close(mkstemp(link));
    unlink(link);
    assert_int_equal(symlink("/dev/null", link), 0);
    snprintf(full, sizeof(full), "/tmp/%s", link);
    char line[64];
    snprintf(line, sizeof(line), "%s @", link);
    int rc = parse(room, line);
    unlink(link);
    assert_int_equal(chdir(old), 0);
    assert_int_equal(rc, 0);
    assert_string_equal(room->options.port, full);
    assert_int_equal(parse(room, "no-such-port @"), 0);
    assert_string_equal(room->options.port, "no-such-port");
}

static void refused(void **state)
{
    struct room *room = *state;
    static const struct {
        const char *line, *says;
    } CASES[] = {
        {"", "mount point"},
        {"/no/such/folder", "/no/such/folder"},
        {"/etc/passwd", "not a directory"},
        {"a b @", "too many"},
        {"--port= @", "port's name is empty"},
        {"--probe --port=", "port's name is empty"},
        {"@ --baud=0", "baud=0"},
        {"@ --baud=fast", "baud=fast"},
        {"@ --baud=-1", "baud=-1"},
        {"@ --baud=4000001", "baud=4000001"},
        {"@ --baud=18446744073709551617", "baud="},
        {"@ --size=0", "size=0"},
        {"@ --size=2.2M", "size=2.2M"},
        {"@ --size=-1", "size=-1"},
        {"@ --cache=", "cache="},
        {"@ --cache=/no/such", "no such folder"},
        {"@ --cache_size=1M", "cache_size=1M"},
        {"@ --cache_size=much", "cache_size=much"},
        {"@ --partition_offset=0x8800", "partition_offset=0x8800: where the partition table lies"},
        {"@ --partition_offset=table", "partition_offset=table"},
        {"@ --partition_offset=0xFFFFF000", "partition_offset=0xFFFFF000"},
        {"@ --partition_offset=4G", "partition_offset=4G"},
        {"@ --reconnect=-1", "reconnect=-1"},
        {"@ --reconnect=86401", "reconnect=86401"},
        {"@ --reconnect=", "reconnect=: seconds"},
        {"@ --chip=esp9", "chip=esp9"},
        {"@ --before=usb_resets", "before=usb_resets"},
        {"@ --after=soft-reset", "after=soft-reset"},
        {"@ -o before=", "before="},
        {"@ --custom_reset_sequence=D0|R5", "`R5` is no step; it takes steps parted by |: D0 or"},
        {"@ -o custom_reset_sequence=U1,0|W1", "`U1` is no step"},
        {"@ --custom_reset_sequence=D0|W11", "longer than 10 s"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        assert_int_equal(parse(room, CASES[i].line), -1);
        if (!strstr(room->said, CASES[i].says))
            fail_msg("%s: %s", CASES[i].line, room->said);
        assert_int_equal(strncmp(room->said, "espflashfs: ", 12), 0);
    }
}

/* What is not ours is FUSE's. */
static void the_rest_is_kept(void **state)
{
    struct room *room = *state;
    char all[512] = "";
    assert_int_equal(parse(room, "@ -o allow_other,ro -s -o baud=9600"), 0);
    for (int i = 0; i < room->options.fuse_argc; i++) {
        strncat(all, room->options.fuse_argv[i], sizeof(all) - strlen(all) - 1);
        strncat(all, " ", sizeof(all) - strlen(all) - 1);
    }
    assert_non_null(strstr(all, "allow_other"));
    assert_non_null(strstr(all, "-s "));
    assert_non_null(strstr(all, "ro"));
    assert_non_null(strstr(all, "default_permissions"));
    assert_null(strstr(all, "baud"));
    assert_string_equal(room->options.fuse_argv[0], "espflashfs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(defaults, room_open, room_close),
        cmocka_unit_test_setup_teardown(spellings, room_open, room_close),
        cmocka_unit_test_setup_teardown(caches, room_open, room_close),
        cmocka_unit_test_setup_teardown(flags, room_open, room_close),
        cmocka_unit_test_setup_teardown(environment, room_open, room_close),
        cmocka_unit_test_setup_teardown(upper_and_lower_case_are_one, room_open, room_close),
        cmocka_unit_test_setup_teardown(reset_sequences, room_open, room_close),
        cmocka_unit_test_setup_teardown(partition_offset, room_open, room_close),
        cmocka_unit_test_setup_teardown(reconnect, room_open, room_close),
        cmocka_unit_test_setup_teardown(relative_port, room_open, room_close),
        cmocka_unit_test_setup_teardown(refused, room_open, room_close),
        cmocka_unit_test_setup_teardown(the_rest_is_kept, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
