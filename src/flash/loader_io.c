#include "loader_io.h"

#include "espflashfs/bytes.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { MIB = 1024 * 1024, DATA_HEADER = 16 };

struct ef_loader_flash *ef_loader_flash_new(struct ef_session *session, const char *name,
                                            const struct ef_flash_ops *ops)
{
    struct ef_loader_flash *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->flash.ops = ops;
    self->flash.name = name;
    self->flash.size = session->flash_size;
    self->flash.log = session->log;
    self->session = session;
    session->esp.strays = &self->flash.strays;
    return self;
}

void ef_loader_note_read(struct ef_loader_flash *self, enum ef_err err)
{
    bool failed = err != EF_OK && err != EF_INTERRUPTED;
    self->other_cut = failed && self->session->wire != EF_WIRE_UART && !self->other_cut;
}

struct ef_session *ef_loader_session(struct ef_flash *f)
{
    return ((struct ef_loader_flash *)f)->session;
}

int ef_loader_timeout_ms(uint32_t len, int s_per_mib)
{
    return EF_COMMAND_TIMEOUT_MS + (int)((uint64_t)len * (uint64_t)s_per_mib * 1000 / MIB);
}

size_t ef_loader_begin_payload(const struct ef_session *s, uint8_t payload[20], uint32_t size,
                               uint32_t blocks, uint32_t block_size, uint32_t addr)
{
    ef_put_le32(payload, size);
    ef_put_le32(payload + 4, blocks);
    ef_put_le32(payload + 8, block_size);
    ef_put_le32(payload + 12, addr);
    ef_put_le32(payload + 16, 0); /* not encrypted */
    return !s->esp.stub && s->chip->rom_encrypt_word ? 20 : 16;
}

static enum ef_err send_block(struct ef_session *s, enum ef_op op, const uint8_t *data,
                              uint32_t len, uint32_t seq, int timeout_ms)
{
    uint8_t *payload = malloc(DATA_HEADER + (size_t)len);
    if (!payload)
        return EF_NOMEM;
    ef_put_le32(payload, len);
    ef_put_le32(payload + 4, seq);
    ef_put_le32(payload + 8, 0);
    ef_put_le32(payload + 12, 0);
    memcpy(payload + DATA_HEADER, data, len);
    enum ef_err err = ef_command(&s->esp, op, payload, DATA_HEADER + (size_t)len,
                                 ef_command_checksum(data, len), 0, timeout_ms, NULL);
    free(payload);
    return err;
}

static enum ef_err send_compressed(struct ef_session *s, uint32_t addr, uint32_t len,
                                   const uint8_t *packed, uint32_t packed_len, uint32_t block_size)
{
    int timeout_ms = ef_loader_timeout_ms(len, EF_ERASE_S_PER_MIB);
    uint8_t begin[20];
    uint32_t blocks = (packed_len + block_size - 1) / block_size;
    size_t begin_len = ef_loader_begin_payload(s, begin, len, blocks, block_size, addr);
    enum ef_err err =
        ef_command(&s->esp, EF_OP_FLASH_DEFL_BEGIN, begin, begin_len, 0, 0, timeout_ms, NULL);
    for (uint32_t seq = 0; seq < blocks && err == EF_OK; seq++) {
        uint32_t at = seq * block_size;
        err = send_block(s, EF_OP_FLASH_DEFL_DATA, packed + at,
                         ef_min_u32(block_size, packed_len - at), seq, timeout_ms);
    }
    return err;
}

enum ef_err ef_loader_write(struct ef_session *s, uint32_t addr, uint32_t len, const uint8_t *data,
                            uint32_t block_size)
{
    uLongf packed_len = compressBound(len);
    uint8_t *packed = malloc(packed_len);
    if (!packed)
        return EF_NOMEM;
    enum ef_err err = EF_NOMEM;
    if (compress2(packed, &packed_len, data, len, Z_BEST_COMPRESSION) == Z_OK)
        err = send_compressed(s, addr, len, packed, (uint32_t)packed_len, block_size);
    free(packed);
    return err;
}

static enum ef_err flash_begin(struct ef_session *s, uint32_t addr, uint32_t len)
{
    uint8_t payload[20];
    size_t n = ef_loader_begin_payload(s, payload, len, len / EF_ROM_WRITE_BLOCK,
                                       EF_ROM_WRITE_BLOCK, addr);
    return ef_command(&s->esp, EF_OP_FLASH_BEGIN, payload, n, 0, 0,
                      ef_loader_timeout_ms(len, EF_ERASE_S_PER_MIB), NULL);
}

enum ef_err ef_loader_write_plain(struct ef_session *s, uint32_t addr, uint32_t len,
                                  const uint8_t *data)
{
    enum ef_err err = flash_begin(s, addr, len);
    for (uint32_t at = 0; at < len && err == EF_OK; at += EF_ROM_WRITE_BLOCK)
        err = send_block(s, EF_OP_FLASH_DATA, data + at, EF_ROM_WRITE_BLOCK,
                         at / EF_ROM_WRITE_BLOCK, EF_COMMAND_TIMEOUT_MS);
    return err;
}

enum ef_err ef_loader_erase_by_begin(struct ef_session *s, uint32_t addr, uint32_t len)
{
    return flash_begin(s, addr, len);
}

/* How many of the list can be asked for as a row of glimpses. */
static size_t glimpses(const struct ef_loader_flash *self, const struct ef_digest *list,
                       size_t count)
{
    size_t n = 0;
    if (self->in_pairs || !self->session->esp.stub || self->session->wire != EF_WIRE_UART)
        return 0;
    while (n < count && n < EF_GLIMPSES_IN_FLIGHT && list[n].len <= EF_GLIMPSE_MAX)
        n++;
    return n;
}

enum ef_err ef_loader_digest(struct ef_flash *f, struct ef_digest *list, size_t count)
{
    struct ef_loader_flash *self = (struct ef_loader_flash *)f;
    struct ef_session *s = self->session;
    enum ef_err err = EF_OK;
    for (size_t i = 0; i < count && err == EF_OK;) {
        size_t n = glimpses(self, list + i, count - i);
        if (n > 2) {
            err = ef_session_md5_glimpses(s, list + i, n);
            self->in_pairs = err != EF_OK;
        } else {
            n = ef_min_u32((uint32_t)(count - i), 2);
            err = n == 2 ? ef_session_md5_pair(s, &list[i], &list[i + 1])
                         : ef_session_md5(s, &list[i]);
        }
        i += n;
    }
    return err;
}

void ef_loader_free(struct ef_flash *f)
{
    ef_loader_session(f)->esp.strays = NULL;
}

enum ef_err ef_loader_recover(struct ef_flash *f)
{
    struct ef_session *s = ef_loader_session(f);
    enum ef_err err = ef_session_recover(s);
    f->slowdowns = s->rates.slowdowns;
    return err;
}
