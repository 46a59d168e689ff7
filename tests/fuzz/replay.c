/* replay_NAME FILE...: runs the target over each file, without a fuzzer. Any compiler. */
#include "fuzz.h"

enum { FILE_MAX_BYTES = 1 << 20 };

static void replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *whole = malloc(FILE_MAX_BYTES);
    REQUIRE(file && whole);
    size_t len = fread(whole, 1, FILE_MAX_BYTES, file);
    REQUIRE(feof(file));
    fclose(file);
    /* Of the exact size, so that a byte read behind it is seen. */
    uint8_t *bytes = malloc(len ? len : 1);
    REQUIRE(bytes);
    memcpy(bytes, whole, len);
    free(whole);
    LLVMFuzzerTestOneInput(bytes, len);
    free(bytes);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    return argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
