#include "proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TO_BOARD, TO_DRIVER, PASS_MAX = 16384, LOOK_MS = 100 };

static struct sockaddr_in here(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return at;
}

static int fault_direction(const struct op *op)
{
    switch (op->detail) {
    case FAULT_FLIP_OUT:
    case FAULT_DROP_OUT:
    case FAULT_DUP_OUT:
    case FAULT_SILENCE_OUT:
        return TO_DRIVER;
    default:
        return TO_BOARD;
    }
}

/* The next fault, if one is asked for. A chip's reset happens at once. */
static void arm(struct proxy *p)
{
    pthread_mutex_lock(&p->lock);
    p->armed = p->asked && !p->calm;
    p->fault = p->wanted;
    p->asked = false;
    pthread_mutex_unlock(&p->lock);
    if (!p->armed)
        return;
    if (p->fault.detail == FAULT_RESET || p->fault.detail == FAULT_REJECT) {
        kill(p->board_pid, SIGUSR2);
        p->happened++;
        p->armed = false;
    }
    if (p->fault.detail == FAULT_HANG_UP) {
        p->hang_up = true;
        p->happened++;
        p->armed = false;
    }
    p->fault_at = p->passed[fault_direction(&p->fault)] + p->fault.off;
}

/* What becomes of a byte; returns how many go on. */
static size_t pass_byte(struct proxy *p, int direction, uint8_t byte, uint8_t out[2])
{
    uint64_t at = p->passed[direction]++;
    out[0] = out[1] = byte;
    if (!p->armed || direction != fault_direction(&p->fault) || at < p->fault_at)
        return 1;
    bool silence = p->fault.detail >= FAULT_SILENCE_IN;
    if (!silence || at >= p->fault_at + p->fault.len) {
        p->armed = false;
        p->happened++;
    }
    switch ((enum fault_kind)p->fault.detail) {
    case FAULT_FLIP_IN:
    case FAULT_FLIP_OUT:
        out[0] ^= (uint8_t)(1U << p->fault.len % 8);
        return 1;
    case FAULT_DUP_IN:
    case FAULT_DUP_OUT:
        return 2;
    default:
        return 0;
    }
}

static void maybe_kill(struct proxy *p, size_t bytes)
{
    if (p->kill_after < 0)
        return;
    p->kill_after = p->kill_after > (int64_t)bytes ? p->kill_after - (int64_t)bytes : -1;
    if (p->kill_after < 0 && p->victim > 0)
        kill(p->victim, SIGKILL);
}

static bool send_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return false;
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool pass(struct proxy *p, int from, int to, int direction)
{
    uint8_t in[PASS_MAX];
    uint8_t out[2 * PASS_MAX];
    size_t len = 0;
    ssize_t n = recv(from, in, sizeof(in), 0);
    if (n <= 0)
        return n < 0 && errno == EINTR;
    p->armed = p->armed && !p->calm;
    if (!p->armed)
        arm(p);
    for (ssize_t i = 0; i < n; i++) {
        uint8_t two[2];
        size_t some = pass_byte(p, direction, in[i], two);
        memcpy(out + len, two, some);
        len += some;
    }
    p->bytes += (uint64_t)n;
    if (p->hang_up)
        return false;
    if (direction == TO_BOARD)
        maybe_kill(p, (size_t)n);
    return send_all(to, out, len);
}

/* Both ways, until one of them hangs up. */
static void pass_on(struct proxy *p, int driver, int board)
{
    struct pollfd fds[2] = {{.fd = driver, .events = POLLIN}, {.fd = board, .events = POLLIN}};
    bool alive = true;
    p->hang_up = false;
    while (alive && !p->stopping) {
        if (poll(fds, 2, LOOK_MS) < 0 && errno != EINTR)
            return;
        if (fds[0].revents)
            alive = pass(p, driver, board, TO_BOARD);
        if (alive && fds[1].revents)
            alive = pass(p, board, driver, TO_DRIVER);
    }
}

static int connect_board(struct proxy *p)
{
    static const int ON = 1;
    struct sockaddr_in at = here(p->board_port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &ON, sizeof(ON));
    return fd;
}

static void serve_one(struct proxy *p, int driver)
{
    static const int ON = 1;
    int board = connect_board(p);
    setsockopt(driver, IPPROTO_TCP, TCP_NODELAY, &ON, sizeof(ON));
    if (board >= 0) {
        pass_on(p, driver, board);
        close(board);
    }
    close(driver);
}

static void *proxy_main(void *arg)
{
    struct proxy *p = arg;
    struct pollfd fd = {.fd = p->listener, .events = POLLIN};
    while (!p->stopping) {
        if (poll(&fd, 1, LOOK_MS) <= 0)
            continue;
        int driver = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
        if (driver >= 0)
            serve_one(p, driver);
    }
    return NULL;
}

int proxy_start(struct proxy *p, int board_port)
{
    struct sockaddr_in at = here(0);
    socklen_t len = sizeof(at);
    p->board_port = board_port;
    p->kill_after = -1;
    pthread_mutex_init(&p->lock, NULL);
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p->listener < 0 || bind(p->listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        listen(p->listener, 4) < 0 || getsockname(p->listener, (struct sockaddr *)&at, &len) < 0)
        return -1;
    p->port = ntohs(at.sin_port);
    errno = pthread_create(&p->thread, NULL, proxy_main, p);
    return errno ? -1 : 0;
}

void proxy_stop(struct proxy *p)
{
    p->stopping = true;
    pthread_join(p->thread, NULL);
    close(p->listener);
    pthread_mutex_destroy(&p->lock);
}

void proxy_ask(struct proxy *p, const struct op *fault)
{
    pthread_mutex_lock(&p->lock);
    if (!p->asked && !p->calm) {
        p->wanted = *fault;
        p->asked = true;
    }
    pthread_mutex_unlock(&p->lock);
}
