/*
 * Espressif's flasher stubs: JSON files in esptool's format, found, checked, uploaded.
 * No stub is part of this program; set-up lays them where they are looked for.
 */
#ifndef ESPFLASHFS_STUB_H
#define ESPFLASHFS_STUB_H

#include "espflashfs/command.h"

struct ef_stub {
    uint8_t *text; /* owned */
    size_t text_len;
    uint32_t text_start;
    uint8_t *data; /* owned; may be NULL with data_len 0 */
    size_t data_len;
    uint32_t data_start;
    uint32_t entry;
    char path[4096]; /* the file it came from */
};

/*
 * Reads one JSON file and checks it: text, text_start and entry present, base64 sound,
 * segments of at most 256 KiB, entry inside text. EF_MISSING (cannot be opened),
 * EF_INVALID (logged with the file and the reason), EF_NOMEM. On success the caller
 * frees with ef_stub_free.
 */
enum ef_err ef_stub_load(const char *path, struct ef_log *log, struct ef_stub *stub);

/*
 * Finds and loads the stub for `chip_option` ("esp32c3"). `where` is what the user gave:
 * a file, a folder, or NULL for the usual places, in this order: each folder of the
 * NULL-terminated `folders`, then the folders of installed esptool packages. In a folder
 * the file is CHIP.json or stub_flasher_NN.json (NN: 8266, 32, 32c3, ...).
 * EF_MISSING (nothing logged) where none is found; a file that is found but broken is
 * EF_INVALID and stops the search.
 */
enum ef_err ef_stub_find(const char *where, const char *const *folders, const char *chip_option,
                         struct ef_log *log, struct ef_stub *stub);

void ef_stub_free(struct ef_stub *stub);

/*
 * Uploads through MEM_BEGIN/MEM_DATA/MEM_END and waits for the stub's greeting; then
 * esp->stub is true. ROM only. EF_TIMEOUT where the greeting does not come.
 */
enum ef_err ef_stub_upload(struct ef_esp *esp, const struct ef_stub *stub);

#endif
