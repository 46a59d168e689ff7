/* A session, opened over a real socket to a simulated board served by a thread. */
#include "board_line.h"

#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIZE = 4 << 20 };

struct room {
    struct eb_drive *drive;
    int listener;
    pthread_t thread;
    bool serving;
    size_t hang_up_at; /* bytes from the board, then the line hangs up; 0: never */
    char port[64];
    char stub[64]; /* a stub's file */
    char log_path[64];
    struct ef_log log;
    char text[0x10000];
    struct ef_session_config config;
    struct ef_session session;
};

static bool send_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* One host after another, until the listener is shut down. */
static void *serve(void *arg)
{
    struct room *room = arg;
    struct eb_drive *drive = room->drive;
    int fd;
    while ((fd = accept(room->listener, NULL, NULL)) >= 0) {
        uint8_t buf[4096];
        ssize_t n;
        size_t sent = 0;
        eb_board_connected(drive->board, drive->now_ns);
        while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
            eb_drive_bytes(drive, buf, (size_t)n);
            size_t from = drive->out_pos;
            drive->out_pos = drive->out_len;
            size_t len = drive->out_len - from;
            bool hang_up = room->hang_up_at != 0 && len >= room->hang_up_at - sent;
            if (hang_up)
                len = room->hang_up_at - sent;
            sent += len;
            if (!send_all(fd, drive->out + from, len) || hang_up)
                break;
        }
        eb_board_hung_up(drive->board, drive->now_ns);
        close(fd);
    }
    return NULL;
}

static bool write_stub(struct room *room)
{
    static const char JSON[] = "{\"entry\": 1073741824, \"text_start\": 1073741824,"
                               " \"text\": \"AAECAwQFBgcICQoLDA0ODw==\"}";
    int fd = mkstemp(room->stub);
    bool ok = fd >= 0 && write(fd, JSON, sizeof(JSON) - 1) == (ssize_t)sizeof(JSON) - 1;
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool open_listener(struct room *room)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    room->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(room->listener, (struct sockaddr *)&addr, len) != 0 ||
        listen(room->listener, 4) != 0 ||
        getsockname(room->listener, (struct sockaddr *)&addr, &len) != 0)
        return false;
    snprintf(room->port, sizeof(room->port), "socket://127.0.0.1:%u", ntohs(addr.sin_port));
    return true;
}

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    strcpy(room->stub, "/tmp/ef-stub-XXXXXX");
    strcpy(room->log_path, "/tmp/ef-log-XXXXXX");
    close(mkstemp(room->log_path));
    ef_log_init(&room->log, "test", EF_LOG_INFO);
    room->log.to_stderr = false;
    if (!write_stub(room) || ef_log_open_file(&room->log, room->log_path) != 0 ||
        !open_listener(room))
        return -1;
    room->config =
        (struct ef_session_config){.port = room->port, .baud = 460800, .stub = room->stub};
    return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0;
}

static void stop_serving(struct room *room)
{
    if (!room->serving)
        return;
    shutdown(room->listener, SHUT_RDWR);
    pthread_join(room->thread, NULL);
    room->serving = false;
}

static int room_close(void **state)
{
    struct room *room = *state;
    ef_session_close(&room->session);
    stop_serving(room);
    close(room->listener);
    eb_drive_free(room->drive);
    ef_log_free(&room->log);
    unlink(room->stub);
    unlink(room->log_path);
    free(room);
    return 0;
}

static void start_board(struct room *room, const char *chip, bool firmware)
{
    room->drive = eb_drive_new(chip, SIZE);
    assert_non_null(room->drive);
    room->drive->config.firmware = firmware;
    assert_true(eb_drive_start(room->drive));
    assert_int_equal(pthread_create(&room->thread, NULL, serve, room), 0);
    room->serving = true;
}

static enum ef_err open_session(struct room *room)
{
    return ef_session_open(&room->config, &room->log, &room->session);
}

static const char *log_text(struct room *room)
{
    FILE *file = fopen(room->log_path, "r");
    assert_non_null(file);
    room->text[fread(room->text, 1, sizeof(room->text) - 1, file)] = '\0';
    fclose(file);
    return room->text;
}

