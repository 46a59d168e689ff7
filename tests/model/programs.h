/* The two programs of a real mount: espboard and espflashfs, of the build tree $EF_BUILD. */
#ifndef EF_MODEL_PROGRAMS_H
#define EF_MODEL_PROGRAMS_H

#include "plan.h"

#include <sys/types.h>

enum { PROGRAMS_PATH = 320 };

struct programs {
    const struct plan *plan;
    const char *build; /* $EF_BUILD */
    int slow;          /* $EF_SLOW: deadlines are that much longer */
    bool no_journal;
    char folder[256]; /* everything below lies in it */
    char flash[PROGRAMS_PATH], mountpoint[PROGRAMS_PATH], log[PROGRAMS_PATH];
    pid_t board, driver; /* 0: none */
    int board_port;
    int said; /* a file: what they say */
};

/* `folder` is empty. 0, or -1 with a line on standard error; so below. */
int programs_init(struct programs *p, const struct plan *plan, const char *folder);
int programs_start_board(struct programs *p);
/* Of the board at a port of this host; returns when it is mounted. */
int programs_mount(struct programs *p, int port);
/* Returns the driver's exit status, -1 if it did not end. */
int programs_unmount(struct programs *p);
void programs_kill_driver(struct programs *p);
/* Ends what runs; and this program, if a sanitizer has reported anything. */
void programs_free(struct programs *p);

/* How often the driver's log says that a damaged command may have hit other sectors. */
uint64_t programs_count_strays(const struct programs *p);

#endif
