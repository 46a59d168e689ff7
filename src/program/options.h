/* argv and -o into one validated struct. */
#ifndef ESPFLASHFS_OPTIONS_H
#define ESPFLASHFS_OPTIONS_H

#include "espflashfs/session.h"

struct ef_options {
    char *port;       /* NULL: look for a board */
    char *mountpoint; /* NULL only with probe, list, help or version */
    char *baud_text, *chip, *before_text, *after_text, *reset_sequence, *stub, *size_text, *cache,
        *cache_size_text, *journal, *table_text, *reconnect_text, *log_file;
    int read_only, force, foreground, debug, probe, list, help, version;
    /* From the texts above. */
    uint32_t baud;
    bool baud_auto;
    uint64_t size;
    uint64_t cache_size; /* bytes */
    uint32_t table_addr; /* of the partition table */
    int reconnect_ms;    /* how long a board that is gone is waited for */
    bool keep_images;    /* in `cache`, which is an absolute path then; NULL: in the usual folder */
    bool keep_journal;   /* in `journal`, likewise */
    enum ef_before before;
    enum ef_after after;
    /* What is left is FUSE's: argv[0] and its options. */
    int fuse_argc;
    char **fuse_argv;
};

/*
 * Parses and checks. 0, or -1 with a message on standard error that says what is wrong.
 * Variables ESPTOOL_PORT, _BAUD, _CHIP, _BEFORE, _AFTER stand in for what is not given.
 * Free with ef_options_free in either case.
 */
int ef_options_parse(int argc, char **argv, struct ef_options *options);
void ef_options_free(struct ef_options *options);

/* The program's own part of --help, on standard output. */
void ef_options_help(void);

#endif
