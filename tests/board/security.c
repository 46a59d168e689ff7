#include "security.h"

#include "espflashfs/bytes.h"
#include "espflashfs/command.h"

#include <string.h>

enum { INFO_LEN = 20, PURPOSE_XTS_AES_128 = 4, PURPOSE_SECURE_BOOT_DIGEST = 9 };

static const uint32_t FLAG_SECURE_BOOT = 1U << 0;
static const uint32_t FLAG_SECURE_DOWNLOAD = 1U << 2;

static const struct {
    const char *name;
    unsigned bit;
} STATES[] = {
    {"none", 0},
    {"flash-encryption-dev", EB_SECURITY_ENCRYPTION_DEV},
    {"flash-encryption-release", EB_SECURITY_ENCRYPTION_RELEASE},
    {"secure-boot", EB_SECURITY_BOOT},
    {"secure-boot-v1", EB_SECURITY_BOOT_V1},
    {"secure-download", EB_SECURITY_DOWNLOAD},
};

enum { STATE_COUNT = sizeof(STATES) / sizeof(STATES[0]) };

static bool add_state(const char *name, size_t len, unsigned *security)
{
    for (size_t i = 0; i < STATE_COUNT; i++) {
        if (strlen(STATES[i].name) == len && memcmp(STATES[i].name, name, len) == 0) {
            *security |= STATES[i].bit;
            return true;
        }
    }
    return false;
}

bool eb_security_parse(const char *text, unsigned *security)
{
    *security = 0;
    for (;;) {
        size_t len = strcspn(text, "+");
        if (!add_state(text, len, security))
            return false;
        if (text[len] == '\0')
            return true;
        text += len + 1;
    }
}

static bool chip_has(const struct eb_chip *chip, unsigned bit)
{
    switch (bit) {
    case EB_SECURITY_ENCRYPTION_DEV:
    case EB_SECURITY_ENCRYPTION_RELEASE:
        return chip->security.crypt_cnt.mask != 0;
    case EB_SECURITY_BOOT:
        return chip->security.secure_boot.mask != 0;
    case EB_SECURITY_BOOT_V1:
        return chip->security.secure_boot_v1.mask != 0;
    case EB_SECURITY_DOWNLOAD:
        return (chip->rom_has & EB_ROM_SECURITY_INFO) != 0;
    default:
        return true;
    }
}

const char *eb_security_foreign(const struct eb_chip *chip, unsigned security)
{
    for (size_t i = 0; i < STATE_COUNT; i++) {
        if ((security & STATES[i].bit) != 0 && !chip_has(chip, STATES[i].bit))
            return STATES[i].name;
    }
    return NULL;
}

static void set_bits(struct eb_registers *regs, const struct eb_field *field, uint32_t bits)
{
    if (field->mask != 0)
        eb_registers_write(regs, field->addr, eb_registers_read(regs, field->addr) | bits);
}

void eb_security_preset(const struct eb_chip *chip, unsigned security, struct eb_registers *regs)
{
    const struct eb_security_layout *at = &chip->security;
    if ((security & EB_SECURITY_ENCRYPTION_DEV) != 0)
        set_bits(regs, &at->crypt_cnt, at->crypt_cnt.mask & -at->crypt_cnt.mask);
    if ((security & EB_SECURITY_ENCRYPTION_RELEASE) != 0) {
        set_bits(regs, &at->crypt_cnt, at->crypt_cnt.mask);
        set_bits(regs, &at->no_manual_encrypt, at->no_manual_encrypt.mask);
    }
    if ((security & EB_SECURITY_BOOT) != 0)
        set_bits(regs, &at->secure_boot, at->secure_boot.mask);
    if ((security & EB_SECURITY_BOOT_V1) != 0)
        set_bits(regs, &at->secure_boot_v1, at->secure_boot_v1.mask);
}

void eb_security_info(const struct eb_chip *chip, unsigned security, uint8_t *out)
{
    uint32_t flags = 0;
    memset(out, 0, INFO_LEN);
    if ((security & EB_SECURITY_BOOT) != 0) {
        flags |= FLAG_SECURE_BOOT;
        out[6] = PURPOSE_SECURE_BOOT_DIGEST;
    }
    if ((security & EB_SECURITY_DOWNLOAD) != 0)
        flags |= FLAG_SECURE_DOWNLOAD;
    ef_put_le32(out, flags);
    if ((security & EB_SECURITY_ENCRYPTION_DEV) != 0)
        out[4] = 1;
    if ((security & EB_SECURITY_ENCRYPTION_RELEASE) != 0)
        out[4] = 7;
    if (out[4] != 0)
        out[5] = PURPOSE_XTS_AES_128;
    out[11] = 0x0C; /* as the ESP32-C3's transcripts have it */
    ef_put_le32(out + 12, chip->security_chip_id);
    ef_put_le32(out + 16, chip->security_eco);
}

bool eb_security_allows(uint8_t op)
{
    switch (op) {
    case EF_OP_SYNC:
    case EF_OP_SPI_ATTACH:
    case EF_OP_SPI_SET_PARAMS:
    case EF_OP_CHANGE_BAUDRATE:
    case EF_OP_FLASH_BEGIN:
    case EF_OP_FLASH_DATA:
    case EF_OP_FLASH_END:
    case EF_OP_FLASH_DEFL_BEGIN:
    case EF_OP_FLASH_DEFL_DATA:
    case EF_OP_FLASH_DEFL_END:
    case EF_OP_GET_SECURITY_INFO:
        return true;
    default:
        return false;
    }
}
