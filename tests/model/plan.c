#include "plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    KIB = 1024,
    SECTOR = 4096,
    BLOCK = 65536,
    PHASE_MAX = 48,   /* operations between two barriers */
    FAULT_QUICK = 12, /* operations to a fault ... */
    FAULT_SLOW = 80,  /* ... where timeouts take their time */
    READ_MAX = 128 * KIB,
    SMALL_CACHE = 2048 * KIB
};

struct maker {
    struct plan *plan;
    uint64_t random;
    uint32_t stripe; /* bytes; they go round the threads, each of which writes its own */
    uint32_t hot;    /* where things happen */
};

static uint32_t below(struct maker *m, uint32_t n)
{
    return (uint32_t)(op_random(&m->random) % n);
}

static bool one_in(struct maker *m, uint32_t n)
{
    return below(m, n) == 0;
}

/* Lengths of all magnitudes, often just round a sector's. */
static uint32_t any_len(struct maker *m, uint32_t most)
{
    static const uint32_t BOUNDS[] = {16, 16, 256, SECTOR, SECTOR, 4 * SECTOR, BLOCK, READ_MAX};
    uint32_t bound = BOUNDS[below(m, sizeof(BOUNDS) / sizeof(BOUNDS[0]))];
    uint32_t len = one_in(m, 3) ? bound : 1 + below(m, bound);
    return len < most ? len : most;
}

static uint32_t any_off(struct maker *m)
{
    uint32_t size = m->plan->size;
    if (one_in(m, 6))
        m->hot = below(m, size);
    uint32_t off = one_in(m, 4) ? below(m, size) : m->hot + below(m, 6 * SECTOR);
    if (one_in(m, 2))
        off -= off % SECTOR;
    return off % size;
}

/* A range that is the thread's own; false if the offset is not, or if too little is. */
static bool own_range(struct maker *m, struct op *op, uint32_t off, uint32_t len, uint32_t align)
{
    uint32_t stripe = off / m->stripe;
    if (stripe % m->plan->threads != op->thread) {
        stripe = stripe - stripe % m->plan->threads + op->thread;
        off = stripe * m->stripe + off % m->stripe;
    }
    uint32_t from = (off + align - 1) / align * align;
    uint64_t end = (uint64_t)(stripe + 1) * m->stripe;
    if (end > m->plan->size)
        end = m->plan->size;
    uint64_t to = (uint64_t)from + len < end ? (uint64_t)from + len : end / align * align;
    if (from >= to)
        return false;
    op->off = from;
    op->len = (uint32_t)(to - from) / align * align;
    return op->len > 0;
}

/* What lies wholly in one of the thread's stripes, if there is but one: to be looked at when it
 * is durable. */
static void own_all(struct maker *m, struct op *op)
{
    op->off = 0;
    op->len = 0;
    if (m->stripe >= BLOCK && !own_range(m, op, op->thread * m->stripe, m->stripe, SECTOR))
        op->len = 0;
}

static void make_write(struct maker *m, struct op *op)
{
    op->kind = OP_WRITE;
    op->detail = (uint8_t)below(m, FILLS);
    if (!own_range(m, op, any_off(m), any_len(m, READ_MAX), 1))
        op->kind = OP_READ;
}

static void make_erase(struct maker *m, struct op *op)
{
    op->kind = OP_ERASE;
    uint32_t len = SECTOR * (1 + below(m, one_in(m, 4) ? 40 : 4));
    if (m->stripe < 2 * SECTOR || !own_range(m, op, any_off(m), len, SECTOR))
        make_write(m, op);
}

static void make_read(struct maker *m, struct op *op)
{
    uint32_t size = m->plan->size;
    op->kind = one_in(m, 4) ? OP_MAP_READ : OP_READ;
    op->off = any_off(m);
    op->len = any_len(m, size - op->off);
    if (!one_in(m, 12))
        return;
    op->kind = OP_SCAN;
    op->len = 1 + below(m, size - op->off);
}

