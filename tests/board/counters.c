#include "counters.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

static void print_totals(FILE *out, const struct eb_counters *c, const struct eb_nor *nor)
{
    const struct {
        const char *name;
        uint64_t value;
    } totals[] = {
        {"commands", c->commands},
        {"bytes_in", c->bytes_in},
        {"bytes_out", c->bytes_out},
        {"reads", c->reads},
        {"read_bytes", c->read_bytes},
        {"md5s", c->md5s},
        {"sector_erases", nor->sector_erases},
        {"erase_ops", nor->erase_ops},
        {"programs", nor->programs},
        {"rejects", c->rejects},
        {"damaged", c->damaged},
    };
    for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++)
        fprintf(out, "%s %" PRIu64 "\n", totals[i].name, totals[i].value);
}

static void print_all(FILE *out, const struct eb_counters *c, const struct eb_nor *nor)
{
    print_totals(out, c, nor);
    for (unsigned op = 0; op < 256; op++) {
        if (c->ops[op] != 0)
            fprintf(out, "op 0x%02x %" PRIu64 "\n", op, c->ops[op]);
    }
    for (uint32_t i = 0; i < nor->size / EB_NOR_SECTOR; i++) {
        const struct eb_nor_sector *s = &nor->sectors[i];
        if (s->erases != 0 || s->programs != 0)
            fprintf(out, "sector %" PRIu32 " erases %" PRIu32 " programs %" PRIu32 "\n", i,
                    s->erases, s->programs);
    }
}

int eb_counters_write(const struct eb_counters *counters, const struct eb_nor *nor,
                      const char *path)
{
    char neighbour[PATH_MAX];
    int n = snprintf(neighbour, sizeof(neighbour), "%s.new", path);
    if (n < 0 || (size_t)n >= sizeof(neighbour))
        return -1;
    FILE *out = fopen(neighbour, "we");
    if (!out)
        return -1;
    print_all(out, counters, nor);
    if (fclose(out) != 0)
        return -1;
    return rename(neighbour, path);
}
