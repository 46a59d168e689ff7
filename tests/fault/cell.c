#include "cell.h"

#include "dice.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HUNG_S = 300, STATUS_FAILED = 9 };

/* Between the process that runs and the one that watches. */
struct shared {
    struct sw_footprint print;
    struct sw_tally tally;
    uint64_t next; /* the first that is not done */
    bool running;  /* and it is under way */
    struct sw_point at;
};

/* The points of a cell by number: all of them, some evenly spread, or a sample. */
struct points {
    const struct sw_footprint *print;
    enum sw_fault fault;
    uint64_t all, count, every;
    uint64_t seed;
    bool sampled;
};

static uint64_t count_all(const struct sw_footprint *print, enum sw_fault fault)
{
    uint64_t all = 0;
    for (uint32_t k = 1; k <= sw_steps(print, fault); k++)
        all += sw_variants(print, fault, k);
    return all;
}

static struct points points_of(const struct sw_cell *cell, const struct sw_footprint *print)
{
    const struct sw_options *o = cell->options;
    struct points p = {
        .print = print, .fault = cell->fault, .seed = o->seed, .sampled = o->sample > 0};
    p.all = count_all(print, cell->fault);
    p.every = 1;
    if (o->at_most && !p.sampled)
        p.every = (p.all + o->at_most - 1) / o->at_most;
    p.every += p.every == 0;
    p.count = p.sampled && p.all > o->sample ? o->sample : (p.all + p.every - 1) / p.every;
    p.sampled = p.sampled && p.all > o->sample;
    return p;
}

static struct sw_point point_of(const struct points *p, uint64_t i)
{
    uint64_t dice = (p->seed + 1) * 0x9E3779B97F4A7C15ULL + (uint64_t)p->fault * 7919 + i + 1;
    uint64_t n = p->sampled ? eb_dice_roll(&dice) % p->all : i * p->every;
    uint32_t k = 1;
    for (uint32_t here; n >= (here = sw_variants(p->print, p->fault, k)); k++)
        n -= here;
    return (struct sw_point){.fault = p->fault, .step = k, .variant = (uint32_t)n, .seed = p->seed};
}

static void print_wrong(const struct sw_cell *cell, const struct sw_point *point, const char *why)
{
    printf("WRONG %s\n  --scenario %s --chip %s --loader %s --line %s --fault %s --step %u "
           "--variant %u --seed %llu\n",
           why, cell->scenario->name, cell->target->chip, sw_loader_name(cell->target),
           sw_line_name(cell->target), sw_fault_name(point->fault), point->step, point->variant,
           (unsigned long long)point->seed);
    fflush(stdout);
}

static void count(struct sw_tally *tally, enum sw_outcome outcome, int64_t longest_ns)
{
    tally->tried++;
    tally->healed += outcome == SW_HEALED;
    tally->reported += outcome == SW_REPORTED;
    tally->strayed += outcome == SW_STRAYED;
    tally->unreached += outcome == SW_UNREACHED;
    tally->known += outcome == SW_KNOWN;
    tally->wrong += outcome == SW_WRONG;
    tally->longest_ns = longest_ns > tally->longest_ns ? longest_ns : tally->longest_ns;
}

/* In the process that runs: one point, watched by an alarm. */
static void run_point(const struct sw_cell *cell, struct sw_run *run, struct shared *shared,
                      const struct sw_point *point)
{
    shared->at = *point;
    shared->running = true;
    alarm(HUNG_S);
    enum sw_outcome outcome = sw_scenario_run(run, cell->scenario, point);
    alarm(0);
    shared->running = false;
    if (point->fault == SW_NONE)
        shared->print = run->rig->wire->print;
    if (outcome == SW_WRONG)
        print_wrong(cell, point, run->why);
    count(&shared->tally, outcome, run->longest_ns);
}

static struct sw_run *new_run(const struct sw_cell *cell)
{
    struct sw_run *run = calloc(1, sizeof(*run));
    if (run)
        run->rig = sw_rig_new(cell->target, cell->options->folder, cell->options->verbose);
    if (!run || !run->rig)
        _exit(STATUS_FAILED);
    return run;
}

