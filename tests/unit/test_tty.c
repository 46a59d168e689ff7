/* What every tty gets and how each of its failures is told: settings, rates, locks, hang-ups. */
#include "line/fd_line.h"
#include "line/termios2.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { NOBODY = 65534 };

struct room {
    int master;
    char path[64]; /* of the slave */
    struct ef_line *line;
    char log_path[64];
    struct ef_log log;
    char said[4096];
};

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    strcpy(room->log_path, "/tmp/ef-tty-XXXXXX");
    close(mkstemp(room->log_path));
    ef_log_init(&room->log, "test", EF_LOG_INFO);
    room->log.to_stderr = false;
    room->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    return room->master < 0 || grantpt(room->master) < 0 || unlockpt(room->master) < 0 ||
                   ptsname_r(room->master, room->path, sizeof(room->path)) != 0
               ? -1
               : ef_log_open_file(&room->log, room->log_path);
}

static void hang_up(struct room *room)
{
    if (room->master >= 0)
        close(room->master);
    room->master = -1;
}

static int room_close(void **state)
{
    struct room *room = *state;
    ef_line_close(room->line);
    hang_up(room);
    ef_log_free(&room->log);
    unlink(room->log_path);
    free(room);
    return 0;
}

static const char *said(struct room *room)
{
    FILE *file = fopen(room->log_path, "r");
    assert_non_null(file);
    room->said[fread(room->said, 1, sizeof(room->said) - 1, file)] = '\0';
    fclose(file);
    return room->said;
}

static ef_deadline later(void)
{
    return ef_deadline_in(10000);
}

static void open_line(struct room *room)
{
    assert_int_equal(ef_line_open(room->path, 115200, &room->log, &room->line), EF_OK);
}

/* Rates with a B constant, rates without one, and back. */
static void any_rate(void **state)
{
    struct room *room = *state;
    static const uint32_t RATES[] = {9600,    74880,   230400,  250000,  460800,  921600, 1500000,
                                     2000000, 2222222, 2500000, 3000000, 4000000, 115200};
    open_line(room);
    for (size_t i = 0; i < COUNT(RATES); i++) {
        assert_int_equal(ef_line_set_baud(room->line, RATES[i]), EF_OK);
        assert_int_equal(ef_termios2_rate(room->master), RATES[i]);
        assert_int_equal(room->line->baud, RATES[i]);
    }
    ef_line_close(room->line);
    assert_int_equal(ef_line_open(room->path, 1234567, &room->log, &room->line), EF_OK);
    assert_int_equal(ef_termios2_rate(room->master), 1234567);
}

/* What another program has set before us does not stay. */
static void settings_of_others(void **state)
{
    struct room *room = *state;
    struct termios tio;
    int fd = open(room->path, O_RDWR | O_NOCTTY);
    assert_true(fd >= 0);
    assert_int_equal(tcgetattr(fd, &tio), 0);
    tio.c_iflag |= IXON | IXOFF | IXANY | ICRNL | ISTRIP;
    tio.c_cflag |= CRTSCTS | HUPCL | CSTOPB | PARODD;
    tio.c_lflag |= ICANON | ECHO | ISIG;
    assert_int_equal(tcsetattr(fd, TCSANOW, &tio), 0);
    open_line(room);
    assert_int_equal(tcgetattr(fd, &tio), 0);
    assert_int_equal(tio.c_iflag & (tcflag_t)(IXON | IXOFF | IXANY | ICRNL | ISTRIP), 0);
    assert_int_equal(tio.c_cflag & (tcflag_t)(CRTSCTS | CSTOPB | PARENB), 0);
    /* If we are killed within a reset, the kernel lets the board go. */
    assert_int_equal(tio.c_cflag & (tcflag_t)HUPCL, HUPCL);
    assert_int_equal(tio.c_cflag & (tcflag_t)CSIZE, CS8);
    assert_int_equal(tio.c_lflag & (tcflag_t)(ICANON | ECHO | ISIG), 0);
    close(fd);
}

