#include "chip_rows.h"

#include "espflashfs/bytes.h"
#include "espflashfs/session.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    MAGIC_REG = 0x40001000,
    PROBE_TIMEOUT_MS = 500,
    PROBE_TRIES = 3,
    PROBE_QUIET_MS = 100,
    PROBE_SYNC_TRIES = 5,
    SECURITY_LEN = 20,
    SECURITY_LEN_S2 = 12, /* the ESP32-S2 answers without chip id and eco version */
    SECURITY_CHIP_ID = 12,
    ROM_BAUD = 115200,
    UART_CLKDIV_MASK = 0xFFFFF
};

static const struct ef_chip CHIPS[EF_CHIP_COUNT] = {
    [EF_CHIP_ESP8266] =
        {
            .id = EF_CHIP_ESP8266,
            .name = "ESP8266",
            .option = "esp8266",
            .magic = 0xFFF0C101,
            .security_chip_id = -1,
            .rom_status_bytes = 2,
            .spi = {.base = 0x60000200, .usr = 0x1C, .usr1 = 0x20, .usr2 = 0x24, .w0 = 0x40},
            .identify = ef_chip_identify_esp8266,
        },
    [EF_CHIP_ESP32] =
        {
            .id = EF_CHIP_ESP32,
            .name = "ESP32",
            .option = "esp32",
            .magic = 0x00F01D83,
            .security_chip_id = -1,
            .rom_status_bytes = 4,
            .rom_can_flash = true,
            .spi = {.base = 0x3FF42000,
                    .usr = 0x1C,
                    .usr1 = 0x20,
                    .usr2 = 0x24,
                    .mosi_dlen = 0x28,
                    .miso_dlen = 0x2C,
                    .w0 = 0x80},
            .identify = ef_chip_identify_esp32,
        },
    [EF_CHIP_ESP32C3] =
        {
            .id = EF_CHIP_ESP32C3,
            .name = "ESP32-C3",
            .option = "esp32c3",
            .security_chip_id = 5,
            .rom_status_bytes = 4,
            .rom_can_flash = true,
            .rom_encrypt_word = true,
            .spi = {.base = 0x60002000,
                    .usr = 0x18,
                    .usr1 = 0x1C,
                    .usr2 = 0x20,
                    .mosi_dlen = 0x24,
                    .miso_dlen = 0x28,
                    .w0 = 0x58},
            .identify = ef_chip_identify_esp32c3,
        },
};

static bool option_matches(const char *typed, const char *option)
{
    for (; *typed; typed++) {
        if (*typed == '-' || *typed == '_')
            continue;
        if (tolower((unsigned char)*typed) != *option)
            return false;
        option++;
    }
    return *option == '\0';
}

const struct ef_chip *ef_chip_by_option(const char *option)
{
    for (size_t i = 0; i < EF_CHIP_COUNT; i++) {
        if (option_matches(option, CHIPS[i].option))
            return &CHIPS[i];
    }
    return NULL;
}

const struct ef_chip *ef_chip_by_id(enum ef_chip_id id)
{
    return (unsigned)id < EF_CHIP_COUNT ? &CHIPS[id] : NULL;
}

static const struct ef_chip *by_security_id(uint32_t security_chip_id)
{
    for (size_t i = 0; i < EF_CHIP_COUNT; i++) {
        if (CHIPS[i].security_chip_id >= 0 &&
            (uint32_t)CHIPS[i].security_chip_id == security_chip_id)
            return &CHIPS[i];
    }
    return NULL;
}

