/* Facts from registers, words from facts; the rules are the chips' rows. */
#include "chip_rows.h"

#include "espflashfs/bytes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CACHED_REGS = 24, ROM_BAUD = 115200, UART_CLKDIV_MASK = 0xFFFFF, BITS_PER_PAD = 6 };

/* Many fields share a register: each is read once. The first error stays. */
struct regs {
    struct ef_esp *esp;
    enum ef_err err;
    size_t count;
    uint32_t addr[CACHED_REGS], value[CACHED_REGS];
};

static uint32_t reg_value(struct regs *regs, uint32_t addr)
{
    for (size_t i = 0; i < regs->count; i++) {
        if (regs->addr[i] == addr)
            return regs->value[i];
    }
    uint32_t value = 0;
    if (regs->err == EF_OK)
        regs->err = ef_command_read_reg(regs->esp, addr, &value);
    if (regs->err == EF_OK && regs->count < CACHED_REGS) {
        regs->addr[regs->count] = addr;
        regs->value[regs->count++] = value;
    }
    return value;
}

static uint32_t cut_bits(const struct ef_bits *bits, uint32_t value)
{
    return value >> bits->shift & (uint32_t)((UINT64_C(1) << bits->width) - 1);
}

static uint32_t bits_value(struct regs *regs, const struct ef_bits *bits)
{
    return bits->width ? cut_bits(bits, reg_value(regs, bits->reg)) : 0;
}

static uint32_t field_value(struct regs *regs, const struct ef_field *field)
{
    uint32_t value = 0;
    unsigned shift = 0;
    for (size_t i = 0; i < EF_FIELD_PARTS; i++) {
        value |= bits_value(regs, &field->parts[i]) << shift;
        shift += field->parts[i].width;
    }
    return field->map ? field->map[value] : value;
}

/* `when` has EF_RULE_CONDITIONS of them: said as an array, gcc's sanitized build takes it amiss. */
static bool conditions_hold(const struct ef_condition *when, const uint32_t facts[EF_FACT_COUNT])
{
    for (size_t i = 0; i < EF_RULE_CONDITIONS && when[i].fact != EF_FACT_NONE; i++) {
        if (facts[when[i].fact] != when[i].value)
            return false;
    }
    return true;
}

static const char *first_text(const struct ef_rule *rules, const uint32_t facts[EF_FACT_COUNT])
{
    for (; rules && rules->text; rules++) {
        if (conditions_hold(rules->when, facts))
            return rules->text;
    }
    return "";
}

static void add_feature(const struct ef_chip_rows *rows, const struct ef_rule *rule,
                        const uint32_t facts[EF_FACT_COUNT], struct ef_identity *id)
{
    size_t len = strlen(id->features);
    const char *comma = len ? ", " : "";
    if (rule->vendor == EF_FACT_NONE) {
        snprintf(id->features + len, sizeof(id->features) - len, "%s%s", comma, rule->text);
        return;
    }
    const char *const *names =
        rule->vendor == EF_FACT_PSRAM_VENDOR ? rows->psram_vendors : rows->flash_vendors;
    const char *name = names[facts[rule->vendor]];
    snprintf(id->features + len, sizeof(id->features) - len, "%s%s (%s)", comma, rule->text,
             name ? name : "");
}

static void list_features(const struct ef_chip_rows *rows, const uint32_t facts[EF_FACT_COUNT],
                          struct ef_identity *id)
{
    bool chain_holds = false;
    for (const struct ef_rule *rule = rows->features; rule->text; rule++) {
        if (rule->otherwise && chain_holds)
            continue;
        chain_holds = conditions_hold(rule->when, facts);
        if (chain_holds && rule->text[0])
            add_feature(rows, rule, facts, id);
    }
}

