/*
 * Random operations on a mount beside a plain array. See --help; tests/model/run builds it and
 * runs it.
 */
#include "runs.h"

#include "espflashfs/text.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EPISODE_OPS = 1000, PATIENCE_S = 60, EXIT_USAGE = 2, EXIT_SKIPPED = 77 };

enum { SHRINK_RUNS = 500, SHRINK_SECONDS = 120, SHRINK_PATIENCE_S = 10 };

enum faults { FAULTS_NO, FAULTS_YES, FAULTS_BOTH };

struct options {
    uint64_t ops, seeds, seed, episode, episode_ops;
    uint64_t threads, patience_s;
    bool has_seed, has_episode, through_fuse, in_turn, trace;
    enum faults faults;
    enum breakage breakage;
    const char *folder;
};

struct totals {
    uint64_t episodes, ops, failed, bytes, checks, reads, reported;
    struct subject_sums sums;
};

static const char HELP[] =
    "model: random operations on a mount beside a plain array\n\n"
    "  --ops N          operations in all (10000)\n"
    "  --seeds N        over so many seeds (1)\n"
    "  --seed N         the first of them; random if not given, and printed\n"
    "  --faults WHICH   no, yes, both: every other episode (both)\n"
    "  --mount          through a mount and a board of their own processes ($EF_BUILD)\n"
    "  --threads N      at most (5)\n"
    "  --in-turn        the threads' operations one after another\n"
    "  --episode N      this one alone, as a failure names it\n"
    "  --episode-ops N  operations of one board (1000)\n"
    "  --break WHAT     drop: a write is not done; change: a byte changes by itself; hang: a\n"
    "                   write never ends; torn: no journal. Such a run has to fail\n"
    "  --patience S     seconds without a step that count as a deadlock (60)\n"
    "  --trace          print the operations before they are played\n"
    "  --folder DIR     for what it keeps on disk ($TMPDIR, or /tmp)\n";

static bool number(const char *text, uint64_t *value)
{
    return ef_text_to_u64(text, value) == EF_OK;
}

static bool word(const char *text, const char *const *words, int count, int *value)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            *value = i;
            return true;
        }
    }
    return false;
}

static bool take_option(struct options *o, int code, const char *text)
{
    static const char *const FAULTS[] = {"no", "yes", "both"};
    static const char *const BREAKS[] = {"nothing", "drop", "change", "hang", "torn"};
    int value = 0;
    bool good = true;
    switch (code) {
    case 'o':
        return number(text, &o->ops) && o->ops > 0;
    case 's':
        return number(text, &o->seeds) && o->seeds > 0;
    case 'S':
        o->has_seed = true;
        return number(text, &o->seed);
    case 'e':
        o->has_episode = true;
        return number(text, &o->episode);
    case 'E':
        return number(text, &o->episode_ops) && o->episode_ops > 0;
    case 't':
        return number(text, &o->threads) && o->threads <= TRUTH_THREADS;
    case 'p':
        return number(text, &o->patience_s) && o->patience_s > 0 && o->patience_s < 100000;
    case 'f':
        good = word(text, FAULTS, 3, &value);
        o->faults = (enum faults)value;
        return good;
    case 'b':
        good = word(text, BREAKS, 5, &value);
        o->breakage = (enum breakage)value;
        return good;
    case 'm':
        return o->through_fuse = true;
    case 'i':
        return o->in_turn = true;
    case 'T':
        return o->trace = true;
    case 'd':
        o->folder = text;
        return true;
    default:
        return false;
    }
}

static bool parse(struct options *o, int argc, char **argv)
{
    static const struct option LONG[] = {
        {"ops", required_argument, NULL, 'o'},         {"seeds", required_argument, NULL, 's'},
        {"seed", required_argument, NULL, 'S'},        {"episode", required_argument, NULL, 'e'},
        {"episode-ops", required_argument, NULL, 'E'}, {"threads", required_argument, NULL, 't'},
        {"patience", required_argument, NULL, 'p'},    {"faults", required_argument, NULL, 'f'},
        {"break", required_argument, NULL, 'b'},       {"mount", no_argument, NULL, 'm'},
        {"in-turn", no_argument, NULL, 'i'},           {"trace", no_argument, NULL, 'T'},
        {"folder", required_argument, NULL, 'd'},      {NULL, 0, NULL, 0}};
    int code;
    while ((code = getopt_long(argc, argv, "", LONG, NULL)) != -1)
        if (!take_option(o, code, optarg))
            return false;
    return optind == argc;
}

static void add(struct totals *t, const struct report *r)
{
    t->episodes++;
    t->ops += r->ops;
    t->failed += r->failed;
    t->bytes += r->bytes;
    t->checks += r->checks;
    t->reads += r->reads;
    t->reported += r->reported;
    t->sums.wire_bytes += r->sums.wire_bytes;
    t->sums.board_ns += r->sums.board_ns;
    t->sums.erases += r->sums.erases;
    t->sums.programs += r->sums.programs;
    t->sums.faults += r->sums.faults;
    t->sums.strays += r->sums.strays;
}

static void print_in_hand(const struct plan *plan, const struct report *report)
{
    for (unsigned t = 0; t < plan->threads; t++) {
        if (report->at[t] == 0 || report->at[t] > plan->count)
            continue;
        printf("  in hand: ");
        op_print(&plan->ops[report->at[t] - 1], stdout);
    }
}

