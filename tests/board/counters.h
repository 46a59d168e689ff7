/*
 * What the board was asked and did, for tests to judge: the file of --counters.
 * One line `NAME N` each: commands, bytes_in, bytes_out, reads, read_bytes, md5s,
 * sector_erases, erase_ops, programs, rejects, damaged;
 * then `op 0xNN N` for each opcode seen;
 * then `sector INDEX erases E programs P` for each sector that was touched.
 */
#ifndef EB_COUNTERS_H
#define EB_COUNTERS_H

#include "nor.h"

#include <stdint.h>

struct eb_counters {
    uint64_t commands;
    uint64_t bytes_in, bytes_out; /* on the serial line, SLIP included */
    uint64_t reads;               /* READ_FLASH and READ_FLASH_SLOW requests */
    uint64_t read_bytes;          /* flash bytes that those sent */
    uint64_t md5s;
    uint64_t rejects;
    uint64_t damaged; /* bytes, by faults that depend on the baud */
    uint64_t ops[256];
};

/*
 * Writes the file whole through a neighbour and rename(2): a reader sees the old or the
 * new one. 0, or -1 with errno set.
 */
int eb_counters_write(const struct eb_counters *counters, const struct eb_nor *nor,
                      const char *path);

#endif
