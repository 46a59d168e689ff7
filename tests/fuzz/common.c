#include "fuzz.h"

#include <fcntl.h>
#include <unistd.h>

enum { LOG_LINE_MAX = 2 * 1024 + 32 };

char *fuzz_text(struct fuzz_input *in, size_t cap)
{
    const uint8_t *bytes;
    size_t len = fuzz_take(in, cap, &bytes);
    char *text = malloc(len + 1);
    REQUIRE(text);
    if (len > 0)
        memcpy(text, bytes, len);
    text[len] = '\0';
    return text;
}

const char *fuzz_folder(void)
{
    static char path[256];
    const char *parent = getenv("TMPDIR");
    if (path[0] == '\0') {
        snprintf(path, sizeof(path), "%.200s/ef-fuzz-XXXXXX", parent ? parent : "/tmp");
        REQUIRE(mkdtemp(path));
    }
    return path;
}

void fuzz_write_file(const char *path, const uint8_t *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    close(fd);
}

void fuzz_log_open(struct fuzz_log *log)
{
    ef_log_init(&log->log, "fuzz", EF_LOG_DEBUG);
    log->log.to_stderr = false;
    log->log.file = open_memstream(&log->text, &log->len);
    REQUIRE(log->log.file);
}

void fuzz_log_close(struct fuzz_log *log)
{
    ef_log_free(&log->log);
    REQUIRE(strlen(log->text) == log->len && fuzz_is_plain(log->text, true));
    for (const char *at = log->text; *at; at += strcspn(at, "\n") + 1)
        REQUIRE(strcspn(at, "\n") <= LOG_LINE_MAX);
    free(log->text);
}

bool fuzz_is_plain(const char *text, bool line_feeds)
{
    for (; *text; text++)
        if (((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7E) &&
            !(line_feeds && *text == '\n'))
            return false;
    return true;
}
