/* What is done to a mount while something goes wrong, and what is checked of it. */
#ifndef SW_SCENARIO_H
#define SW_SCENARIO_H

#include "rig.h"

enum { SW_FLASH_MAX = 256 * 1024, SW_WHY_MAX = 200 };

enum sw_outcome {
    SW_HEALED,   /* nobody noticed: all calls succeeded, and all is right */
    SW_REPORTED, /* a call failed; after a remount all is right */
    SW_STRAYED,  /* a call failed, and bytes were hit that nobody asked for: flash.h, `strays` */
    SW_WRONG,
    SW_KNOWN,    /* wrong, and README.md says so: see judge.c */
    SW_UNREACHED /* the run went another way, and the step never came */
};

/* One run. */
struct sw_run {
    struct sw_rig *rig;
    uint8_t old[SW_FLASH_MAX];   /* what the flash held */
    uint8_t model[SW_FLASH_MAX]; /* what it is to hold by what was accepted so far */
    uint8_t buf[SW_FLASH_MAX];
    bool asked[SW_FLASH_MAX / EF_SECTOR]; /* sectors of which something was to change */
    bool failed;                          /* some call did */
    bool again;                           /* the run after the remount */
    bool may_have_strayed;                /* a damaged command was reported to have gone astray */
    bool strayed;                         /* ... and sectors hold what nobody asked for */
    int64_t longest_ns;                   /* that a call took */
    char why[SW_WHY_MAX];                 /* what is wrong, "" if nothing */
};

struct sw_scenario {
    const char *name;
    void (*before)(struct sw_run *run); /* on the mount, before anything goes wrong; may be NULL */
    void (*body)(struct sw_run *run);
    int call_max_s; /* no call takes longer, whatever happens */
    bool mounts;    /* body does that by itself ... */
    bool unmounts;  /* ... and that */
    bool erases;    /* so that who is told of a failure may find sectors torn */
    bool info;      /* makes sense where there is no flash.bin */
};

extern const struct sw_scenario SW_SCENARIOS[];
enum { SW_SCENARIO_COUNT = 8 };

const struct sw_scenario *sw_scenario_find(const char *name);

/*
 * Runs it once with `point`, then once more after a remount. *run says what is wrong, or how
 * long the longest call took; run->rig->wire->print what it went through.
 */
enum sw_outcome sw_scenario_run(struct sw_run *run, const struct sw_scenario *scenario,
                                const struct sw_point *point);

/* A sector holds neither what it held nor what was asked for: wrong, but for who was told. */
void sw_torn(struct sw_run *run, const char *when, size_t at);

/* Notes what is wrong, once. */
void sw_wrong(struct sw_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
