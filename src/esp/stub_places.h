/* Where installed esptool packages keep stubs. Private to src/esp and its tests. */
#ifndef EF_STUB_PLACES_H
#define EF_STUB_PLACES_H

#include "espflashfs/stub.h"

/*
 * Looks through the installed esptool packages as ef_stub_find does, with `root` in front
 * of every place that is absolute ("" but in tests). Places below a variable of the
 * environment (HOME, VIRTUAL_ENV) are passed over where it is not set.
 */
enum ef_err ef_stub_find_installed(const char *root, const char *chip_option, struct ef_log *log,
                                   struct ef_stub *stub);

#endif
