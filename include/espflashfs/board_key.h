/*
 * Which board something on disk is of, and its folder there: one a board, named by its MAC, its
 * user's alone. Any thread; blocks for the disk.
 */
#ifndef ESPFLASHFS_BOARD_KEY_H
#define ESPFLASHFS_BOARD_KEY_H

#include <stdint.h>

enum { EF_KEY_MAC_BYTES = 6 };

/* The same chip with another flash soldered on is another board. */
struct ef_board_key {
    const char *folder; /* of all boards; made where it is missing */
    uint8_t mac[EF_KEY_MAC_BYTES];
    uint32_t flash_id;   /* JEDEC id, as the chip tells it */
    uint32_t flash_size; /* bytes, whole sectors */
};

/* The name of the board's folder: its MAC in hex. */
enum { EF_KEY_NAME_MAX = 2 * EF_KEY_MAC_BYTES + 1 };
void ef_board_key_name(const struct ef_board_key *key, char name[EF_KEY_NAME_MAX]);

#endif