static void describe(const struct ef_chip_rows *rows, uint32_t facts[EF_FACT_COUNT],
                     struct ef_identity *id)
{
    if (rows->revision_zero[0].fact != EF_FACT_NONE && conditions_hold(rows->revision_zero, facts))
        facts[EF_FACT_MAJOR] = facts[EF_FACT_MINOR] = 0;
    id->revision = (uint16_t)(facts[EF_FACT_MAJOR] * 100 + facts[EF_FACT_MINOR]);
    const char *name = first_text(rows->names, facts);
    if (rows->no_revision)
        snprintf(id->description, sizeof(id->description), "%s", name);
    else
        snprintf(id->description, sizeof(id->description), "%s (revision v%u.%u)", name,
                 (unsigned)facts[EF_FACT_MAJOR], (unsigned)facts[EF_FACT_MINOR]);
    list_features(rows, facts, id);
    snprintf(id->flash_type, sizeof(id->flash_type), "%s", first_text(rows->flash_type, facts));
    snprintf(id->flash_voltage, sizeof(id->flash_voltage), "%s",
             first_text(rows->flash_voltage, facts));
}

static void mac_from_words(struct regs *regs, const struct ef_chip_rows *rows,
                           struct ef_identity *id)
{
    uint32_t low = reg_value(regs, rows->mac_reg);
    uint32_t high = reg_value(regs, rows->mac_reg + 4);
    id->mac[0] = (uint8_t)(high >> 8);
    id->mac[1] = (uint8_t)high;
    for (unsigned i = 0; i < 4; i++)
        id->mac[2 + i] = (uint8_t)(low >> (24 - 8 * i));
    id->has_mac_ext = rows->mac_layout == EF_MAC_EXT;
    if (id->has_mac_ext) {
        id->mac_ext[0] = (uint8_t)(high >> 24);
        id->mac_ext[1] = (uint8_t)(high >> 16);
    }
}

static void mac_esp8266(struct regs *regs, const struct ef_chip_rows *rows, struct ef_identity *id)
{
    uint32_t word0 = reg_value(regs, rows->mac_reg);
    uint32_t word1 = reg_value(regs, rows->mac_reg + 4);
    uint32_t word3 = reg_value(regs, rows->mac_reg + 12);
    uint32_t oui = word3 & 0xFFFFFF;
    if (word3 == 0) {
        uint8_t range = (uint8_t)(word1 >> 16);
        if (range > 1 && regs->err == EF_OK) {
            ef_log(regs->esp->log, EF_LOG_WARN,
                   "ESP8266: no known MAC prefix: efuse words %08" PRIx32 " %08" PRIx32, word1,
                   word3);
            regs->err = EF_FRAMING;
        }
        oui = range == 0 ? 0x18FE34 : 0xACD074;
    }
    id->mac[0] = (uint8_t)(oui >> 16);
    id->mac[1] = (uint8_t)(oui >> 8);
    id->mac[2] = (uint8_t)oui;
    id->mac[3] = (uint8_t)(word1 >> 8);
    id->mac[4] = (uint8_t)word1;
    id->mac[5] = (uint8_t)(word0 >> 24);
}

/*
 * The baud that both ends agree on times the UART's divider is the clock that drives the
 * UART, a known multiple of the crystal's.
 */
static uint8_t measure_crystal(struct regs *regs, const struct ef_chip_rows *rows)
{
    struct ef_esp *esp = regs->esp;
    uint64_t clkdiv = reg_value(regs, rows->clkdiv_reg) & UART_CLKDIV_MASK;
    if (regs->err != EF_OK)
        return 0;
    /* Behind a socket the far end owns the baud: take the one that every ROM starts with. */
    uint64_t baud = esp->link->line->baud ? esp->link->line->baud : ROM_BAUD;
    uint64_t clock_hz = baud * clkdiv;
    uint64_t mhz = rows->clocks_per_crystal * UINT64_C(1000000);
    uint8_t crystal_mhz = 26;
    if (clock_hz > 45 * mhz)
        crystal_mhz = 48;
    else if (clock_hz > 33 * mhz)
        crystal_mhz = 40;
    if (clock_hz > (crystal_mhz + 1U) * mhz || clock_hz < (crystal_mhz - 1U) * mhz)
        ef_log(esp->log, EF_LOG_WARN, "the crystal measures as %" PRIu64 " kHz, taken for %u MHz",
               clock_hz / rows->clocks_per_crystal / 1000, crystal_mhz);
    return crystal_mhz;
}

