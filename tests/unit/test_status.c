/* status.txt: what is going on, whatever the line does. */
#include "node_room.h"

#include <stdio.h>

static const char *status(struct room *room)
{
    void *handle = NULL;
    struct ef_node *s = &room->mount.node[EF_NODE_STATUS];
    assert_int_equal(s->ops->open(s, O_RDONLY, &handle), 0);
    ssize_t n = s->ops->read(s, handle, room->base->buf, ROOM_SIZE - 1, 0, patient());
    assert_true(n > 0);
    room->base->buf[n] = '\0';
    s->ops->release(s, handle);
    return (const char *)room->base->buf;
}

static void nothing_to_do(void **state)
{
    struct room *room = *state;
    assert_string_equal(status(room), "State: idle\nNow: idle\nDirty sectors: 0\nReconnections: 0\n"
                                      "Slowdowns: 0\nLast error: none\n");
    room->mount.worker = room->base->worker;
    assert_string_equal(status(room), "State: idle\nNow: idle\nDirty sectors: 0\nReconnections: 0\n"
                                      "Slowdowns: 0\nLast error: none\n");
    struct ef_node *s = &room->mount.node[EF_NODE_STATUS];
    assert_int_equal(s->ops->size(s), strlen(status(room)));
    void *handle;
    assert_int_equal(s->ops->open(s, O_RDWR, &handle), -EACCES);
}

static void says(struct room *room, struct ef_presence_now now, const char *line)
{
    char first[128];
    ef_presence_say(room->mount.presence, now);
    assert_int_equal(strstr(status(room), "\nNow: waiting for the board") != NULL,
                     now.state != EF_PRESENT);
    snprintf(first, sizeof(first), "State: %s\n", line);
    assert_memory_equal(status(room), first, strlen(first));
}

static void a_board_that_is_gone(void **state)
{
    struct room *room = *state;
    struct ef_presence presence;
    ef_presence_init(&presence);
    room->mount.presence = &presence;
    ef_deadline soon = ef_deadline_in(3600 * 1000 - 1);
    says(room, (struct ef_presence_now){.state = EF_AWAITED, .until = soon},
         "waiting for the board to come back, 3600 s left");
    says(room, (struct ef_presence_now){.state = EF_AWAITED, .until = soon, .foreign = true},
         "waiting for the board to come back, 3600 s left; another board answers");
    says(room, (struct ef_presence_now){.state = EF_ABSENT}, "the board is gone");
    says(room, (struct ef_presence_now){.state = EF_ABSENT, .foreign = true},
         "the board is gone; another board answers");
    says(room, (struct ef_presence_now){.reconnections = 7}, "idle");
    assert_non_null(strstr(status(room), "\nReconnections: 7\n"));
    ef_presence_free(&presence);
}

/* It answers while the line is busy, and says at what. */
static void at_work(void **state)
{
    struct room *room = *state;
    struct cache_room *base = room->base;
    room->mount.worker = base->worker;
    mem_hold(base->mem, MEM_ERASE);
    base->addr = EF_BLOCK;
    base->len = EF_BLOCK;
    room_start(base, room_erase_main);
    mem_await_held(base->mem);
    assert_non_null(strstr(status(room), "State: erasing 65536 bytes at 0x10000\n"));
    assert_non_null(strstr(status(room), "\nNow: erasing 65536 bytes at 0x10000: about "));
    mem_release(base->mem);
    room_join(base);
}

/* Who reads or writes is told before what is done for them, but for the longest. */
static void who_is_at_work(void **state)
{
    struct room *room = *state;
    struct cache_room *base = room->base;
    struct ef_task task = {0};
    room->mount.worker = base->worker;
    ef_task_enter(&room->mount.progress, &task, EF_TASK_READ, "flash.bin", EF_BLOCK, ROOM_SIZE,
                  ef_clock_now_ms());
    assert_non_null(strstr(status(room), "State: idle\nNow: reading flash.bin: 6 %\n"));
    mem_hold(base->mem, MEM_ERASE);
    base->addr = EF_BLOCK;
    base->len = EF_BLOCK;
    room_start(base, room_erase_main);
    mem_await_held(base->mem);
    assert_non_null(strstr(status(room), "\nNow: reading flash.bin: 6 %\n"));
    mem_release(base->mem);
    room_join(base);
    ef_task_end(&room->mount.progress, &task);
    assert_non_null(strstr(status(room), "\nNow: idle\n"));
}

static void what_failed(void **state)
{
    struct room *room = *state;
    room->mount.worker = room->base->worker;
    assert_int_equal(room_write(room->base, 2 * EF_SECTOR, EF_SECTOR, 3), EF_OK);
    mem_fail(room->base->mem, MEM_WRITE, 1, EF_GONE);
    assert_int_equal(room_flush(room->base), EF_GONE);
    assert_non_null(strstr(status(room), "\nDirty sectors: 1\n"));
    assert_non_null(strstr(status(room), "\nLast error: writing at 0x2000: the board is gone\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_to_do, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_board_that_is_gone, room_open, room_close),
        cmocka_unit_test_setup_teardown(at_work, room_open, room_close),
        cmocka_unit_test_setup_teardown(who_is_at_work, room_open, room_close),
        cmocka_unit_test_setup_teardown(what_failed, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
