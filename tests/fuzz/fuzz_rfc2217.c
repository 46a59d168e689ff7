/*
 * An RFC 2217 server that says whatever the input says, in whatever pieces, through its opening
 * and whatever is asked of it then: each call ends at its time; what is read is what the stream
 * carries as data, in order and without a gap; what is sent is telnet.
 */
#include "fuzz.h"

#include "line/rfc2217.h"
#include "line/tcp.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    OPERATIONS_MAX = 24,
    READ_CAP = 512,
    SENT_CAP = 1 << 16,
    TIMEOUT_MS = 2500, /* for each answer, as the spelling has it */
    PURGE_MS = 1000,
    OPEN_MAX_MS = 6 * TIMEOUT_MS + PURGE_MS
};

struct server {
    int here, there; /* the line's end, and the server's */
    struct fuzz_input pieces;
    bool hangs_up; /* at the end of its input, where it is silent else */
    uint8_t *data; /* owned: what the stream carries, as far as it was said */
    size_t data_len;
    struct ef_telnet decoder;
    uint8_t sent[SENT_CAP];
    size_t sent_len;
};

/* poll(2) and connect(2) know no other way to it. */
static struct server *current;

int real_poll(struct pollfd *fds, nfds_t count, int timeout_ms) __asm__("__real_poll");
int wait_for_server(struct pollfd *fds, nfds_t count, int timeout_ms) IN_PLACE_OF(poll);
enum ef_err tcp_connect(const char *spec, const struct ef_tcp_address *address, struct ef_log *log,
                        int *fd) IN_PLACE_OF(ef_tcp_connect);

static void note_data(struct server *s, const uint8_t *bytes, size_t len)
{
    size_t used;
    for (size_t at = 0; at < len; at += used) {
        if (ef_telnet_decode(&s->decoder, bytes + at, len - at, &used) == EF_TELNET_DATA) {
            memcpy(s->data + s->data_len, s->decoder.data, s->decoder.data_len);
            s->data_len += s->decoder.data_len;
        }
    }
}

/* The next piece of the input: false where there is none. */
static bool say(struct server *s)
{
    const uint8_t *bytes;
    if (s->pieces.left == 0 && s->hangs_up)
        shutdown(s->there, SHUT_WR);
    if (s->pieces.left == 0)
        return s->hangs_up;
    size_t len = fuzz_take(&s->pieces, fuzz_u8(&s->pieces), &bytes);
    REQUIRE(write(s->there, bytes, len) == (ssize_t)len);
    note_data(s, bytes, len);
    return len > 0;
}

static void hear(struct server *s)
{
    ssize_t n;
    while ((n = read(s->there, s->sent + s->sent_len, SENT_CAP - s->sent_len)) > 0)
        s->sent_len += (size_t)n;
    REQUIRE(s->sent_len < SENT_CAP);
}

int wait_for_server(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    REQUIRE(count == 1 && timeout_ms >= 0);
    if (!current || fds->fd != current->here)
        return real_poll(fds, count, timeout_ms);
    hear(current);
    int ready = real_poll(fds, count, 0);
    while (ready == 0 && timeout_ms > 0 && (fds->events & POLLIN) &&
           (say(current) || current->pieces.left > 0))
        ready = real_poll(fds, count, 0);
    if (ready == 0)
        fuzz_clock_pass(timeout_ms);
    return ready;
}

enum ef_err tcp_connect(const char *spec, const struct ef_tcp_address *address, struct ef_log *log,
                        int *fd)
{
    (void)spec;
    (void)address;
    (void)log;
    *fd = current->here;
    return EF_OK;
}

/* What was read since the server's data was last dropped. */
struct gathered {
    uint8_t *bytes; /* owned */
    size_t len;
};

static void require_in_stream(const struct server *s, struct gathered *gathered)
{
    if (gathered->len > 0)
        REQUIRE(memmem(s->data, s->data_len, gathered->bytes, gathered->len));
    gathered->len = 0;
}

