/* A session over a real socket to a simulated board that a thread serves. */
#ifndef EF_TEST_SESSION_ROOM_H
#define EF_TEST_SESSION_ROOM_H

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

static inline bool send_all(int fd, const uint8_t *bytes, size_t len)
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
static inline void *serve(void *arg)
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

static inline bool write_stub(struct room *room)
{
    static const char JSON[] = "{\"entry\": 1073741824, \"text_start\": 1073741824,"
                               " \"text\": \"AAECAwQFBgcICQoLDA0ODw==\"}";
    int fd = mkstemp(room->stub);
    bool ok = fd >= 0 && write(fd, JSON, sizeof(JSON) - 1) == (ssize_t)sizeof(JSON) - 1;
    if (fd >= 0)
        close(fd);
    return ok;
}

static inline bool open_listener(struct room *room)
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

static inline int room_open(void **state)
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

static inline void stop_serving(struct room *room)
{
    if (!room->serving)
        return;
    shutdown(room->listener, SHUT_RDWR);
    pthread_join(room->thread, NULL);
    room->serving = false;
}

static inline int room_close(void **state)
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

static inline void start_serving(struct room *room)
{
    assert_int_equal(pthread_create(&room->thread, NULL, serve, room), 0);
    room->serving = true;
}

/* Configured, but not switched on. */
static inline void choose_board(struct room *room, const char *chip, bool firmware)
{
    room->drive = eb_drive_new(chip, SIZE);
    assert_non_null(room->drive);
    room->drive->config.firmware = firmware;
}

static inline void switch_on(struct room *room)
{
    assert_true(eb_drive_start(room->drive));
    start_serving(room);
}

static inline void start_board(struct room *room, const char *chip, bool firmware)
{
    choose_board(room, chip, firmware);
    switch_on(room);
}

static inline enum ef_err open_session(struct room *room)
{
    return ef_session_open(&room->config, &room->log, &room->session);
}

static inline const char *log_text(struct room *room)
{
    FILE *file = fopen(room->log_path, "r");
    assert_non_null(file);
    room->text[fread(room->text, 1, sizeof(room->text) - 1, file)] = '\0';
    fclose(file);
    return room->text;
}

static inline void expect_open(struct room *room, const char *chip, bool stub)
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

#endif
