/* Decision 2 against a flash that lies: nothing is believed unproven. */
#include "mem_flash.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SIZE = 8 * EF_BLOCK };

struct room {
    struct mem *mem;
    struct ef_flash *bottom, *flash;
    uint8_t buf[SIZE];
    uint32_t piece_at, pieces;
    uint8_t before[SIZE];
};

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    room->mem = mem_new(SIZE);
    room->bottom = mem_flash_new(room->mem);
    room->flash = ef_flash_verify_new(room->bottom);
    memcpy(room->before, room->mem->bytes, SIZE);
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

static enum ef_err take_piece(void *user, uint32_t addr, const uint8_t *bytes, uint32_t len)
{
    struct room *room = user;
    bool good = addr == room->piece_at && memcmp(bytes, room->before + addr, len) == 0;
    room->piece_at = good ? addr + len : UINT32_MAX;
    room->pieces++;
    return EF_OK;
}

static enum ef_err read_range(struct room *room, uint32_t addr, uint32_t len, uint32_t *done)
{
    struct ef_read r = {
        .addr = addr, .len = len, .buf = room->buf, .piece = take_piece, .user = room};
    room->piece_at = addr;
    room->pieces = 0;
    enum ef_err err = ef_flash_read(room->flash, &r);
    *done = r.done;
    assert_int_equal(room->piece_at, addr + r.done);
    return err;
}

static void reads_are_proven(void **state)
{
    struct room *room = *state;
    uint32_t done;
    assert_int_equal(read_range(room, 123, 3 * EF_BLOCK, &done), EF_OK);
    assert_int_equal(done, 3 * EF_BLOCK);
    assert_memory_equal(room->buf, room->before + 123, 3 * EF_BLOCK);
    assert_int_equal(room->pieces, 4); /* they end at multiples of their length */
    assert_int_equal(room->mem->count[MEM_DIGEST], 4);
    assert_int_equal(room->mem->call[1].op, MEM_DIGEST);
    assert_int_equal(room->mem->call[1].addr, 123);
    assert_int_equal(room->mem->call[1].len, EF_BLOCK - 123);
}

static void one_byte_reads(void **state)
{
    struct room *room = *state;
    uint32_t done;
    assert_int_equal(read_range(room, 77, 1, &done), EF_OK);
    assert_int_equal(room->buf[0], room->before[77]);
}

static void wrong_bytes(void **state)
{
    struct room *room = *state;
    uint32_t done;
    mem_set_fault(room->mem, MEM_READ,
                  (struct mem_fault){.after = 2, .times = 1, .wrong_bytes = true});
    assert_int_equal(read_range(room, 0, 4 * EF_BLOCK, &done), EF_VERIFY);
    assert_int_equal(done, 2 * EF_BLOCK);
    assert_int_equal(ef_flash_strays(room->flash), 0);
}

static void another_address_read(void **state)
{
    struct room *room = *state;
    uint32_t done;
    mem_set_fault(room->mem, MEM_READ, (struct mem_fault){.times = 1, .shift = 0x100});
    assert_int_equal(read_range(room, EF_BLOCK, EF_BLOCK, &done), EF_VERIFY);
    assert_int_equal(done, 0);
    assert_int_equal(room->pieces, 0);
}

static void writes_are_proven(void **state)
{
    struct room *room = *state;
    memset(room->buf, 0x5A, EF_BLOCK);
    assert_int_equal(ef_flash_write(room->flash, EF_SECTOR, EF_BLOCK, room->buf), EF_OK);
    assert_memory_equal(room->mem->bytes + EF_SECTOR, room->buf, EF_BLOCK);
    assert_int_equal(room->mem->call[room->mem->calls - 1].op, MEM_DIGEST);
    assert_int_equal(room->mem->call[room->mem->calls - 1].addr, EF_SECTOR);
    assert_int_equal(room->mem->call[room->mem->calls - 1].len, EF_BLOCK);
    assert_int_equal(ef_flash_strays(room->flash), 0);
}

