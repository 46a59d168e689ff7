/* The line worker: who goes first, who is cut short, and what is left when it stops. */
#include "mem_flash.h"

#include "espflashfs/clock.h"
#include "espflashfs/worker.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SIZE = 8 * EF_BLOCK };

struct room {
    struct mem *mem;
    struct ef_flash *flash;
    struct ef_worker *worker;
    pthread_mutex_t lock;
    unsigned done;     /* on_done calls */
    uint32_t piece_at; /* where the next piece is due */
    enum ef_err last;  /* of the job done last */
    bool interrupted;
};

static int room_open_with(void **state, bool proven)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    pthread_mutex_init(&room->lock, NULL);
    room->mem = mem_new(SIZE);
    room->flash = mem_flash_new(room->mem);
    if (proven)
        room->flash = ef_flash_retry_new(ef_flash_verify_new(room->flash));
    return ef_worker_start(room->flash, &room->worker) == EF_OK ? 0 : -1;
}

static int room_open(void **state)
{
    return room_open_with(state, false);
}

static int room_open_proven(void **state)
{
    return room_open_with(state, true);
}

static int room_close(void **state)
{
    struct room *room = *state;
    ef_worker_stop(room->worker);
    bool freed = room->mem->freed;
    mem_free(room->mem);
    pthread_mutex_destroy(&room->lock);
    free(room);
    return freed ? 0 : -1;
}

static struct ef_job *job_new(enum ef_job_kind kind, enum ef_priority priority, uint32_t sector)
{
    struct ef_job *job = ef_job_new(kind, priority, sector * EF_SECTOR, EF_SECTOR);
    assert_non_null(job);
    if (kind == EF_JOB_WRITE)
        memset(job->buf, (int)sector, EF_SECTOR);
    return job;
}

static struct ef_job *submit(struct room *room, enum ef_job_kind kind, enum ef_priority priority,
                             uint32_t sector)
{
    struct ef_job *job = job_new(kind, priority, sector);
    ef_worker_submit(room->worker, job);
    return job;
}

static enum ef_err wait_and_drop(struct room *room, struct ef_job *job)
{
    enum ef_err err = ef_worker_wait(room->worker, job, NULL, NULL);
    ef_job_drop(job);
    return err;
}

/* A write that is held back at the flash, so that what follows has to queue. */
static struct ef_job *block(struct room *room)
{
    mem_hold(room->mem, MEM_WRITE);
    struct ef_job *job = submit(room, EF_JOB_WRITE, EF_PRIORITY_READER, 0);
    mem_await_held(room->mem);
    return job;
}

