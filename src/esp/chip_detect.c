/* Which chip answers: the questions that every loader survives, and what it makes of them. */
#include "espflashfs/bytes.h"
#include "espflashfs/session.h"

#include <inttypes.h>
#include <string.h>

enum {
    MAGIC_REG = 0x40001000,
    PROBE_TIMEOUT_MS = 500,
    PROBE_TRIES = 3,
    PROBE_QUIET_MS = 100,
    PROBE_SYNC_TRIES = 5,
    REFUSALS_BELIEVED = 2,
    SECURITY_LEN = 20,
    SECURITY_LEN_S2 = 12, /* the ESP32-S2 answers without chip id and eco version */
    STATUS_BAD_MESSAGE = 0x05
};

static const struct ef_chip *by_security_id(uint32_t security_chip_id)
{
    for (enum ef_chip_id id = 0; id < EF_CHIP_COUNT; id++) {
        const struct ef_chip *chip = ef_chip_by_id(id);
        if (chip->security_chip_id >= 0 && (uint32_t)chip->security_chip_id == security_chip_id)
            return chip;
    }
    return NULL;
}

static const struct ef_chip *by_magic(uint32_t magic)
{
    for (enum ef_chip_id id = 0; id < EF_CHIP_COUNT; id++) {
        const struct ef_chip *chip = ef_chip_by_id(id);
        if (chip->magic != 0 && chip->magic == magic)
            return chip;
    }
    return NULL;
}

/* A loader's answer to a probe; `refused` is an answer too. */
struct probe {
    bool refused;
    bool foreign; /* refused under another command's opcode */
    uint8_t status[2];
    uint32_t value;
    uint8_t data[SECURITY_LEN];
    size_t data_len; /* what came in front of the status, as far as it fits */
};

/*
 * Not ef_command_receive: a ROM refuses a command it does not know under the opcode of the
 * command before, and how many status bytes it sends is not known yet.
 */
static enum ef_err probe_receive(struct ef_esp *esp, enum ef_op op, size_t data_min,
                                 ef_deadline deadline, struct probe *probe)
{
    for (;;) {
        const uint8_t *frame;
        size_t len;
        enum ef_err err = ef_link_receive(esp->link, deadline, &frame, &len);
        if (err == EF_FRAMING && ef_deadline_left_ms(deadline) > 0)
            continue;
        if (err != EF_OK)
            return err;
        if (len < 8 + 2 || frame[0] != 0x01)
            continue;
        size_t body_len = len - 8;
        if (ef_le16(frame + 2) != body_len)
            continue;
        const uint8_t *body = frame + 8;
        bool bare_refusal = body_len <= 4 && body[0] != 0;
        bool mine = frame[1] == (uint8_t)op;
        if (!bare_refusal && (!mine || body_len < data_min + 2))
            continue;
        *probe = (struct probe){.refused = bare_refusal,
                                .foreign = !mine,
                                .status = {body[0], body[1]},
                                .value = ef_le32(frame + 4)};
        if (!bare_refusal) {
            probe->data_len = body_len - 2 < SECURITY_LEN ? body_len - 2 : SECURITY_LEN;
            memcpy(probe->data, body, probe->data_len);
        }
        return EF_OK;
    }
}

static enum ef_err sync_again(struct ef_esp *esp)
{
    enum ef_err err = ef_command_drain(esp, PROBE_QUIET_MS);
    if (err != EF_OK)
        return err;
    return ef_esp_sync(esp, PROBE_SYNC_TRIES);
}

/* Sends `op` until an answer comes, and leaves no late answer behind. Both probes are idempotent.
 */
static enum ef_err probe_send(struct ef_esp *esp, enum ef_op op, const uint8_t *payload,
                              size_t payload_len, size_t data_min, struct probe *probe)
{
    enum ef_err err = EF_TIMEOUT;
    for (int attempt = 1; attempt <= PROBE_TRIES; attempt++) {
        ef_deadline deadline = ef_deadline_in(PROBE_TIMEOUT_MS);
        err = ef_command_send(esp, op, payload, payload_len, 0, deadline);
        if (err == EF_OK)
            err = probe_receive(esp, op, data_min, deadline, probe);
        if (err == EF_GONE || (err == EF_OK && !probe->foreign))
            return err;
        enum ef_err synced = sync_again(esp);
        if (synced != EF_OK || err == EF_OK)
            return synced;
    }
    ef_log(esp->log, EF_LOG_DEBUG, "%s: %s after %d attempts", ef_command_name(op),
           ef_err_text(err), PROBE_TRIES);
    return err;
}

