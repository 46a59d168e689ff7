/* partitions/: that it follows the table, and what becomes of files that were found before. */
#include "node_room.h"
#include "table_rows.h"

#include "espflashfs/parts.h"

enum { ADDR = EF_TABLE_ADDR };

static const struct table_row TWO[] = {
    {"nvs", 1, 2, 0x9000, 0x3000, 0}, {"app", 0, 0x10, 0x10000, 0x10000, 0}, {0}};
static const struct table_row ONE[] = {{"nvs", 1, 2, 0x9000, 0x3000, 0}, {0}};
static const struct table_row MOVED[] = {
    {"nvs", 1, 2, 0x9000, 0x3000, 0}, {"app", 0, 0x10, 0x10000, 0x8000, 0}, {0}};

static int parts_open(void **state)
{
    if (room_open(state) != 0)
        return -1;
    struct room *room = *state;
    room->session.chip = ef_chip_by_id(EF_CHIP_ESP32);
    open_flash(room, O_RDWR);
    return ef_parts_new(&room->mount, ADDR) == EF_OK && room->mount.parts ? 0 : -1;
}

static int parts_close(void **state)
{
    struct room *room = *state;
    ef_parts_free(&room->mount);
    return room_close(state);
}

static void put_table(struct room *room, const struct table_row *rows)
{
    struct table_bytes t;
    table_make(&t, rows);
    assert_int_equal(room->flash->ops->write(room->flash, room->handle, t.bytes, sizeof(t.bytes),
                                             ADDR, patient()),
                     sizeof(t.bytes));
}

static void expect_state(struct room *room, const char *begin)
{
    char text[EF_PARTS_STATE_MAX];
    ef_parts_refresh(&room->mount);
    ef_parts_state_text(&room->mount, text);
    assert_memory_equal(text, begin, strlen(begin));
}

static struct ef_node *find(struct room *room, const char *name)
{
    ef_parts_refresh(&room->mount);
    return ef_parts_find(&room->mount, name);
}

/* Nothing is read before somebody asks; what is written is seen without a word to the chip. */
static void follows(void **state)
{
    struct room *room = *state;
    struct ef_partition list[EF_PARTS_MAX];
    char text[EF_PARTS_STATE_MAX];
    ef_parts_state_text(&room->mount, text);
    assert_string_equal(text, "not read yet: list partitions/");
    assert_int_equal(ef_parts_settle(&room->mount, patient()), 0);
    expect_state(room, "none: ");
    assert_int_equal(ef_parts_copy(&room->mount, list), 2);
    put_table(room, TWO);
    expect_state(room, "2");
    assert_int_equal(ef_parts_copy(&room->mount, list), 4);
    assert_string_equal(list[0].name, "bootloader.bin");
    assert_int_equal(list[0].addr, 0x1000);
    assert_int_equal(list[0].len, ADDR - 0x1000);
    assert_string_equal(list[1].name, "partition-table.bin");
    assert_string_equal(list[3].name, "app.bin");
    put_table(room, ONE);
    expect_state(room, "1");
    struct ef_node *gone = find(room, "app.bin");
    assert_null(gone);
    ef_node_put(gone);
}

static ssize_t write_byte(struct ef_node *node, void *handle)
{
    return node->ops->write(node, handle, (const uint8_t *)"x", 1, 5, patient());
}

static ssize_t read_byte(struct ef_node *node, void *handle)
{
    uint8_t byte;
    return node->ops->read(node, handle, &byte, 1, 5, patient());
}

static void open_file_of_a_partition_that_goes(void **state)
{
    struct room *room = *state;
    void *handle = NULL;
    put_table(room, TWO);
    struct ef_node *app = find(room, "app.bin");
    assert_non_null(app);
    assert_int_equal(app->ops->size(app), 0x10000);
    assert_int_equal(app->ops->open(app, O_RDWR, &handle), 0);
    assert_int_equal(write_byte(app, handle), 1);
    put_table(room, ONE);
    assert_int_equal(ef_part_fate(app), EF_PART_GONE);
    assert_int_equal(write_byte(app, handle), -ESTALE);
    assert_int_equal(app->ops->truncate(app, handle, 0, patient()), -ESTALE);
    assert_int_equal(read_byte(app, handle), 1);
    put_table(room, MOVED);
    assert_int_equal(ef_part_fate(app), EF_PART_REPLACED);
    assert_int_equal(write_byte(app, handle), -ESTALE);
    assert_int_equal(read_byte(app, handle), -ESTALE);
    put_table(room, TWO);
    assert_int_equal(ef_part_fate(app), EF_PART_THERE);
    assert_int_equal(write_byte(app, handle), 1);
    struct ef_node *again = find(room, "app.bin");
    assert_ptr_equal(again, app);
    ef_node_put(again);
    app->ops->release(app, handle);
    ef_node_put(app);
}