/* The process that runs: clean ones first, of which the second is the one that counts. */
static int run_points(const struct sw_cell *cell, struct shared *shared, const struct points *p)
{
    static const struct sw_point CLEAN = {.fault = SW_NONE};
    struct sw_run *run = new_run(cell);
    struct sw_tally before = shared->tally;
    if (sw_scenario_run(run, cell->scenario, &CLEAN) == SW_WRONG)
        print_wrong(cell, &CLEAN, run->why);
    const char *without = cell->options->without ? cell->options->without : "";
    run->rig->unproven = strcmp(without, "proof") == 0;
    run->rig->unjournaled = strcmp(without, "journal") == 0;
    if (!p)
        run_point(cell, run, shared, &CLEAN);
    else
        shared->tally = before;
    while (p && shared->next < p->count) {
        struct sw_point point = point_of(p, shared->next);
        if (cell->options->step)
            point = (struct sw_point){.fault = p->fault,
                                      .step = cell->options->step,
                                      .variant = cell->options->variant,
                                      .seed = cell->options->seed};
        run_point(cell, run, shared, &point);
        shared->next++;
    }
    sw_rig_free(run->rig);
    free(run);
    return 0;
}

/* True if it came to its end; otherwise what it was at counts as wrong. */
static bool await(const struct sw_cell *cell, struct shared *shared, pid_t pid)
{
    int status = 0;
    char why[80];
    if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFSIGNALED(status))
        snprintf(why, sizeof(why), "%s (signal %d)",
                 WTERMSIG(status) == SIGALRM ? "it hangs" : "it crashes", WTERMSIG(status));
    else
        snprintf(why, sizeof(why), "it ends with status %d", WEXITSTATUS(status));
    print_wrong(cell, &shared->at, why);
    count(&shared->tally, SW_WRONG, 0);
    shared->next += shared->running;
    /* One that failed at its end, as for memory that leaked, has nothing left to do. */
    return !shared->running;
}

static void run_in_process(const struct sw_cell *cell, struct shared *shared,
                           const struct points *p)
{
    bool done = false;
    while (!done) {
        shared->running = false;
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0)
            exit(run_points(cell, shared, p));
        if (pid < 0) {
            perror("sweep: fork");
            exit(STATUS_FAILED);
        }
        done = await(cell, shared, pid);
    }
}

static struct shared *new_shared(void)
{
    void *at = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                    -1, 0);
    if (at == MAP_FAILED) {
        perror("sweep: mmap");
        exit(STATUS_FAILED);
    }
    return at;
}

bool sw_cell_count(const struct sw_cell *cell, struct sw_footprint *print)
{
    struct shared *shared = new_shared();
    run_in_process(cell, shared, NULL);
    *print = shared->print;
    bool clean = shared->tally.wrong == 0;
    munmap(shared, sizeof(*shared));
    return clean;
}

void sw_tally_head(void)
{
    printf("%-10s %-14s %-8s %-5s %-7s %6s %8s %8s %8s %8s %8s %8s %6s %6s %9s\n", "scenario",
           "fault", "chip", "loader", "line", "steps", "ways", "tried", "healed", "reported",
           "strayed", "missed", "known", "wrong", "longest");
    fflush(stdout);
}

static void print_tally(const struct sw_cell *cell, const struct points *p,
                        const struct sw_tally *t)
{
    printf("%-10s %-14s %-8s %-5s %-7s %6u %8llu %8u %8u %8u %8u %8u %6u %6u %7.1f s\n",
           cell->scenario->name, sw_fault_name(cell->fault), cell->target->chip,
           sw_loader_name(cell->target), sw_line_name(cell->target), sw_steps(p->print, p->fault),
           (unsigned long long)p->all, t->tried, t->healed, t->reported, t->strayed, t->unreached,
           t->known, t->wrong, (double)t->longest_ns / 1e9);
    fflush(stdout);
}

void sw_cell_sweep(const struct sw_cell *cell, const struct sw_footprint *print,
                   struct sw_tally *sum)
{
    struct points p = points_of(cell, print);
    if (p.all == 0)
        return;
    if (cell->options->step)
        p.count = 1;
    struct shared *shared = new_shared();
    run_in_process(cell, shared, &p);
    print_tally(cell, &p, &shared->tally);
    sum->tried += shared->tally.tried;
    sum->healed += shared->tally.healed;
    sum->reported += shared->tally.reported;
    sum->strayed += shared->tally.strayed;
    sum->unreached += shared->tally.unreached;
    sum->known += shared->tally.known;
    sum->wrong += shared->tally.wrong;
    munmap(shared, sizeof(*shared));
}