static void expect_order(struct room *room, size_t from, const uint32_t *sector, size_t count)
{
    assert_int_equal(room->mem->calls, from + count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(room->mem->call[from + i].addr, sector[i] * EF_SECTOR);
}

static void every_kind(void **state)
{
    struct room *room = *state;
    struct ef_job *job = job_new(EF_JOB_READ, EF_PRIORITY_READER, 3);
    assert_int_equal(ef_worker_run(room->worker, job), EF_OK);
    assert_int_equal(job->done, EF_SECTOR);
    assert_memory_equal(job->buf, room->mem->bytes + 3 * (size_t)EF_SECTOR, EF_SECTOR);
    ef_job_drop(job);
    assert_int_equal(wait_and_drop(room, submit(room, EF_JOB_WRITE, EF_PRIORITY_WRITER, 4)), EF_OK);
    assert_int_equal(room->mem->bytes[4 * EF_SECTOR], 4);
    assert_int_equal(wait_and_drop(room, submit(room, EF_JOB_ERASE, EF_PRIORITY_WRITER, 4)), EF_OK);
    assert_int_equal(room->mem->bytes[4 * EF_SECTOR], 0xFF);
    job = job_new(EF_JOB_DIGEST, EF_PRIORITY_WRITER, 4);
    assert_int_equal(ef_worker_run(room->worker, job), EF_OK);
    uint8_t md5[EF_DIGEST_BYTES];
    ef_digest_blank(EF_SECTOR, md5);
    assert_memory_equal(job->md5, md5, sizeof(md5));
    ef_job_drop(job);
    assert_int_equal(room->mem->count[MEM_RECOVER], 0);
}

static void failures_reach_the_submitter(void **state)
{
    struct room *room = *state;
    static const enum ef_err CODES[] = {EF_GONE, EF_VERIFY, EF_TIMEOUT, EF_GUARDED};
    for (int kind = EF_JOB_READ; kind <= EF_JOB_DIGEST; kind++) {
        enum mem_op op = (enum mem_op)kind;
        mem_fail(room->mem, op, 1, CODES[kind]);
        struct ef_job *job = submit(room, (enum ef_job_kind)kind, EF_PRIORITY_READER, 1);
        assert_int_equal(wait_and_drop(room, job), CODES[kind]);
    }
    struct ef_job *outside = ef_job_new(EF_JOB_READ, EF_PRIORITY_READER, SIZE, 1);
    assert_int_equal(ef_worker_run(room->worker, outside), EF_INVALID);
    ef_job_drop(outside);
}

static void by_priority_then_in_order(void **state)
{
    struct room *room = *state;
    struct ef_job *first = block(room);
    struct ef_job *jobs[] = {submit(room, EF_JOB_READ, EF_PRIORITY_AHEAD, 1),
                             submit(room, EF_JOB_READ, EF_PRIORITY_AHEAD, 2),
                             submit(room, EF_JOB_ERASE, EF_PRIORITY_WRITER, 3),
                             submit(room, EF_JOB_READ, EF_PRIORITY_READER, 4),
                             submit(room, EF_JOB_WRITE, EF_PRIORITY_WRITER, 5),
                             submit(room, EF_JOB_DIGEST, EF_PRIORITY_READER, 6)};
    static const uint32_t ORDER[] = {4, 6, 3, 5, 1, 2};
    mem_release(room->mem);
    assert_int_equal(wait_and_drop(room, first), EF_OK);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(wait_and_drop(room, jobs[i]), EF_OK);
    expect_order(room, 1, ORDER, 6);
}

/* A read-ahead that is at work is cut short by a reader, and by a writer. */
static void read_ahead_gives_way(void **state)
{
    struct room *room = *state;
    for (int priority = EF_PRIORITY_READER; priority <= EF_PRIORITY_WRITER; priority++) {
        mem_hold(room->mem, MEM_READ);
        struct ef_job *ahead = submit(room, EF_JOB_READ, EF_PRIORITY_AHEAD, 1);
        mem_await_held(room->mem);
        struct ef_job *other = submit(room, EF_JOB_DIGEST, (enum ef_priority)priority, 2);
        assert_int_equal(wait_and_drop(room, ahead), EF_INTERRUPTED);
        assert_int_equal(wait_and_drop(room, other), EF_OK);
        mem_release(room->mem);
        /* Nobody is in the way any more. */
        assert_int_equal(wait_and_drop(room, submit(room, EF_JOB_READ, EF_PRIORITY_AHEAD, 1)),
                         EF_OK);
    }
}

/* A stream that waits at the flash, and a reader who comes then: true if the stream is cut. */
static bool is_cut_by_a_reader(struct room *room, bool *shared)
{
    mem_hold(room->mem, MEM_READ);
    struct ef_job *stream = submit(room, EF_JOB_STREAM, EF_PRIORITY_AHEAD, 1);
    mem_await_held(room->mem);
    struct ef_job *reader = submit(room, EF_JOB_DIGEST, EF_PRIORITY_READER, 2);
    if (mem_waits_on(room->mem))
        mem_release(room->mem);
    assert_int_equal(wait_and_drop(room, reader), EF_OK);
    assert_int_equal(ef_worker_wait(room->worker, stream, NULL, NULL), EF_INTERRUPTED);
    bool cut = !stream->moved;
    ef_job_drop(stream);
    *shared = room->mem->shared;
    mem_release(room->mem);
    return cut;
}

/* A reader who never pauses has a stream cut short many times, and not for ever. */
static void a_stream_comes_to_its_turn(void **state)
{
    struct room *room = *state;
    unsigned cut = 0;
    bool shared;
    assert_true(is_cut_by_a_reader(room, &shared));
    assert_false(shared);
    while (is_cut_by_a_reader(room, &shared)) {
        assert_true(shared);
        assert_true(++cut < 100);
    }
    assert_true(shared);
    assert_true(cut >= 4);
    /* That was its turn. */
    assert_true(is_cut_by_a_reader(room, &shared));
}

static void others_are_not_cut_short(void **state)
{
    struct room *room = *state;
    static const enum ef_priority FIRST[] = {EF_PRIORITY_READER, EF_PRIORITY_WRITER,
                                             EF_PRIORITY_AHEAD};
    static const enum ef_priority SECOND[] = {EF_PRIORITY_READER, EF_PRIORITY_READER,
                                              EF_PRIORITY_AHEAD};
    for (int i = 0; i < 3; i++) {
        mem_hold(room->mem, MEM_READ);
        struct ef_job *first = submit(room, EF_JOB_READ, FIRST[i], 1);
        mem_await_held(room->mem);
        struct ef_job *second = submit(room, EF_JOB_DIGEST, SECOND[i], 2);
        mem_release(room->mem);
        assert_int_equal(wait_and_drop(room, first), EF_OK);
        assert_int_equal(wait_and_drop(room, second), EF_OK);
    }
}

static bool say_yes(void *user)
{
    struct room *room = user;
    room->interrupted = true;
    return true;
}

static bool say_no(void *user)
{
    ((struct room *)user)->interrupted = true;
    return false;
}

static void a_queued_job_is_cancelled(void **state)
{
    struct room *room = *state;
    struct ef_job *first = block(room);
    struct ef_job *queued = submit(room, EF_JOB_ERASE, EF_PRIORITY_WRITER, 7);
    assert_int_equal(ef_worker_wait(room->worker, queued, say_yes, room), EF_INTERRUPTED);
    assert_true(room->interrupted);
    mem_release(room->mem);
    assert_int_equal(wait_and_drop(room, first), EF_OK);
    assert_int_equal(wait_and_drop(room, queued), EF_INTERRUPTED);
    assert_int_equal(mem_count(room->mem, MEM_ERASE), 0);
}

static void a_read_is_cancelled(void **state)
{
    struct room *room = *state;
    mem_hold(room->mem, MEM_READ);
    struct ef_job *job = submit(room, EF_JOB_READ, EF_PRIORITY_READER, 1);
    mem_await_held(room->mem);
    assert_int_equal(ef_worker_wait(room->worker, job, say_yes, room), EF_INTERRUPTED);
    /* Still held, and yet it ends. */
    assert_int_equal(wait_and_drop(room, job), EF_INTERRUPTED);
    mem_release(room->mem);
}

/* Never stop between erase and program. */
static void a_write_goes_on_to_its_end(void **state)
{
    struct room *room = *state;
    struct ef_job *job = block(room);
    assert_int_equal(ef_worker_wait(room->worker, job, say_yes, room), EF_INTERRUPTED);
    mem_release(room->mem);
    assert_int_equal(wait_and_drop(room, job), EF_OK);
    assert_int_equal(room->mem->bytes[0], 0);
    assert_int_equal(room->mem->bytes[EF_SECTOR - 1], 0);
}

static void patience_is_asked(void **state)
{
    struct room *room = *state;
    struct ef_job *job = job_new(EF_JOB_DIGEST, EF_PRIORITY_READER, 1);
    assert_int_equal(ef_worker_run(room->worker, job), EF_OK);
    /* What is done already needs no patience. */
    assert_int_equal(ef_worker_wait(room->worker, job, say_no, room), EF_OK);
    assert_int_equal(ef_worker_wait(room->worker, job, say_yes, room), EF_OK);
    assert_false(room->interrupted);
    ef_job_drop(job);
}

static void count_done(void *user, struct ef_job *job)
{
    struct room *room = user;
    pthread_mutex_lock(&room->lock);
    room->done++;
    room->last = job->err;
    pthread_mutex_unlock(&room->lock);
}

static bool count_piece(void *user, uint32_t addr, const uint8_t *bytes, uint32_t len)
{
    struct room *room = user;
    pthread_mutex_lock(&room->lock);
    bool good = addr == room->piece_at && memcmp(bytes, room->mem->bytes + addr, len) == 0;
    room->piece_at = good ? addr + len : UINT32_MAX;
    pthread_mutex_unlock(&room->lock);
    return true;
}

static void callbacks(void **state)
{
    struct room *room = *state;
    struct ef_job *job = ef_job_new(EF_JOB_READ, EF_PRIORITY_READER, 0, 3 * EF_BLOCK);
    job->on_done = count_done;
    job->on_piece = count_piece;
    job->user = room;
    assert_int_equal(ef_worker_run(room->worker, job), EF_OK);
    assert_int_equal(room->done, 1);
    assert_int_equal(room->piece_at, 3 * EF_BLOCK);
    ef_job_drop(job);
}

static void stop_fails_what_is_queued(void **state)
{
    struct room *room = *state;
    struct ef_job *jobs[6];
    mem_hold(room->mem, MEM_READ);
    for (uint32_t i = 0; i < 6; i++) {
        jobs[i] = job_new(i == 3 ? EF_JOB_WRITE : EF_JOB_READ, EF_PRIORITY_READER, i);
        jobs[i]->on_done = count_done;
        jobs[i]->user = room;
        ef_worker_submit(room->worker, jobs[i]);
    }
    mem_await_held(room->mem);
    ef_worker_stop(room->worker); /* the read in hand is told to stop */
    assert_int_equal(room->done, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(jobs[i]->err, EF_INTERRUPTED);
        ef_job_drop(jobs[i]);
    }
    assert_int_equal(room->mem->count[MEM_READ], 1);
    assert_int_equal(room->mem->count[MEM_WRITE], 0);
    assert_true(room->mem->freed);
    room->mem->freed = false;
    room->flash = mem_flash_new(room->mem);
    assert_int_equal(ef_worker_start(room->flash, &room->worker), EF_OK);
    ef_worker_stop(NULL);
}

/* The submitter may leave before the worker is done, and the other way round. */
static void shares(void **state)
{
    struct room *room = *state;
    struct ef_job *first = block(room);
    for (uint32_t i = 1; i < 20; i++) {
        struct ef_job *job = job_new(EF_JOB_READ, EF_PRIORITY_WRITER, i);
        job->on_done = count_done;
        job->user = room;
        ef_worker_submit(room->worker, job);
        ef_job_drop(job);
    }
    mem_release(room->mem);
    assert_int_equal(wait_and_drop(room, first), EF_OK);
    struct ef_job *last = submit(room, EF_JOB_DIGEST, EF_PRIORITY_AHEAD, 1);
    assert_int_equal(wait_and_drop(room, last), EF_OK);
    assert_int_equal(room->done, 19);
    ef_job_drop(job_new(EF_JOB_WRITE, EF_PRIORITY_WRITER, 1));
    ef_job_drop(NULL);
}

static void activity(void **state)
{
    struct room *room = *state;
    assert_false(ef_worker_activity(room->worker).busy);
    mem_hold(room->mem, MEM_ERASE);
    struct ef_job *job = ef_job_new(EF_JOB_ERASE, EF_PRIORITY_WRITER, EF_BLOCK, 2 * EF_SECTOR);
    ef_worker_submit(room->worker, job);
    mem_await_held(room->mem);
    struct ef_worker_activity now = ef_worker_activity(room->worker);
    assert_true(now.busy);
    assert_int_equal(now.kind, EF_JOB_ERASE);
    assert_int_equal(now.addr, EF_BLOCK);
    assert_int_equal(now.len, 2 * EF_SECTOR);
    mem_release(room->mem);
    assert_int_equal(wait_and_drop(room, job), EF_OK);
    assert_false(ef_worker_activity(room->worker).busy);
}

/* The job that strayed says so, although its repetition went well; the next does not. */
static void strays(void **state)
{
    struct room *room = *state;
    mem_set_fault(room->mem, MEM_WRITE, (struct mem_fault){.times = 1, .shift = EF_BLOCK});
    struct ef_job *job = job_new(EF_JOB_WRITE, EF_PRIORITY_WRITER, 1);
    assert_int_equal(ef_worker_run(room->worker, job), EF_OK);
    assert_true(job->stray);
    ef_job_drop(job);
    job = job_new(EF_JOB_WRITE, EF_PRIORITY_WRITER, 1);
    assert_int_equal(ef_worker_run(room->worker, job), EF_OK);
    assert_false(job->stray);
    ef_job_drop(job);
}

struct caller {
    struct room *room;
    uint32_t seed;
    unsigned wrong;
};

static void *call_many(void *arg)
{
    struct caller *caller = arg;
    struct room *room = caller->room;
    for (int i = 0; i < 100; i++) {
        uint32_t sector = mem_random(&caller->seed) % 16;
        enum ef_priority priority = (enum ef_priority)(mem_random(&caller->seed) % EF_PRIORITIES);
        struct ef_job *job = ef_job_new(EF_JOB_READ, priority, sector * EF_SECTOR, EF_SECTOR);
        enum ef_err err = ef_worker_run(room->worker, job);
        bool good = err == EF_OK && memcmp(job->buf, room->mem->bytes + job->addr, EF_SECTOR) == 0;
        good = good || (err == EF_INTERRUPTED && priority == EF_PRIORITY_AHEAD);
        caller->wrong += !good;
        ef_job_drop(job);
    }
    return NULL;
}

static void many_callers(void **state)
{
    struct room *room = *state;
    struct caller caller[4];
    pthread_t thread[4];
    for (unsigned i = 0; i < 4; i++) {
        caller[i] = (struct caller){.room = room, .seed = i + 1};
        assert_int_equal(pthread_create(&thread[i], NULL, call_many, &caller[i]), 0);
    }
    unsigned wrong = 0;
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        wrong += caller[i].wrong;
    }
    assert_int_equal(wrong, 0);
}

