/*
 * What the efuses of a guarded chip say, and what its ROM refuses then. Behaviour under flash
 * encryption is none: a loader reads and writes what the flash holds.
 */
#ifndef EB_SECURITY_H
#define EB_SECURITY_H

#include "chips.h"

/* Bits of eb_config.security. */
enum {
    EB_SECURITY_ENCRYPTION_DEV = 1 << 0,     /* plain flashing may be switched on again */
    EB_SECURITY_ENCRYPTION_RELEASE = 1 << 1, /* for good */
    EB_SECURITY_BOOT = 1 << 2,
    EB_SECURITY_BOOT_V1 = 1 << 3, /* the ESP32's first */
    EB_SECURITY_DOWNLOAD = 1 << 4 /* Secure Download Mode */
};

/* Parses names joined by '+', of which `none` is one. */
bool eb_security_parse(const char *text, unsigned *security);
/* The state's first name that this chip does not have; NULL if it has all. */
const char *eb_security_foreign(const struct eb_chip *chip, unsigned security);

/* Sets the efuses' bits. */
void eb_security_preset(const struct eb_chip *chip, unsigned security, struct eb_registers *regs);

/* GET_SECURITY_INFO's answer; `out` has room for 20 bytes. */
void eb_security_info(const struct eb_chip *chip, unsigned security, uint8_t *out);

/* Whether a ROM in Secure Download Mode still knows this command. */
bool eb_security_allows(uint8_t op);

#endif
