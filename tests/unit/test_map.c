/* map.txt: the flash drawn, without a word to the chip. */
#include "node_room.h"

#include <stdio.h>
#include <string.h>

enum { CELL = 16 * 1024, CELLS = ROOM_SIZE / CELL };

static const char *map(struct room *room)
{
    void *handle = NULL;
    struct ef_node *n = &room->mount.node[EF_NODE_MAP];
    assert_int_equal(n->ops->open(n, O_RDONLY, &handle), 0);
    ssize_t len = n->ops->read(n, handle, room->base->buf, ROOM_SIZE - 1, 0, patient());
    assert_true(len > 0);
    assert_int_equal(len, n->ops->size(n));
    room->base->buf[len] = '\0';
    n->ops->release(n, handle);
    return (const char *)room->base->buf;
}

/* The rows, behind the legend. */
static const char *rows(struct room *room)
{
    const char *behind = strstr(map(room), "\n\n");
    assert_non_null(behind);
    return behind + 2;
}

static void expect_row(struct room *room, const char *cells)
{
    char wanted[128];
    snprintf(wanted, sizeof(wanted), "00000000  %s", cells);
    memset(wanted + strlen(wanted), '?', CELLS - strlen(cells));
    wanted[10 + CELLS] = '\n';
    wanted[11 + CELLS] = '\0';
    assert_string_equal(rows(room), wanted);
}

static void what_is_known(void **state)
{
    struct room *room = *state;
    struct cache_room *base = room->base;
    expect_row(room, "");
    memset(base->mem->bytes + CELL, 0xFF, 2 * CELL);
    memset(base->model + CELL, 0xFF, 2 * CELL);
    unsigned calls = (unsigned)base->mem->calls;
    assert_int_equal(calls, 0);
    assert_int_equal(room_read(base, 0, CELL), EF_OK);
    assert_int_equal(room_read(base, CELL, CELL), EF_OK);
    expect_row(room, "#.");
    /* A part of a cell: data shows, blank flash only where all of it is. */
    assert_int_equal(room_read(base, 2 * CELL, EF_SECTOR), EF_OK);
    assert_int_equal(room_read(base, 4 * CELL, EF_SECTOR), EF_OK);
    expect_row(room, "#.??#");
    /* Before anything else: what is not on the chip. */
    assert_int_equal(room_write(base, CELL + EF_SECTOR, 10, 1), EF_OK);
    assert_int_equal(room_write(base, 5 * CELL - 1, 1, 2), EF_OK);
    mem_reset_counts(base->mem);
    expect_row(room, "#!?"
                     "?!");
    assert_int_equal(base->mem->calls, 0);
    assert_int_equal(room_flush(base), EF_OK);
    expect_row(room, "##??#");
    assert_int_equal(room_erase(base, 0, 2 * CELL), EF_OK);
    expect_row(room, "..??#");
    /* Zeros are data. */
    assert_int_equal(room_fill(base, 0, EF_SECTOR, 0), EF_OK);
    assert_int_equal(room_flush(base), EF_OK);
    expect_row(room, "#.??#");
}

/* A flash that is no multiple of a row, nor of a character. */
static void odd_sizes(void **state)
{
    struct room *room = *state;
    room->session.flash_size = CELL + EF_SECTOR;
    assert_string_equal(rows(room), "00000000  ??\n");
    assert_int_equal(room_read(room->base, CELL, EF_SECTOR), EF_OK);
    assert_string_equal(rows(room), "00000000  ?#\n");
    room->session.flash_size = ROOM_SIZE + 2 * CELL;
    assert_non_null(strstr(rows(room), "\n00100000  ??\n"));
}

static void only_for_reading(void **state)
{
    struct room *room = *state;
    struct ef_node *n = &room->mount.node[EF_NODE_MAP];
    void *handle;
    assert_int_equal(n->ops->open(n, O_WRONLY, &handle), -EACCES);
    assert_int_equal(n->ops->open(n, O_RDWR, &handle), -EACCES);
    assert_memory_equal(map(room), "#  data", 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_known, room_open, room_close),
        cmocka_unit_test_setup_teardown(odd_sizes, room_open, room_close),
        cmocka_unit_test_setup_teardown(only_for_reading, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
