/*
 * What is written to `erase`: a range that is taken lies inside the flash and is of whole
 * sectors; its own numbers, written out, mean the same; a refusal is one line that says why.
 */
#include "fuzz.h"

#include "espflashfs/node.h"

#include <inttypes.h>

enum { WHY_CAP = 512 };

static void require_means(const char *text, uint32_t size, const struct ef_erase_request *wanted)
{
    struct ef_erase_request request;
    char why[WHY_CAP];
    REQUIRE(ef_erase_parse(text, strlen(text), size, &request, why, sizeof(why)) == EF_OK);
    REQUIRE(request.off == wanted->off && request.len == wanted->len);
}

static void require_means_the_same(const struct ef_erase_request *request, uint32_t size)
{
    char text[128];
    snprintf(text, sizeof(text), "0x%" PRIx64 " 0x%" PRIx64, request->off, request->len);
    require_means(text, size, request);
    snprintf(text, sizeof(text), " %" PRIu64 "K\t%" PRIu64 "kiB\n", request->off / 1024,
             request->len / 1024);
    require_means(text, size, request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint32_t flash_size = ((uint32_t)fuzz_u16(&in) + 1) * EF_SECTOR;
    const uint8_t *text;
    size_t len = fuzz_take(&in, size, &text);
    /* Not terminated, and with nothing behind it that could be read. */
    char *copy = malloc(len ? len : 1);
    struct ef_erase_request request = {0};
    char *why = malloc(WHY_CAP);
    REQUIRE(copy && why);
    if (len > 0)
        memcpy(copy, text, len);
    memset(why, 'x', WHY_CAP);
    enum ef_err err = ef_erase_parse(copy, len, flash_size, &request, why, WHY_CAP);
    REQUIRE(err == EF_OK || err == EF_INVALID);
    if (err == EF_OK) {
        REQUIRE(request.len > 0 && request.off % EF_SECTOR == 0 && request.len % EF_SECTOR == 0);
        REQUIRE(request.off < flash_size && request.len <= flash_size - request.off);
        require_means_the_same(&request, flash_size);
    } else {
        REQUIRE(memchr(why, '\0', WHY_CAP) && strncmp(why, "erase: ", 7) == 0);
        REQUIRE(fuzz_is_plain(why, false));
    }
    free(why);
    free(copy);
    return 0;
}
