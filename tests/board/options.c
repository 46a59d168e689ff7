#include "options.h"

#include "espflashfs/bytes.h"
#include "espflashfs/text.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_FLASH_SIZE = 4 << 20,
    CHIPS_CAP = 2048,
    NS_PER_MS = 1000000,
    WAIT_MAX_MS = 60000,
    EN_DELAY_MS = 10, /* 10 kΩ and 1 µF, about, as Espressif draws it */
    FAULTS_CAP = EB_FAULTS_MAX
};

enum option_code {
    OPT_CHIP = 1,
    OPT_VARIANT,
    OPT_EFUSE,
    OPT_USB,
    OPT_SECURITY,
    OPT_FLASH,
    OPT_SIZE,
    OPT_REAL_SIZE,
    OPT_LISTEN,
    OPT_LINE_RATE,
    OPT_LATENCY,
    OPT_FLASH_TIMING,
    OPT_BOOT,
    OPT_CIRCUIT,
    OPT_EN_DELAY,
    OPT_MAC,
    OPT_FLASH_ID,
    OPT_FAULT,
    OPT_SEED,
    OPT_COUNTERS,
    OPT_PULSE,
    OPT_LOG,
    OPT_HELP
};

static const struct option OPTIONS[] = {
    {"chip", required_argument, NULL, OPT_CHIP},
    {"variant", required_argument, NULL, OPT_VARIANT},
    {"efuse", required_argument, NULL, OPT_EFUSE},
    {"usb", required_argument, NULL, OPT_USB},
    {"security", required_argument, NULL, OPT_SECURITY},
    {"flash", required_argument, NULL, OPT_FLASH},
    {"size", required_argument, NULL, OPT_SIZE},
    {"real-size", required_argument, NULL, OPT_REAL_SIZE},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"line-rate", required_argument, NULL, OPT_LINE_RATE},
    {"latency", required_argument, NULL, OPT_LATENCY},
    {"flash-timing", required_argument, NULL, OPT_FLASH_TIMING},
    {"boot", required_argument, NULL, OPT_BOOT},
    {"circuit", required_argument, NULL, OPT_CIRCUIT},
    {"en-delay", required_argument, NULL, OPT_EN_DELAY},
    {"mac", required_argument, NULL, OPT_MAC},
    {"flash-id", required_argument, NULL, OPT_FLASH_ID},
    {"fault", required_argument, NULL, OPT_FAULT},
    {"seed", required_argument, NULL, OPT_SEED},
    {"counters", required_argument, NULL, OPT_COUNTERS},
    {"pulse", required_argument, NULL, OPT_PULSE},
    {"log", required_argument, NULL, OPT_LOG},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

void eb_options_help(FILE *out)
{
    char chips[CHIPS_CAP];
    eb_chip_list(chips, sizeof(chips));
    fprintf(out,
            "espboard: a simulated Espressif board, in its boot loader, on a serial line\n\n"
            "  --chip CHIP              see below\n"
            "  --variant NAME           a package or revision of it, see below\n"
            "  --efuse ADDR=VALUE       a register's word, as often as wanted\n"
            "  --usb otg|jtag|none      what the ROM says it talks through; jtag: with watchdogs;\n"
            "                           otg-hold, jtag-hold: a frame of a multiple of 64 bytes\n"
            "                           keeps its last packet back until more is sent\n"
            "  --security STATE         none, or of these, joined by +: flash-encryption-dev,\n"
            "                           flash-encryption-release, secure-boot, secure-boot-v1,\n"
            "                           secure-download\n"
            "  --flash FILE             the flash's contents; made full of FF if missing\n"
            "  --size SIZE              of the flash, the variant's or 4M if not given\n"
            "  --real-size SIZE         less than that: contents repeat, as in a fake flash\n"
            "  --listen socket:PORT     on 127.0.0.1; port 0 picks a free one\n"
            "           rfc2217:PORT    with baud and modem lines, as telnet has them\n"
            "           usbip:PORT      a USB-Serial-JTAG with bus id 1-1, for a kernel to attach\n"
            "           usbip:PORT:KIND jtag, cp210x, jtag-zero, which ends its transfers, or\n"
            "                           jtag-leaves, which leaves the bus at each reset\n"
            "           pty:LINK        a pseudo terminal, LINK points to it\n"
            "  --line-rate real|none    bytes take their time at the baud in force\n"
            "  --latency MS             a USB bridge's latency timer, chip to host\n"
            "  --flash-timing real|none erases, programs and digests take their time\n"
            "  --boot download|firmware what the board is in at the start\n"
            "  --circuit auto-reset     EN low while RTS alone is on, IO0 while DTR alone\n"
            "            none           the modem lines do nothing\n"
            "            usb-jtag       the logic of the built-in USB-Serial-JTAG\n"
            "  --en-delay MS            from EN let go to the boot, 10 if not given\n"
            "  --mac AA:BB:CC:DD:EE:FF  in place of the chip's own\n"
            "  --flash-id c84016        manufacturer, type, size byte of the flash\n"
            "  --fault SPEC             as often as wanted; see below\n"
            "  --seed N                 for random faults and garbled bytes\n"
            "  --counters FILE          kept current with what the board did; SIGUSR1 writes it\n"
            "  --pulse FIFO             a byte goes there as each erase and page program begins\n"
            "  --log FILE               connections, faults, and REJECT lines; else stderr\n"
            "  --help\n\n"
            "Prints `listening on WHERE` when it is ready. SIGTERM ends it.\n"
            "SIGUSR2 holds BOOT and taps RESET.\n\n"
            "chips, each with its variants:\n%s\nfaults:\n%s",
            chips, eb_faults_help());
}

