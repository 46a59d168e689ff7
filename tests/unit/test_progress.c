/* How far a reader or a writer is, on made-up time. */
#include "espflashfs/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { KIB = 1024, MIB = 1024 * KIB, S = 1000 };

struct room {
    struct ef_progress progress;
    struct ef_task task, other;
    int64_t now_ms;
};

static struct room *fresh(struct room *room)
{
    *room = (struct room){.now_ms = 1000000};
    ef_progress_init(&room->progress);
    return room;
}

static void release(struct room *room)
{
    ef_task_end(&room->progress, &room->task);
    ef_task_end(&room->progress, &room->other);
    ef_progress_free(&room->progress);
}

static struct ef_progress_now look(struct room *room, uint64_t unwritten)
{
    return ef_progress_look(&room->progress, unwritten, room->now_ms);
}

static void expect(struct room *room, uint64_t unwritten, const char *wanted)
{
    char text[EF_PROGRESS_TEXT_MAX];
    struct ef_progress_now now = look(room, unwritten);
    ef_progress_text(&now, text);
    assert_string_equal(text, wanted);
}

/* One call that takes `ms`. */
static void step(struct room *room, struct ef_task *task, enum ef_task_kind kind, uint64_t off,
                 uint64_t len, uint64_t unwritten, int64_t ms)
{
    ef_task_enter(&room->progress, task, kind, "flash.bin", off, 4 * MIB, room->now_ms);
    room->now_ms += ms;
    ef_task_leave(&room->progress, task, off + len, unwritten, room->now_ms);
}

static void a_backup(void **state)
{
    struct room room;
    (void)state;
    fresh(&room);
    expect(&room, 0, "idle");
    ef_task_enter(&room.progress, &room.task, EF_TASK_READ, "flash.bin", 0, 4 * MIB, room.now_ms);
    expect(&room, 0, "reading flash.bin: 0 %");
    room.now_ms += S / 2;
    ef_task_leave(&room.progress, &room.task, 64 * KIB, 0, room.now_ms);
    expect(&room, 0, "reading flash.bin: 1 %");
    for (uint64_t off = 64 * KIB; off < 2 * MIB; off += 64 * KIB)
        step(&room, &room.task, EF_TASK_READ, off, 64 * KIB, 0, S / 2);
    expect(&room, 0, "reading flash.bin: 50 %, 128.0 KiB/s, 16 s left");
    /* Much slower from here on: after some seconds that is what counts. */
    for (uint64_t off = 2 * MIB; off < 3 * MIB; off += 64 * KIB)
        step(&room, &room.task, EF_TASK_READ, off, 64 * KIB, 0, 2 * S);
    expect(&room, 0, "reading flash.bin: 75 %, 32.0 KiB/s, 32 s left");
    for (uint64_t off = 3 * MIB; off < 4 * MIB; off += 64 * KIB)
        step(&room, &room.task, EF_TASK_READ, off, 64 * KIB, 0, 2 * S);
    expect(&room, 0, "reading flash.bin: 100 %, 32.0 KiB/s, 0 s left");
    ef_task_end(&room.progress, &room.task);
    expect(&room, 0, "idle");
    release(&room);
}

/* What is known already need not cross: that is fast, and no reason to promise much. */
static void a_stall(void **state)
{
    struct room room;
    (void)state;
    fresh(&room);
    step(&room, &room.task, EF_TASK_READ, 0, 2 * MIB, 0, S);
    expect(&room, 0, "reading flash.bin: 50 %, 2.0 MiB/s, 1 s left");
    ef_task_enter(&room.progress, &room.task, EF_TASK_READ, "flash.bin", 2 * MIB, 4 * MIB,
                  room.now_ms);
    room.now_ms += 7 * S;
    expect(&room, 0, "reading flash.bin: 50 %, 256.0 KiB/s, 8 s left");
    room.now_ms += 100 * S;
    expect(&room, 0, "reading flash.bin: 50 %");
    room.now_ms += 3600 * S;
    expect(&room, 0, "reading flash.bin: 50 %");
    release(&room);
}

/* What a writer has handed over is not written yet. */
static void a_restore(void **state)
{
    struct room room;
    (void)state;
    fresh(&room);
    step(&room, &room.task, EF_TASK_WRITE, 0, 512 * KIB, 512 * KIB, S);
    expect(&room, 512 * KIB, "writing flash.bin: 0 %");
    step(&room, &room.task, EF_TASK_WRITE, 512 * KIB, 512 * KIB, 512 * KIB, 7 * S);
    expect(&room, 512 * KIB, "writing flash.bin: 12 %, 64.0 KiB/s, 56 s left");
    step(&room, &room.task, EF_TASK_WRITE, MIB, 3 * MIB, 512 * KIB, 48 * S);
    expect(&room, 512 * KIB, "writing flash.bin: 87 %, 64.0 KiB/s, 8 s left");
    /* It closes: what is left goes out. */
    ef_task_wait(&room.progress, &room.task, room.now_ms);
    room.now_ms += 4 * S;
    expect(&room, 256 * KIB, "writing flash.bin: 93 %, 64.0 KiB/s, 4 s left");
    room.now_ms += 4 * S - 1;
    expect(&room, 1, "writing flash.bin: 99 %, 64.0 KiB/s, 1 s left");
    room.now_ms += 1;
    ef_task_leave(&room.progress, &room.task, 0, 0, room.now_ms);
    expect(&room, 0, "writing flash.bin: 100 %, 64.0 KiB/s, 0 s left");
    release(&room);
}