static enum ef_err read_some(struct ef_line *line, struct fuzz_input *in, struct gathered *gathered)
{
    size_t cap = (size_t)1 + fuzz_u16(in) % READ_CAP;
    int timeout_ms = fuzz_u8(in);
    uint8_t *buf = malloc(cap);
    size_t got = 0;
    REQUIRE(buf);
    int64_t start_ms = ef_clock_now_ms();
    enum ef_err err = ef_line_read(line, buf, cap, ef_deadline_in(timeout_ms), &got);
    REQUIRE(ef_clock_now_ms() - start_ms <= timeout_ms);
    REQUIRE(err == EF_OK ? got > 0 && got <= cap : got == 0);
    memcpy(gathered->bytes + gathered->len, buf, got);
    gathered->len += got;
    free(buf);
    return err;
}

static enum ef_err operate(struct server *s, struct ef_line *line, struct fuzz_input *in,
                           struct gathered *gathered)
{
    static const uint8_t BYTES[3] = {0xC0, 0xFF, 0xFF};
    uint8_t what = fuzz_u8(in);
    switch (what % 8) {
    case 0:
        return ef_line_set_baud(line, fuzz_u32(in) % 4000000);
    case 1:
        return ef_line_set_lines(line, what & 8, what & 16);
    case 2:
        return ef_line_set_one_line(line, what & 8 ? EF_DTR : EF_RTS, what & 16);
    case 3:
        require_in_stream(s, gathered);
        return ef_line_drain(line, fuzz_u8(in));
    case 4:
        return ef_line_write(line, BYTES, sizeof(BYTES), ef_deadline_in(100));
    default:
        return read_some(line, in, gathered);
    }
}

static void use(struct server *s, struct ef_line *line, struct fuzz_input *in, size_t most)
{
    struct gathered gathered = {.bytes = malloc(most + 1)};
    enum ef_err err = EF_OK;
    REQUIRE(gathered.bytes);
    for (int i = 0; i < OPERATIONS_MAX && in->left > 0 && err != EF_GONE; i++) {
        int64_t start_ms = ef_clock_now_ms();
        err = operate(s, line, in, &gathered);
        REQUIRE(err == EF_OK || err == EF_TIMEOUT || err == EF_GONE || err == EF_UNSUPPORTED);
        REQUIRE(ef_clock_now_ms() - start_ms <= 2 * TIMEOUT_MS + PURGE_MS);
    }
    require_in_stream(s, &gathered);
    free(gathered.bytes);
}

/* As the far end understands it: nothing broken off, and settings of the COM port alone. */
static void check_sent(struct server *s)
{
    struct ef_telnet t;
    size_t used;
    ef_telnet_init(&t);
    for (size_t at = 0; at < s->sent_len; at += used) {
        enum ef_telnet_event event = ef_telnet_decode(&t, s->sent + at, s->sent_len - at, &used);
        REQUIRE(event != EF_TELNET_BAD && event != EF_TELNET_MORE);
        if (event == EF_TELNET_SUBNEGOTIATION)
            REQUIRE(t.option == EF_TELNET_COM_PORT && t.sub_len >= 2 &&
                    t.sub[0] <= EF_COM_PURGE_DATA);
    }
}

static struct server *server_new(struct fuzz_input *in)
{
    struct server *s = calloc(1, sizeof(*s));
    int ends[2];
    REQUIRE(s && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    s->here = ends[0];
    s->there = ends[1];
    s->hangs_up = fuzz_u8(in) % 2;
    s->pieces.left = fuzz_take(in, fuzz_u16(in) % 4096, &s->pieces.at);
    s->data = malloc(s->pieces.left + 1);
    REQUIRE(s->data);
    ef_telnet_init(&s->decoder);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct ef_line *line = NULL;
    struct fuzz_log log;
    signal(SIGPIPE, SIG_IGN);
    struct server *s = server_new(&in);
    size_t most = s->pieces.left;
    current = s;
    fuzz_log_open(&log);
    int64_t start_ms = ef_clock_now_ms();
    enum ef_err err = ef_line_open("rfc2217://host:1?timeout=2.5", 115200, &log.log, &line);
    REQUIRE(ef_clock_now_ms() - start_ms <= OPEN_MAX_MS);
    fflush(log.log.file);
    REQUIRE(err == EF_OK || log.len > 0);
    if (err == EF_OK) {
        use(s, line, &in, most);
        hear(s);
        check_sent(s);
        ef_line_close(line);
    }
    current = NULL;
    close(s->there);
    free(s->data);
    free(s);
    fuzz_log_close(&log);
    return 0;
}