/* What changes nothing, and what is refused. */
static void make_odd(struct maker *m, struct op *op)
{
    static const uint8_t KINDS[] = {OP_TRUNCATE,   OP_FTRUNCATE, OP_FALLOCATE,
                                    OP_WRITE_PAST, OP_APPEND,    OP_FTRUNCATE};
    op->kind = KINDS[below(m, sizeof(KINDS))];
    op->off = 1 + below(m, m->plan->size + SECTOR); /* emptied, the file is to be replaced */
    op->len = 1 + below(m, 2 * SECTOR);
    if (op->kind == OP_FALLOCATE && !m->plan->limits.through_fuse)
        op->kind = OP_FTRUNCATE; /* the front's own work */
    if (op->kind != OP_WRITE_PAST)
        return;
    op->off = m->plan->size - below(m, op->len);
    if (m->plan->limits.through_fuse)
        op->off =
            m->plan->size + op->len % SECTOR; /* a kernel may write what fits, and say how much */
}

static void make_replace(struct maker *m, struct op *op)
{
    if (m->plan->threads > 1 && m->stripe < BLOCK) {
        make_write(m, op);
        return;
    }
    uint32_t own = m->stripe < m->plan->size ? m->stripe : m->plan->size;
    op->kind = OP_REPLACE;
    op->thread = 0; /* whose stripe is the first */
    op->detail = (uint8_t)below(m, FILL_SAME);
    op->off = 0;
    op->len = 1 + below(m, own < 256 * KIB ? own : 256 * KIB);
}

static void make_fault(struct maker *m, struct op *op)
{
    op->kind = OP_FAULT;
    op->detail = (uint8_t)below(m, one_in(m, 4) ? FAULT_KINDS : FAULT_HANG_UP);
    op->off = below(m, one_in(m, 2) ? 64 : 6000);
    op->len = 1 + below(m, 8);
    if (op->detail == FAULT_SILENCE_IN || op->detail == FAULT_SILENCE_OUT)
        op->len = 1 + below(m, 600);
    if (op->detail == FAULT_REJECT)
        op->off = below(m, 8);
}

static void make_op(struct maker *m, struct op *op)
{
    op->thread = (uint8_t)below(m, m->plan->threads);
    op->seed = (uint32_t)op_random(&m->random);
    uint32_t dice = below(m, 100);
    if (m->plan->limits.faults &&
        one_in(m, m->plan->limits.through_fuse ? FAULT_SLOW : FAULT_QUICK))
        make_fault(m, op);
    else if (dice < 42)
        make_read(m, op);
    else if (dice < 45)
        make_odd(m, op);
    else if (dice < 49)
        make_erase(m, op);
    else if (dice < 53) {
        op->kind = one_in(m, 2) ? OP_FSYNC : OP_REOPEN;
        own_all(m, op);
    } else if (dice == 53 && one_in(m, 2))
        make_replace(m, op);
    else
        make_write(m, op);
}

static void make_barrier(struct maker *m, struct op *op)
{
    uint32_t dice = below(m, 100);
    memset(op, 0, sizeof(*op));
    op->seed = (uint32_t)op_random(&m->random);
    if (dice < 45)
        op->kind = OP_SYNC_ALL;
    else if (dice < 62)
        op->kind = OP_JOIN;
    else if (dice < 70)
        op->kind = OP_READ_ALL;
    else if (dice < 79)
        op->kind = OP_REMOUNT;
    else if (dice < 97)
        op->kind = OP_KILL;
    else if (dice < 99) {
        op->kind = OP_REPLACE_ALL;
        op->detail = (uint8_t)below(m, FILL_SAME);
        op->len = 1 + below(m, m->plan->size);
    } else
        op->kind = OP_ERASE_ALL;
}

static void choose_stripe(struct maker *m)
{
    uint32_t even = m->plan->size / m->plan->threads;
    switch (below(m, 4)) {
    case 0:
        m->stripe = 1 + below(m, 3 * SECTOR); /* several in a sector */
        break;
    case 1:
        m->stripe = SECTOR * (1 + below(m, 32));
        break;
    case 2:
        m->stripe = even / SECTOR * SECTOR;
        break;
    default:
        m->stripe = even;
    }
    if (m->plan->threads == 1)
        m->stripe = m->plan->size;
}