/* What others have not written yet is not held against what this one wrote before. */
static void never_backwards(void **state)
{
    struct room room;
    (void)state;
    fresh(&room);
    step(&room, &room.task, EF_TASK_WRITE, MIB, MIB, 0, S);
    expect(&room, 2 * MIB, "writing flash.bin: 50 %, 1.0 MiB/s, 2 s left");
    step(&room, &room.task, EF_TASK_WRITE, 2 * MIB, 4 * KIB, 8 * MIB, 0);
    assert_int_equal(look(&room, 8 * MIB).percent, 50);
    release(&room);
}

static void who_jumps(void **state)
{
    struct room room;
    (void)state;
    fresh(&room);
    step(&room, &room.task, EF_TASK_READ, 0, MIB, 0, 2 * S);
    assert_int_equal(look(&room, 0).rate, MIB / 2);
    /* The kernel's requests come out of order. */
    step(&room, &room.task, EF_TASK_READ, MIB + 256 * KIB, 128 * KIB, 0, 0);
    step(&room, &room.task, EF_TASK_READ, MIB + 128 * KIB, 128 * KIB, 0, 0);
    assert_int_equal(look(&room, 0).percent, 34);
    assert_int_equal(look(&room, 0).rate, (MIB + 384 * KIB) / 2);
    /* This is somewhere else. */
    step(&room, &room.task, EF_TASK_READ, 3 * MIB, 4 * KIB, 0, 0);
    expect(&room, 0, "reading flash.bin: 75 %");
    /* So is what is written instead. */
    step(&room, &room.task, EF_TASK_WRITE, 3 * MIB, 4 * KIB, 4 * KIB, 0);
    expect(&room, 4 * KIB, "writing flash.bin: 75 %");
    release(&room);
}

static void who_pauses(void **state)
{
    struct room room;
    (void)state;
    fresh(&room);
    step(&room, &room.task, EF_TASK_READ, 0, MIB, 0, S);
    room.now_ms += 3 * S;
    expect(&room, 0, "reading flash.bin: 25 %, 256.0 KiB/s, 12 s left");
    room.now_ms += 1;
    expect(&room, 0, "idle");
    room.now_ms += 3600 * S;
    step(&room, &room.task, EF_TASK_READ, MIB, MIB, 0, 2 * S);
    expect(&room, 0, "reading flash.bin: 50 %, 512.0 KiB/s, 4 s left");
    release(&room);
}

static void several(void **state)
{
    struct room room;
    (void)state;
    fresh(&room);
    step(&room, &room.task, EF_TASK_READ, 0, MIB, 0, S);
    step(&room, &room.other, EF_TASK_WRITE, 0, MIB, MIB, S);
    expect(&room, MIB, "reading flash.bin: 25 %, 512.0 KiB/s, 6 s left, and 1 more");
    ef_task_end(&room.progress, &room.task);
    assert_int_equal(look(&room, 0).kind, EF_TASK_WRITE);
    assert_int_equal(look(&room, 0).others, 0);
    /* Ended twice, or before it began: nothing. */
    ef_task_end(&room.progress, &room.task);
    ef_task_end(&room.progress, &room.other);
    expect(&room, 0, "idle");
    release(&room);
}

static void an_estimate(void **state)
{
    static const struct {
        int64_t elapsed, expected;
        const char *text;
    } CASES[] = {
        {0, 10000, "erasing it: about 0 %, 10 s left"},
        {4001, 10000, "erasing it: about 40 %, 6 s left"},
        {9999, 10000, "erasing it: about 99 %, 1 s left"},
        {10000, 10000, "erasing it: about 99 %"},
        {99999, 10000, "erasing it: about 99 %"},
        {5, 0, "erasing it"},
        {-5, 10000, "erasing it"},
        {0, 600000, "erasing it: about 0 %, 10 min 00 s left"},
        {1000, 600000, "erasing it: about 0 %, 9 min 59 s left"},
        {0, 7380000, "erasing it: about 0 %, 2 h 03 min left"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char text[EF_PROGRESS_TEXT_MAX];
        struct ef_progress_now now =
            ef_progress_estimate(EF_TASK_ERASE, CASES[i].elapsed, CASES[i].expected);
        strcpy(now.name, "it");
        ef_progress_text(&now, text);
        assert_string_equal(text, CASES[i].text);
    }
}

/* The longest of everything still fits. */
static void long_texts(void **state)
{
    struct ef_progress_now now = {.busy = true,
                                  .kind = EF_TASK_DIGEST,
                                  .percent = 100,
                                  .estimated = true,
                                  .rate = UINT64_MAX,
                                  .left_s = INT64_MAX,
                                  .others = 4294967295U};
    char text[EF_PROGRESS_TEXT_MAX];
    (void)state;
    memset(now.name, 'x', sizeof(now.name) - 1);
    ef_progress_text(&now, text);
    assert_non_null(strstr(text, " min left, and 4294967295 more"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backup),   cmocka_unit_test(a_stall),
        cmocka_unit_test(a_restore),  cmocka_unit_test(never_backwards),
        cmocka_unit_test(who_jumps),  cmocka_unit_test(who_pauses),
        cmocka_unit_test(several),    cmocka_unit_test(an_estimate),
        cmocka_unit_test(long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
