/* A plan played in a process of its own, which may hang or crash; and a failing one made small. */
#ifndef EF_MODEL_RUNS_H
#define EF_MODEL_RUNS_H

#include "player.h"

/* Shared with the processes that play. Ends the program without memory. */
struct report *runs_report_new(void);

/*
 * One of PLAYED_..., or another status of a process that crashed. `quiet`: what it writes to
 * standard error is dropped.
 */
int runs_play(const struct plan *plan, const struct player_config *config, struct report *report,
              bool quiet);

/* Whether such a status is a finding. */
bool runs_is_finding(int status);

/* "wrong", "stuck", ... */
const char *runs_status_text(int status);

struct shrink_bounds {
    unsigned runs, seconds;
};

/*
 * Leaves in `plan` as few operations as still fail when played `config`'s way, which may become
 * one thread at a time. Returns the runs that it took. The report is that of the last failure.
 */
unsigned runs_shrink(struct plan *plan, struct player_config *config, struct report *report,
                     const struct shrink_bounds *bounds);

#endif
