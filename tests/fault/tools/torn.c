/*
 * A restore that may be cut off anywhere, and the judgement of what it left:
 *
 *   torn make SEED SIZE FOLDER   an `old` and a `new` image, and the `plan` that leads from one to
 *                                the other; prints how many flash operations that takes, about
 *   torn write FOLDER MOUNT      carries the plan out; what was reported durable goes to `durable`
 *   torn check FOLDER NAME       judges an image there: prints `sectors old new torn lost`, their
 *                                numbers; status 1 if any is torn or lost
 *   torn dice SEED N...          prints a number below each N
 *
 * A sector is torn if it is neither old nor new, and lost if it is not new, though it was durable.
 * No two steps of a plan touch one sector, so a sector is whole if it is as before or after.
 */
#include "dice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECTOR = 4096, PAGES = 16, SIZE_MAX_BYTES = 16 << 20, STEPS_MAX = 4096, SAID_MAX = 8 };

struct step {
    uint32_t off, len;
    bool erase; /* by the file `erase`, else written */
    bool sync;  /* fsync behind it */
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "torn: %s: %s\n", what, strerror(errno));
    exit(2);
}

static FILE *open_in(const char *folder, const char *name, const char *mode)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, mode);
    if (!file)
        die(path);
    return file;
}

/* The whole file; *size is told. */
static uint8_t *read_in(const char *folder, const char *name, size_t *size)
{
    FILE *file = open_in(folder, name, "rbe");
    uint8_t *bytes = malloc(SIZE_MAX_BYTES);
    if (!bytes)
        die(name);
    *size = fread(bytes, 1, SIZE_MAX_BYTES, file);
    fclose(file);
    return bytes;
}