/* The chip's digest of the front, taken while the rest was on its way, is half of the proof. */
static void a_front_is_proven_on_the_way(void **state)
{
    struct room *room = *state;
    struct ef_digest front = {.addr = EF_BLOCK, .len = EF_BLOCK};
    memset(room->buf, 0x5A, 2 * EF_BLOCK);
    ef_digest_bytes(room->buf, EF_BLOCK, front.md5);
    room->bottom->front = front;
    assert_int_equal(ef_flash_write(room->flash, EF_BLOCK, 2 * EF_BLOCK, room->buf), EF_OK);
    const struct mem_call *last = &room->mem->call[room->mem->calls - 1];
    assert_int_equal(last->op, MEM_DIGEST);
    assert_int_equal(last->addr, 2 * EF_BLOCK);
    assert_int_equal(last->len, EF_BLOCK);
    /* One of something else proves nothing. */
    room->bottom->front.md5[3] ^= 1;
    assert_int_equal(ef_flash_write(room->flash, EF_BLOCK, 2 * EF_BLOCK, room->buf), EF_OK);
    assert_int_equal(mem_touched(room->mem, MEM_DIGEST, EF_BLOCK, EF_SECTOR), 1);
    room->bottom->front = front;
    room->bottom->front.addr = 0;
    assert_int_equal(ef_flash_write(room->flash, EF_BLOCK, 2 * EF_BLOCK, room->buf), EF_OK);
    assert_int_equal(mem_touched(room->mem, MEM_DIGEST, EF_BLOCK, EF_SECTOR), 2);
    /* A front that is right does not vouch for the rest. */
    room->bottom->front = front;
    mem_set_fault(room->mem, MEM_WRITE, (struct mem_fault){.times = 1, .shift = EF_BLOCK});
    memset(room->buf + EF_BLOCK, 0x77, EF_BLOCK);
    assert_int_equal(ef_flash_write(room->flash, EF_BLOCK, 2 * EF_BLOCK, room->buf), EF_VERIFY);
    assert_int_equal(ef_flash_strays(room->flash), 1);
}

static void write_elsewhere(void **state)
{
    struct room *room = *state;
    mem_set_fault(room->mem, MEM_WRITE, (struct mem_fault){.times = 1, .shift = EF_BLOCK});
    memset(room->buf, 0x5A, EF_SECTOR);
    assert_int_equal(ef_flash_write(room->flash, 0, EF_SECTOR, room->buf), EF_VERIFY);
    assert_int_equal(ef_flash_strays(room->flash), 1);
    assert_int_equal(ef_flash_write(room->flash, 0, EF_SECTOR, room->buf), EF_OK);
    assert_int_equal(ef_flash_strays(room->flash), 1);
}

/* Of one damaged answer the work is not to blame; of one that a lost answer follows it may be. */
static void damaged_digests_are_no_strays(void **state)
{
    struct room *room = *state;
    struct mem_fault damaged = {.times = 1, .shift = EF_SECTOR};
    memset(room->buf, 0x5A, EF_SECTOR);
    mem_set_fault(room->mem, MEM_DIGEST, damaged);
    assert_int_equal(ef_flash_write(room->flash, 0, EF_SECTOR, room->buf), EF_OK);
    assert_int_equal(mem_count(room->mem, MEM_DIGEST), 3);
    /* The first digest of an erase is the witness's, the last as well. */
    for (unsigned after = 1; after <= 2; after++) {
        memset(room->mem->bytes, 0, EF_SECTOR);
        mem_set_fault(room->mem, MEM_DIGEST,
                      (struct mem_fault){.after = after, .times = 1, .shift = EF_SECTOR});
        assert_int_equal(ef_flash_erase(room->flash, 0, EF_SECTOR), EF_OK);
    }
    uint32_t done;
    mem_set_fault(room->mem, MEM_DIGEST, damaged);
    assert_int_equal(read_range(room, EF_BLOCK, EF_BLOCK, &done), EF_OK);
    assert_int_equal(ef_flash_strays(room->flash), 0);
    /* Wrong, right and wrong: nothing is believed. */
    damaged.times = 2;
    damaged.gap = 1;
    mem_set_fault(room->mem, MEM_DIGEST, damaged);
    assert_int_equal(ef_flash_write(room->flash, 0, EF_SECTOR, room->buf), EF_VERIFY);
    assert_int_equal(ef_flash_strays(room->flash), 1);
}

