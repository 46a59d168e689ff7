/* Which mtime the kernel hears, on made-up time. */
#include "fs/kernel_pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { QUIET = KERNEL_PAGES_QUIET_MS, START = 1000000, NEARLY_A_SECOND = 999999999 };

struct room {
    struct ef_mount mount;
    struct ef_node node;
    struct ef_cache_state state;
    struct timespec last;
    int64_t now_ms;
};

static void fresh(struct room *room)
{
    memset(room, 0, sizeof(*room));
    pthread_mutex_init(&room->mount.lock, NULL);
    room->node.mount = &room->mount;
    room->state.changed = room->last = (struct timespec){.tv_sec = 5, .tv_nsec = 7};
    room->state.others = 3;
    room->now_ms = START;
}

/* Asks as the kernel does: does it hear another time than before? */
static bool is_new(struct room *room, int64_t later_ms)
{
    room->now_ms += later_ms;
    struct timespec was = room->last;
    room->last = kernel_pages_mtime(&room->node, room->state.changed, room->now_ms);
    return was.tv_sec != room->last.tv_sec || was.tv_nsec != room->last.tv_nsec;
}

static bool is_behind(struct room *room, uint64_t *falls)
{
    return kernel_pages_are_behind(&room->node, &room->state, falls);
}

/* A call on the file from now on for that long. */
static void call(struct room *room, int64_t ms)
{
    kernel_pages_call_begins(&room->node);
    room->now_ms += ms;
    kernel_pages_call_ends(&room->node, room->now_ms);
}

static void nothing_changed(void **state)
{
    struct room room;
    uint64_t falls;
    (void)state;
    fresh(&room);
    assert_false(is_behind(&room, &falls));
    assert_false(is_new(&room, 0));
    call(&room, 1);
    assert_false(is_new(&room, 1));
    assert_false(is_behind(&room, &falls));
}

/* The time of writes to the file itself waits until nobody reads or writes. */
static void written_to(void **state)
{
    struct room room;
    (void)state;
    fresh(&room);
    assert_false(is_new(&room, 0));
    kernel_pages_call_begins(&room.node);
    room.state.changed.tv_sec++;
    assert_false(is_new(&room, 10 * QUIET));
    kernel_pages_call_ends(&room.node, room.now_ms);
    assert_false(is_new(&room, QUIET - 1));
    assert_true(is_new(&room, 1));
    assert_false(is_new(&room, 0));
}

static void written_and_closed(void **state)
{
    struct room room;
    (void)state;
    fresh(&room);
    assert_false(is_new(&room, 0));
    call(&room, 1);
    room.state.changed.tv_sec++;
    kernel_pages_closed(&room.node);
    assert_true(is_new(&room, 0));
}

/* A close beside another's call does not move it. */
static void closed_beside_a_call(void **state)
{
    struct room room;
    (void)state;
    fresh(&room);
    assert_false(is_new(&room, 0));
    kernel_pages_call_begins(&room.node);
    room.state.changed.tv_sec++;
    kernel_pages_closed(&room.node);
    assert_false(is_new(&room, 10 * QUIET));
}

static void behind_until_dropped(void **state)
{
    struct room room;
    uint64_t falls;
    (void)state;
    fresh(&room);
    kernel_pages_call_begins(&room.node);
    kernel_pages_behind(&room.node);
    assert_true(is_behind(&room, &falls));
    assert_true(is_new(&room, 0));
    assert_true(is_new(&room, 10 * QUIET));
    kernel_pages_dropped(&room.node, falls, room.now_ms);
    assert_false(is_behind(&room, &falls));
    assert_false(is_new(&room, 0));
}

/* What was dropped before the newest change does not count for it. */
static void behind_once_more(void **state)
{
    struct room room;
    uint64_t falls;
    (void)state;
    fresh(&room);
    kernel_pages_behind(&room.node);
    assert_true(is_behind(&room, &falls));
    kernel_pages_behind(&room.node);
    kernel_pages_dropped(&room.node, falls, room.now_ms);
    assert_true(is_behind(&room, &falls));
    kernel_pages_dropped(&room.node, falls, room.now_ms);
    assert_false(is_behind(&room, &falls));
}

/* By what no node did: of that the cache tells. */
static void changed_by_others(void **state)
{
    struct room room;
    uint64_t falls;
    (void)state;
    fresh(&room);
    assert_false(is_behind(&room, &falls));
    room.state.others++;
    assert_true(is_behind(&room, &falls));
    assert_true(is_behind(&room, &falls));
    kernel_pages_dropped(&room.node, falls, room.now_ms);
    assert_false(is_behind(&room, &falls));
}

/* A write that may have been on its way when pages were dropped. */
static void written_while_dropped(void **state)
{
    struct room room;
    uint64_t falls;
    (void)state;
    fresh(&room);
    assert_false(is_new(&room, 0));
    kernel_pages_written(&room.node, room.now_ms + KERNEL_PAGES_LATE_MS + 1);
    assert_false(is_behind(&room, &falls));
    kernel_pages_written(&room.node, room.now_ms + KERNEL_PAGES_LATE_MS);
    assert_true(is_behind(&room, &falls));
    kernel_pages_dropped(&room.node, falls, room.now_ms + 2 * KERNEL_PAGES_LATE_MS);
    assert_false(is_behind(&room, &falls));
    kernel_pages_written(&room.node, room.now_ms);
    assert_true(is_behind(&room, &falls));
}

static void a_second_ends(void **state)
{
    struct room room;
    (void)state;
    fresh(&room);
    room.state.changed.tv_nsec = NEARLY_A_SECOND;
    kernel_pages_behind(&room.node);
    assert_true(is_new(&room, 0));
    assert_int_equal(room.last.tv_sec, 6);
    assert_int_equal(room.last.tv_nsec, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_changed),      cmocka_unit_test(written_to),
        cmocka_unit_test(written_and_closed),   cmocka_unit_test(closed_beside_a_call),
        cmocka_unit_test(behind_until_dropped), cmocka_unit_test(behind_once_more),
        cmocka_unit_test(changed_by_others),    cmocka_unit_test(written_while_dropped),
        cmocka_unit_test(a_second_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
