/*
 * A stub's JSON file: one that is taken lies where it says and starts inside itself; written out
 * again it is the same stub; a refusal leaves nothing behind, and is said in one line.
 */
#include "fuzz.h"

#include "espflashfs/stub.h"

#include <jansson.h>
#include <nettle/base64.h>

enum { SEGMENT_MAX = 256 * 1024 };

static enum ef_err load(const void *text, size_t len, struct ef_stub *stub)
{
    char path[300];
    struct fuzz_log log;
    snprintf(path, sizeof(path), "%s/stub.json", fuzz_folder());
    fuzz_write_file(path, text, len);
    fuzz_log_open(&log);
    enum ef_err err = ef_stub_load(path, &log.log, stub);
    fflush(log.log.file);
    REQUIRE((err == EF_OK) == (log.len == 0) && (err == EF_OK || err == EF_INVALID));
    if (err == EF_OK)
        REQUIRE(strcmp(stub->path, path) == 0);
    fuzz_log_close(&log);
    return err;
}

static bool fits(uint32_t start, size_t len)
{
    return len <= SEGMENT_MAX && start + (uint64_t)len <= UINT64_C(1) << 32;
}

static json_t *base64(const uint8_t *bytes, size_t len)
{
    char *text = malloc(BASE64_ENCODE_RAW_LENGTH(len) + 1);
    REQUIRE(text);
    base64_encode_raw(text, len, bytes);
    json_t *value = json_stringn(text, BASE64_ENCODE_RAW_LENGTH(len));
    free(text);
    return value;
}

static void require_same(const struct ef_stub *a, const struct ef_stub *b)
{
    REQUIRE(a->text_len == b->text_len && a->text_start == b->text_start && a->entry == b->entry);
    REQUIRE(a->data_len == b->data_len && a->data_start == b->data_start);
    REQUIRE(memcmp(a->text, b->text, a->text_len) == 0);
    REQUIRE(a->data_len == 0 || memcmp(a->data, b->data, a->data_len) == 0);
}

static void load_again(const struct ef_stub *stub)
{
    struct ef_stub again;
    json_t *root =
        json_pack("{s:o,s:I,s:I,s:o,s:I}", "text", base64(stub->text, stub->text_len), "text_start",
                  (json_int_t)stub->text_start, "entry", (json_int_t)stub->entry, "data",
                  base64(stub->data, stub->data_len), "data_start", (json_int_t)stub->data_start);
    char *text = json_dumps(root, 0);
    REQUIRE(root && text && load(text, strlen(text), &again) == EF_OK);
    require_same(stub, &again);
    ef_stub_free(&again);
    free(text);
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ef_stub stub;
    if (load(data, size, &stub) != EF_OK) {
        REQUIRE(!stub.text && !stub.data && stub.text_len == 0 && stub.data_len == 0);
        return 0;
    }
    REQUIRE(stub.text_len > 0 && fits(stub.text_start, stub.text_len));
    REQUIRE(stub.entry >= stub.text_start && stub.entry - stub.text_start < stub.text_len);
    REQUIRE(stub.data || stub.data_len == 0);
    REQUIRE(fits(stub.data_start, stub.data_len));
    load_again(&stub);
    ef_stub_free(&stub);
    return 0;
}