static void a_lost_second_digest_is_a_stray(void **state)
{
    struct room *room = *state;
    memset(room->buf, 0x5A, EF_SECTOR);
    mem_set_fault(room->mem, MEM_WRITE, (struct mem_fault){.times = 1, .shift = EF_BLOCK});
    mem_set_fault(room->mem, MEM_DIGEST,
                  (struct mem_fault){.after = 1, .times = 1, .err = EF_TIMEOUT});
    assert_int_equal(ef_flash_write(room->flash, 0, EF_SECTOR, room->buf), EF_VERIFY);
    assert_int_equal(ef_flash_strays(room->flash), 1);
}

static void failures_are_no_strays(void **state)
{
    struct room *room = *state;
    static const enum ef_err CODES[] = {EF_TIMEOUT, EF_FRAMING, EF_REJECTED, EF_GONE};
    for (size_t i = 0; i < sizeof(CODES) / sizeof(CODES[0]); i++) {
        mem_fail(room->mem, MEM_WRITE, 1, CODES[i]);
        assert_int_equal(ef_flash_write(room->flash, 0, EF_SECTOR, room->buf), CODES[i]);
        mem_fail(room->mem, MEM_ERASE, 1, CODES[i]);
        assert_int_equal(ef_flash_erase(room->flash, 0, EF_SECTOR), CODES[i]);
        mem_fail(room->mem, MEM_DIGEST, 1, CODES[i]);
        assert_int_equal(ef_flash_write(room->flash, 0, EF_SECTOR, room->buf), CODES[i]);
    }
    assert_int_equal(ef_flash_strays(room->flash), 0);
}

static void erases_are_proven(void **state)
{
    struct room *room = *state;
    assert_int_equal(ef_flash_erase(room->flash, EF_BLOCK, EF_BLOCK), EF_OK);
    memset(room->before + EF_BLOCK, 0xFF, EF_BLOCK);
    assert_memory_equal(room->mem->bytes, room->before, SIZE);
    /* The last sectors have nothing behind them. */
    assert_int_equal(ef_flash_erase(room->flash, SIZE - EF_SECTOR, EF_SECTOR), EF_OK);
    assert_int_equal(ef_flash_erase(room->flash, 0, SIZE), EF_OK);
    assert_int_equal(ef_flash_strays(room->flash), 0);
}

static void erase_elsewhere(void **state)
{
    struct room *room = *state;
    mem_set_fault(room->mem, MEM_ERASE, (struct mem_fault){.times = 1, .shift = 4 * EF_BLOCK});
    assert_int_equal(ef_flash_erase(room->flash, 0, EF_SECTOR), EF_VERIFY);
    assert_int_equal(ef_flash_strays(room->flash), 1);
}

static void erase_too_far(void **state)
{
    struct room *room = *state;
    for (uint32_t extra = EF_SECTOR; extra <= EF_BLOCK; extra *= 2) {
        mem_pattern(room->mem->bytes, SIZE, extra);
        uint64_t strays = ef_flash_strays(room->flash);
        mem_set_fault(room->mem, MEM_ERASE, (struct mem_fault){.times = 1, .extra = extra});
        assert_int_equal(ef_flash_erase(room->flash, EF_SECTOR, EF_SECTOR), EF_VERIFY);
        assert_int_equal(ef_flash_strays(room->flash), strays + 1);
    }
}

/* One that goes so far that it times out is found out when it is repeated. */
static void erase_too_far_and_too_long(void **state)
{
    struct room *room = *state;
    struct mem_fault far = {.times = 1, .err = EF_TIMEOUT, .act = true, .extra = EF_BLOCK};
    mem_set_fault(room->mem, MEM_ERASE, far);
    assert_int_equal(ef_flash_erase(room->flash, EF_SECTOR, EF_SECTOR), EF_TIMEOUT);
    assert_int_equal(ef_flash_erase(room->flash, EF_SECTOR, EF_SECTOR), EF_VERIFY);
    assert_int_equal(ef_flash_strays(room->flash), 1);
    assert_int_equal(ef_flash_erase(room->flash, EF_SECTOR, EF_SECTOR), EF_OK);
    assert_int_equal(ef_flash_strays(room->flash), 1);
}

