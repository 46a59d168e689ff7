/* Stub files: read, checked, found, uploaded. */
#include "esp/stub_places.h"
#include "fake_loader.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define GOOD                                                                                       \
    "{\"entry\": 4098, \"text_start\": 4096, \"text\": \"AAECAwQFBgc=\","                          \
    " \"data_start\": 8192, \"data\": \"/+7dzA==\", \"bss_start\": 1, \"plugins\": {}}"

struct room {
    char root[64];
};

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    snprintf(room->root, sizeof(room->root), "/tmp/ef-stub-XXXXXX");
    return mkdtemp(room->root) ? 0 : -1;
}

static int room_close(void **state)
{
    struct room *room = *state;
    int rc = nftw(room->root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(room);
    return rc;
}

static const char *path_in(const struct room *room, const char *name, char *out, size_t cap)
{
    assert_in_range(snprintf(out, cap, "%s/%s", room->root, name), 1, cap - 1);
    return out;
}

/* Writes a file below the room, making the folders on the way. */
static const char *put(const struct room *room, const char *name, const char *text, char *path,
                       size_t cap)
{
    path_in(room, name, path, cap);
    for (char *slash = path + strlen(room->root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    return path;
}

/* A good stub that tells which file it was by its text_start. */
static void put_marked(const struct room *room, const char *name, unsigned mark)
{
    char text[128];
    char path[256];
    snprintf(text, sizeof(text), "{\"entry\": %u, \"text_start\": %u, \"text\": \"AAECAwQFBgc=\"}",
             mark, mark);
    put(room, name, text, path, sizeof(path));
}

static void load_good(void **state)
{
    static const uint8_t TEXT[] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const uint8_t DATA[] = {0xFF, 0xEE, 0xDD, 0xCC};
    char path[256];
    struct ef_stub stub;
    put(*state, "good.json", GOOD, path, sizeof(path));
    assert_int_equal(ef_stub_load(path, NULL, &stub), EF_OK);
    assert_string_equal(stub.path, path);
    assert_int_equal(stub.entry, 4098);
    assert_int_equal(stub.text_start, 4096);
    assert_int_equal(stub.text_len, sizeof(TEXT));
    assert_memory_equal(stub.text, TEXT, sizeof(TEXT));
    assert_int_equal(stub.data_start, 8192);
    assert_int_equal(stub.data_len, sizeof(DATA));
    assert_memory_equal(stub.data, DATA, sizeof(DATA));
    ef_stub_free(&stub);
    assert_null(stub.text);
    ef_stub_free(&stub);
}

static void load_without_data(void **state)
{
    char path[256];
    struct ef_stub stub;
    put(*state, "plain.json", "{\"entry\": 4096, \"text_start\": 4096, \"text\": \"AAECAwQFBgc=\"}",
        path, sizeof(path));
    assert_int_equal(ef_stub_load(path, NULL, &stub), EF_OK);
    assert_null(stub.data);
    assert_int_equal(stub.data_len, 0);
    ef_stub_free(&stub);
}

static void load_broken(void **state)
{
    static const char *const TEXTS[] = {
        "",
        "not JSON",
        "[1, 2]",
        "null",
        "{}",
        "{\"entry\": 4096, \"text_start\": 4096}",
        "{\"entry\": 4096, \"text\": \"AAECAwQFBgc=\"}",
        "{\"text_start\": 4096, \"text\": \"AAECAwQFBgc=\"}",
        /* wrong types */
        "{\"entry\": \"4096\", \"text_start\": 4096, \"text\": \"AAECAwQFBgc=\"}",
        "{\"entry\": 4096.0, \"text_start\": 4096, \"text\": \"AAECAwQFBgc=\"}",
        "{\"entry\": 4096, \"text_start\": null, \"text\": \"AAECAwQFBgc=\"}",
        "{\"entry\": 4096, \"text_start\": 4096, \"text\": 7}",
        "{\"entry\": 4096, \"text_start\": 4096, \"text\": [\"AAEC\"]}",
        /* no address */
        "{\"entry\": -1, \"text_start\": 4096, \"text\": \"AAECAwQFBgc=\"}",
        "{\"entry\": 4096, \"text_start\": 4294967296, \"text\": \"AAECAwQFBgc=\"}",
        "{\"entry\": 4096, \"text_start\": 99999999999999999999, \"text\": \"AAECAwQFBgc=\"}",
        /* base64 */
        "{\"entry\": 4096, \"text_start\": 4096, \"text\": \"AAEC*wQFBgc=\"}",
        "{\"entry\": 4096, \"text_start\": 4096, \"text\": \"AAECAwQFBgc\"}",
        "{\"entry\": 4096, \"text_start\": 4096, \"text\": \"AAECAwQFBg=c\"}",
        "{\"entry\": 4096, \"text_start\": 4096, \"text\": \"\"}",
        /* the entry in front of and behind the text */
        "{\"entry\": 4095, \"text_start\": 4096, \"text\": \"AAECAwQFBgc=\"}",
        "{\"entry\": 4104, \"text_start\": 4096, \"text\": \"AAECAwQFBgc=\"}",
        /* past the end of the addresses */
        "{\"entry\": 4294967295, \"text_start\": 4294967292, \"text\": \"AAECAwQFBgc=\"}",
        /* data is optional, half of it is not */
        "{\"entry\": 4096, \"text_start\": 4096, \"text\": \"AAECAwQFBgc=\", \"data\": \"AAAA\"}",
        "{\"entry\": 0, \"text_start\": 0, \"text\": \"AAAA\", \"data\": 5, \"data_start\": 1}",
        "{\"entry\": 0, \"text_start\": 0, \"text\": \"AAAA\", \"data\": \"A\", \"data_start\": 1}",
        /* which one? */
        "{\"entry\": 4096, \"entry\": 4097, \"text_start\": 4096, \"text\": \"AAECAwQFBgc=\"}",
    };
    for (size_t i = 0; i < COUNT(TEXTS); i++) {
        char path[256];
        struct ef_stub stub;
        put(*state, "broken.json", TEXTS[i], path, sizeof(path));
        assert_int_equal(ef_stub_load(path, NULL, &stub), EF_INVALID);
        assert_null(stub.text);
        assert_null(stub.data);
    }
}

static void load_truncated(void **state)
{
    char text[] = GOOD;
    for (size_t len = sizeof(text) - 2; len > 0; len--) {
        char path[256];
        struct ef_stub stub;
        text[len] = '\0';
        put(*state, "cut.json", text, path, sizeof(path));
        assert_int_equal(ef_stub_load(path, NULL, &stub), EF_INVALID);
        assert_null(stub.text);
    }
}

/* 256 KiB of text are the most, and no file is read that no stub could be. */
static void load_sizes(void **state)
{
    static const size_t DECODED[] = {0x40000, 0x40000 + 3, 0x300000 + 3};
    static const enum ef_err WANT[] = {EF_OK, EF_INVALID, EF_INVALID};
    for (size_t i = 0; i < COUNT(DECODED); i++) {
        char path[256];
        size_t encoded = (DECODED[i] + 2) / 3 * 4;
        char *text = malloc(encoded + 128);
        assert_non_null(text);
        int at = sprintf(text, "{\"entry\": 0, \"text_start\": 0, \"text\": \"");
        memset(text + at, 'A', encoded);
        if (DECODED[i] % 3 != 0)
            memset(text + at + (size_t)encoded - (3 - DECODED[i] % 3), '=', 3 - DECODED[i] % 3);
        memcpy(text + at + encoded, "\"}", 3);
        struct ef_stub stub;
        put(*state, "big.json", text, path, sizeof(path));
        assert_int_equal(ef_stub_load(path, NULL, &stub), WANT[i]);
        ef_stub_free(&stub);
        free(text);
    }
}

static void load_no_file(void **state)
{
    const struct room *room = *state;
    char path[256];
    struct ef_stub stub;
    path_in(room, "nothing.json", path, sizeof(path));
    assert_int_equal(ef_stub_load(path, NULL, &stub), EF_MISSING);
    assert_int_equal(ef_stub_load(room->root, NULL, &stub), EF_INVALID);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(ef_stub_load(path, NULL, &stub), EF_INVALID);
}

static void expect_found(enum ef_err err, struct ef_stub *stub, unsigned mark)
{
    assert_int_equal(err, EF_OK);
    assert_int_equal(stub->text_start, mark);
    ef_stub_free(stub);
}

static void find_names(void **state)
{
    const struct room *room = *state;
    struct ef_stub stub;
    char path[256];
    put_marked(room, "new/esp32c3.json", 1);
    put_marked(room, "new/stub_flasher_32c3.json", 2);
    put_marked(room, "old/stub_flasher_8266.json", 3);
    put_marked(room, "old/stub_flasher_32.json", 4);
    path_in(room, "new", path, sizeof(path));
    expect_found(ef_stub_find(path, NULL, "esp32c3", NULL, &stub), &stub, 1);
    assert_int_equal(ef_stub_find(path, NULL, "esp32", NULL, &stub), EF_MISSING);
    path_in(room, "old", path, sizeof(path));
    expect_found(ef_stub_find(path, NULL, "esp8266", NULL, &stub), &stub, 3);
    expect_found(ef_stub_find(path, NULL, "esp32", NULL, &stub), &stub, 4);
    path_in(room, "old/stub_flasher_32.json", path, sizeof(path));
    expect_found(ef_stub_find(path, NULL, "esp32c3", NULL, &stub), &stub, 4);
    path_in(room, "none", path, sizeof(path));
    assert_int_equal(ef_stub_find(path, NULL, "esp32", NULL, &stub), EF_MISSING);
}

static void find_precedence(void **state)
{
    const struct room *room = *state;
    struct ef_stub stub;
    char first[256];
    char second[256];
    char broken[256];
    path_in(room, "first", first, sizeof(first));
    path_in(room, "second", second, sizeof(second));
    const char *const folders[] = {first, second, NULL};
    setenv("HOME", room->root, 1);
    put_marked(room,
               ".local/lib/python3.11/site-packages/esptool/targets/stub_flasher/1/esp32.json", 1);
    expect_found(ef_stub_find(NULL, folders, "esp32", NULL, &stub), &stub, 1);
    expect_found(ef_stub_find(NULL, NULL, "esp32", NULL, &stub), &stub, 1);
    put_marked(room, "second/esp32.json", 2);
    expect_found(ef_stub_find(NULL, folders, "esp32", NULL, &stub), &stub, 2);
    put_marked(room, "first/stub_flasher_32.json", 3);
    expect_found(ef_stub_find(NULL, folders, "esp32", NULL, &stub), &stub, 3);
    expect_found(ef_stub_find(second, folders, "esp32", NULL, &stub), &stub, 2);
    put(room, "first/esp32.json", "{", broken, sizeof(broken));
    assert_int_equal(ef_stub_find(NULL, folders, "esp32", NULL, &stub), EF_INVALID);
}

/* What esptool's releases look like: see the table in stub_find.c. */
static void find_installed(void **state)
{
#define PACKAGE(where) where "/esptool/targets/stub_flasher/"
    const struct room *room = *state;
    struct ef_stub stub;
    char root[128];
    char home[256];
    path_in(room, "root", root, sizeof(root));
    path_in(room, "h[o]me*", home, sizeof(home));
    setenv("HOME", home, 1);
    assert_int_equal(ef_stub_find_installed(root, "esp32", NULL, &stub), EF_MISSING);

    put_marked(room, PACKAGE("root/usr/lib/python3/dist-packages") "stub_flasher_32.json", 1);
    expect_found(ef_stub_find_installed(root, "esp32", NULL, &stub), &stub, 1);

    /* 4.8: folder 2 is an experiment, but better than nothing */
    put_marked(room, PACKAGE("root/usr/local/lib/python3.9/dist-packages") "2/esp32.json", 2);
    expect_found(ef_stub_find_installed(root, "esp32", NULL, &stub), &stub, 2);
    put_marked(room, PACKAGE("root/usr/local/lib/python3.9/dist-packages") "1/esp32.json", 3);
    expect_found(ef_stub_find_installed(root, "esp32", NULL, &stub), &stub, 3);

    /* a newer Python's first, though "3.9" sorts behind "3.11" as text; 5.3: folder 2 */
    put_marked(room, PACKAGE("root/usr/local/lib/python3.11/dist-packages") "1/esp32.json", 4);
    put_marked(room, PACKAGE("root/usr/local/lib/python3.11/dist-packages") "2/esp32.json", 5);
    expect_found(ef_stub_find_installed(root, "esp32", NULL, &stub), &stub, 4);
    put_marked(room, PACKAGE("root/usr/local/lib/python3.11/dist-packages") "2/esp32s31.json", 6);
    expect_found(ef_stub_find_installed(root, "esp32", NULL, &stub), &stub, 5);

    put_marked(room,
               PACKAGE("h[o]me*/.espressif/python_env/idf5.1_py3.11_env/lib/python3.11/"
                       "site-packages") "1/esp32.json",
               7);
    expect_found(ef_stub_find_installed(root, "esp32", NULL, &stub), &stub, 7);
    put_marked(
        room,
        PACKAGE("h[o]me*/.local/pipx/venvs/esptool/lib/python3.12/site-packages") "1/esp32.json",
        8);
    expect_found(ef_stub_find_installed(root, "esp32", NULL, &stub), &stub, 8);
    put_marked(room, PACKAGE("h[o]me*/.local/lib/python3.11/site-packages") "1/esp32.json", 9);
    expect_found(ef_stub_find_installed(root, "esp32", NULL, &stub), &stub, 9);

    unsetenv("HOME");
    expect_found(ef_stub_find_installed(root, "esp32", NULL, &stub), &stub, 5);
    setenv("HOME", "", 1);
    expect_found(ef_stub_find_installed(root, "esp32", NULL, &stub), &stub, 5);
    assert_int_equal(ef_stub_find_installed(root, "esp32c3", NULL, &stub), EF_MISSING);
#undef PACKAGE
}

enum { TEXT_LEN = 2 * 0x1800 + 100, DATA_LEN = 0x1800 };

/* Text of two blocks and a bit, with bytes that SLIP escapes; data of exactly one block. */
static void make_stub(struct ef_stub *stub, uint8_t *bytes)
{
    for (size_t i = 0; i < TEXT_LEN + DATA_LEN; i++)
        bytes[i] = (uint8_t)(i % 3 ? i * 7 : 0xC0 + i % 32);
    *stub = (struct ef_stub){.text = bytes,
                             .text_len = TEXT_LEN,
                             .text_start = 0x40380000,
                             .data = bytes + TEXT_LEN,
                             .data_len = DATA_LEN,
                             .data_start = 0x3FC96D68,
                             .entry = 0x40380E9A};
}

static void expect_segment(const struct fake_segment *segment, uint32_t start, const uint8_t *bytes,
                           size_t len)
{
    assert_int_equal(segment->start, start);
    assert_int_equal(segment->size, len);
    assert_int_equal(segment->len, len);
    assert_int_equal(segment->block_size, 0x1800);
    assert_int_equal(segment->blocks, (len + 0x17FF) / 0x1800);
    assert_memory_equal(segment->bytes, bytes, len);
}

static void upload(void **state)
{
    (void)state;
    static const uint8_t WANT[] = {EF_OP_MEM_BEGIN, EF_OP_MEM_DATA, EF_OP_MEM_DATA, EF_OP_MEM_DATA,
                                   EF_OP_MEM_BEGIN, EF_OP_MEM_DATA, EF_OP_MEM_END};
    static uint8_t bytes[TEXT_LEN + DATA_LEN];
    for (enum ef_chip_id chip_id = 0; chip_id < EF_CHIP_COUNT; chip_id++) {
        struct fake_loader *fake = fake_new(ef_chip_by_id(chip_id));
        struct ef_stub stub;
        make_stub(&stub, bytes);
        assert_int_equal(ef_stub_upload(&fake->esp, &stub), EF_OK);
        assert_true(fake->esp.stub);
        assert_int_equal(fake->op_count, sizeof(WANT));
        assert_memory_equal(fake->ops, WANT, sizeof(WANT));
        assert_int_equal(fake->segment_count, 2);
        expect_segment(&fake->segments[0], stub.text_start, stub.text, stub.text_len);
        expect_segment(&fake->segments[1], stub.data_start, stub.data, stub.data_len);
        assert_int_equal(fake->entry, stub.entry);
        /* The stub's two status bytes are what counts now. */
        uint32_t value = 0;
        fake_set(fake, 0x1234, 0x5678);
        assert_int_equal(ef_command_read_reg(&fake->esp, 0x1234, &value), EF_OK);
        assert_int_equal(value, 0x5678);
        assert_int_equal(ef_stub_upload(&fake->esp, &stub), EF_INVALID);
        free(fake);
    }
}

static void upload_without_data(void **state)
{
    (void)state;
    static uint8_t bytes[TEXT_LEN + DATA_LEN];
    struct fake_loader *fake = fake_new(ef_chip_by_id(EF_CHIP_ESP32));
    struct ef_stub stub;
    make_stub(&stub, bytes);
    stub.data = NULL;
    stub.data_len = 0;
    assert_int_equal(ef_stub_upload(&fake->esp, &stub), EF_OK);
    assert_int_equal(fake->segment_count, 1);
    free(fake);
}

/* A lost block, and one that arrived damaged: the segment starts over. */
static void upload_over_a_bad_line(void **state)
{
    (void)state;
    static uint8_t bytes[TEXT_LEN + DATA_LEN];
    struct ef_stub stub;
    make_stub(&stub, bytes);
    for (unsigned kind = 0; kind < 2; kind++) {
        struct fake_loader *fake = fake_new(ef_chip_by_id(EF_CHIP_ESP32C3));
        fake->lose_op = fake->refuse_op = EF_OP_MEM_DATA;
        fake->lose = kind == 0 ? 2 : 0;
        fake->refuse = kind == 1 ? 2 : 0;
        fake->refuse_status = 0x07;
        assert_int_equal(ef_stub_upload(&fake->esp, &stub), EF_OK);
        assert_int_equal(fake_op_seen(fake, EF_OP_MEM_BEGIN), 4);
        assert_int_equal(fake_op_seen(fake, EF_OP_SYNC), 2);
        expect_segment(&fake->segments[2], stub.text_start, stub.text, stub.text_len);
        expect_segment(&fake->segments[3], stub.data_start, stub.data, stub.data_len);
        free(fake);
    }
}

static void upload_refused(void **state)
{
    (void)state;
    static const enum ef_op OPS[] = {EF_OP_MEM_BEGIN, EF_OP_MEM_DATA, EF_OP_MEM_END};
    static uint8_t bytes[TEXT_LEN + DATA_LEN];
    struct ef_stub stub;
    make_stub(&stub, bytes);
    for (size_t i = 0; i < COUNT(OPS); i++) {
        struct fake_loader *fake = fake_new(ef_chip_by_id(EF_CHIP_ESP32));
        fake->refuse_op = OPS[i];
        fake->refuse = 1;
        fake->refuse_status = 0x06;
        assert_int_equal(ef_stub_upload(&fake->esp, &stub), EF_REJECTED);
        assert_int_equal(fake_op_seen(fake, OPS[i]), 1);
        assert_false(fake->esp.stub);
        free(fake);
    }
}

static void upload_lost_for_good(void **state)
{
    (void)state;
    static uint8_t bytes[TEXT_LEN + DATA_LEN];
    struct ef_stub stub;
    make_stub(&stub, bytes);
    struct fake_loader *fake = fake_new(ef_chip_by_id(EF_CHIP_ESP32));
    fake->lose_op = EF_OP_MEM_BEGIN;
    fake->lose = 100;
    assert_int_equal(ef_stub_upload(&fake->esp, &stub), EF_TIMEOUT);
    assert_int_equal(fake_op_seen(fake, EF_OP_MEM_BEGIN), 3);
    free(fake);
}

static void upload_greeting(void **state)
{
    (void)state;
    static uint8_t bytes[TEXT_LEN + DATA_LEN];
    struct ef_stub stub;
    make_stub(&stub, bytes);
    struct fake_loader *fake = fake_new(ef_chip_by_id(EF_CHIP_ESP8266));
    fake->dead_after_mem_end = true;
    assert_int_equal(ef_stub_upload(&fake->esp, &stub), EF_TIMEOUT);
    assert_false(fake->esp.stub);
    free(fake);
    /* Lost on the line, but the stub runs. */
    fake = fake_new(ef_chip_by_id(EF_CHIP_ESP8266));
    fake->no_greeting = true;
    assert_int_equal(ef_stub_upload(&fake->esp, &stub), EF_OK);
    assert_true(fake->esp.stub);
    free(fake);
    /* The request got lost: the ROM is still there. */
    fake = fake_new(ef_chip_by_id(EF_CHIP_ESP8266));
    fake->lose_op = EF_OP_MEM_END;
    fake->lose = 1;
    assert_int_equal(ef_stub_upload(&fake->esp, &stub), EF_TIMEOUT);
    assert_false(fake->esp.stub);
    free(fake);
}

int main(void)
{
    unsetenv("VIRTUAL_ENV");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(load_good, room_open, room_close),
        cmocka_unit_test_setup_teardown(load_without_data, room_open, room_close),
        cmocka_unit_test_setup_teardown(load_broken, room_open, room_close),
        cmocka_unit_test_setup_teardown(load_truncated, room_open, room_close),
        cmocka_unit_test_setup_teardown(load_sizes, room_open, room_close),
        cmocka_unit_test_setup_teardown(load_no_file, room_open, room_close),
        cmocka_unit_test_setup_teardown(find_names, room_open, room_close),
        cmocka_unit_test_setup_teardown(find_precedence, room_open, room_close),
        cmocka_unit_test_setup_teardown(find_installed, room_open, room_close),
        cmocka_unit_test(upload),
        cmocka_unit_test(upload_without_data),
        cmocka_unit_test(upload_over_a_bad_line),
        cmocka_unit_test(upload_refused),
        cmocka_unit_test(upload_lost_for_good),
        cmocka_unit_test(upload_greeting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
