#include "options.h"

#include "espflashfs/bytes.h"
#include "espflashfs/text.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_FLASH_SIZE = 4 << 20,
    NS_PER_MS = 1000000,
    WAIT_MAX_MS = 60000,
    EN_DELAY_MS = 10, /* 10 kΩ and 1 µF, about, as Espressif draws it */
    FAULTS_CAP = EB_FAULTS_MAX
};

enum option_code {
    OPT_CHIP = 1,
    OPT_FLASH,
    OPT_SIZE,
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
    OPT_LOG,
    OPT_HELP
};

static const struct option OPTIONS[] = {
    {"chip", required_argument, NULL, OPT_CHIP},
    {"flash", required_argument, NULL, OPT_FLASH},
    {"size", required_argument, NULL, OPT_SIZE},
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
    {"log", required_argument, NULL, OPT_LOG},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

void eb_options_help(FILE *out)
{
    char chips[128];
    eb_chip_names(chips, sizeof(chips));
    fprintf(
        out,
        "espboard: a simulated Espressif board, in its boot loader, on a serial line\n\n"
        "  --chip CHIP              %s\n"
        "  --flash FILE             the flash's contents; made full of FF if missing\n"
        "  --size SIZE              of the flash, 4M if not given\n"
        "  --listen socket:PORT     on 127.0.0.1; port 0 picks a free one\n"
        "           pty:LINK        a pseudo terminal, LINK points to it\n"
        "  --line-rate real|none    bytes take their time at the baud in force\n"
        "  --latency MS             a USB bridge's latency timer, chip to host\n"
        "  --flash-timing real|none erases, programs and digests take their time\n"
        "  --boot download|firmware what the board is in at the start\n"
        "  --circuit auto-reset     EN is low while RTS alone is asserted, IO0 while DTR alone\n"
        "            none           the modem lines do nothing\n"
        "            usb-jtag       the logic of the built-in USB-Serial-JTAG\n"
        "  --en-delay MS            from EN let go to the boot, 10 if not given\n"
        "  --mac AA:BB:CC:DD:EE:FF  in place of the chip's own\n"
        "  --flash-id c84016        manufacturer, type, size byte of the flash\n"
        "  --fault SPEC             as often as wanted; see below\n"
        "  --seed N                 for random faults and garbled bytes\n"
        "  --counters FILE          kept current with what the board did; SIGUSR1 writes it\n"
        "  --log FILE               connections, faults, and REJECT lines; else stderr\n"
        "  --help\n\n"
        "Prints `listening on WHERE` when it is ready. SIGTERM ends it.\n"
        "SIGUSR2 holds BOOT and taps RESET.\n\n"
        "faults:\n%s",
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

static bool parse_size(struct eb_config *config, const char *text)
{
    uint64_t size;
    if (!parse_number(text, UINT32_MAX, &size))
        return false;
    config->flash_size = (uint32_t)size;
    return true;
}

struct fault_list {
    const char *specs[FAULTS_CAP];
    size_t count;
    uint64_t seed;
};

static bool parse_option(struct eb_options *options, enum option_code code, const char *text,
                         struct fault_list *faults)
{
    struct eb_config *config = &options->config;
    switch (code) {
    case OPT_CHIP:
        config->chip = eb_chip_find(text);
        return config->chip != NULL;
    case OPT_FLASH:
        config->flash_path = text;
        return true;
    case OPT_SIZE:
        return parse_size(config, text);
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
        if (faults->count == FAULTS_CAP)
            return false;
        faults->specs[faults->count++] = text;
        return true;
    case OPT_SEED:
        return parse_number(text, UINT64_MAX, &faults->seed);
    case OPT_COUNTERS:
        options->counters_path = text;
        return true;
    case OPT_LOG:
        options->log_path = text;
        return true;
    case OPT_HELP:
        options->help = true;
        return true;
    }
    return false;
}

static int parse_faults(struct eb_config *config, const struct fault_list *faults, char *why,
                        size_t why_cap)
{
    eb_faults_init(&config->faults, faults->seed);
    for (size_t i = 0; i < faults->count; i++) {
        if (eb_faults_add(&config->faults, faults->specs[i], why, why_cap) < 0)
            return -1;
    }
    return 0;
}

int eb_options_parse(struct eb_options *options, int argc, char **argv, char *why, size_t why_cap)
{
    struct fault_list faults = {.seed = 1};
    int index = 0;
    int code;
    *options = (struct eb_options){.config.flash_size = DEFAULT_FLASH_SIZE,
                                   .config.en_delay_ns = (int64_t)EN_DELAY_MS * NS_PER_MS};
    opterr = 0;
    while ((code = getopt_long(argc, argv, "", OPTIONS, &index)) != -1) {
        if (code == '?' || code == ':') {
            snprintf(why, why_cap, "unknown option or missing value: %s", argv[optind - 1]);
            return -1;
        }
        if (!parse_option(options, (enum option_code)code, optarg, &faults)) {
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
    return parse_faults(&options->config, &faults, why, why_cap);
}
