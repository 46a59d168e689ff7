/* A board that is gone: how it is waited for, and what becomes of the request. */
#include "mem_flash.h"

#include "espflashfs/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SIZE = 4 * EF_BLOCK, LONG_MS = 60000, SHORT_MS = 300 };

struct room {
    struct mem *mem;
    struct ef_flash *flash;
    struct ef_presence presence;
    uint8_t buf[SIZE];
    char calls[64];            /* as letters: r w e d, and ? for a look */
    unsigned asked, stop_from; /* a request that is told to stop at that many questions */
};

static void open_with(struct room *room, int wait_ms)
{
    ef_flash_free(room->flash);
    mem_reset_counts(room->mem);
    room->flash = ef_flash_reconnect_new(mem_flash_new(room->mem), wait_ms, &room->presence);
    assert_non_null(room->flash);
    ef_presence_say(&room->presence, (struct ef_presence_now){0});
}

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    room->mem = mem_new(SIZE);
    ef_presence_init(&room->presence);
    open_with(room, LONG_MS);
    return 0;
}

static int room_close(void **state)
{
    struct room *room = *state;
    ef_flash_free(room->flash);
    ef_presence_free(&room->presence);
    mem_free(room->mem);
    free(room);
    return 0;
}

static const char *calls(struct room *room)
{
    size_t n = 0;
    for (size_t i = 0; i < room->mem->calls && n + 1 < sizeof(room->calls); i++)
        room->calls[n++] = "rwed!?"[room->mem->call[i].op];
    room->calls[n] = '\0';
    return room->calls;
}

static bool stops(void *user)
{
    struct room *room = user;
    return room->stop_from && ++room->asked >= room->stop_from;
}

static enum ef_err run(struct room *room, enum mem_op op)
{
    uint8_t md5[EF_DIGEST_BYTES];
    struct ef_read r = {.addr = 0, .len = EF_BLOCK, .buf = room->buf, .stop = stops, .user = room};
    room->asked = 0;
    room->flash->stop_waiting = stops;
    room->flash->stop_user = room;
    switch (op) {
    case MEM_READ:
        return ef_flash_read(room->flash, &r);
    case MEM_WRITE:
        return ef_flash_write(room->flash, 0, EF_BLOCK, room->buf);
    case MEM_ERASE:
        return ef_flash_erase(room->flash, 0, EF_BLOCK);
    default:
        return ef_flash_digest(room->flash, 0, EF_BLOCK, md5);
    }
}

static struct ef_presence_now now(struct room *room)
{
    return ef_presence_look(&room->presence);
}

static void goes_on_when_it_is_back(void **state)
{
    struct room *room = *state;
    static const enum ef_err CODES[] = {EF_GONE, EF_FOREIGN};
    static const char *const ORDER[] = {"r??r", "w??w", "e??e", "d??d"};
    unsigned back = 0;
    for (enum mem_op op = MEM_READ; op < MEM_RECOVER; op++) {
        for (size_t i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++) {
            mem_reset_counts(room->mem);
            mem_fail(room->mem, op, 1, CODES[i]);
            mem_fail(room->mem, MEM_REJOIN, 1, EF_GONE);
            assert_int_equal(run(room, op), EF_OK);
            assert_string_equal(calls(room), ORDER[op]);
            assert_int_equal(now(room).state, EF_PRESENT);
            assert_int_equal(now(room).reconnections, ++back);
        }
    }
    assert_int_equal(ef_flash_absences(room->flash), back);
}

static void other_failures_pass(void **state)
{
    struct room *room = *state;
    static const enum ef_err CODES[] = {EF_TIMEOUT, EF_FRAMING, EF_REJECTED,    EF_VERIFY,
                                        EF_GUARDED, EF_NOMEM,   EF_INTERRUPTED, EF_UNSUPPORTED};
    for (enum mem_op op = MEM_READ; op < MEM_RECOVER; op++) {
        for (size_t i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++) {
            mem_fail(room->mem, op, 1, CODES[i]);
            assert_int_equal(run(room, op), CODES[i]);
        }
    }
    assert_int_equal(mem_count(room->mem, MEM_REJOIN), 0);
}

/* After its time each request looks once; the first that finds the board is done. */
static void the_time_is_over(void **state)
{
    struct room *room = *state;
    open_with(room, SHORT_MS);
    int64_t began_ms = ef_clock_now_ms();
    mem_fail(room->mem, MEM_WRITE, 1, EF_GONE);
    mem_fail(room->mem, MEM_REJOIN, 1000, EF_GONE);
    assert_int_equal(run(room, MEM_WRITE), EF_GONE);
    assert_true(ef_clock_now_ms() - began_ms >= SHORT_MS);
    assert_in_range(mem_count(room->mem, MEM_REJOIN), 2, 2 + SHORT_MS / 50);
    assert_int_equal(now(room).state, EF_ABSENT);
    ef_clock_sleep_ms(100); /* looks keep this distance */
    mem_reset_counts(room->mem);
    assert_int_equal(run(room, MEM_READ), EF_GONE);
    assert_string_equal(calls(room), "?");
    ef_clock_sleep_ms(100);
    mem_fail(room->mem, MEM_REJOIN, 0, EF_OK);
    mem_reset_counts(room->mem);
    assert_int_equal(run(room, MEM_ERASE), EF_OK);
    assert_string_equal(calls(room), "?e");
    assert_int_equal(now(room).state, EF_PRESENT);
    assert_int_equal(now(room).reconnections, 1);
}

