#include "loader_io.h"

#include "espflashfs/bytes.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    MIB = 1024 * 1024,
    DATA_HEADER = 16,
    STUB_WINDOW = 0x8000, /* a stub unpacks into it, and writes it when it is full */
    UNPACK_SLACK = 0x400, /* that it may be behind our own unpacking */
    FRONT_MIN = 2 * EF_BLOCK,
    TAIL_MIN = 16 /* bytes of the last block: more than deflate's end mark and checksum have */
};

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

/* A block of a transfer, and how it is sent. */
struct block {
    enum ef_op op;
    const uint8_t *data;
    uint32_t len, seq;
    int timeout_ms;
};

static ef_deadline block_deadline(struct ef_session *s, const struct block *block)
{
    return ef_deadline_in((int64_t)block->timeout_ms +
                          ef_link_wire_ms(&s->link, DATA_HEADER + (size_t)block->len));
}

static enum ef_err send_block(struct ef_session *s, const struct block *block)
{
    uint8_t *payload = malloc(DATA_HEADER + (size_t)block->len);
    if (!payload)
        return EF_NOMEM;
    ef_put_le32(payload, block->len);
    ef_put_le32(payload + 4, block->seq);
    ef_put_le32(payload + 8, 0);
    ef_put_le32(payload + 12, 0);
    memcpy(payload + DATA_HEADER, block->data, block->len);
    enum ef_err err =
        ef_command_send(&s->esp, block->op, payload, DATA_HEADER + (size_t)block->len,
                        ef_command_checksum(block->data, block->len), block_deadline(s, block));
    free(payload);
    return err;
}

static enum ef_err put_block(struct ef_session *s, const struct block *block)
{
    enum ef_err err = send_block(s, block);
    return err == EF_OK ? ef_command_receive(&s->esp, block->op, 0, block_deadline(s, block), NULL)
                        : err;
}

/*
 * The same, while the stub digests what it has written. It has no third buffer, so first it must
 * be idle: the answer to a small question says so.
 */
static enum ef_err put_block_beside(struct ef_session *s, const struct block *block,
                                    struct ef_digest *front)
{
    struct ef_digest small = {.addr = front->addr, .len = 1};
    enum ef_err err = ef_session_md5(s, &small);
    if (err == EF_OK)
        err = ef_session_md5_ask(s, front);
    if (err == EF_OK)
        err = send_block(s, block);
    if (err == EF_OK)
        err = ef_session_md5_hear(s, front);
    return err == EF_OK ? ef_command_receive(&s->esp, block->op, 0, block_deadline(s, block), NULL)
                        : err;
}

/* How many bytes come out of the first `len` packed ones. */
static uint32_t unpacked_len(const uint8_t *packed, uint32_t len)
{
    uint8_t out[EF_SECTOR];
    z_stream z = {.next_in = (uint8_t *)packed, .avail_in = len};
    if (inflateInit(&z) != Z_OK)
        return 0;
    int status = Z_OK;
    while (status == Z_OK) {
        z.next_out = out;
        z.avail_out = sizeof(out);
        status = inflate(&z, Z_NO_FLUSH);
    }
    uint32_t sum = (uint32_t)z.total_out;
    inflateEnd(&z);
    return sum;
}

/*
 * The front of the transfer that is on the flash, with no erase under way (which no read may
 * meet), once a stub has worked off `len` packed bytes. It writes a window when it is full, and
 * before that it has begun, and awaited, the erases up to its end. So there is none left where
 * what was written reaches into what the last erase is of.
 */
static uint32_t settled_len(uint32_t addr, uint32_t len, const uint8_t *packed, uint32_t packed_len)
{
    uint32_t end = addr + len;
    bool by_block = end % EF_BLOCK == 0 && len >= EF_BLOCK;
    uint32_t last_erase = end - (by_block ? EF_BLOCK : EF_SECTOR);
    uint32_t out = unpacked_len(packed, packed_len);
    uint32_t written = out > UNPACK_SLACK ? (out - UNPACK_SLACK) / STUB_WINDOW * STUB_WINDOW : 0;
    return addr + written > last_erase && written < len ? written : 0;
}

