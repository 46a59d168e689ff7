/*
 * A serial server that means no good, on a port of 127.0.0.1: hostile MODE [PORT]
 *
 * Prints `listening on 127.0.0.1:PORT`, then serves one host after the other until it is killed.
 * With a PORT it passes everything on to the server there, and turns hostile at SIGUSR1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    END = 0xC0,
    ESC = 0xDB,
    OP_SYNC = 0x08,
    OP_NOBODYS = 0x99,
    REPLY = 0x01,
    IAC = 0xFF,
    CHUNK = 4096,
    LONG_FRAME = 100000, /* no buffer of the driver is as long */
    SLOW_MS = 100,
    TICK_MS = 10
};

struct peer {
    int host, server; /* -1: none */
    uint64_t said;    /* bytes, to this host */
    uint8_t op;       /* of the last command that was heard; 0: none */
    bool asked;       /* since it was last answered */
    unsigned dice;
};

/* How a mode speaks: bytes into `out`, of which CHUNK are room, when it is its turn. */
struct mode {
    const char *name;
    size_t (*say)(struct peer *p, uint8_t *out);
    int every_ms;    /* 0: as fast as the host takes it */
    bool deaf;       /* never reads */
    bool when_asked; /* speaks only then */
};

static size_t nothing(struct peer *p, uint8_t *out)
{
    (void)p;
    (void)out;
    return 0;
}

static size_t noise(struct peer *p, uint8_t *out)
{
    for (size_t i = 0; i < CHUNK; i++) {
        p->dice = p->dice * 1103515245U + 12345U;
        out[i] = (uint8_t)(p->dice >> 16);
    }
    return CHUNK;
}

static size_t letter(struct peer *p, uint8_t *out)
{
    (void)p;
    out[0] = 'x';
    return 1;
}

static size_t slow_frame(struct peer *p, uint8_t *out)
{
    out[0] = p->said == 0 ? END : 'x';
    return 1;
}

static size_t endless_frame(struct peer *p, uint8_t *out)
{
    memset(out, 'x', CHUNK);
    if (p->said == 0)
        out[0] = END;
    return CHUNK;
}

static size_t long_frames(struct peer *p, uint8_t *out)
{
    memset(out, 'x', CHUNK);
    if (p->said / LONG_FRAME != (p->said + CHUNK) / LONG_FRAME)
        out[0] = out[1] = END;
    return CHUNK;
}

static size_t bad_escapes(struct peer *p, uint8_t *out)
{
    static const uint8_t FRAME[] = {END, ESC, 0x00, ESC, END};
    size_t n = 0;
    (void)p;
    for (; n + sizeof(FRAME) <= CHUNK; n += sizeof(FRAME))
        memcpy(out + n, FRAME, sizeof(FRAME));
    return n;
}

/* A frame of a reply that says `len` of a body of `body` zeros. */
static size_t reply(uint8_t *out, uint8_t op, uint16_t len, uint32_t value, size_t body)
{
    const uint8_t head[] = {END,
                            REPLY,
                            op,
                            (uint8_t)len,
                            (uint8_t)(len >> 8),
                            (uint8_t)value,
                            (uint8_t)(value >> 8),
                            (uint8_t)(value >> 16),
                            (uint8_t)(value >> 24)};
    memcpy(out, head, sizeof(head));
    memset(out + sizeof(head), 0, body);
    out[sizeof(head) + body] = END;
    return sizeof(head) + body + 1;
}

static size_t replies(uint8_t *out, uint8_t op, uint32_t value)
{
    size_t n = 0;
    while (n + 32 <= CHUNK)
        n += reply(out + n, op, 4, value, 4);
    return n;
}

static size_t syncs(struct peer *p, uint8_t *out)
{
    (void)p;
    return replies(out, OP_SYNC, 0x20120707);
}

static size_t unrelated(struct peer *p, uint8_t *out)
{
    (void)p;
    return replies(out, OP_NOBODYS, 0);
}