static void read_guard(struct regs *regs, const struct ef_guard_regs *guard, struct ef_identity *id)
{
    bool odd = false;
    for (uint32_t bits = bits_value(regs, &guard->crypt_count); bits; bits &= bits - 1)
        odd = !odd;
    id->flash_encryption = odd;
    id->secure_boot = bits_value(regs, &guard->secure_boot) != 0 ||
                      (id->revision >= guard->secure_boot_v2_from &&
                       bits_value(regs, &guard->secure_boot_v2) != 0);
    id->no_manual_encrypt = bits_value(regs, &guard->no_manual_encrypt) != 0;
}

static uint32_t attach_word(struct regs *regs, const struct ef_bits pads[EF_PAD_COUNT])
{
    uint32_t word = 0;
    for (unsigned i = 0; i < EF_PAD_COUNT; i++)
        word |= bits_value(regs, &pads[i]) << (BITS_PER_PAD * i);
    return word;
}

static enum ef_err check_mac(struct ef_esp *esp, const struct ef_chip *chip,
                             const struct ef_identity *id)
{
    static const uint8_t ZEROS[6] = {0};
    if (memcmp(id->mac, ZEROS, sizeof(ZEROS)) != 0 && !ef_bytes_blank(id->mac, sizeof(id->mac)))
        return EF_OK;
    ef_log(esp->log, EF_LOG_ERROR, "%s: the MAC reads as all %s", chip->name,
           id->mac[0] ? "ones" : "zeros");
    return EF_FRAMING;
}

static void read_mac(struct regs *regs, const struct ef_chip_rows *rows, struct ef_identity *id)
{
    if (rows->mac_layout == EF_MAC_ESP8266)
        mac_esp8266(regs, rows, id);
    else
        mac_from_words(regs, rows, id);
}

enum ef_err ef_chip_read_mac(struct ef_esp *esp, const struct ef_chip *chip,
                             uint8_t mac[EF_MAC_BYTES])
{
    struct ef_identity id;
    struct regs regs = {.esp = esp};
    memset(&id, 0, sizeof(id));
    read_mac(&regs, chip->rows, &id);
    memcpy(mac, id.mac, EF_MAC_BYTES);
    return regs.err;
}

enum ef_err ef_chip_identify(struct ef_esp *esp, const struct ef_chip *chip,
                             const struct ef_security *security, struct ef_identity *id)
{
    memset(id, 0, sizeof(*id));
    if (security->secure_download) {
        snprintf(id->description, sizeof(id->description), "%s in Secure Download Mode",
                 chip->name);
        return EF_OK;
    }
    const struct ef_chip_rows *rows = chip->rows;
    struct regs regs = {.esp = esp};
    uint32_t facts[EF_FACT_COUNT];
    for (size_t i = 0; i < EF_FACT_COUNT; i++)
        facts[i] = field_value(&regs, &rows->fields[i]);
    describe(rows, facts, id);
    read_guard(&regs, &chip->guard, id);
    id->pads = attach_word(&regs, chip->pads);
    read_mac(&regs, rows, id);
    id->crystal_mhz = rows->crystal_mhz ? rows->crystal_mhz : measure_crystal(&regs, rows);
    snprintf(id->crystal, sizeof(id->crystal), "%uMHz", id->crystal_mhz);
    id->registers_read = true;
    if (regs.err != EF_OK) {
        ef_log(esp->log, EF_LOG_ERROR, "%s: cannot tell which one it is: %s", chip->name,
               ef_err_text(regs.err));
        return regs.err;
    }
    return check_mac(esp, chip, id);
}

enum ef_err ef_chip_read_bits(struct ef_esp *esp, const struct ef_bits *bits, uint32_t *value)
{
    *value = 0;
    if (!bits->width)
        return EF_OK;
    uint32_t reg;
    enum ef_err err = ef_command_read_reg(esp, bits->reg, &reg);
    if (err == EF_OK)
        *value = cut_bits(bits, reg);
    return err;
}