static void each_call_tells_a_hang_up(void **state)
{
    struct room *room = *state;
    uint8_t byte = 0;
    size_t got;
    open_line(room);
    hang_up(room);
    assert_int_equal(ef_line_read(room->line, &byte, 1, later(), &got), EF_GONE);
    assert_int_equal(ef_line_write(room->line, &byte, 1, later()), EF_GONE);
    assert_int_equal(ef_line_set_baud(room->line, 921600), EF_GONE);
    assert_int_equal(ef_line_set_baud(room->line, 1234567), EF_GONE);
    /* A pty has no modem lines, but what is gone is gone. */
    assert_int_equal(ef_fd_line_set_lines(room->line, true, false), EF_GONE);
    assert_int_equal(ef_fd_line_set_one_line(room->line, EF_RTS, true), EF_GONE);
    assert_int_equal(ef_fd_line_set_one_line(room->line, EF_DTR, false), EF_GONE);
}

static void *hang_up_in_a_thread(void *arg)
{
    hang_up(arg);
    return NULL;
}

/* A read that waits ends with the hang-up, long before its deadline. */
static void hang_up_ends_a_wait(void **state)
{
    struct room *room = *state;
    uint8_t byte;
    size_t got;
    pthread_t thread;
    open_line(room);
    assert_int_equal(pthread_create(&thread, NULL, hang_up_in_a_thread, room), 0);
    enum ef_err err = ef_line_read(room->line, &byte, 1, ef_deadline_in(60000), &got);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(err, EF_GONE);
}

static void errors_of_ioctl(void **state)
{
    (void)state;
    static const int GONE[] = {EIO, ENXIO, ENODEV, EPROTO, ESHUTDOWN, ETIMEDOUT};
    static const int CANNOT[] = {ENOTTY, EINVAL, EOPNOTSUPP, EPIPE};
    for (size_t i = 0; i < COUNT(GONE); i++)
        assert_int_equal(ef_fd_error(GONE[i]), EF_GONE);
    for (size_t i = 0; i < COUNT(CANNOT); i++)
        assert_int_equal(ef_fd_error(CANNOT[i]), EF_UNSUPPORTED);
}

static void a_pty_has_no_lines(void **state)
{
    struct room *room = *state;
    open_line(room);
    assert_false(ef_line_has_modem_lines(room->line));
    assert_int_equal(ef_fd_line_set_lines(room->line, true, false), EF_UNSUPPORTED);
    assert_int_equal(ef_fd_line_set_one_line(room->line, EF_RTS, true), EF_UNSUPPORTED);
    assert_int_equal(room->line->usb_vid, 0);
}

/* A child that does `what` with the room and then waits to be killed. */
static pid_t start_child(struct room *room, bool (*what)(struct room *room))
{
    int ready[2];
    char ok = 0;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        ok = what(room) ? 'y' : 'n';
        if (write(ready[1], &ok, 1) == 1)
            pause();
        _exit(0);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &ok, 1), 1);
    close(ready[0]);
    assert_int_equal(ok, 'y');
    return pid;
}

static void end_child(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool open_slave(struct room *room)
{
    return open(room->path, O_RDWR | O_NOCTTY) >= 0;
}

/* A program that claims nothing, but has the port open. */
static void holder_without_a_lock(void **state)
{
    struct room *room = *state;
    char who[128];
    char wanted[64];
    int fd = open(room->path, O_RDWR | O_NOCTTY);
    assert_false(ef_find_holder(fd, who, sizeof(who)));
    pid_t pid = start_child(room, open_slave);
    bool found = ef_find_holder(fd, who, sizeof(who));
    end_child(pid);
    snprintf(wanted, sizeof(wanted), "test_tty (process %ld)", (long)pid);
    assert_true(found);
    assert_string_equal(who, wanted);
    assert_false(ef_find_holder(fd, who, sizeof(who)));
    close(fd);
}

static bool do_nothing(struct room *room)
{
    (void)room;
    return true;
}

static bool lock_file_says(const char *text, char *who, size_t cap)
{
    char path[] = "/tmp/ef-LCK-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    bool found = ef_find_lock_file_holder(path, who, cap);
    unlink(path);
    return found;
}

/* Everybody may write to the folder of the locks. The alarm is what a hang would meet. */
static void a_fifo_in_place_of_a_lock_file(void **state)
{
    (void)state;
    char who[128];
    char folder[] = "/tmp/ef-LCK-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/LCK..ttyUSB0", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(10);
    assert_false(ef_find_lock_file_holder(path, who, sizeof(who)));
    alarm(0);
    unlink(path);
    rmdir(folder);
}

static void lock_files(void **state)
{
    struct room *room = *state;
    char who[128];
    char text[64];
    pid_t pid = start_child(room, do_nothing);
    snprintf(text, sizeof(text), "%10ld\n", (long)pid); /* as the format asks for */
    bool living = lock_file_says(text, who, sizeof(who));
    end_child(pid);
    assert_true(living);
    snprintf(text, sizeof(text), "(process %ld)", (long)pid);
    assert_non_null(strstr(who, text));
    /* A stale one, our own, and what is none. */
    snprintf(text, sizeof(text), "%10ld\n", (long)pid);
    assert_false(lock_file_says(text, who, sizeof(who)));
    snprintf(text, sizeof(text), "%10ld\n", (long)getpid());
    assert_false(lock_file_says(text, who, sizeof(who)));
    assert_false(lock_file_says("", who, sizeof(who)));
    assert_false(lock_file_says("modem\n", who, sizeof(who)));
    assert_false(lock_file_says("-1\n", who, sizeof(who)));
    assert_false(lock_file_says("4294967297\n", who, sizeof(who)));
    assert_false(ef_find_lock_file_holder("/tmp/no-such-lock", who, sizeof(who)));
}

static enum ef_err open_as_nobody(struct room *room)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
            _exit(1);
        _exit(-ef_line_open(room->path, 115200, &room->log, &room->line));
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return -WEXITSTATUS(status);
}