static size_t yes(struct peer *p, uint8_t *out)
{
    return reply(out, p->op, 4, 0, 4);
}

static size_t too_long(struct peer *p, uint8_t *out)
{
    return reply(out, p->op, UINT16_MAX, 0, 4);
}

static size_t too_short(struct peer *p, uint8_t *out)
{
    return reply(out, p->op, 0, 0, 0);
}

/* As the packets of a read are. */
static size_t packets(struct peer *p, uint8_t *out)
{
    size_t n = noise(p, out);
    for (size_t i = 0; i < n; i++)
        out[i] &= 0x3F;
    out[0] = END;
    return n;
}

static size_t digests(struct peer *p, uint8_t *out)
{
    (void)p;
    memset(out, 'x', CHUNK);
    for (size_t i = 0; i < CHUNK; i += 17)
        out[i] = END;
    return CHUNK;
}

/* What would clear a terminal, set its title, or pass for a line of its own in a log. */
static size_t escapes(struct peer *p, uint8_t *out)
{
    static const char TEXT[] = "a story of a boot, long and harmless, told again and again\r\n"
                               "espflashfs: mounted on /forged\r\n"
                               "\x1b[31mthe end of the story is red\x1b[2J\xff\x9b and clean\r\n";
    (void)p;
    memcpy(out, TEXT, sizeof(TEXT) - 1);
    return sizeof(TEXT) - 1;
}

static size_t negotiate(struct peer *p, uint8_t *out)
{
    enum { WILL = 251, OPTION_FROM = 100 };
    size_t n = 0;
    for (; n + 3 <= CHUNK; n += 3) {
        p->dice++;
        out[n] = IAC;
        out[n + 1] = (uint8_t)(WILL + p->dice % 4);
        out[n + 2] = (uint8_t)(OPTION_FROM + p->dice % 100);
    }
    return n;
}

static size_t endless_subnegotiation(struct peer *p, uint8_t *out)
{
    static const uint8_t BEGIN[] = {IAC, 250, 44};
    memset(out, 'x', CHUNK);
    if (p->said == 0)
        memcpy(out, BEGIN, sizeof(BEGIN));
    return CHUNK;
}

static const struct mode MODES[] = {
    {.name = "silent", .say = nothing, .every_ms = SLOW_MS},
    {.name = "deaf", .say = nothing, .every_ms = SLOW_MS, .deaf = true},
    {.name = "noise", .say = noise},
    {.name = "deaf-noise", .say = noise, .deaf = true},
    {.name = "trickle", .say = letter, .every_ms = SLOW_MS},
    {.name = "slow-frame", .say = slow_frame, .every_ms = SLOW_MS},
    {.name = "endless-frame", .say = endless_frame},
    {.name = "long-frames", .say = long_frames},
    {.name = "bad-escapes", .say = bad_escapes},
    {.name = "syncs", .say = syncs},
    {.name = "unrelated", .say = unrelated},
    {.name = "yes", .say = yes, .when_asked = true},
    {.name = "too-long", .say = too_long, .when_asked = true},
    {.name = "too-short", .say = too_short, .when_asked = true},
    {.name = "packets", .say = packets},
    {.name = "digests", .say = digests},
    {.name = "escapes", .say = escapes, .every_ms = SLOW_MS},
    {.name = "negotiate", .say = negotiate},
    {.name = "endless-subnegotiation", .say = endless_subnegotiation},
};

static const struct mode *find_mode(const char *name)
{
    for (size_t i = 0; i < sizeof(MODES) / sizeof(MODES[0]); i++)
        if (strcmp(MODES[i].name, name) == 0)
            return &MODES[i];
    return NULL;
}

static struct sockaddr_in local(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
}