/* `text` is `yes` or `no`. */
static bool one_of_two(const char *text, const char *yes, const char *no, bool *value)
{
    *value = strcmp(text, yes) == 0;
    return *value || strcmp(text, no) == 0;
}

static bool parse_hex(const char *text, const char *separator, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char pair[3] = "";
        char *end;
        memcpy(pair, text, strnlen(text, 2));
        out[i] = (uint8_t)strtoul(pair, &end, 16);
        if (end != pair + 2)
            return false;
        text += 2;
        if (i + 1 < len && strncmp(text, separator, strlen(separator)) != 0)
            return false;
        if (i + 1 < len)
            text += strlen(separator);
    }
    return *text == '\0';
}

static bool parse_number(const char *text, uint64_t max, uint64_t *value)
{
    return ef_text_to_u64(text, value) == EF_OK && *value <= max;
}

static bool parse_flash_id(struct eb_config *config, const char *text)
{
    uint8_t id[3];
    if (!parse_hex(text, "", id, sizeof(id)))
        return false;
    config->has_flash_id = true;
    config->flash_id = (uint32_t)id[0] | (uint32_t)id[1] << 8 | (uint32_t)id[2] << 16;
    return true;
}

static bool parse_mac(struct eb_config *config, const char *text)
{
    config->has_mac = true;
    return parse_hex(text, ":", config->mac, sizeof(config->mac));
}

static bool parse_ms(const char *text, int64_t *ns)
{
    uint64_t ms;
    if (!parse_number(text, WAIT_MAX_MS, &ms))
        return false;
    *ns = (int64_t)ms * NS_PER_MS;
    return true;
}

static bool parse_circuit(struct eb_config *config, const char *text)
{
    static const char *const NAMES[] = {[EB_CIRCUIT_AUTO_RESET] = "auto-reset",
                                        [EB_CIRCUIT_NONE] = "none",
                                        [EB_CIRCUIT_USB_JTAG] = "usb-jtag"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (strcmp(text, NAMES[i]) == 0) {
            config->circuit = (enum eb_circuit)i;
            return true;
        }
    }
    return false;
}

static bool parse_u32(const char *text, uint32_t *value)
{
    uint64_t number;
    if (!parse_number(text, UINT32_MAX, &number))
        return false;
    *value = (uint32_t)number;
    return true;
}

/* A kind of USB, `-hold` behind it or not. */
static bool parse_usb(struct eb_options *options, const char *text)
{
    struct eb_config *config = &options->config;
    static const char *const KINDS[EB_USB_KIND_COUNT] = {
        [EB_USB_NONE] = "none", [EB_USB_OTG] = "otg", [EB_USB_JTAG] = "jtag"};
    for (int kind = 0; kind < EB_USB_KIND_COUNT; kind++) {
        size_t len = strlen(KINDS[kind]);
        config->usb = (enum eb_usb_kind)kind;
        if (strncmp(text, KINDS[kind], len) != 0)
            continue;
        options->usb_hold = strcmp(text + len, "-hold") == 0;
        return options->usb_hold || text[len] == '\0';
    }
    return false;
}

static bool parse_efuse(struct eb_options *options, const char *text)
{
    char addr[16];
    const char *equals = strchr(text, '=');
    size_t i = options->config.efuse_count;
    if (!equals || (size_t)(equals - text) >= sizeof(addr) || i == EB_OPTIONS_EFUSES)
        return false;
    memcpy(addr, text, (size_t)(equals - text));
    addr[equals - text] = '\0';
    options->config.efuse_count++;
    return parse_u32(addr, &options->efuses[i].addr) &&
           parse_u32(equals + 1, &options->efuses[i].value);
}

/* What makes sense only when all options are known. */
struct late_options {
    const char *fault_specs[FAULTS_CAP];
    size_t fault_count;
    uint64_t seed;
    const char *variant;
};

static bool keep_fault(struct late_options *late, const char *spec)
{
    if (late->fault_count == FAULTS_CAP)
        return false;
    late->fault_specs[late->fault_count++] = spec;
    return true;
}

