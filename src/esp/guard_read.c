/* What is burnt into the chip, as a struct ef_guard. */
#include "session_steps.h"

#include "espflashfs/bytes.h"

enum { INFO_TRIES = 5, INFO_LEN = 20, INFO_LEN_S2 = 12, CRYPT_COUNT_FULL = 7 };

/*
 * The reply has no checksum, and a flipped bit would bar the flash, or open it: what counts
 * is what came twice in a row. ef_chip_detect's reading is the first.
 */
enum ef_err ef_security_confirm(struct ef_session *s)
{
    struct ef_security *security = &s->security;
    size_t len = security->has_chip_id ? INFO_LEN : INFO_LEN_S2;
    enum ef_err err = EF_OK;
    for (int i = 0; security->known && i < INFO_TRIES && err != EF_GONE; i++) {
        struct ef_reply reply;
        err = ef_command(&s->esp, EF_OP_GET_SECURITY_INFO, NULL, 0, 0, len, EF_COMMAND_TIMEOUT_MS,
                         &reply);
        if (err != EF_OK) {
            ef_command_drain(&s->esp, 20);
            continue;
        }
        uint32_t flags = ef_le32(reply.data);
        uint8_t crypt_count = reply.data[4];
        if (flags == security->flags && crypt_count == security->crypt_count)
            return EF_OK;
        security->flags = flags;
        security->crypt_count = crypt_count;
        security->secure_download = (flags & EF_SECURE_DOWNLOAD_ENABLE) != 0;
    }
    if (!security->known)
        return EF_OK;
    if (err != EF_OK) {
        ef_log(s->log, EF_LOG_ERROR, "the chip's security information cannot be read: %s",
               ef_err_text(err));
        return err;
    }
    ef_log(s->log, EF_LOG_ERROR,
           "the chip's security information reads differently each time: check the wiring, or "
           "try a lower baud=");
    return EF_VERIFY;
}

static bool odd_bits(uint8_t count)
{
    return __builtin_parity(count) != 0;
}

static enum ef_encryption encryption(const struct ef_session *s)
{
    const struct ef_identity *id = &s->identity;
    const struct ef_security *security = &s->security;
    /* Two witnesses: the ROM, and where the efuse is said to lie. Either is enough. */
    bool on = id->flash_encryption || (security->known && odd_bits(security->crypt_count));
    if (!on)
        return EF_ENCRYPTION_OFF;
    if (id->no_manual_encrypt || (security->known && security->crypt_count == CRYPT_COUNT_FULL))
        return EF_ENCRYPTION_RELEASE;
    return id->registers_read ? EF_ENCRYPTION_DEVELOPMENT : EF_ENCRYPTION_ON;
}

/* Only the ESP32 has had two schemes, and only its rows name a second efuse. */
static enum ef_err secure_boot(struct ef_session *s, enum ef_secure_boot *version)
{
    const struct ef_guard_regs *regs = &s->chip->guard;
    bool on = s->identity.secure_boot ||
              (s->security.known && (s->security.flags & EF_SECURE_BOOT_EN) != 0);
    *version = on ? EF_SECURE_BOOT_V2 : EF_SECURE_BOOT_OFF;
    if (!on || !regs->secure_boot_v2.width)
        return EF_OK;
    uint32_t value;
    enum ef_err err = ef_read_sure(&s->esp, regs->secure_boot_v2.reg, &value);
    bool second = s->identity.revision >= regs->secure_boot_v2_from && err == EF_OK &&
                  (value >> regs->secure_boot_v2.shift & 1) != 0;
    if (!second)
        *version = EF_SECURE_BOOT_V1;
    if (err != EF_OK)
        ef_log(s->log, EF_LOG_ERROR, "the secure boot efuses cannot be read: %s", ef_err_text(err));
    return err;
}

enum ef_err ef_guard_read(struct ef_session *s)
{
    struct ef_guard *guard = &s->guard;
    *guard = (struct ef_guard){.encryption = encryption(s),
                               .secure_download = s->security.secure_download};
    enum ef_err err = secure_boot(s, &guard->secure_boot);
    if (err != EF_OK)
        return err;
    char text[EF_GUARD_TEXT_MAX];
    ef_guard_state_text(guard, text, sizeof(text));
    bool guarded = ef_guard_reason(guard, EF_GUARD_WRITE)[0] != '\0';
    guard->forced = s->config.force;
    if (guarded && guard->forced)
        ef_log(s->log, EF_LOG_WARN,
               "FORCED: this chip has %s, and -o force lets through what may brick it for good",
               text);
    else if (guarded) {
        ef_log(s->log, EF_LOG_WARN, "Security: %s", text);
        ef_log(s->log, EF_LOG_WARN, "%s", ef_guard_reason(guard, EF_GUARD_WRITE));
    }
    return EF_OK;
}