static void write_in(const char *folder, const char *name, const uint8_t *bytes, size_t size)
{
    FILE *file = open_in(folder, name, "wbe");
    if (fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        die(name);
}

static uint32_t roll(uint64_t *dice, uint32_t below)
{
    return (uint32_t)((eb_dice_roll(dice) >> 16) % below);
}

static uint64_t dice_of(const char *seed)
{
    /* Seeds that are neighbours begin alike. */
    uint64_t dice = strtoull(seed, NULL, 10) * 0x9E3779B97F4A7C15ULL + 1;
    dice = dice != 0 ? dice : 1;
    for (int i = 0; i < 8; i++)
        eb_dice_roll(&dice);
    return dice;
}

/* As a firmware's: code, blank, zeros, or code that ends in the middle. */
static void fill_sector(uint64_t *dice, uint8_t *bytes)
{
    uint32_t kind = roll(dice, 8);
    uint32_t end = kind == 0 ? 0 : kind == 1 ? roll(dice, SECTOR) : SECTOR;
    memset(bytes, 0xFF, SECTOR);
    for (uint32_t i = 0; i < end; i++)
        bytes[i] = kind == 2 ? 0 : (uint8_t)roll(dice, 256);
}

static struct step make_step(uint64_t *dice, uint32_t first, uint32_t count, uint32_t syncs)
{
    struct step step = {.off = first * SECTOR, .len = count * SECTOR};
    step.erase = roll(dice, 10) == 0;
    step.sync = roll(dice, 8) < syncs;
    if (!step.erase && roll(dice, 3) == 0) {
        uint32_t before = roll(dice, SECTOR);
        uint32_t behind = roll(dice, SECTOR);
        step.off += before;
        step.len -= count > 1 ? before + behind : before;
    }
    return step;
}

static void apply(uint64_t *dice, const struct step *step, uint8_t *image)
{
    bool blank = step->erase || roll(dice, 8) == 0;
    uint8_t sector[SECTOR];
    for (uint32_t at = step->off, end = step->off + step->len; at < end;) {
        uint32_t n = SECTOR - at % SECTOR;
        if (n > end - at)
            n = end - at;
        fill_sector(dice, sector);
        if (blank)
            memset(sector, 0xFF, SECTOR);
        memcpy(image + at, sector, n);
        at += n;
    }
}

/* Groups of sectors with untouched ones between; mostly in any order, else as cp goes. */
static size_t make_plan(uint64_t *dice, uint32_t sectors, struct step *plan)
{
    static const uint32_t LONGEST[] = {2, 8, 40, 150};
    uint32_t longest = LONGEST[roll(dice, 4)];
    uint32_t syncs = roll(dice, 5);
    size_t count = 0;
    if (roll(dice, 16) == 0) {
        plan[count++] = (struct step){.len = sectors * SECTOR, .erase = true};
        return count;
    }
    for (uint32_t at = roll(dice, 4); at < sectors && count < STEPS_MAX;) {
        uint32_t n = 1 + roll(dice, longest);
        if (n > sectors - at)
            n = sectors - at;
        plan[count++] = make_step(dice, at, n, syncs);
        at += n + roll(dice, 6);
    }
    bool in_order = roll(dice, 4) == 0;
    for (size_t i = count; i > 1 && !in_order; i--) {
        size_t other = roll(dice, (uint32_t)i);
        struct step step = plan[i - 1];
        plan[i - 1] = plan[other];
        plan[other] = step;
    }
    return count;
}

static bool is_blank(const uint8_t *bytes)
{
    return bytes[0] == 0xFF && memcmp(bytes, bytes + 1, SECTOR - 1) == 0;
}

static uint32_t count_operations(const uint8_t *old, const uint8_t *new, uint32_t sectors)
{
    uint32_t operations = 0;
    for (uint32_t s = 0; s < sectors; s++) {
        const uint8_t *is = old + (size_t)s * SECTOR;
        const uint8_t *wanted = new + (size_t)s *SECTOR;
        if (memcmp(is, wanted, SECTOR) != 0)
            operations += (is_blank(wanted) ? 0U : PAGES) + (is_blank(is) ? 0U : 1U);
    }
    return operations;
}

static int make(const char *seed, const char *size_text, const char *folder)
{
    static struct step plan[STEPS_MAX];
    uint64_t dice = dice_of(seed);
    uint32_t size = (uint32_t)strtoul(size_text, NULL, 10);
    uint8_t *old = malloc(size);
    uint8_t *new = malloc(size);
    if (!old || !new || size == 0 || size % SECTOR != 0 || size > SIZE_MAX_BYTES)
        die(size_text);
    for (uint32_t at = 0; at < size; at += SECTOR)
        fill_sector(&dice, old + at);
    memcpy(new, old, size);
    size_t count = make_plan(&dice, size / SECTOR, plan);
    FILE *file = open_in(folder, "plan", "we");
    for (size_t i = 0; i < count; i++) {
        apply(&dice, &plan[i], new);
        fprintf(file, "%u %u %d %d\n", plan[i].off, plan[i].len, plan[i].erase, plan[i].sync);
    }
    if (fclose(file) != 0)
        die("plan");
    write_in(folder, "old", old, size);
    write_in(folder, "new", new, size);
    write_in(folder, "durable", new, 0);
    printf("%u\n", count_operations(old, new, size / SECTOR));
    free(old);
    free(new);
    return 0;
}

struct writer {
    int flash, durable; /* descriptors */
    const char *mount;
    const uint8_t *image;
    char promised[STEPS_MAX * 24]; /* lines for `durable`, once the next fsync is through */
    size_t promised_len;
};

static bool keep_promise(struct writer *w)
{
    if (write(w->durable, w->promised, w->promised_len) != (ssize_t)w->promised_len)
        die("durable");
    w->promised_len = 0;
    return true;
}

static bool erase(const struct writer *w, const struct step *step)
{
    char path[4096];
    char line[64];
    snprintf(path, sizeof(path), "%s/erase", w->mount);
    int len = snprintf(line, sizeof(line), "%u %u\n", step->off, step->len);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool done = write(fd, line, (size_t)len) == len;
    int number = errno;
    bool closed = close(fd) == 0;
    errno = done ? errno : number;
    return done && closed;
}

static bool carry_out(struct writer *w, const struct step *step)
{
    char line[32];
    int len = snprintf(line, sizeof(line), "%u %u\n", step->off, step->len);
    if (step->erase) {
        if (!erase(w, step))
            return false;
        if (write(w->durable, line, (size_t)len) != len)
            die("durable");
        return true;
    }
    for (uint32_t at = 0; at < step->len;) {
        ssize_t n = pwrite(w->flash, w->image + step->off + at, step->len - at, step->off + at);
        if (n <= 0)
            return false;
        at += (uint32_t)n;
    }
    memcpy(w->promised + w->promised_len, line, (size_t)len);
    w->promised_len += (size_t)len;
    return !step->sync || (fsync(w->flash) == 0 && keep_promise(w));
}

static bool next_step(FILE *plan, struct step *step)
{
    unsigned off, len;
    int erases, syncs;
    if (fscanf(plan, "%u %u %d %d", &off, &len, &erases, &syncs) != 4)
        return false;
    *step = (struct step){.off = off, .len = len, .erase = erases != 0, .sync = syncs != 0};
    return true;
}

static int write_plan(const char *folder, const char *mount)
{
    static struct writer w;
    char path[4096];
    size_t size;
    struct step step;
    FILE *plan = open_in(folder, "plan", "re");
    FILE *durable = open_in(folder, "durable", "ae");
    uint8_t *image = read_in(folder, "new", &size);
    snprintf(path, sizeof(path), "%s/flash.bin", mount);
    w.image = image;
    w.mount = mount;
    w.durable = fileno(durable);
    w.flash = open(path, O_WRONLY | O_CLOEXEC);
    if (w.flash < 0)
        die(path);
    bool fine = true;
    while (fine && next_step(plan, &step))
        fine = carry_out(&w, &step);
    int number = errno;
    /* Nothing may be retried: what the last step was promised is what counts. */
    bool closed = close(w.flash) == 0;
    if (fine && closed)
        keep_promise(&w);
    if (!fine || !closed)
        fprintf(stderr, "torn: the writer ended: %s\n", strerror(fine ? errno : number));
    fclose(plan);
    fclose(durable);
    free(image);
    return fine && closed ? 0 : 1;
}

static bool *take_sectors(const char *folder, const char *name, uint32_t sectors)
{
    unsigned off, len;
    FILE *file = open_in(folder, name, "re");
    bool *taken = calloc(sectors, sizeof(*taken));
    if (!taken)
        die(name);
    while (fscanf(file, "%u %u", &off, &len) == 2) {
        for (uint32_t s = off / SECTOR; s < sectors && s * SECTOR < off + len; s++)
            taken[s] = true;
    }
    fclose(file);
    return taken;
}

static void say_sector(const char *what, uint32_t s, const uint8_t *is)
{
    uint32_t blank = 0;
    for (uint32_t i = 0; i < SECTOR; i++)
        blank += is[i] == 0xFF;
    fprintf(stderr, "torn: sector %u is %s (%u of its bytes are FF)\n", s, what, blank);
}

static int check(const char *folder, const char *name)
{
    size_t size, new_size, now_size;
    uint8_t *old = read_in(folder, "old", &size);
    uint8_t *new = read_in(folder, "new", &new_size);
    uint8_t *now = read_in(folder, name, &now_size);
    uint32_t sectors = (uint32_t)(size / SECTOR);
    if (new_size != size || now_size != size)
        die(name);
    bool *durable = take_sectors(folder, "durable", sectors);
    uint32_t olds = 0, news = 0, torn = 0, lost = 0;
    for (uint32_t s = 0; s < sectors; s++) {
        const uint8_t *is = now + (size_t)s * SECTOR;
        bool is_new = memcmp(is, new + (size_t)s *SECTOR, SECTOR) == 0;
        bool is_old = memcmp(is, old + (size_t)s * SECTOR, SECTOR) == 0;
        bool is_torn = !is_old && !is_new;
        bool is_lost = durable[s] && !is_new;
        olds += is_old && !is_new;
        news += is_new;
        torn += is_torn;
        lost += is_lost;
        if ((is_torn || is_lost) && torn + lost <= SAID_MAX)
            say_sector(is_torn ? "torn" : "old, but was durable", s, is);
    }
    printf("%u %u %u %u %u\n", sectors, olds, news, torn, lost);
    free(old);
    free(new);
    free(now);
    free(durable);
    return torn + lost == 0 ? 0 : 1;
}

static int roll_all(int count, char **args)
{
    uint64_t dice = dice_of(args[0]);
    for (int i = 1; i < count; i++)
        printf("%u%c", roll(&dice, (uint32_t)strtoul(args[i], NULL, 10)),
               i + 1 < count ? ' ' : '\n');
    return 0;
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "make") == 0 && argc == 5)
        return make(argv[2], argv[3], argv[4]);
    if (strcmp(verb, "write") == 0 && argc == 4)
        return write_plan(argv[2], argv[3]);
    if (strcmp(verb, "check") == 0 && argc == 4)
        return check(argv[2], argv[3]);
    if (strcmp(verb, "dice") == 0 && argc > 3)
        return roll_all(argc - 2, argv + 2);
    fprintf(stderr, "usage: torn make|write|check|dice ..., see torn.c\n");
    return 2;
}