static void explain(struct plan *plan, struct player_config *config, struct report *report,
                    int status)
{
    static const struct shrink_bounds BOUNDS = {.runs = SHRINK_RUNS, .seconds = SHRINK_SECONDS};
    printf("episode %" PRIu64 "%s: %s: %s\n", plan->seed, plan->limits.faults ? " with faults" : "",
           runs_status_text(status), report->why);
    print_in_hand(plan, report);
    fflush(stdout);
    size_t all = plan->count;
    config->patience_s =
        config->patience_s < SHRINK_PATIENCE_S ? config->patience_s : SHRINK_PATIENCE_S;
    unsigned runs = runs_shrink(plan, config, report, &BOUNDS);
    printf("the least of %zu operations that fails, after %u runs%s: %s\n", all, runs,
           config->in_turn ? ", in turn" : "", report->why);
    print_in_hand(plan, report);
    plan_print(plan, stdout);
    printf("all of it again: --episode %" PRIu64 " --episode-ops %u --faults %s%s --threads %u\n",
           plan->seed, plan->limits.ops, plan->limits.faults ? "yes" : "no",
           plan->limits.through_fuse ? " --mount" : "", plan->limits.threads);
    fflush(stdout);
}

/* Plays one episode; its status. */
static int play_episode(const struct options *o, uint64_t seed, bool faults, struct report *report,
                        struct totals *totals)
{
    struct plan_limits limits = {.ops = (unsigned)o->episode_ops,
                                 .faults = faults,
                                 .through_fuse = o->through_fuse,
                                 .threads = (unsigned)o->threads};
    struct player_config config = {.breakage = o->breakage,
                                   .in_turn = o->in_turn,
                                   .patience_s = (int)o->patience_s,
                                   .folder = o->folder};
    struct plan plan;
    plan_make(&plan, seed, &limits);
    if (o->trace)
        plan_print(&plan, stdout);
    int status = runs_play(&plan, &config, report, false);
    add(totals, report);
    if (runs_is_finding(status))
        explain(&plan, &config, report, status);
    plan_free(&plan);
    return status;
}

static void print_totals(const char *what, const struct totals *t, int64_t ms)
{
    enum { WIRE_BYTES_PER_S = 92160 };
    printf("%s: %" PRIu64 " operations in %" PRIu64 " episodes, %.1f s; %" PRIu64
           " MiB moved; %" PRIu64 " reads judged; the chip compared %" PRIu64 " times; %" PRIu64
           " sector erases, %" PRIu64 " pages; %.0f s at 921600 baud, %.0f s of the flash",
           what, t->ops, t->episodes, (double)ms / 1000, t->bytes >> 20, t->reads, t->checks,
           t->sums.erases, t->sums.programs, (double)t->sums.wire_bytes / WIRE_BYTES_PER_S,
           (double)t->sums.board_ns / 1e9);
    if (t->sums.faults)
        printf("; %" PRIu64 " faults, %" PRIu64 " calls failed, %" PRIu64 " strays, %" PRIu64
               " sectors reported as hit",
               t->sums.faults, t->failed, t->sums.strays, t->reported);
    printf("\n");
    fflush(stdout);
}

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void add_totals(struct totals *all, const struct totals *t)
{
    struct report r = {.ops = t->ops,
                       .failed = t->failed,
                       .bytes = t->bytes,
                       .checks = t->checks,
                       .reads = t->reads,
                       .reported = t->reported,
                       .sums = t->sums};
    add(all, &r);
    all->episodes += t->episodes - 1;
}

/* All episodes of one seed. */
static int play_seed(const struct options *o, uint64_t seed, struct report *report,
                     struct totals *all)
{
    struct totals totals = {0};
    uint64_t random = seed;
    uint64_t wanted = (o->ops + o->seeds - 1) / o->seeds;
    int status = PLAYED_RIGHT;
    int64_t began = now_ms();
    char name[64];
    for (uint64_t i = 0; totals.ops < wanted && status == PLAYED_RIGHT; i++) {
        bool faults = o->faults == FAULTS_YES || (o->faults == FAULTS_BOTH && i % 2);
        status = play_episode(o, op_random(&random), faults, report, &totals);
    }
    snprintf(name, sizeof(name), "seed %" PRIu64 " %s", seed,
             status == PLAYED_RIGHT ? "right" : "FAILED");
    print_totals(name, &totals, now_ms() - began);
    add_totals(all, &totals);
    return status;
}

static int play_all(const struct options *o)
{
    struct report *report = runs_report_new();
    struct totals all = {0};
    int64_t began = now_ms();
    int worst = PLAYED_RIGHT;
    if (o->has_episode)
        worst = play_episode(o, o->episode, o->faults == FAULTS_YES, report, &all);
    for (uint64_t i = 0; i < o->seeds && !o->has_episode; i++) {
        int status = play_seed(o, o->seed + i, report, &all);
        worst = status != PLAYED_RIGHT ? status : worst;
        if (status == PLAYED_NOWHERE)
            break;
    }
    print_totals(worst == PLAYED_RIGHT ? "all right" : "FAILED", &all, now_ms() - began);
    if (worst == PLAYED_NOWHERE)
        return EXIT_SKIPPED;
    return worst == PLAYED_RIGHT ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    const char *tmp = getenv("TMPDIR");
    struct options o = {.ops = 10000,
                        .seeds = 1,
                        .episode_ops = EPISODE_OPS,
                        .threads = 5,
                        .patience_s = PATIENCE_S,
                        .faults = FAULTS_BOTH,
                        .folder = tmp && tmp[0] ? tmp : "/tmp"};
    if (!parse(&o, argc, argv)) {
        fputs(HELP, stderr);
        return EXIT_USAGE;
    }
    if (!o.has_seed) {
        uint64_t clock = (uint64_t)now_ms();
        o.seed = op_random(&clock) % 1000000;
    }
    return play_all(&o);
}