/*
 * A chip that tells no chip id and will not read registers either: only the ESP32-S2 in
 * Secure Download Mode does that. One refusal may be a damaged request.
 */
static enum ef_err read_magic(struct ef_esp *esp, struct probe *probe)
{
    uint8_t payload[4];
    ef_put_le32(payload, MAGIC_REG);
    enum ef_err err = EF_OK;
    for (int refusals = 0; refusals < REFUSALS_BELIEVED; refusals++) {
        if (refusals > 0)
            err = sync_again(esp);
        if (err == EF_OK)
            err = probe_send(esp, EF_OP_READ_REG, payload, sizeof(payload), 0, probe);
        if (err != EF_OK || !probe->refused)
            return err;
    }
    return EF_OK;
}

static enum ef_err detect_by_magic(struct ef_esp *esp, const struct ef_chip **chip,
                                   struct ef_security *security)
{
    struct probe probe;
    enum ef_err err = read_magic(esp, &probe);
    if (err != EF_OK) {
        ef_log(esp->log, EF_LOG_ERROR,
               "the boot loader does not tell which chip it is: register 0x%08x: %s",
               (unsigned)MAGIC_REG, ef_err_text(err));
        return err;
    }
    if (probe.refused && !esp->stub && probe.status[1] == STATUS_BAD_MESSAGE) {
        *chip = ef_chip_by_id(EF_CHIP_ESP32S2);
        security->secure_download = true;
        return EF_OK;
    }
    if (!probe.refused)
        *chip = by_magic(probe.value);
    if (!*chip) {
        ef_log(esp->log, EF_LOG_ERROR, "unknown chip: register 0x%08x %s 0x%08" PRIx32,
               (unsigned)MAGIC_REG, probe.refused ? "is refused with status" : "holds",
               probe.refused ? ef_le16(probe.status) : probe.value);
        return EF_UNSUPPORTED;
    }
    return EF_OK;
}

static void take_security(const struct probe *probe, struct ef_security *security)
{
    security->known = true;
    security->flags = ef_le32(probe->data);
    security->secure_download = (security->flags & EF_SECURE_DOWNLOAD_ENABLE) != 0;
    security->crypt_count = probe->data[4];
    memcpy(security->key_purpose, probe->data + 5, EF_KEY_PURPOSES);
    security->has_chip_id = probe->data_len == SECURITY_LEN;
    if (security->has_chip_id) {
        security->chip_id = ef_le32(probe->data + 12);
        security->eco = ef_le32(probe->data + 16);
    }
}

static enum ef_err detect_by_security(struct ef_esp *esp, const struct ef_chip **chip,
                                      const struct ef_security *security)
{
    *chip =
        security->has_chip_id ? by_security_id(security->chip_id) : ef_chip_by_id(EF_CHIP_ESP32S2);
    if (*chip)
        return EF_OK;
    ef_log(esp->log, EF_LOG_ERROR,
           "unknown chip: its security information tells chip id %" PRIu32 ", eco version %" PRIu32,
           security->chip_id, security->eco);
    return EF_UNSUPPORTED;
}

enum ef_err ef_chip_detect(struct ef_esp *esp, const struct ef_chip **chip,
                           struct ef_security *security)
{
    *chip = NULL;
    memset(security, 0, sizeof(*security));
    esp->rom_status = 2; /* the two that count; any further ones lie behind them */
    struct probe probe;
    enum ef_err err = probe_send(esp, EF_OP_GET_SECURITY_INFO, NULL, 0, SECURITY_LEN_S2, &probe);
    if (err == EF_OK && !probe.refused) {
        take_security(&probe, security);
        /* The short reply is no proof yet; the register is, unless it may not be read. */
        err = security->has_chip_id || security->secure_download
                  ? detect_by_security(esp, chip, security)
                  : detect_by_magic(esp, chip, security);
    } else if (err == EF_OK || err == EF_TIMEOUT || err == EF_FRAMING) {
        err = detect_by_magic(esp, chip, security);
    } else {
        ef_log(esp->log, EF_LOG_ERROR, "the boot loader does not tell which chip it is: %s",
               ef_err_text(err));
    }
    if (err != EF_OK)
        return err;
    esp->rom_status = (*chip)->rom_status_bytes;
    if (security->secure_download)
        ef_log(esp->log, EF_LOG_WARN, "%s is in Secure Download Mode", (*chip)->name);
    return EF_OK;
}
