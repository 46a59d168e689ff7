/*
 * The whole program but for FUSE, over a simulated board in this process: what main.c puts
 * together, mounted and unmounted as it does. Everything runs on the sweep's own time.
 */
#ifndef SW_RIG_H
#define SW_RIG_H

#include "wire.h"

#include "espflashfs/node.h"

#include <limits.h>

struct sw_target {
    const char *chip;
    bool stub; /* or the ROM alone */
    enum sw_line_kind line;
    uint32_t flash_size; /* bytes */
};

struct sw_rig {
    struct sw_target target;
    struct sw_wire *wire;
    struct ef_log log;
    struct ef_session session;
    struct ef_mount mount;
    struct ef_worker *worker;
    struct ef_presence presence;
    char *info;           /* info.txt of the last mount that came about; owned */
    char stub_path[4096]; /* a small file in the stubs' format */
    char port[SW_PORT_MAX];
    bool mounted;
    char folder[PATH_MAX];
    struct ef_board_key journal;
    bool unproven, unjournaled; /* layers left out on purpose: the sweep has to notice */
};

/* A rig in `folder`, where its files go. NULL with a line on standard error. */
struct sw_rig *sw_rig_new(const struct sw_target *target, const char *folder, bool verbose);
void sw_rig_free(struct sw_rig *rig);

/* Removes what rigs left in `folder`, and the folder. */
void sw_rig_clean_up(const char *folder);

/* The board is as new, holding `bytes` (its size). Nothing may be mounted. */
void sw_rig_fill(struct sw_rig *rig, const uint8_t *bytes);

/* As the program: what fails leaves nothing mounted. */
enum ef_err sw_rig_mount(struct sw_rig *rig);

/* The error of what could not be written, as the program's exit status tells it. */
enum ef_err sw_rig_unmount(struct sw_rig *rig);

/* Waits until nothing is under way, so that the next call begins where it began last time. */
void sw_rig_settle(struct sw_rig *rig);

const uint8_t *sw_rig_flash(const struct sw_rig *rig);

#endif
