/*
 * The rate of the line: changed at both ends, climbed as far as checked transfers come
 * through clean, lowered where work is damaged, remembered for each port. Private to src/esp.
 */
#ifndef ESPFLASHFS_BAUD_H
#define ESPFLASHFS_BAUD_H

#include "session_steps.h"

/*
 * Once the loader runs and knows the flash: with baud=auto climbs to the highest rate that
 * works, which is never a failure as long as the loader can be reached at all; else goes to
 * config.baud or fails with EF_TIMEOUT, EF_UNSUPPORTED or EF_REJECTED (logged). Blocks for
 * about half a second a step.
 */
enum ef_err ef_baud_settle(struct ef_session *s);

/* The same for a loader that was found again in the middle of work: no higher than before. */
enum ef_err ef_baud_resume(struct ef_session *s);

/* Finds a loader that may be at any rate: SYNC up to `tries` times at each. EF_TIMEOUT, EF_GONE. */
enum ef_err ef_baud_search(struct ef_session *s, int tries);

/* Counts one failure during work. True where it is one too many for this rate. */
bool ef_baud_count_failure(struct ef_session *s);

/* True if there is a lower rate to go to, and baud= leaves the choice to this program. */
bool ef_baud_can_slow_down(const struct ef_session *s);

/*
 * Has the next lower rate worked at, by whatever way the chip can be reached. It may have been
 * reset (esp.stub tells), and the line be at another rate, until ef_baud_resume. EF_TIMEOUT,
 * EF_GONE.
 */
enum ef_err ef_baud_slow_down(struct ef_session *s);

enum { EF_BAUD_QUESTIONS = 12, EF_BAUD_ANSWER_MAX = 32 };

/* Digests of ranges of the flash, learned at a rate that works. */
struct ef_baud_questions {
    uint32_t addr[EF_BAUD_QUESTIONS], len[EF_BAUD_QUESTIONS];
    uint8_t answer[EF_BAUD_QUESTIONS][EF_BAUD_ANSWER_MAX];
    uint32_t bulk_addr; /* where a longer piece is read */
};

enum ef_err ef_baud_learn(struct ef_session *s, struct ef_baud_questions *questions);

/*
 * A transfer that proves the line at the rate in force, in both directions: some 30 KiB to
 * the host, a KiB or more to the chip. EF_OK, or the kind of damage that was seen.
 */
enum ef_err ef_baud_check(struct ef_session *s, const struct ef_baud_questions *questions);

/* What is known of a port from earlier mounts. Rates are 0 where there are none. */
struct ef_baud_memory {
    uint32_t good, failed;
    bool fresh; /* `failed` is not to be tried again yet */
};

/* Never fails: what cannot be read is not known. */
void ef_baud_recall(const struct ef_session *s, struct ef_baud_memory *memory);

/* What cannot be written is not remembered. */
void ef_baud_remember(const struct ef_session *s, uint32_t good, uint32_t failed);

#endif
