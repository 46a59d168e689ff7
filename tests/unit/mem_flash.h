/*
 * A flash in memory at the bottom of a stack: NOR (programming only clears bits), counting,
 * tracing, and told by the test to fail, to hold an operation back, or to hit another place
 * than was meant and say nothing of it. The memory outlives the stack, which frees only the
 * layer. Any thread may look at it while a worker uses it.
 */
#ifndef EF_TEST_MEM_FLASH_H
#define EF_TEST_MEM_FLASH_H

#include "espflashfs/flash.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum mem_op { MEM_READ, MEM_WRITE, MEM_ERASE, MEM_DIGEST, MEM_RECOVER, MEM_REJOIN, MEM_OPS };

enum { MEM_TRACE = 1024, MEM_FIRMWARE = 0xF1F1 /* seeds what firmware writes */ };

struct mem_call {
    enum mem_op op;
    uint32_t addr, len;
};

struct mem_fault {
    unsigned after;    /* operations that still pass */
    unsigned times;    /* then so many fail */
    unsigned gap;      /* but so many pass between two that do */
    enum ef_err err;   /* EF_OK: they lie instead, by `shift` and `extra` */
    int64_t shift;     /* added to the address */
    uint32_t extra;    /* added to the length: an erase too far */
    bool act;          /* a failing write or erase does its work all the same */
    bool wrong_bytes;  /* a read returns other bytes */
    bool claims_blank; /* a digest says "blank" */
};

struct mem {
    uint8_t *bytes;
    uint32_t size;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    unsigned count[MEM_OPS];
    uint64_t sectors_written, sectors_erased, bytes_read;
    struct mem_fault fault[MEM_OPS];
    unsigned hold;               /* bits 1 << mem_op: such operations wait before they begin */
    unsigned hold_from[MEM_OPS]; /* counts of the operations that still pass */
    bool held;                   /* one waits now */
    unsigned stops_asked;        /* how often a read that waits asked whether to stop */
    bool freed;                  /* the layer was */
    bool tells_digests;          /* a read tells them on the way ... */
    unsigned digest_lies;        /* ... so many of which are wrong */
    bool shared;                 /* the last read was */
    bool firmware_writes;        /* while the board is away, to the sector ... */
    uint32_t firmware_addr;
    size_t calls;
    struct mem_call call[MEM_TRACE];
};

struct mem_flash {
    struct ef_flash flash; /* first */
    struct mem *mem;
};

/* A number generator for tests: the same numbers for the same seed. */
static inline uint32_t mem_random(uint32_t *state)
{
    /* The low bits of a linear generator repeat every block: hence the mixing. */
    *state = *state * UINT32_C(1664525) + UINT32_C(1013904223);
    uint32_t x = *state;
    x = (x ^ x >> 16) * UINT32_C(0x45D9F3B);
    return x ^ x >> 16;
}

static inline void mem_pattern(uint8_t *bytes, uint32_t len, uint32_t seed)
{
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)mem_random(&seed);
}

/* Filled with a pattern that has no blank sector and no two alike. */
static inline struct mem *mem_new(uint32_t size)
{
    struct mem *mem = calloc(1, sizeof(*mem));
    if (!mem || !(mem->bytes = malloc(size)))
        abort();
    mem->size = size;
    mem_pattern(mem->bytes, size, 0x5EED5EED);
    pthread_mutex_init(&mem->lock, NULL);
    pthread_cond_init(&mem->moved, NULL);
    return mem;
}

static inline void mem_free(struct mem *mem)
{
    pthread_mutex_destroy(&mem->lock);
    pthread_cond_destroy(&mem->moved);
    free(mem->bytes);
    free(mem);
}

static inline unsigned mem_count(struct mem *mem, enum mem_op op)
{
    pthread_mutex_lock(&mem->lock);
    unsigned n = mem->count[op];
    pthread_mutex_unlock(&mem->lock);
    return n;
}