/* The id of the group that owns serial ports on Debian; false where it cannot be used here. */
static bool find_dialout(gid_t *gid)
{
    const struct group *dialout = getgrnam("dialout");
    if (dialout)
        *gid = dialout->gr_gid;
    return dialout && getuid() == 0;
}

static void no_permission_names_the_group(void **state)
{
    struct room *room = *state;
    gid_t dialout = 0;
    if (!find_dialout(&dialout))
        skip();
    assert_int_equal(chown(room->path, 0, dialout), 0);
    assert_int_equal(chmod(room->path, 0660), 0);
    assert_int_equal(open_as_nobody(room), EF_ACCESS);
    assert_non_null(strstr(said(room), "usermod -aG dialout"));
}

/* Nobody is told to join root's group, nor one that may not use the port. */
static void no_group_to_join(void **state)
{
    struct room *room = *state;
    gid_t dialout = 0;
    if (!find_dialout(&dialout))
        skip();
    assert_int_equal(chmod(room->path, 0660), 0);
    assert_int_equal(chown(room->path, 0, 0), 0);
    assert_int_equal(open_as_nobody(room), EF_ACCESS);
    assert_int_equal(chown(room->path, 0, dialout), 0);
    assert_int_equal(chmod(room->path, 0600), 0);
    assert_int_equal(open_as_nobody(room), EF_ACCESS);
    assert_null(strstr(said(room), "usermod"));
    assert_non_null(strstr(said(room), "root alone"));
}

static void no_such_port(void **state)
{
    struct room *room = *state;
    assert_int_equal(ef_line_open("/dev/ttyUSB99", 115200, &room->log, &room->line), EF_MISSING);
    assert_non_null(strstr(said(room), "plugged in"));
    assert_int_equal(ef_line_open("/dev/null", 115200, &room->log, &room->line), EF_INVALID);
    assert_non_null(strstr(said(room), "/dev/null is not a serial port"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_rate, room_open, room_close),
        cmocka_unit_test_setup_teardown(settings_of_others, room_open, room_close),
        cmocka_unit_test_setup_teardown(each_call_tells_a_hang_up, room_open, room_close),
        cmocka_unit_test_setup_teardown(hang_up_ends_a_wait, room_open, room_close),
        cmocka_unit_test(errors_of_ioctl),
        cmocka_unit_test_setup_teardown(a_pty_has_no_lines, room_open, room_close),
        cmocka_unit_test_setup_teardown(holder_without_a_lock, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_fifo_in_place_of_a_lock_file, room_open, room_close),
        cmocka_unit_test_setup_teardown(lock_files, room_open, room_close),
        cmocka_unit_test_setup_teardown(no_permission_names_the_group, room_open, room_close),
        cmocka_unit_test_setup_teardown(no_group_to_join, room_open, room_close),
        cmocka_unit_test_setup_teardown(no_such_port, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
