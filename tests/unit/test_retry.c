/* What is tried again, in which order of calls, and when it is given up. */
#include "mem_flash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { SIZE = 8 * EF_BLOCK };

struct room {
    struct mem *mem;
    struct ef_flash *flash;
    uint8_t buf[SIZE];
    char calls[256]; /* the trace as letters: r w e d, and ! for recover */
};

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    room->mem = mem_new(SIZE);
    room->flash = ef_flash_retry_new(mem_flash_new(room->mem));
    return room->flash ? 0 : -1;
}

static int room_close(void **state)
{
    struct room *room = *state;
    ef_flash_free(room->flash);
    mem_free(room->mem);
    free(room);
    return 0;
}

static const char *calls(struct room *room)
{
    size_t n = 0;
    for (size_t i = 0; i < room->mem->calls && n + 1 < sizeof(room->calls); i++)
        room->calls[n++] = "rwed!"[room->mem->call[i].op];
    room->calls[n] = '\0';
    return room->calls;
}

static enum ef_err run(struct room *room, enum mem_op op)
{
    uint8_t md5[EF_DIGEST_BYTES];
    struct ef_read r = {.addr = 0, .len = EF_BLOCK, .buf = room->buf};
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

static void transient_failures(void **state)
{
    struct room *room = *state;
    static const enum ef_err CODES[] = {EF_TIMEOUT, EF_FRAMING, EF_REJECTED, EF_VERIFY};
    static const char *const ORDER[] = {"r!r!r", "w!w!w", "e!e!e", "d!d!d"};
    for (enum mem_op op = MEM_READ; op < MEM_RECOVER; op++) {
        for (size_t i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++) {
            mem_reset_counts(room->mem);
            mem_fail(room->mem, op, 2, CODES[i]);
            assert_int_equal(run(room, op), EF_OK);
            assert_string_equal(calls(room), ORDER[op]);
        }
    }
}

static void gives_up_after_five(void **state)
{
    struct room *room = *state;
    static const char *const ORDER[] = {"r!r!r!r!r!", "w!w!w!w!w!", "e!e!e!e!e!", "d!d!d!d!d!"};
    for (enum mem_op op = MEM_READ; op < MEM_RECOVER; op++) {
        mem_reset_counts(room->mem);
        mem_fail(room->mem, op, 5, EF_FRAMING);
        assert_int_equal(run(room, op), EF_FRAMING);
        assert_string_equal(calls(room), ORDER[op]);
        mem_fail(room->mem, op, 4, EF_FRAMING);
        assert_int_equal(run(room, op), EF_OK);
    }
}

static void other_failures_pass(void **state)
{
    struct room *room = *state;
    static const enum ef_err CODES[] = {EF_GONE,  EF_GUARDED, EF_INTERRUPTED, EF_INVALID,
                                        EF_NOMEM, EF_BUSY,    EF_UNSUPPORTED};
    static const char *const ORDER[] = {"r", "w", "e", "d"};
    for (enum mem_op op = MEM_READ; op < MEM_RECOVER; op++) {
        for (size_t i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++) {
            mem_reset_counts(room->mem);
            mem_fail(room->mem, op, 1, CODES[i]);
            assert_int_equal(run(room, op), CODES[i]);
            assert_string_equal(calls(room), ORDER[op]);
        }
    }
}

/* Late answers would pass for those to what is asked for next: first the line is in step again. */
static void nothing_is_asked_for_out_of_step(void **state)
{
    struct room *room = *state;
    static const char *const ORDER[] = {"r!!!r", "w!!!w", "e!!!e", "d!!!d"};
    for (enum mem_op op = MEM_READ; op < MEM_RECOVER; op++) {
        mem_reset_counts(room->mem);
        mem_fail(room->mem, op, 1, EF_TIMEOUT);
        mem_fail(room->mem, MEM_RECOVER, 2, EF_TIMEOUT);
        assert_int_equal(run(room, op), EF_GONE);
        assert_int_equal(run(room, op), EF_GONE);
        assert_int_equal(run(room, op), EF_OK);
        assert_string_equal(calls(room), ORDER[op]);
        assert_int_equal(run(room, op), EF_OK);
    }
}

/* The line cannot be brought back: that is the failure, and nothing is tried on it. */
static void recovery_fails(void **state)
{
    struct room *room = *state;
    static const char *const ORDER[] = {"r!", "w!", "e!", "d!"};
    for (enum mem_op op = MEM_READ; op < MEM_RECOVER; op++) {
        mem_reset_counts(room->mem);
        mem_fail(room->mem, op, 1, EF_VERIFY);
        mem_fail(room->mem, MEM_RECOVER, 1, EF_GONE);
        assert_int_equal(run(room, op), EF_GONE);
        assert_string_equal(calls(room), ORDER[op]);
    }
}

/* One that is silent is gone as well; of another board it is said so. */
static void a_board_that_does_not_answer_is_gone(void **state)
{
    struct room *room = *state;
    static const enum ef_err SAYS[] = {EF_TIMEOUT, EF_FRAMING, EF_FOREIGN, EF_NOMEM};
    static const enum ef_err MEANS[] = {EF_GONE, EF_GONE, EF_FOREIGN, EF_NOMEM};
    for (size_t i = 0; i < sizeof(SAYS) / sizeof(SAYS[0]); i++) {
        mem_fail(room->mem, MEM_WRITE, 1, EF_TIMEOUT);
        mem_fail(room->mem, MEM_RECOVER, 1, SAYS[i]);
        assert_int_equal(run(room, MEM_WRITE), MEANS[i]);
    }
}

/* A flash of which each read proves one piece more and then fails. */
struct stumbling {
    struct ef_flash flash;
    uint8_t *bytes;
    unsigned reads, recovers, idle; /* `idle` reads in a row make no progress first */
    unsigned idle_left;
    unsigned slower_after; /* recovers, 0: the line is never made slower */
    uint32_t addr[64];
};

static enum ef_err stumbling_read(struct ef_flash *f, struct ef_read *r)
{
    struct stumbling *self = (struct stumbling *)f;
    self->addr[self->reads++ % 64] = r->addr;
    if (self->idle_left > 0) {
        self->idle_left--;
        return EF_TIMEOUT;
    }
    self->idle_left = self->idle;
    uint32_t n = r->len < EF_SECTOR ? r->len : EF_SECTOR;
    memcpy(r->buf, self->bytes + r->addr, n);
    assert_int_equal(ef_read_deliver(r, n), EF_OK);
    return n == r->len ? EF_OK : EF_TIMEOUT;
}

static enum ef_err stumbling_recover(struct ef_flash *f)
{
    struct stumbling *self = (struct stumbling *)f;
    self->recovers++;
    if (self->slower_after && self->recovers % self->slower_after == 0)
        f->slowdowns++;
    return EF_OK;
}

static struct stumbling *stumbling_new(struct room *room, unsigned idle)
{
    static const struct ef_flash_ops OPS = {.read = stumbling_read, .recover = stumbling_recover};
    struct stumbling *self = calloc(1, sizeof(*self));
    assert_non_null(self);
    self->flash.ops = &OPS;
    self->flash.size = SIZE;
    self->bytes = room->mem->bytes;
    self->idle = self->idle_left = idle;
    return self;
}

static enum ef_err count_piece(void *user, uint32_t addr, const uint8_t *bytes, uint32_t len)
{
    uint32_t *at = user;
    (void)bytes;
    *at = *at == addr ? addr + len : UINT32_MAX;
    return EF_OK;
}

/* Ten failures, but each read got further: none of them counts towards giving up. */
static void reads_go_on_from_the_proven_part(void **state)
{
    struct room *room = *state;
    for (unsigned idle = 0; idle < 4; idle++) {
        struct stumbling *bottom = stumbling_new(room, idle);
        struct ef_flash *flash = ef_flash_retry_new(&bottom->flash);
        uint32_t at = EF_SECTOR;
        struct ef_read r = {.addr = EF_SECTOR,
                            .len = 10 * EF_SECTOR + 5,
                            .buf = room->buf,
                            .piece = count_piece,
                            .user = &at};
        memset(room->buf, 0, SIZE);
        assert_int_equal(ef_flash_read(flash, &r), EF_OK);
        assert_int_equal(r.done, r.len);
        assert_int_equal(at, r.addr + r.len);
        assert_memory_equal(room->buf, room->mem->bytes + r.addr, r.len);
        assert_int_equal(bottom->reads, 11 * (idle + 1));
        assert_int_equal(bottom->recovers, 11 * (idle + 1) - 1);
        for (unsigned i = 0; i < 11 * (idle + 1); i++)
            assert_int_equal(bottom->addr[i % 64], EF_SECTOR + i / (idle + 1) * EF_SECTOR);
        ef_flash_free(flash);
    }
}

static void reads_keep_what_was_proven(void **state)
{
    struct room *room = *state;
    struct stumbling *bottom = stumbling_new(room, 0);
    struct ef_flash *flash = ef_flash_retry_new(&bottom->flash);
    struct ef_read r = {.addr = 0, .len = 3 * EF_SECTOR, .buf = room->buf};
    bottom->idle = 5; /* after the first piece nothing comes any more */
    assert_int_equal(ef_flash_read(flash, &r), EF_TIMEOUT);
    assert_int_equal(r.done, EF_SECTOR);
    assert_memory_equal(room->buf, room->mem->bytes, EF_SECTOR);
    ef_flash_free(flash);
}

/* Twelve failures in a row, but never more than five at one rate of the line. */
static void a_lower_rate_is_a_new_beginning(void **state)
{
    struct room *room = *state;
    struct stumbling *bottom = stumbling_new(room, 12);
    struct ef_flash *flash = ef_flash_retry_new(&bottom->flash);
    struct ef_read r = {.addr = 0, .len = EF_SECTOR, .buf = room->buf};
    bottom->slower_after = 5;
    assert_int_equal(ef_flash_read(flash, &r), EF_OK);
    assert_memory_equal(room->buf, room->mem->bytes, EF_SECTOR);
    assert_int_equal(bottom->recovers, 12);
    assert_int_equal(ef_flash_slowdowns(flash), 2);
    bottom->slower_after = 6;
    bottom->recovers = 0;
    bottom->idle_left = 12;
    r.done = 0;
    assert_int_equal(ef_flash_read(flash, &r), EF_TIMEOUT);
    assert_int_equal(bottom->recovers, 5);
    ef_flash_free(flash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(transient_failures, room_open, room_close),
        cmocka_unit_test_setup_teardown(gives_up_after_five, room_open, room_close),
        cmocka_unit_test_setup_teardown(other_failures_pass, room_open, room_close),
        cmocka_unit_test_setup_teardown(nothing_is_asked_for_out_of_step, room_open, room_close),
        cmocka_unit_test_setup_teardown(recovery_fails, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_board_that_does_not_answer_is_gone, room_open,
                                        room_close),
        cmocka_unit_test_setup_teardown(reads_go_on_from_the_proven_part, room_open, room_close),
        cmocka_unit_test_setup_teardown(reads_keep_what_was_proven, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_lower_rate_is_a_new_beginning, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