static inline void mem_reset_counts(struct mem *mem)
{
    pthread_mutex_lock(&mem->lock);
    memset(mem->count, 0, sizeof(mem->count));
    mem->sectors_written = mem->sectors_erased = mem->bytes_read = 0;
    mem->calls = 0;
    pthread_mutex_unlock(&mem->lock);
}

static inline void mem_set_fault(struct mem *mem, enum mem_op op, struct mem_fault fault)
{
    pthread_mutex_lock(&mem->lock);
    mem->fault[op] = fault;
    pthread_mutex_unlock(&mem->lock);
}

static inline void mem_fail(struct mem *mem, enum mem_op op, unsigned times, enum ef_err err)
{
    mem_set_fault(mem, op, (struct mem_fault){.times = times, .err = err});
}

/* Holds back operations of the kind after the next `after` ones. */
static inline void mem_hold_after(struct mem *mem, enum mem_op op, unsigned after)
{
    pthread_mutex_lock(&mem->lock);
    mem->hold |= 1U << op;
    mem->hold_from[op] = mem->count[op] + after;
    pthread_mutex_unlock(&mem->lock);
}

static inline void mem_hold(struct mem *mem, enum mem_op op)
{
    mem_hold_after(mem, op, 0);
}

/* Blocks until an operation waits at the gate. */
static inline void mem_await_held(struct mem *mem)
{
    pthread_mutex_lock(&mem->lock);
    while (!mem->held)
        pthread_cond_wait(&mem->moved, &mem->lock);
    pthread_mutex_unlock(&mem->lock);
}

/* Of a read that waits at the gate: true if it waits on although it asked whether to stop. */
static inline bool mem_waits_on(struct mem *mem)
{
    pthread_mutex_lock(&mem->lock);
    unsigned asked = mem->stops_asked;
    while (mem->held && mem->stops_asked - asked < 2)
        pthread_cond_wait(&mem->moved, &mem->lock);
    bool waits = mem->held;
    pthread_mutex_unlock(&mem->lock);
    return waits;
}

static inline void mem_release(struct mem *mem)
{
    pthread_mutex_lock(&mem->lock);
    mem->hold = 0;
    pthread_cond_broadcast(&mem->moved);
    pthread_mutex_unlock(&mem->lock);
}

/* Under the lock: true if the read was told to stop while it waited at the gate. */
static inline bool mem_wait_gate(struct mem *mem, enum mem_op op, struct ef_read *r)
{
    bool stop = false;
    while ((mem->hold & 1U << op) && mem->count[op] > mem->hold_from[op] && !stop) {
        mem->held = true;
        pthread_cond_broadcast(&mem->moved);
        if (!r || !r->stop) {
            pthread_cond_wait(&mem->moved, &mem->lock);
            continue;
        }
        /* Nobody announces that a read is to stop: it is asked now and then. */
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec = until.tv_nsec < 999000000L ? until.tv_nsec + 1000000L : 0;
        until.tv_sec += until.tv_nsec == 0;
        pthread_cond_timedwait(&mem->moved, &mem->lock, &until);
        pthread_mutex_unlock(&mem->lock);
        stop = r->stop(r->user);
        pthread_mutex_lock(&mem->lock);
        mem->stops_asked++;
        pthread_cond_broadcast(&mem->moved);
    }
    mem->held = false;
    pthread_cond_broadcast(&mem->moved);
    return stop;
}

/* Under the lock: counts and traces; false if this operation is to pass unharmed. */
static inline bool mem_begin(struct mem *mem, enum mem_op op, uint32_t addr, uint32_t len,
                             struct mem_fault *fault)
{
    mem->count[op]++;
    if (mem->calls < MEM_TRACE)
        mem->call[mem->calls++] = (struct mem_call){op, addr, len};
    struct mem_fault *due = &mem->fault[op];
    *fault = *due;
    if (due->times == 0)
        return false;
    if (due->after > 0) {
        due->after--;
        return false;
    }
    due->times--;
    due->after = due->gap;
    return true;
}