static int listen_anywhere(uint16_t *port)
{
    struct sockaddr_in addr = local(0);
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) < 0 || listen(fd, 1) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
        return -1;
    *port = ntohs(addr.sin_port);
    return fd;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in addr = local(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool send_all(int fd, const uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = send(fd, bytes + at, len - at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

/* Keeps the opcode of the last command: END, 0, the opcode. */
static void hear(struct peer *p, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i + 2 < len; i++) {
        if (bytes[i] == END && bytes[i + 1] == 0) {
            p->op = bytes[i + 2];
            p->asked = true;
        }
    }
}

/* Passes on what has come from one side. False when that side has left. */
static bool pass(int from, int to, struct peer *p)
{
    uint8_t bytes[CHUNK];
    ssize_t n = recv(from, bytes, sizeof(bytes), 0);
    if (n <= 0)
        return n < 0 && errno == EINTR;
    if (to < 0)
        hear(p, bytes, (size_t)n);
    return to < 0 || send_all(to, bytes, (size_t)n);
}

static volatile sig_atomic_t hostile_now; /* a signal handler can set nothing else */

static void turn(int number)
{
    (void)number;
    hostile_now = 1;
}

/* One turn of a hostile one; what the host does not take is dropped. False when it has left. */
static bool be_hostile(struct peer *p, const struct mode *mode)
{
    uint8_t out[CHUNK + 64];
    int wait_ms = mode->every_ms ? mode->every_ms : TICK_MS;
    bool speaks = !mode->when_asked || p->asked;
    size_t len = speaks ? mode->say(p, out) : 0;
    p->asked = p->asked && !speaks;
    for (size_t at = 0; at < len;) {
        ssize_t n = send(p->host, out + at, len - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (n < 0)
            break;
        at += (size_t)n;
        p->said += (uint64_t)n;
        wait_ms = mode->every_ms;
    }
    struct pollfd look = {.fd = p->host, .events = mode->deaf ? 0 : POLLIN};
    if (mode->deaf || mode->every_ms > 0) {
        struct timespec pause = {.tv_nsec = wait_ms * 1000000L};
        nanosleep(&pause, NULL);
        wait_ms = 0;
    }
    if (poll(&look, 1, wait_ms) <= 0)
        return true;
    return (look.revents & (POLLHUP | POLLERR)) == 0 &&
           ((look.revents & POLLIN) == 0 || pass(p->host, -1, p));
}

static bool relay(struct peer *p)
{
    struct pollfd look[2] = {{.fd = p->host, .events = POLLIN},
                             {.fd = p->server, .events = POLLIN}};
    if (poll(look, 2, SLOW_MS) <= 0)
        return true;
    if (look[0].revents && !pass(p->host, p->server, p))
        return false;
    return !look[1].revents || pass(p->server, p->host, p);
}

static void serve(struct peer *p, const struct mode *mode)
{
    bool there = true;
    while (there)
        there = p->server >= 0 && !hostile_now ? relay(p) : be_hostile(p, mode);
}

int main(int argc, char **argv)
{
    const struct mode *mode = argc > 1 ? find_mode(argv[1]) : NULL;
    uint16_t behind = argc > 2 ? (uint16_t)strtoul(argv[2], NULL, 10) : 0;
    uint16_t port = 0;
    int door = mode ? listen_anywhere(&port) : -1;
    struct sigaction action = {.sa_handler = turn};
    if (door < 0 || sigaction(SIGUSR1, &action, NULL) < 0) {
        fprintf(stderr, "usage: hostile MODE [PORT]; see MODES in hostile.c\n");
        return 2;
    }
    printf("listening on 127.0.0.1:%u\n", (unsigned)port);
    fflush(stdout);
    for (;;) {
        struct peer p = {.server = -1, .dice = 1};
        p.host = accept4(door, NULL, NULL, SOCK_CLOEXEC);
        if (p.host < 0)
            continue;
        if (behind)
            p.server = connect_to(behind);
        if (!behind || p.server >= 0)
            serve(&p, mode);
        close(p.host);
        if (p.server >= 0)
            close(p.server);
    }
}
