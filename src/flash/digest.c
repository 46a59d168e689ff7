#include "espflashfs/flash.h"

#include "espflashfs/bytes.h"

#include <nettle/md5.h>
#include <string.h>

void ef_digest_bytes(const uint8_t *bytes, uint32_t len, uint8_t md5[EF_DIGEST_BYTES])
{
    struct md5_ctx ctx;
    md5_init(&ctx);
    md5_update(&ctx, len, bytes);
    md5_digest(&ctx, EF_DIGEST_BYTES, md5);
}

void ef_digest_then_blank(const uint8_t *bytes, uint32_t len, uint32_t blank_len,
                          uint8_t md5[EF_DIGEST_BYTES])
{
    uint8_t blank[EF_SECTOR];
    memset(blank, 0xFF, sizeof(blank));
    struct md5_ctx ctx;
    md5_init(&ctx);
    if (len > 0)
        md5_update(&ctx, len, bytes);
    for (uint32_t left = blank_len; left > 0;) {
        uint32_t take = ef_min_u32(left, sizeof(blank));
        md5_update(&ctx, take, blank);
        left -= take;
    }
    md5_digest(&ctx, EF_DIGEST_BYTES, md5);
}

void ef_digest_blank(uint32_t len, uint8_t md5[EF_DIGEST_BYTES])
{
    ef_digest_then_blank(NULL, 0, len, md5);
}