/* Of what takes long without telling how far it is, how long it takes; of nothing else. */
static void expectations(void **state)
{
    struct room *room = *state;
    static const struct {
        enum ef_job_kind kind;
        enum mem_op op;
        bool expected;
    } CASES[] = {{EF_JOB_READ, MEM_READ, false},
                 {EF_JOB_WRITE, MEM_WRITE, false},
                 {EF_JOB_ERASE, MEM_ERASE, true},
                 {EF_JOB_DIGEST, MEM_DIGEST, true}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct ef_job *job = ef_job_new(CASES[i].kind, EF_PRIORITY_WRITER, 0, 2 * EF_BLOCK);
        int64_t before_ms = ef_clock_now_ms();
        if (job->buf)
            memset(job->buf, 0x55, job->len);
        mem_hold(room->mem, CASES[i].op);
        ef_worker_submit(room->worker, job);
        mem_await_held(room->mem);
        struct ef_worker_activity now = ef_worker_activity(room->worker);
        assert_true(now.busy);
        assert_int_equal(now.kind, CASES[i].kind);
        assert_true(now.begun_ms >= before_ms && now.begun_ms <= ef_clock_now_ms());
        assert_int_equal(now.expected_ms > 0, CASES[i].expected);
        mem_release(room->mem);
        assert_int_equal(ef_worker_wait(room->worker, job, NULL, NULL), EF_OK);
        ef_job_drop(job);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_kind, room_open, room_close),
        cmocka_unit_test_setup_teardown(failures_reach_the_submitter, room_open, room_close),
        cmocka_unit_test_setup_teardown(by_priority_then_in_order, room_open, room_close),
        cmocka_unit_test_setup_teardown(read_ahead_gives_way, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_stream_comes_to_its_turn, room_open, room_close),
        cmocka_unit_test_setup_teardown(others_are_not_cut_short, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_queued_job_is_cancelled, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_read_is_cancelled, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_write_goes_on_to_its_end, room_open, room_close),
        cmocka_unit_test_setup_teardown(patience_is_asked, room_open, room_close),
        cmocka_unit_test_setup_teardown(callbacks, room_open, room_close),
        cmocka_unit_test_setup_teardown(stop_fails_what_is_queued, room_open, room_close),
        cmocka_unit_test_setup_teardown(shares, room_open, room_close),
        cmocka_unit_test_setup_teardown(activity, room_open, room_close),
        cmocka_unit_test_setup_teardown(expectations, room_open, room_close),
        cmocka_unit_test_setup_teardown(strays, room_open_proven, room_close),
        cmocka_unit_test_setup_teardown(many_callers, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
