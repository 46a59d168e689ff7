#include "espflashfs/stub.h"

#include "espflashfs/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_MAX_LEN = 4 * 1024 * 1024,
    SEGMENT_MAX_LEN = 256 * 1024,
    REASON_MAX = 200,
    ERRNO_TEXT_MAX = 80
};

/* A missing file is the caller's business; one that cannot be read is worth a word. */
static enum ef_err log_unreadable(struct ef_log *log, const char *path, int error)
{
    if (error != ENOENT && error != ENOTDIR) {
        char buf[ERRNO_TEXT_MAX];
        ef_log(log, EF_LOG_WARN, "stub %s: %s", path, strerror_r(error, buf, sizeof(buf)));
    }
    return EF_MISSING;
}

static enum ef_err log_invalid(struct ef_log *log, const char *path, const char *reason)
{
    ef_log(log, EF_LOG_ERROR, "stub %s: %s", path, reason);
    return EF_INVALID;
}

static enum ef_err read_all(int fd, char *text, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t got = read(fd, text + done, len - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return EF_INVALID;
        done += (size_t)got;
    }
    return EF_OK;
}

/* *text is the caller's to free. */
static enum ef_err read_file(const char *path, struct ef_log *log, char **text, size_t *len)
{
    /* Non-blocking, so that a FIFO of that name does not hold the mount up. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return log_unreadable(log, path, errno);
    enum ef_err err = EF_OK;
    struct stat st;
    *text = NULL;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        err = log_invalid(log, path, "not a regular file");
        goto out;
    }
    if (st.st_size <= 0 || st.st_size > FILE_MAX_LEN) {
        err = log_invalid(log, path, st.st_size > 0 ? "larger than any stub" : "empty");
        goto out;
    }
    *len = (size_t)st.st_size;
    *text = malloc(*len);
    if (!*text) {
        err = EF_NOMEM;
        goto out;
    }
    if (read_all(fd, *text, *len) != EF_OK)
        err = log_invalid(log, path, "cannot be read to its end");
out:
    close(fd);
    if (err != EF_OK) {
        free(*text);
        *text = NULL;
    }
    return err;
}

struct parser {
    const json_t *root;
    char reason[REASON_MAX];
};

static enum ef_err take_word(struct parser *p, const char *key, uint32_t *word)
{
    const json_t *value = json_object_get(p->root, key);
    if (!json_is_integer(value)) {
        snprintf(p->reason, sizeof(p->reason), "\"%s\" is %s", key,
                 value ? "not an integer" : "missing");
        return EF_INVALID;
    }
    json_int_t number = json_integer_value(value);
    if (number < 0 || number > UINT32_MAX) {
        snprintf(p->reason, sizeof(p->reason), "\"%s\" is not an address of 32 bits", key);
        return EF_INVALID;
    }
    *word = (uint32_t)number;
    return EF_OK;
}

static enum ef_err refuse_large(struct parser *p, const char *key)
{
    snprintf(p->reason, sizeof(p->reason), "\"%s\" is larger than %d bytes", key, SEGMENT_MAX_LEN);
    return EF_INVALID;
}

/* *bytes is the caller's to free, on failure too. */
static enum ef_err take_base64(struct parser *p, const char *key, uint8_t **bytes, size_t *len)
{
    const json_t *value = json_object_get(p->root, key);
    if (!json_is_string(value)) {
        snprintf(p->reason, sizeof(p->reason), "\"%s\" is %s", key,
                 value ? "not a string" : "missing");
        return EF_INVALID;
    }
    size_t encoded_len = json_string_length(value);
    size_t decoded_max = BASE64_DECODE_LENGTH(encoded_len);
    /* The estimate counts padding as data; what came out is measured below. */
    if (decoded_max > SEGMENT_MAX_LEN + BASE64_BINARY_BLOCK_SIZE)
        return refuse_large(p, key);
    *bytes = malloc(decoded_max + 1);
    if (!*bytes)
        return EF_NOMEM;
    struct base64_decode_ctx ctx;
    base64_decode_init(&ctx);
    *len = decoded_max;
    if (!base64_decode_update(&ctx, len, *bytes, encoded_len, json_string_value(value)) ||
        !base64_decode_final(&ctx)) {
        snprintf(p->reason, sizeof(p->reason), "\"%s\" is not sound base64", key);
        return EF_INVALID;
    }
    return *len > SEGMENT_MAX_LEN ? refuse_large(p, key) : EF_OK;
}

static enum ef_err check_range(struct parser *p, const char *key, uint32_t start, size_t len)
{
    if (ef_range_fits(start, len, UINT64_C(1) << 32))
        return EF_OK;
    snprintf(p->reason, sizeof(p->reason), "\"%s\" runs past the end of the address space", key);
    return EF_INVALID;
}

static enum ef_err take_text(struct parser *p, struct ef_stub *stub)
{
    enum ef_err err = take_word(p, "entry", &stub->entry);
    if (err == EF_OK)
        err = take_word(p, "text_start", &stub->text_start);
    if (err == EF_OK)
        err = take_base64(p, "text", &stub->text, &stub->text_len);
    if (err == EF_OK)
        err = check_range(p, "text", stub->text_start, stub->text_len);
    if (err != EF_OK)
        return err;
    if (stub->entry < stub->text_start || stub->entry - stub->text_start >= stub->text_len) {
        snprintf(p->reason, sizeof(p->reason), "\"entry\" 0x%08x lies outside \"text\"",
                 (unsigned)stub->entry);
        return EF_INVALID;
    }
    return EF_OK;
}

static enum ef_err take_data(struct parser *p, struct ef_stub *stub)
{
    if (!json_object_get(p->root, "data"))
        return EF_OK;
    enum ef_err err = take_word(p, "data_start", &stub->data_start);
    if (err == EF_OK)
        err = take_base64(p, "data", &stub->data, &stub->data_len);
    if (err == EF_OK)
        err = check_range(p, "data", stub->data_start, stub->data_len);
    return err;
}

enum ef_err ef_stub_load(const char *path, struct ef_log *log, struct ef_stub *stub)
{
    *stub = (struct ef_stub){0};
    if (strlen(path) >= sizeof(stub->path))
        return log_invalid(log, path, "path too long");
    char *text = NULL;
    size_t len = 0;
    enum ef_err err = read_file(path, log, &text, &len);
    if (err != EF_OK)
        return err;
    struct parser parser = {0};
    json_error_t where;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
    if (!root) {
        snprintf(parser.reason, sizeof(parser.reason), "not JSON: line %d: %.120s", where.line,
                 where.text);
        err = EF_INVALID;
        goto out;
    }
    parser.root = root;
    if (!json_is_object(root)) {
        snprintf(parser.reason, sizeof(parser.reason), "not a JSON object");
        err = EF_INVALID;
        goto out;
    }
    err = take_text(&parser, stub);
    if (err == EF_OK)
        err = take_data(&parser, stub);
out:
    json_decref(root);
    free(text);
    if (err == EF_INVALID)
        log_invalid(log, path, parser.reason);
    if (err != EF_OK)
        ef_stub_free(stub);
    else
        memcpy(stub->path, path, strlen(path) + 1);
    return err;
}

void ef_stub_free(struct ef_stub *stub)
{
    free(stub->text);
    free(stub->data);
    *stub = (struct ef_stub){0};
}