/* Beside which block, and of how much, a digest is asked for; front->len is 0 if of nothing. */
static uint32_t plan_front(const struct ef_session *s, const struct block *whole,
                           uint32_t block_size, uint32_t len, struct ef_digest *front)
{
    uint32_t beside = whole->len / block_size;
    bool worth = whole->len % block_size >= block_size / 2;
    if (!worth && beside > 0)
        beside--; /* the last one is short: beside the full one before it */
    if (beside > 0 && len >= FRONT_MIN && s->esp.stub && s->wire == EF_WIRE_UART)
        front->len = settled_len(front->addr, len, whole->data, beside * block_size);
    return beside;
}

/*
 * Where block `seq` begins in the packed bytes. Once all is unpacked and written a loader takes no
 * more, so that no block may hold the end of the stream alone: a short one takes some from the one
 * before it.
 */
static uint32_t block_start(const struct block *whole, uint32_t block_size, uint32_t seq)
{
    uint32_t at = ef_min_u32(seq * block_size, whole->len);
    uint32_t left = whole->len - at;
    return seq > 0 && left > 0 && left < TAIL_MIN ? at - TAIL_MIN : at;
}

static enum ef_err send_compressed(struct ef_session *s, uint32_t len, const struct block *whole,
                                   uint32_t block_size, struct ef_digest *front)
{
    uint8_t begin[20];
    uint32_t blocks = (whole->len + block_size - 1) / block_size;
    uint32_t beside = plan_front(s, whole, block_size, len, front);
    size_t begin_len = ef_loader_begin_payload(s, begin, len, blocks, block_size, front->addr);
    enum ef_err err = ef_command(&s->esp, EF_OP_FLASH_DEFL_BEGIN, begin, begin_len, 0, 0,
                                 whole->timeout_ms, NULL);
    for (uint32_t seq = 0; seq < blocks && err == EF_OK; seq++) {
        struct block block = *whole;
        uint32_t at = block_start(whole, block_size, seq);
        block.data += at;
        block.len = block_start(whole, block_size, seq + 1) - at;
        block.seq = seq;
        err =
            front->len && seq == beside ? put_block_beside(s, &block, front) : put_block(s, &block);
    }
    return err;
}

enum ef_err ef_loader_write(struct ef_session *s, uint32_t addr, uint32_t len, const uint8_t *data,
                            uint32_t block_size, struct ef_digest *front)
{
    struct ef_digest none;
    uLongf packed_len = compressBound(len);
    uint8_t *packed = malloc(packed_len);
    front = front ? front : &none;
    *front = (struct ef_digest){.addr = addr};
    if (!packed)
        return EF_NOMEM;
    enum ef_err err = EF_NOMEM;
    if (compress2(packed, &packed_len, data, len, Z_BEST_COMPRESSION) == Z_OK) {
        struct block whole = {.op = EF_OP_FLASH_DEFL_DATA,
                              .data = packed,
                              .len = (uint32_t)packed_len,
                              .timeout_ms = ef_loader_timeout_ms(len, EF_ERASE_S_PER_MIB)};
        err = send_compressed(s, len, &whole, block_size, front);
    }
    free(packed);
    if (err != EF_OK)
        front->len = 0;
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
        err = put_block(s, &(struct block){.op = EF_OP_FLASH_DATA,
                                           .data = data + at,
                                           .len = EF_ROM_WRITE_BLOCK,
                                           .seq = at / EF_ROM_WRITE_BLOCK,
                                           .timeout_ms = EF_COMMAND_TIMEOUT_MS});
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
    f->absences = s->absences;
    return err;
}

enum ef_err ef_loader_rejoin(struct ef_flash *f, bool (*stop)(void *user), void *user)
{
    struct ef_session *s = ef_loader_session(f);
    enum ef_err err = ef_session_return(s, stop, user);
    f->absences = s->absences;
    return err;
}