static void expect_open(struct room *room, const char *chip, bool stub)
{
    assert_int_equal(open_session(room), EF_OK);
    const struct ef_session *s = &room->session;
    assert_string_equal(s->chip->option, chip);
    assert_int_equal(s->esp.stub, stub);
    assert_int_equal(s->with_stub, stub);
    assert_int_equal(s->flash_size, SIZE);
    assert_null(s->no_flash_why);
    assert_memory_equal(s->identity.mac, eb_chip_find(chip)->mac, 6);
    assert_true(strlen(s->identity.description) > 0);
}

static void opens_with_a_stub(struct room *room, const char *chip)
{
    start_board(room, chip, false);
    expect_open(room, chip, true);
    assert_string_equal(room->session.stub.path, room->stub);
    ef_session_close(&room->session);
    assert_null(room->session.line);
    stop_serving(room);
    /* But for the question that older ROMs do not know, nothing was refused. */
    assert_true(eb_drive_rejects(room->drive) <= 1);
}

static void opens_esp8266(void **state)
{
    opens_with_a_stub(*state, "esp8266");
}

static void opens_esp32(void **state)
{
    opens_with_a_stub(*state, "esp32");
}

static void opens_esp32c3(void **state)
{
    opens_with_a_stub(*state, "esp32c3");
}

static void opens_the_rom(void **state)
{
    struct room *room = *state;
    start_board(room, "esp32c3", false);
    room->config.stub = "rom";
    expect_open(room, "esp32c3", false);
}

/* A stub that a program before us left running is used as it is. */
static void finds_a_stub_running(void **state)
{
    struct room *room = *state;
    start_board(room, "esp32", false);
    expect_open(room, "esp32", true);
    ef_session_close(&room->session);
    expect_open(room, "esp32", true);
    ef_session_close(&room->session);
    stop_serving(room);
    assert_int_equal(eb_board_counters(room->drive->board)->ops[EF_OP_MEM_END], 1);
}

static void a_running_stub_is_no_rom(void **state)
{
    struct room *room = *state;
    start_board(room, "esp32", false);
    expect_open(room, "esp32", true);
    ef_session_close(&room->session);
    room->config.stub = "rom";
    assert_int_equal(open_session(room), EF_UNSUPPORTED);
    assert_null(room->session.line);
    assert_non_null(strstr(log_text(room), "reset the board"));
}

static void the_esp8266_rom_offers_no_flash(void **state)
{
    struct room *room = *state;
    start_board(room, "esp8266", false);
    room->config.stub = "rom";
    assert_int_equal(open_session(room), EF_OK);
    assert_non_null(room->session.no_flash_why);
    ef_session_close(&room->session);
    stop_serving(room);
    const struct eb_counters *seen = eb_board_counters(room->drive->board);
    assert_int_equal(seen->ops[EF_OP_FLASH_DATA] + seen->ops[EF_OP_FLASH_DEFL_BEGIN], 0);
    assert_int_equal(eb_board_nor(room->drive->board)->sector_erases, 0);
}

static void another_chip_than_asked_for(void **state)
{
    struct room *room = *state;
    start_board(room, "esp32", false);
    room->config.chip = "esp32c3";
    assert_int_equal(open_session(room), EF_UNSUPPORTED);
    assert_null(room->session.line);
    assert_non_null(strstr(log_text(room), "chip=esp32c3"));
    room->config.chip = "ESP-32";
    expect_open(room, "esp32", true);
}

static void no_stub_where_told(void **state)
{
    struct room *room = *state;
    start_board(room, "esp32", false);
    room->config.stub = "/nonexistent/stub.json";
    assert_int_equal(open_session(room), EF_MISSING);
    assert_non_null(strstr(log_text(room), "/nonexistent/stub.json"));
}

static void sizes(void **state)
{
    struct room *room = *state;
    start_board(room, "esp32", false);
    room->config.size = 1 << 20;
    assert_int_equal(open_session(room), EF_OK);
    assert_int_equal(room->session.flash_size, 1 << 20);
    ef_session_close(&room->session);
    room->config.size = 4097;
    assert_int_equal(open_session(room), EF_UNSUPPORTED);
    room->config.size = 32 << 20;
    assert_int_equal(open_session(room), EF_UNSUPPORTED);
}

