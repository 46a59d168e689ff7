/* The log: levels, whole lines, nothing a device sent reaches a terminal raw. */
#include "espflashfs/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct room {
    char folder[32];
    char path[64];
    struct ef_log log;
    char text[0x40000];
};

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    strcpy(room->folder, "/tmp/ef-log-XXXXXX");
    if (!mkdtemp(room->folder))
        return -1;
    snprintf(room->path, sizeof(room->path), "%s/log", room->folder);
    ef_log_init(&room->log, "name", EF_LOG_INFO);
    if (!room->log.to_stderr || room->log.to_syslog || room->log.file)
        return -1;
    room->log.to_stderr = false;
    return ef_log_open_file(&room->log, room->path);
}

static int room_close(void **state)
{
    struct room *room = *state;
    ef_log_free(&room->log);
    int rc = unlink(room->path) | rmdir(room->folder);
    free(room);
    return rc;
}

static const char *text(struct room *room)
{
    FILE *file = fopen(room->path, "r");
    assert_non_null(file);
    size_t n = fread(room->text, 1, sizeof(room->text) - 1, file);
    room->text[n] = '\0';
    fclose(file);
    return room->text;
}

static void levels(void **state)
{
    struct room *room = *state;
    ef_log(&room->log, EF_LOG_ERROR, "an error");
    ef_log(&room->log, EF_LOG_INFO, "some %s", "news");
    ef_log(&room->log, EF_LOG_DEBUG, "a detail");
    assert_non_null(strstr(text(room), " an error\n"));
    assert_non_null(strstr(text(room), " some news\n"));
    assert_null(strstr(text(room), "detail"));
    ef_log(NULL, EF_LOG_ERROR, "nobody %d", 1);
}

static void escaped(void **state)
{
    struct room *room = *state;
    ef_log(&room->log, EF_LOG_INFO, "it says: \033[2J%s", "a\nname: forged");
    assert_non_null(strstr(text(room), "it says: \\x1b[2Ja\\x0aname: forged\n"));
    assert_ptr_equal(strchr(text(room), '\n'), room->text + strlen(room->text) - 1);
}

static void long_lines(void **state)
{
    struct room *room = *state;
    char *line = malloc(100000);
    assert_non_null(line);
    memset(line, '\x01', 99999);
    line[99999] = '\0';
    ef_log(&room->log, EF_LOG_INFO, "%s", line);
    ef_log(&room->log, EF_LOG_INFO, "next");
    free(line);
    assert_non_null(strstr(text(room), "\\x01\n"));
    assert_non_null(strstr(text(room), " next\n"));
}

static void private_and_appended(void **state)
{
    struct room *room = *state;
    struct stat st;
    assert_int_equal(stat(room->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    ef_log(&room->log, EF_LOG_INFO, "first");
    struct ef_log other;
    ef_log_init(&other, "other", EF_LOG_INFO);
    other.to_stderr = false;
    assert_int_equal(ef_log_open_file(&other, room->path), 0);
    ef_log(&other, EF_LOG_INFO, "second");
    ef_log_free(&other);
    assert_non_null(strstr(text(room), " first\n"));
    assert_true(strstr(room->text, " second\n") > strstr(room->text, " first\n"));
}

/* What is shown stays below the messages, and none of it is left in the end. */
static void shown(void **state)
{
    struct room *room = *state;
    int saved = dup(STDERR_FILENO);
    int file = open(room->path, O_WRONLY | O_APPEND);
    assert_true(saved >= 0 && file >= 0 && dup2(file, STDERR_FILENO) >= 0);
    struct ef_log log;
    ef_log_init(&log, "name", EF_LOG_INFO);
    ef_log(&log, EF_LOG_INFO, "first");
    ef_log_show(&log, "");
    ef_log_show(&log, "43 %");
    ef_log_show(&log, "43 %");
    ef_log(&log, EF_LOG_INFO, "second");
    ef_log_show(&log, "44\t%");
    ef_log_show(&log, "");
    ef_log(&log, EF_LOG_INFO, "third");
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(file);
    ef_log_free(&log);
    assert_string_equal(text(room), "name: first\n"
                                    "\r\033[K43 %"
                                    "\r\033[Kname: second\n43 %"
                                    "\r\033[K44\\x09%"
                                    "\r\033[K"
                                    "name: third\n");
}

static void no_such_folder(void **state)
{
    (void)state;
    struct ef_log log;
    ef_log_init(&log, "name", EF_LOG_INFO);
    assert_int_equal(ef_log_open_file(&log, "/nonexistent/folder/log"), -1);
    assert_null(log.file);
    ef_log_free(&log);
}

static void *log_many(void *arg)
{
    for (int i = 0; i < 200; i++)
        ef_log(arg, EF_LOG_INFO, "begin %s end",
               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    return NULL;
}

static void whole_lines(void **state)
{
    struct room *room = *state;
    pthread_t thread[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, log_many, &room->log), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    int lines = 0;
    char *save = NULL;
    text(room);
    for (char *l = strtok_r(room->text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
        assert_non_null(strstr(l, " begin x"));
        assert_string_equal(l + strlen(l) - 5, "x end");
        assert_ptr_equal(strstr(l, "begin"), strrchr(l, 'b'));
        lines++;
    }
    assert_int_equal(lines, 800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(levels, room_open, room_close),
        cmocka_unit_test_setup_teardown(escaped, room_open, room_close),
        cmocka_unit_test_setup_teardown(long_lines, room_open, room_close),
        cmocka_unit_test_setup_teardown(private_and_appended, room_open, room_close),
        cmocka_unit_test_setup_teardown(whole_lines, room_open, room_close),
        cmocka_unit_test_setup_teardown(shown, room_open, room_close),
        cmocka_unit_test(no_such_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