static bool open_pulse(struct eb_config *config, const char *path)
{
    config->pulse_fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    return config->pulse_fd >= 0;
}

static bool parse_option(struct eb_options *options, enum option_code code, const char *text,
                         struct late_options *late)
{
    struct eb_config *config = &options->config;
    switch (code) {
    case OPT_CHIP:
        config->chip = eb_chip_find(text);
        return config->chip != NULL;
    case OPT_VARIANT:
        late->variant = text;
        return true;
    case OPT_EFUSE:
        return parse_efuse(options, text);
    case OPT_USB:
        return parse_usb(options, text);
    case OPT_SECURITY:
        return eb_security_parse(text, &config->security);
    case OPT_FLASH:
        config->flash_path = text;
        return true;
    case OPT_SIZE:
        return parse_u32(text, &config->flash_size);
    case OPT_REAL_SIZE:
        return parse_u32(text, &config->real_size);
    case OPT_LISTEN:
        options->listen = text;
        return true;
    case OPT_LINE_RATE:
        return one_of_two(text, "real", "none", &config->real_line_rate);
    case OPT_LATENCY:
        return parse_ms(text, &options->latency_ns);
    case OPT_FLASH_TIMING:
        return one_of_two(text, "real", "none", &config->real_flash_timing);
    case OPT_BOOT:
        return one_of_two(text, "firmware", "download", &config->firmware);
    case OPT_CIRCUIT:
        return parse_circuit(config, text);
    case OPT_EN_DELAY:
        return parse_ms(text, &config->en_delay_ns);
    case OPT_MAC:
        return parse_mac(config, text);
    case OPT_FLASH_ID:
        return parse_flash_id(config, text);
    case OPT_FAULT:
        return keep_fault(late, text);
    case OPT_SEED:
        return parse_number(text, UINT64_MAX, &late->seed);
    case OPT_COUNTERS:
        options->counters_path = text;
        return true;
    case OPT_PULSE:
        return open_pulse(config, text);
    case OPT_LOG:
        options->log_path = text;
        return true;
    case OPT_HELP:
        options->help = true;
        return true;
    }
    return false;
}

static int settle_chip(struct eb_config *config, const char *variant, char *why, size_t why_cap)
{
    if (variant) {
        config->variant = eb_chip_find_variant(config->chip, variant);
        if (!config->variant) {
            snprintf(why, why_cap, "%s has no variant '%s'", config->chip->option, variant);
            return -1;
        }
    }
    if (config->flash_size == 0 && config->variant)
        config->flash_size = config->variant->flash_size;
    if (config->flash_size == 0)
        config->flash_size = DEFAULT_FLASH_SIZE;
    if (config->real_size > config->flash_size) {
        snprintf(why, why_cap, "--real-size is more than the flash's size");
        return -1;
    }
    const char *foreign = eb_security_foreign(config->chip, config->security);
    if (foreign) {
        snprintf(why, why_cap, "%s has no %s", config->chip->option, foreign);
        return -1;
    }
    if (config->usb != EB_USB_NONE && config->chip->uart_no.value[config->usb] == 0) {
        snprintf(why, why_cap, "%s has no such USB port", config->chip->option);
        return -1;
    }
    return 0;
}

static int settle(struct eb_options *options, const struct late_options *late, char *why,
                  size_t why_cap)
{
    struct eb_config *config = &options->config;
    config->efuses = options->efuses;
    if (settle_chip(config, late->variant, why, why_cap) < 0)
        return -1;
    eb_faults_init(&config->faults, late->seed);
    for (size_t i = 0; i < late->fault_count; i++) {
        if (eb_faults_add(&config->faults, late->fault_specs[i], why, why_cap) < 0)
            return -1;
    }
    return 0;
}

int eb_options_parse(struct eb_options *options, int argc, char **argv, char *why, size_t why_cap)
{
    struct late_options late = {.seed = 1};
    int index = 0;
    int code;
    *options = (struct eb_options){.config.en_delay_ns = (int64_t)EN_DELAY_MS * NS_PER_MS};
    opterr = 0;
    while ((code = getopt_long(argc, argv, "", OPTIONS, &index)) != -1) {
        if (code == '?' || code == ':') {
            snprintf(why, why_cap, "unknown option or missing value: %s", argv[optind - 1]);
            return -1;
        }
        if (!parse_option(options, (enum option_code)code, optarg, &late)) {
            snprintf(why, why_cap, "--%s does not take '%s'", OPTIONS[index].name, optarg);
            return -1;
        }
    }
    if (options->help)
        return 0;
    if (optind != argc) {
        snprintf(why, why_cap, "'%s' is no option", argv[optind]);
        return -1;
    }
    if (!options->config.chip || !options->config.flash_path || !options->listen) {
        snprintf(why, why_cap, "--chip, --flash and --listen are needed");
        return -1;
    }
    return settle(options, &late, why, why_cap);
}