/* A lost reply alone is no stray, nor is what others wrote behind since. */
static void erase_repeated_after_timeout(void **state)
{
    struct room *room = *state;
    struct mem_fault lost = {.times = 1, .err = EF_TIMEOUT, .act = true};
    mem_set_fault(room->mem, MEM_ERASE, lost);
    assert_int_equal(ef_flash_erase(room->flash, 0, EF_SECTOR), EF_TIMEOUT);
    assert_int_equal(ef_flash_erase(room->flash, 0, EF_SECTOR), EF_OK);
    mem_set_fault(room->mem, MEM_ERASE, lost);
    assert_int_equal(ef_flash_erase(room->flash, 0, EF_SECTOR), EF_TIMEOUT);
    assert_int_equal(ef_flash_write(room->flash, EF_SECTOR, EF_SECTOR, room->buf), EF_OK);
    assert_int_equal(ef_flash_erase(room->flash, 0, EF_SECTOR), EF_OK);
    mem_set_fault(room->mem, MEM_ERASE, lost);
    assert_int_equal(ef_flash_erase(room->flash, 0, EF_SECTOR), EF_TIMEOUT);
    assert_int_equal(ef_flash_erase(room->flash, EF_SECTOR, EF_SECTOR), EF_OK);
    assert_int_equal(ef_flash_erase(room->flash, 0, EF_SECTOR), EF_OK);
    assert_int_equal(ef_flash_strays(room->flash), 0);
}

static void blank_is_asked_twice(void **state)
{
    struct room *room = *state;
    uint8_t md5[EF_DIGEST_BYTES];
    mem_set_fault(room->mem, MEM_DIGEST, (struct mem_fault){.times = 1, .claims_blank = true});
    assert_int_equal(ef_flash_digest(room->flash, 0, EF_SECTOR, md5), EF_VERIFY);
    assert_int_equal(ef_flash_digest(room->flash, 0, EF_SECTOR, md5), EF_OK);
    assert_int_equal(room->mem->count[MEM_DIGEST], 3);
    memset(room->mem->bytes, 0xFF, EF_SECTOR);
    assert_int_equal(ef_flash_digest(room->flash, 0, EF_SECTOR, md5), EF_OK);
    assert_int_equal(room->mem->count[MEM_DIGEST], 5);
}

/* After the erase, once: either of the two may be damaged, and not both. */
static void an_erase_is_proven_once(void **state)
{
    struct room *room = *state;
    assert_int_equal(ef_flash_erase(room->flash, 0, EF_BLOCK), EF_OK);
    assert_int_equal(mem_touched(room->mem, MEM_DIGEST, 0, EF_BLOCK), 1);
    mem_set_fault(room->mem, MEM_ERASE, (struct mem_fault){.times = 1, .shift = EF_BLOCK});
    memset(room->mem->bytes, 0, EF_BLOCK);
    assert_int_equal(ef_flash_erase(room->flash, 0, EF_BLOCK), EF_VERIFY);
    assert_int_equal(ef_flash_strays(room->flash), 1);
}

static bool say_stop(void *user)
{
    (void)user;
    return true;
}

static void stop_passes_down(void **state)
{
    struct room *room = *state;
    struct ef_read r = {.addr = 0, .len = EF_BLOCK, .buf = room->buf, .stop = say_stop};
    mem_hold(room->mem, MEM_READ);
    assert_int_equal(ef_flash_read(room->flash, &r), EF_INTERRUPTED);
    assert_int_equal(room->mem->count[MEM_DIGEST], 0);
}

static void digests_on_the_way(struct room *room)
{
    room->flash->read_asks_digests = true;
    room->mem->tells_digests = true;
}

static void told_digests_prove(void **state)
{
    struct room *room = *state;
    uint32_t done;
    digests_on_the_way(room);
    memset(room->mem->bytes + EF_BLOCK, 0xFF, EF_BLOCK);
    memset(room->before + EF_BLOCK, 0xFF, EF_BLOCK);
    assert_int_equal(read_range(room, 123, 3 * EF_BLOCK, &done), EF_OK);
    assert_memory_equal(room->buf, room->before + 123, 3 * EF_BLOCK);
    assert_int_equal(room->mem->count[MEM_READ], 1);
    assert_int_equal(room->mem->count[MEM_DIGEST], 0); /* not even for the blank piece */
}