static inline bool mem_has(const struct mem *mem, int64_t place, uint32_t len)
{
    return place >= 0 && place + (int64_t)len <= (int64_t)mem->size;
}

/* Moved by the fault's shift, and kept inside the flash. */
static inline uint32_t mem_place(const struct mem *mem, uint32_t addr, uint32_t len,
                                 const struct mem_fault *fault, bool faulty)
{
    int64_t place = (int64_t)addr + (faulty ? fault->shift : 0);
    if (!mem_has(mem, place, len))
        abort();
    return (uint32_t)place;
}

/* Of what is there, whatever the read brought. */
static inline void mem_tell_digest(struct mem *mem, const struct ef_read *r, uint32_t len)
{
    if (!mem->tells_digests || !r->digest)
        return;
    struct ef_digest digest = {.addr = r->addr + r->done, .len = len};
    ef_digest_bytes(mem->bytes + digest.addr, len, digest.md5);
    if (mem->digest_lies > 0) {
        mem->digest_lies--;
        digest.md5[3] ^= 0x40;
    }
    r->digest(r->user, &digest, ef_read_at(r));
}

static inline enum ef_err mem_read(struct ef_flash *f, struct ef_read *r)
{
    struct mem *mem = ((struct mem_flash *)f)->mem;
    struct mem_fault fault;
    pthread_mutex_lock(&mem->lock);
    bool faulty = mem_begin(mem, MEM_READ, r->addr, r->len, &fault);
    mem->shared = ef_read_is_shared(r);
    enum ef_err err = mem_wait_gate(mem, MEM_READ, r) ? EF_INTERRUPTED : EF_OK;
    while (err == EF_OK && r->done < r->len) {
        if (faulty && fault.err != EF_OK) {
            err = fault.err;
            break;
        }
        uint32_t n = ef_read_next_len(r, f->read_piece);
        uint32_t from = mem_place(mem, r->addr + r->done, n, &fault, faulty);
        uint8_t *buf = ef_read_at(r);
        memcpy(buf, mem->bytes + from, n);
        if (faulty && fault.wrong_bytes)
            buf[n / 2] ^= 0x10;
        mem->bytes_read += n;
        pthread_mutex_unlock(&mem->lock);
        mem_tell_digest(mem, r, n);
        err = ef_read_deliver(r, n);
        if (err == EF_OK && r->done < r->len && r->stop && r->stop(r->user))
            err = EF_INTERRUPTED;
        pthread_mutex_lock(&mem->lock);
    }
    pthread_mutex_unlock(&mem->lock);
    return err;
}

static inline enum ef_err mem_write(struct ef_flash *f, uint32_t addr, uint32_t len,
                                    const uint8_t *data)
{
    struct mem *mem = ((struct mem_flash *)f)->mem;
    struct mem_fault fault;
    pthread_mutex_lock(&mem->lock);
    bool faulty = mem_begin(mem, MEM_WRITE, addr, len, &fault);
    mem_wait_gate(mem, MEM_WRITE, NULL);
    bool failed = faulty && fault.err != EF_OK;
    if (!failed || fault.act) {
        uint32_t to = mem_place(mem, addr, len, &fault, faulty);
        memcpy(mem->bytes + to, data, len);
        mem->sectors_written += len / EF_SECTOR;
    }
    pthread_mutex_unlock(&mem->lock);
    return failed ? fault.err : EF_OK;
}

static inline enum ef_err mem_erase(struct ef_flash *f, uint32_t addr, uint32_t len)
{
    struct mem *mem = ((struct mem_flash *)f)->mem;
    struct mem_fault fault;
    pthread_mutex_lock(&mem->lock);
    bool faulty = mem_begin(mem, MEM_ERASE, addr, len, &fault);
    mem_wait_gate(mem, MEM_ERASE, NULL);
    bool failed = faulty && fault.err != EF_OK;
    if (!failed || fault.act) {
        uint32_t n = len + (faulty ? fault.extra : 0);
        memset(mem->bytes + mem_place(mem, addr, n, &fault, faulty), 0xFF, n);
        mem->sectors_erased += n / EF_SECTOR;
    }
    pthread_mutex_unlock(&mem->lock);
    return failed ? fault.err : EF_OK;
}