static const struct ef_chip *by_magic(uint32_t magic)
{
    for (size_t i = 0; i < EF_CHIP_COUNT; i++) {
        if (CHIPS[i].magic != 0 && CHIPS[i].magic == magic)
            return &CHIPS[i];
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

static enum ef_err detect_by_magic(struct ef_esp *esp, const struct ef_chip **chip)
{
    struct probe probe;
    uint8_t payload[4];
    ef_put_le32(payload, MAGIC_REG);
    enum ef_err err = probe_send(esp, EF_OP_READ_REG, payload, sizeof(payload), 0, &probe);
    if (err != EF_OK) {
        ef_log(esp->log, EF_LOG_ERROR,
               "the boot loader does not tell which chip it is: register 0x%08x: %s",
               (unsigned)MAGIC_REG, ef_err_text(err));
        return err;
    }
    if (probe.refused) {
        ef_log(esp->log, EF_LOG_ERROR,
               "the chip refuses to read register 0x%08x (status %02x %02x): "
               "an ESP32-S2 in Secure Download Mode? It is not supported",
               (unsigned)MAGIC_REG, probe.status[0], probe.status[1]);
        return EF_UNSUPPORTED;
    }
    *chip = by_magic(probe.value);
    if (!*chip) {
        ef_log(esp->log, EF_LOG_ERROR, "unknown chip: register 0x%08x holds 0x%08" PRIx32,
               (unsigned)MAGIC_REG, probe.value);
        return EF_UNSUPPORTED;
    }
    return EF_OK;
}

enum ef_err ef_chip_detect(struct ef_esp *esp, const struct ef_chip **chip)
{
    *chip = NULL;
    esp->rom_status = 2; /* the two that count; any further ones lie behind them */
    struct probe probe;
    enum ef_err err = probe_send(esp, EF_OP_GET_SECURITY_INFO, NULL, 0, SECURITY_LEN_S2, &probe);
    if (err == EF_OK && !probe.refused && probe.data_len == SECURITY_LEN) {
        uint32_t security_chip_id = ef_le32(probe.data + SECURITY_CHIP_ID);
        *chip = by_security_id(security_chip_id);
        if (!*chip) {
            ef_log(esp->log, EF_LOG_ERROR,
                   "unknown chip: its security information tells chip id %" PRIu32
                   ", eco version %" PRIu32,
                   security_chip_id, ef_le32(probe.data + SECURITY_CHIP_ID + 4));
            return EF_UNSUPPORTED;
        }
    } else if (err == EF_OK || err == EF_TIMEOUT || err == EF_FRAMING) {
        err = detect_by_magic(esp, chip);
    }
    if (err == EF_OK)
        esp->rom_status = (*chip)->rom_status_bytes;
    return err;
}

enum ef_err ef_chip_identify(struct ef_esp *esp, const struct ef_chip *chip, struct ef_identity *id)
{
    static const uint8_t ZEROS[6] = {0};
    *id = (struct ef_identity){0};
    enum ef_err err = chip->identify(esp, id);
    if (err != EF_OK) {
        ef_log(esp->log, EF_LOG_ERROR, "%s: cannot tell which one it is: %s", chip->name,
               ef_err_text(err));
        return err;
    }
    if (memcmp(id->mac, ZEROS, sizeof(ZEROS)) == 0 || ef_bytes_blank(id->mac, sizeof(id->mac))) {
        ef_log(esp->log, EF_LOG_ERROR, "%s: the MAC reads as all %s", chip->name,
               id->mac[0] ? "ones" : "zeros");
        return EF_FRAMING;
    }
    return EF_OK;
}

enum ef_err ef_chip_read_words(struct ef_esp *esp, uint32_t addr, uint32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum ef_err err = ef_command_read_reg(esp, addr + 4 * (uint32_t)i, &words[i]);
        if (err != EF_OK)
            return err;
    }
    return EF_OK;
}

void ef_chip_add_feature(struct ef_identity *id, const char *feature)
{
    size_t len = strlen(id->features);
    snprintf(id->features + len, sizeof(id->features) - len, "%s%s", len ? ", " : "", feature);
}

enum ef_err ef_chip_crystal_by_uart(struct ef_esp *esp, uint32_t clkdiv_reg,
                                    uint32_t clocks_per_crystal, struct ef_identity *id)
{
    uint32_t clkdiv;
    enum ef_err err = ef_command_read_reg(esp, clkdiv_reg, &clkdiv);
    if (err != EF_OK)
        return err;
    /* Behind a socket the far end owns the baud: take the one that every ROM starts with. */
    uint64_t baud = esp->link->line->baud ? esp->link->line->baud : ROM_BAUD;
    uint64_t clock_hz = baud * (clkdiv & UART_CLKDIV_MASK);
    uint64_t mhz = clocks_per_crystal * UINT64_C(1000000);
    unsigned crystal_mhz = 26;
    if (clock_hz > 45 * mhz)
        crystal_mhz = 48;
    else if (clock_hz > 33 * mhz)
        crystal_mhz = 40;
    if (clock_hz > (crystal_mhz + 1) * mhz || clock_hz < (crystal_mhz - 1) * mhz)
        ef_log(esp->log, EF_LOG_WARN, "the crystal measures as %" PRIu64 " kHz, taken for %u MHz",
               clock_hz / clocks_per_crystal / 1000, crystal_mhz);
    snprintf(id->crystal, sizeof(id->crystal), "%uMHz", crystal_mhz);
    return EF_OK;
}

void ef_chip_mac_from_words(struct ef_identity *id, uint32_t low, uint32_t high)
{
    id->mac[0] = (uint8_t)(high >> 8);
    id->mac[1] = (uint8_t)high;
    for (unsigned i = 0; i < 4; i++)
        id->mac[2 + i] = (uint8_t)(low >> (24 - 8 * i));
}