static void make_ops(struct maker *m)
{
    struct plan *plan = m->plan;
    plan->ops = calloc(plan->limits.ops, sizeof(*plan->ops));
    if (!plan->ops)
        abort();
    plan->count = plan->limits.ops;
    for (size_t i = 0; i < plan->count;) {
        uint32_t phase = 1 + below(m, PHASE_MAX);
        choose_stripe(m);
        for (; phase > 0 && i + 1 < plan->count; phase--)
            make_op(m, &plan->ops[i++]);
        make_barrier(m, &plan->ops[i++]);
    }
}

static void choose_board(struct maker *m)
{
    static const struct {
        const char *chip;
        bool stub;
    } LOADERS[] = {{"esp8266", true}, {"esp32", true},    {"esp32c3", true}, {"esp32s3", true},
                   {"esp32", false},  {"esp32c3", false}, {"esp32s3", false}};
    static const uint32_t SIZES[] = {512 * KIB,  512 * KIB,  512 * KIB, 1024 * KIB,
                                     1024 * KIB, 2048 * KIB, 4096 * KIB};
    struct plan *plan = m->plan;
    uint32_t loader = below(m, sizeof(LOADERS) / sizeof(LOADERS[0]));
    plan->chip = LOADERS[loader].chip;
    plan->stub = LOADERS[loader].stub;
    plan->size = SIZES[below(m, sizeof(SIZES) / sizeof(SIZES[0]))];
    plan->cache_size = one_in(m, 2) ? SMALL_CACHE : 2 * 4096 * KIB;
    plan->keeps_image = one_in(m, 2);
    plan->keeps_journal = plan->limits.faults || !one_in(m, 6);
    plan->fill = (enum plan_fill)below(m, 3);
}

void plan_make(struct plan *plan, uint64_t seed, const struct plan_limits *limits)
{
    struct maker m = {.plan = plan, .random = seed};
    unsigned most = limits->threads ? limits->threads : 5;
    memset(plan, 0, sizeof(*plan));
    plan->seed = seed;
    plan->limits = *limits;
    choose_board(&m);
    plan->threads = 1 + below(&m, most);
    make_ops(&m);
}

void plan_free(struct plan *plan)
{
    free(plan->ops);
    plan->ops = NULL;
}

void plan_contents(const struct plan *plan, uint8_t *bytes)
{
    uint64_t random = plan->seed ^ 0x5EED;
    for (uint32_t off = 0; off < plan->size; off += SECTOR) {
        uint64_t word = op_random(&random);
        struct op op = {.detail = FILL_BLANK, .len = SECTOR, .seed = (uint32_t)word};
        if (plan->fill == PLAN_FULL)
            op.detail = FILL_RANDOM;
        else if (plan->fill == PLAN_MIXED)
            op.detail = (uint8_t)((word >> 40) % FILL_SAME);
        if (plan->fill == PLAN_MIXED && (word >> 60) > 8)
            op.seed %= 3; /* some sectors are alike */
        op_fill(&op, bytes + off);
    }
}

void plan_print(const struct plan *plan, FILE *out)
{
    static const char *const FILLED[] = {"blank", "full", "mixed"};
    bool quiet = true;
    fprintf(out,
            "episode %" PRIu64 ": %s, %s, %u KiB, %s, cache_size=%uK, cache=%s, "
            "journal=%s, %u threads\n",
            plan->seed, plan->chip, plan->stub ? "stub" : "ROM", plan->size / KIB,
            FILLED[plan->fill], plan->cache_size / KIB, plan->keeps_image ? "DIR" : "none",
            plan->keeps_journal ? "DIR" : "none", plan->threads);
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->ops[i].kind == OP_JOIN && quiet)
            continue;
        fputs("  ", out);
        op_print(&plan->ops[i], out);
        quiet = plan->ops[i].kind == OP_JOIN;
    }
}