static void firmware_is_told_from_silence(void **state)
{
    struct room *room = *state;
    start_board(room, "esp32", true);
    assert_int_equal(open_session(room), EF_TIMEOUT);
    assert_null(room->session.line);
    assert_non_null(strstr(log_text(room), "hold BOOT"));
}

static void nobody_listens(void **state)
{
    struct room *room = *state;
    close(room->listener);
    room->listener = -1;
    assert_int_equal(open_session(room), EF_GONE);
    ef_session_close(&room->session); /* harmless */
}

/* A device that left in the climb, and did not come back: the stub's file was read by then. */
static void closes_without_a_line(void **state)
{
    struct room *room = *state;
    room->session.line = NULL;
    room->session.stub.text = malloc(16);
    room->session.stub.data = malloc(16);
    ef_session_close(&room->session);
    assert_null(room->session.stub.text);
    assert_null(room->session.stub.data);
}

static void nobody_is_asked_at_work(void **state)
{
    struct room *room = *state;
    start_board(room, "esp32", false);
    room->config.ask = true;
    expect_open(room, "esp32", true);
    assert_false(room->session.config.ask);
}

static void recovers(void **state)
{
    struct room *room = *state;
    start_board(room, "esp32", false);
    expect_open(room, "esp32", true);
    uint32_t value;
    static const uint8_t HALF[] = {0xC0, 0x00, 0x0A, 0x04};
    assert_int_equal(ef_line_write(room->session.line, HALF, sizeof(HALF), ef_deadline_in(1000)),
                     EF_OK);
    assert_int_equal(ef_session_recover(&room->session), EF_OK);
    assert_true(room->session.esp.stub);
    assert_int_equal(ef_command_read_reg(&room->session.esp, 0x40001000, &value), EF_OK);
    assert_int_equal(value, room->session.chip->magic);
}

/* Whatever step of opening a hang-up ends, it is said why nothing is mounted. */
static void every_failure_is_explained(struct room *room, const char *chip, const char *stub)
{
    enum { STEP = 23, BYTES_MAX = 10000 };
    enum ef_err err = EF_GONE;
    room->log.level = EF_LOG_ERROR;
    room->config.stub = stub;
    for (room->hang_up_at = STEP; err != EF_OK; room->hang_up_at += STEP) {
        assert_true(room->hang_up_at < BYTES_MAX);
        assert_int_equal(truncate(room->log_path, 0), 0);
        start_board(room, chip, false);
        err = open_session(room);
        ef_session_close(&room->session);
        stop_serving(room);
        close(room->listener);
        eb_drive_free(room->drive);
        room->drive = NULL;
        assert_true(open_listener(room));
        if (err != EF_OK && log_text(room)[0] == '\0')
            fail_msg("%s: nothing is said of a hang-up after %zu bytes", chip, room->hang_up_at);
    }
    room->hang_up_at = 0;
}

static void failures_are_explained(void **state)
{
    struct room *room = *state;
    every_failure_is_explained(room, "esp32", "rom");
    every_failure_is_explained(room, "esp32c3", room->stub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(opens_esp8266, room_open, room_close),
        cmocka_unit_test_setup_teardown(opens_esp32, room_open, room_close),
        cmocka_unit_test_setup_teardown(opens_esp32c3, room_open, room_close),
        cmocka_unit_test_setup_teardown(opens_the_rom, room_open, room_close),
        cmocka_unit_test_setup_teardown(finds_a_stub_running, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_running_stub_is_no_rom, room_open, room_close),
        cmocka_unit_test_setup_teardown(the_esp8266_rom_offers_no_flash, room_open, room_close),
        cmocka_unit_test_setup_teardown(another_chip_than_asked_for, room_open, room_close),
        cmocka_unit_test_setup_teardown(no_stub_where_told, room_open, room_close),
        cmocka_unit_test_setup_teardown(sizes, room_open, room_close),
        cmocka_unit_test_setup_teardown(firmware_is_told_from_silence, room_open, room_close),
        cmocka_unit_test_setup_teardown(failures_are_explained, room_open, room_close),
        cmocka_unit_test_setup_teardown(nobody_listens, room_open, room_close),
        cmocka_unit_test_setup_teardown(closes_without_a_line, room_open, room_close),
        cmocka_unit_test_setup_teardown(nobody_is_asked_at_work, room_open, room_close),
        cmocka_unit_test_setup_teardown(recovers, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