static void without_waiting(void **state)
{
    struct room *room = *state;
    open_with(room, 0);
    mem_fail(room->mem, MEM_WRITE, 1, EF_GONE);
    assert_int_equal(run(room, MEM_WRITE), EF_GONE);
    assert_string_equal(calls(room), "w");
    assert_int_equal(now(room).state, EF_ABSENT);
    assert_int_equal(run(room, MEM_WRITE), EF_OK);
    assert_string_equal(calls(room), "w?w");
}

/* It is looked at seldom: each look resets it. */
static void another_board(void **state)
{
    struct room *room = *state;
    open_with(room, SHORT_MS);
    mem_fail(room->mem, MEM_READ, 1, EF_GONE);
    mem_fail(room->mem, MEM_REJOIN, 1000, EF_FOREIGN);
    assert_int_equal(run(room, MEM_READ), EF_GONE);
    assert_string_equal(calls(room), "r?");
    assert_int_equal(now(room).state, EF_ABSENT);
    assert_true(now(room).foreign);
    assert_int_equal(run(room, MEM_READ), EF_GONE);
    assert_string_equal(calls(room), "r?");
}

/* Who leaves ends the wait, and not what others wait for. */
static void stopped(void **state)
{
    struct room *room = *state;
    static const enum ef_err ENDS[] = {EF_INTERRUPTED, EF_GONE, EF_GONE, EF_GONE};
    mem_fail(room->mem, MEM_REJOIN, 1000, EF_GONE);
    for (enum mem_op op = MEM_READ; op < MEM_RECOVER; op++) {
        mem_fail(room->mem, op, 1, EF_GONE);
        room->stop_from = 8;
        assert_int_equal(run(room, op), ENDS[op]);
        assert_int_equal(now(room).state, EF_AWAITED);
        assert_true(ef_deadline_left_ms(now(room).until) > 0);
    }
    /* At once: nothing is asked of a board that is not there. */
    mem_reset_counts(room->mem);
    room->stop_from = 1;
    assert_int_equal(run(room, MEM_WRITE), EF_GONE);
    assert_string_equal(calls(room), "");
}

/* A supply that is too weak for an erase would have it begin for ever. */
static void a_board_that_leaves_each_time(void **state)
{
    struct room *room = *state;
    mem_fail(room->mem, MEM_WRITE, 1000, EF_GONE);
    assert_int_equal(run(room, MEM_WRITE), EF_GONE);
    assert_string_equal(calls(room), "w?w?w?w?w");
}

/* A flash of which each read brings one sector more, and then the board is gone. */
struct leaving {
    struct ef_flash flash;
    const uint8_t *bytes;
    unsigned reads;
};

static enum ef_err leaving_read(struct ef_flash *f, struct ef_read *r)
{
    struct leaving *self = (struct leaving *)f;
    self->reads++;
    uint32_t n = r->len < EF_SECTOR ? r->len : EF_SECTOR;
    memcpy(ef_read_at(r), self->bytes + r->addr, n);
    assert_int_equal(ef_read_deliver(r, n), EF_OK);
    return n == r->len ? EF_OK : EF_GONE;
}

static enum ef_err leaving_rejoin(struct ef_flash *f, bool (*stop)(void *user), void *user)
{
    (void)f;
    (void)stop;
    (void)user;
    return EF_OK;
}

static enum ef_err count_piece(void *user, uint32_t addr, const uint8_t *bytes, uint32_t len)
{
    uint32_t *at = user;
    (void)bytes;
    *at = *at == addr ? addr + len : UINT32_MAX;
    return EF_OK;
}

static void a_read_goes_on_where_it_was(void **state)
{
    struct room *room = *state;
    static const struct ef_flash_ops OPS = {.read = leaving_read, .rejoin = leaving_rejoin};
    struct leaving *bottom = calloc(1, sizeof(*bottom));
    assert_non_null(bottom);
    bottom->flash.ops = &OPS;
    bottom->flash.size = SIZE;
    bottom->bytes = room->mem->bytes;
    struct ef_flash *flash = ef_flash_reconnect_new(&bottom->flash, LONG_MS, &room->presence);
    uint32_t at = EF_SECTOR;
    struct ef_read r = {.addr = EF_SECTOR,
                        .len = 9 * EF_SECTOR + 7,
                        .buf = room->buf,
                        .piece = count_piece,
                        .user = &at};
    assert_int_equal(ef_flash_read(flash, &r), EF_OK);
    assert_int_equal(bottom->reads, 10);
    assert_int_equal(r.done, r.len);
    assert_int_equal(at, r.addr + r.len);
    assert_memory_equal(room->buf, room->mem->bytes + r.addr, r.len);
    ef_flash_free(flash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(goes_on_when_it_is_back, room_open, room_close),
        cmocka_unit_test_setup_teardown(other_failures_pass, room_open, room_close),
        cmocka_unit_test_setup_teardown(the_time_is_over, room_open, room_close),
        cmocka_unit_test_setup_teardown(without_waiting, room_open, room_close),
        cmocka_unit_test_setup_teardown(another_board, room_open, room_close),
        cmocka_unit_test_setup_teardown(stopped, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_board_that_leaves_each_time, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_read_goes_on_where_it_was, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
