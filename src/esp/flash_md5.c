#include "espflashfs/session.h"

#include "espflashfs/bytes.h"

#include <nettle/base16.h>
#include <string.h>

/* From protocol.md, "Deadlines". */
enum { MD5_S_PER_MIB = 8, MIB = 1024 * 1024, MD5_HEX = 2 * EF_SESSION_MD5_BYTES };

static enum ef_err parse_hex(const uint8_t hex[MD5_HEX], uint8_t md5[EF_SESSION_MD5_BYTES])
{
    struct base16_decode_ctx ctx;
    size_t len = EF_SESSION_MD5_BYTES;
    base16_decode_init(&ctx);
    bool ok = base16_decode_update(&ctx, &len, md5, MD5_HEX, (const char *)hex) &&
              base16_decode_final(&ctx) && len == EF_SESSION_MD5_BYTES;
    return ok ? EF_OK : EF_FRAMING;
}

enum ef_err ef_session_md5(struct ef_session *s, uint32_t addr, uint32_t len,
                           uint8_t md5[EF_SESSION_MD5_BYTES])
{
    uint8_t payload[16] = {0};
    ef_put_le32(payload, addr);
    ef_put_le32(payload + 4, len);
    struct ef_reply reply;
    size_t reply_len = s->esp.stub ? EF_SESSION_MD5_BYTES : MD5_HEX;
    int timeout_ms = EF_COMMAND_TIMEOUT_MS + (int)((uint64_t)len * MD5_S_PER_MIB * 1000 / MIB);
    enum ef_err err = ef_command(&s->esp, EF_OP_SPI_FLASH_MD5, payload, sizeof(payload), 0,
                                 reply_len, timeout_ms, &reply);
    if (err != EF_OK)
        return err;
    if (!s->esp.stub)
        return parse_hex(reply.data, md5);
    memcpy(md5, reply.data, EF_SESSION_MD5_BYTES);
    return EF_OK;
}