static inline enum ef_err mem_digest(struct ef_flash *f, struct ef_digest *list, size_t count)
{
    struct mem *mem = ((struct mem_flash *)f)->mem;
    enum ef_err err = EF_OK;
    pthread_mutex_lock(&mem->lock);
    for (struct ef_digest *d = list; d < list + count && err == EF_OK; d++) {
        struct mem_fault fault;
        bool faulty = mem_begin(mem, MEM_DIGEST, d->addr, d->len, &fault);
        mem_wait_gate(mem, MEM_DIGEST, NULL);
        if (faulty && fault.claims_blank)
            ef_digest_blank(d->len, d->md5);
        else if (faulty && fault.err == EF_OK && !mem_has(mem, d->addr + fault.shift, d->len))
            fault.err = EF_REJECTED; /* as a loader does past the flash's end */
        else if (!faulty || fault.err == EF_OK)
            ef_digest_bytes(mem->bytes + mem_place(mem, d->addr, d->len, &fault, faulty), d->len,
                            d->md5);
        err = faulty ? fault.err : EF_OK;
    }
    pthread_mutex_unlock(&mem->lock);
    return err;
}

static inline enum ef_err mem_recover(struct ef_flash *f)
{
    struct mem *mem = ((struct mem_flash *)f)->mem;
    struct mem_fault fault;
    pthread_mutex_lock(&mem->lock);
    bool faulty = mem_begin(mem, MEM_RECOVER, 0, 0, &fault);
    pthread_mutex_unlock(&mem->lock);
    return faulty ? fault.err : EF_OK;
}

static inline enum ef_err mem_rejoin(struct ef_flash *f, bool (*stop)(void *user), void *user)
{
    struct mem *mem = ((struct mem_flash *)f)->mem;
    struct mem_fault fault;
    pthread_mutex_lock(&mem->lock);
    bool faulty = mem_begin(mem, MEM_REJOIN, 0, 0, &fault);
    if (mem->firmware_writes)
        mem_pattern(mem->bytes + mem->firmware_addr, EF_SECTOR, MEM_FIRMWARE);
    mem->firmware_writes = false;
    pthread_mutex_unlock(&mem->lock);
    if (stop && stop(user))
        return EF_INTERRUPTED;
    f->absences += !faulty;
    return faulty ? fault.err : EF_OK;
}

static inline void mem_layer_free(struct ef_flash *f)
{
    ((struct mem_flash *)f)->mem->freed = true;
}

/* A layer over `mem`, which the caller keeps. */
static inline struct ef_flash *mem_flash_new(struct mem *mem)
{
    static const struct ef_flash_ops OPS = {.read = mem_read,
                                            .write = mem_write,
                                            .erase = mem_erase,
                                            .digest = mem_digest,
                                            .recover = mem_recover,
                                            .rejoin = mem_rejoin,
                                            .free = mem_layer_free};
    struct mem_flash *self = calloc(1, sizeof(*self));
    if (!self)
        abort();
    self->flash.ops = &OPS;
    self->flash.name = "memory";
    self->flash.size = mem->size;
    self->flash.read_piece = EF_BLOCK;
    self->mem = mem;
    return &self->flash;
}

/* How many traced calls of `op` touched any byte of [addr, addr+len). */
static inline unsigned mem_touched(struct mem *mem, enum mem_op op, uint32_t addr, uint32_t len)
{
    unsigned n = 0;
    pthread_mutex_lock(&mem->lock);
    for (size_t i = 0; i < mem->calls; i++) {
        const struct mem_call *call = &mem->call[i];
        n += call->op == op && call->addr < addr + len && addr < call->addr + call->len;
    }
    pthread_mutex_unlock(&mem->lock);
    return n;
}

#endif