/* A table that is wrong for a moment, while somebody writes it, is no other file's end. */
static void wrong_for_a_moment(void **state)
{
    struct room *room = *state;
    void *handle = NULL;
    put_table(room, TWO);
    struct ef_node *table = find(room, "partition-table.bin");
    struct ef_node *app = find(room, "app.bin");
    assert_int_equal(table->ops->open(table, O_RDWR, &handle), 0);
    assert_int_equal(table->ops->write(table, handle, (const uint8_t *)"x", 1, 0, patient()), 1);
    expect_state(room, "none: no partition table begins at 0x8000: write a table to ");
    assert_int_equal(ef_part_fate(app), EF_PART_GONE);
    assert_int_equal(table->ops->write(table, handle, (const uint8_t *)"\xAA", 1, 0, patient()), 1);
    expect_state(room, "2");
    assert_int_equal(ef_part_fate(app), EF_PART_THERE);
    table->ops->release(table, handle);
    ef_node_put(table);
    ef_node_put(app);
}

static void pages_of_the_other_files(void **state)
{
    struct room *room = *state;
    void *handle = NULL;
    put_table(room, TWO);
    assert_int_equal(close_flash(room), 0);
    struct ef_node *app = find(room, "app.bin");
    assert_int_equal(app->ops->open(app, O_RDWR, &handle), 0);
    room->invalidated = 0;
    assert_int_equal(write_byte(app, handle), 1);
    assert_int_equal(room->invalidated, 0);
    assert_int_equal(app->ops->flush(app, handle, patient()), 0);
    assert_int_equal(room->invalidated, 1);
    assert_int_equal(app->ops->flush(app, handle, patient()), 0);
    assert_int_equal(room->invalidated, 1);
    app->ops->release(app, handle);
    ef_node_put(app);
}

static void erased_by_name(void **state)
{
    struct room *room = *state;
    put_table(room, TWO);
    assert_int_equal(close_flash(room), 0);
    assert_int_equal(write_erase(room, "app\n"), 4);
    assert_int_equal(write_erase(room, "app0\n"), -EINVAL);
    assert_non_null(strstr(read_erase(room), "Last refusal: erase: unknown word `app0`"));
    assert_non_null(strstr(read_erase(room), "Partitions: 2\n  bootloader.bin\n"));
    uint8_t sector[EF_SECTOR];
    assert_int_equal(ef_cache_read(room->base->cache, 0x1F000, EF_SECTOR, sector, patient()),
                     EF_OK);
    assert_true(ef_bytes_blank(sector, EF_SECTOR));
}

/* A chip whose flash cannot be read, or has no table, has none of it. */
static void none(void **state)
{
    struct room *room = *state;
    struct ef_partition list[EF_PARTS_MAX];
    ef_parts_free(&room->mount);
    room->session.chip = ef_chip_by_id(EF_CHIP_ESP8266);
    assert_int_equal(ef_parts_new(&room->mount, ADDR), EF_OK);
    assert_null(room->mount.parts);
    assert_int_equal(ef_parts_settle(&room->mount, patient()), 0);
    assert_int_equal(ef_parts_copy(&room->mount, list), 0);
    room->session.chip = ef_chip_by_id(EF_CHIP_ESP32);
    room->session.guard.encryption = EF_ENCRYPTION_RELEASE;
    assert_int_equal(ef_parts_new(&room->mount, ADDR), EF_OK);
    assert_int_equal(ef_parts_settle(&room->mount, patient()), 0);
    assert_int_equal(ef_parts_copy(&room->mount, list), 0);
    expect_state(room, "none: the table cannot be read: ");
    room->session.guard.encryption = EF_ENCRYPTION_OFF;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(follows, parts_open, parts_close),
        cmocka_unit_test_setup_teardown(open_file_of_a_partition_that_goes, parts_open,
                                        parts_close),
        cmocka_unit_test_setup_teardown(wrong_for_a_moment, parts_open, parts_close),
        cmocka_unit_test_setup_teardown(pages_of_the_other_files, parts_open, parts_close),
        cmocka_unit_test_setup_teardown(erased_by_name, parts_open, parts_close),
        cmocka_unit_test_setup_teardown(none, parts_open, parts_close)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
