/* When a file's mtime is another one, on made-up time. */
#include "fs/kernel_pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { GO = KERNEL_PAGES_GO_MS, START = 1000000, NEARLY_A_SECOND = 999999999 };

struct room {
    struct ef_mount mount;
    struct ef_node node;
    struct timespec changed, last;
    int64_t now_ms;
};

static void fresh(struct room *room)
{
    memset(room, 0, sizeof(*room));
    pthread_mutex_init(&room->mount.lock, NULL);
    room->node.mount = &room->mount;
    room->changed = room->last = (struct timespec){.tv_sec = 5, .tv_nsec = 7};
    room->now_ms = START;
}

/* Asks as the kernel does: does it hear another time than before? */
static bool is_new(struct room *room, int64_t later_ms)
{
    room->now_ms += later_ms;
    struct timespec was = room->last;
    room->last = kernel_pages_mtime(&room->node, room->changed, room->now_ms);
    return was.tv_sec != room->last.tv_sec || was.tv_nsec != room->last.tv_nsec;
}

static void nothing_changed(void **state)
{
    struct room room;
    (void)state;
    fresh(&room);
    assert_false(is_new(&room, 0));
    kernel_pages_read_begins(&room.node);
    assert_false(is_new(&room, 1));
    kernel_pages_read_ends(&room.node, room.now_ms);
    assert_false(is_new(&room, 1));
}

/* A write(2) to the file itself: the time is another one, once. */
static void changed_by_itself(void **state)
{
    struct room room;
    (void)state;
    fresh(&room);
    room.changed.tv_sec++;
    assert_true(is_new(&room, 0));
    assert_false(is_new(&room, 1));
}

static void told_until_it_had_time(void **state)
{
    struct room room;
    (void)state;
    fresh(&room);
    kernel_pages_behind(&room.node);
    assert_true(is_new(&room, 10 * GO));
    assert_true(is_new(&room, GO - 1));
    assert_false(is_new(&room, GO));
    assert_false(is_new(&room, 1));
}

static void a_read_keeps_pages(void **state)
{
    struct room room;
    (void)state;
    fresh(&room);
    kernel_pages_read_begins(&room.node);
    kernel_pages_behind(&room.node);
    assert_true(is_new(&room, 0));
    assert_true(is_new(&room, 10 * GO));
    room.now_ms += 10 * GO;
    kernel_pages_read_ends(&room.node, room.now_ms);
    assert_true(is_new(&room, GO - 1));
    assert_false(is_new(&room, GO));
}

/* The next change begins anew, though the file was quiet. */
static void changed_once_more(void **state)
{
    struct room room;
    (void)state;
    fresh(&room);
    kernel_pages_behind(&room.node);
    assert_true(is_new(&room, 0));
    assert_false(is_new(&room, GO));
    kernel_pages_behind(&room.node);
    assert_true(is_new(&room, GO));
}

static void a_second_ends(void **state)
{
    struct room room;
    (void)state;
    fresh(&room);
    room.changed.tv_nsec = NEARLY_A_SECOND;
    kernel_pages_behind(&room.node);
    assert_true(is_new(&room, 0));
    assert_int_equal(room.last.tv_sec, 6);
    assert_int_equal(room.last.tv_nsec, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_changed),        cmocka_unit_test(changed_by_itself),
        cmocka_unit_test(told_until_it_had_time), cmocka_unit_test(a_read_keeps_pages),
        cmocka_unit_test(changed_once_more),      cmocka_unit_test(a_second_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
