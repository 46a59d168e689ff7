/*
 * The file of rates that ports were found to carry: whatever lies there, what is believed of it
 * is a rate; what is remembered is known again, and the file stays small.
 */
#include "fuzz.h"

#include "esp/baud.h"

enum { RATE_MAX = 10000000, FILE_MAX_BYTES = 128 * 1024, LINES_MAX = 64 };

static void check_memory(const struct ef_baud_memory *memory)
{
    REQUIRE(memory->good <= RATE_MAX && memory->failed <= RATE_MAX);
    REQUIRE(memory->good > 0 || (memory->failed == 0 && !memory->fresh));
}

static void check_file(const char *path)
{
    char *text = malloc(FILE_MAX_BYTES + 1);
    FILE *file = fopen(path, "r");
    REQUIRE(text && file);
    size_t len = fread(text, 1, FILE_MAX_BYTES + 1, file);
    fclose(file);
    size_t lines = 0;
    REQUIRE(len <= FILE_MAX_BYTES);
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    REQUIRE(lines > 0 && lines <= LINES_MAX && text[len - 1] == '\n');
    free(text);
}

static void name_port(struct ef_line *line, struct fuzz_input *in)
{
    const uint8_t *name;
    size_t len = fuzz_take(in, fuzz_u8(in), &name);
    line->usb_vid = fuzz_u8(in) % 2 ? 0x10C4 : 0;
    char *to = line->usb_vid ? line->usb_serial : line->name;
    size_t cap = line->usb_vid ? sizeof(line->usb_serial) : sizeof(line->name);
    snprintf(line->name, sizeof(line->name), "/dev/ttyUSB0");
    if (len > 0)
        snprintf(to, cap, "/%.*s", (int)len, (const char *)name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct ef_session *s = calloc(1, sizeof(*s));
    struct ef_line line = {.kind = "fuzz"};
    struct ef_baud_memory memory;
    char path[300];
    REQUIRE(s);
    name_port(&line, &in);
    uint32_t good = 1 + fuzz_u32(&in) % RATE_MAX;
    uint32_t failed = fuzz_u32(&in) % (RATE_MAX + 1);
    s->line = &line;
    s->config.state_folder = fuzz_folder();
    snprintf(path, sizeof(path), "%s/rates", fuzz_folder());
    fuzz_write_file(path, in.at, in.left);
    ef_baud_recall(s, &memory);
    check_memory(&memory);
    ef_baud_remember(s, good, failed);
    ef_baud_recall(s, &memory);
    REQUIRE(memory.good == good && memory.failed == failed && memory.fresh);
    check_file(path);
    free(s);
    return 0;
}
