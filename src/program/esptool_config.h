/* The settings that esptool keeps in a file of its own, as far as this program has them too. */
#ifndef ESPFLASHFS_ESPTOOL_CONFIG_H
#define ESPFLASHFS_ESPTOOL_CONFIG_H

#include "espflashfs/error.h"
#include "espflashfs/log.h"

struct ef_esptool_config {
    char path[4096];           /* the file that counts; empty where there is none */
    char *reset_sequence;      /* custom_reset_sequence, owned, NULL if not set */
    char *hard_reset_sequence; /* custom_hard_reset_sequence */
};

/*
 * Reads the first file with an [esptool] section: $ESPTOOL_CFGFILE; then esptool.cfg,
 * setup.cfg and tox.ini in the current folder, in ~/.config/esptool, in ~. Only files of the
 * user's own or of root's that not everybody may write to count (but for $ESPTOOL_CFGFILE's),
 * since the current folder may be anybody's; others are passed over with a warning. Blocks
 * on nothing but regular files, up to 256 KiB of each. EF_INVALID (logged, with the grammar)
 * where a sequence in it is none. Free with ef_esptool_config_free in either case.
 */
enum ef_err ef_esptool_config_read(struct ef_esptool_config *config, struct ef_log *log);
void ef_esptool_config_free(struct ef_esptool_config *config);

/* The same for the text of one file; false if it has no [esptool] section. */
bool ef_esptool_config_parse(struct ef_esptool_config *config, const char *text);

#endif