static void told_digests_that_differ(void **state)
{
    struct room *room = *state;
    uint32_t done;
    digests_on_the_way(room);
    mem_set_fault(room->mem, MEM_READ, (struct mem_fault){.times = 1, .wrong_bytes = true});
    assert_int_equal(read_range(room, 0, 2 * EF_BLOCK, &done), EF_VERIFY);
    assert_int_equal(done, 0);
    mem_set_fault(room->mem, MEM_READ, (struct mem_fault){.times = 1, .shift = EF_BLOCK});
    assert_int_equal(read_range(room, 0, 2 * EF_BLOCK, &done), EF_VERIFY);
    assert_int_equal(done, 0);
}

/* The right digest, said twice in a row, is believed; what came before it is kept. */
static void a_told_digest_is_damaged(void **state)
{
    struct room *room = *state;
    uint32_t done;
    digests_on_the_way(room);
    room->mem->digest_lies = 1;
    assert_int_equal(read_range(room, 0, 4 * EF_BLOCK, &done), EF_OK);
    assert_memory_equal(room->buf, room->before, 4 * EF_BLOCK);
    assert_int_equal(room->mem->call[1].op, MEM_DIGEST);
    assert_int_equal(room->mem->call[2].op, MEM_DIGEST);
    assert_int_equal(room->mem->count[MEM_DIGEST], 2);
    assert_int_equal(room->mem->call[3].op, MEM_READ);
    assert_int_equal(room->mem->call[3].addr, EF_BLOCK);
}

/* Who is likely to be cut short loses little. */
static void shared_reads_are_small(void **state)
{
    struct room *room = *state;
    struct ef_read r = {.addr = EF_SECTOR, .len = EF_BLOCK, .buf = room->buf, .shared = say_stop};
    assert_int_equal(ef_flash_read(room->flash, &r), EF_OK);
    assert_memory_equal(room->buf, room->before + EF_SECTOR, EF_BLOCK);
    assert_int_equal(room->mem->count[MEM_READ], EF_BLOCK / EF_READ_PIECE_SHARED + 1);
    for (size_t i = 0; i < room->mem->calls; i++)
        assert_true(room->mem->call[i].len <= EF_READ_PIECE_SHARED);
    assert_true(room->mem->shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_are_proven, room_open, room_close),
        cmocka_unit_test_setup_teardown(one_byte_reads, room_open, room_close),
        cmocka_unit_test_setup_teardown(wrong_bytes, room_open, room_close),
        cmocka_unit_test_setup_teardown(another_address_read, room_open, room_close),
        cmocka_unit_test_setup_teardown(writes_are_proven, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_front_is_proven_on_the_way, room_open, room_close),
        cmocka_unit_test_setup_teardown(write_elsewhere, room_open, room_close),
        cmocka_unit_test_setup_teardown(damaged_digests_are_no_strays, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_lost_second_digest_is_a_stray, room_open, room_close),
        cmocka_unit_test_setup_teardown(failures_are_no_strays, room_open, room_close),
        cmocka_unit_test_setup_teardown(erases_are_proven, room_open, room_close),
        cmocka_unit_test_setup_teardown(erase_elsewhere, room_open, room_close),
        cmocka_unit_test_setup_teardown(erase_too_far, room_open, room_close),
        cmocka_unit_test_setup_teardown(erase_too_far_and_too_long, room_open, room_close),
        cmocka_unit_test_setup_teardown(erase_repeated_after_timeout, room_open, room_close),
        cmocka_unit_test_setup_teardown(blank_is_asked_twice, room_open, room_close),
        cmocka_unit_test_setup_teardown(an_erase_is_proven_once, room_open, room_close),
        cmocka_unit_test_setup_teardown(stop_passes_down, room_open, room_close),
        cmocka_unit_test_setup_teardown(told_digests_prove, room_open, room_close),
        cmocka_unit_test_setup_teardown(told_digests_that_differ, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_told_digest_is_damaged, room_open, room_close),
        cmocka_unit_test_setup_teardown(shared_reads_are_small, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
