#include "options.h"

#include "espflashfs/cache.h"
#include "espflashfs/partition.h"
#include "espflashfs/ports.h"
#include "espflashfs/reset.h"
#include "espflashfs/text.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse_opt.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* More than most boards have, so that nothing need be read twice. */
enum { DEFAULT_CACHE_SIZE = 32 * 1024 * 1024 };

/* A cable is found and plugged in again. */
enum { DEFAULT_RECONNECT_S = 30, RECONNECT_MAX_S = 24 * 60 * 60 };

enum { DEFAULT_BAUD = 115200, BAUD_MIN = 9600, BAUD_MAX = 4000000 };

/* The form with a space takes --NAME=VALUE too, as "=VALUE"; the one behind it sets that right. */
#define TEXT(name, field)                                                                          \
    {"--" name " %s", offsetof(struct ef_options, field), 0},                                      \
        {"--" name "=%s", offsetof(struct ef_options, field), 0},                                  \
    {                                                                                              \
        name "=%s", offsetof(struct ef_options, field), 0                                          \
    }
#define FLAG(name, field)                                                                          \
    {                                                                                              \
        name, offsetof(struct ef_options, field), 1                                                \
    }

static const struct fuse_opt SPECS[] = {
    TEXT("port", port),
    {"-p %s", offsetof(struct ef_options, port), 0},
    TEXT("baud", baud_text),
    {"-b %s", offsetof(struct ef_options, baud_text), 0},
    TEXT("chip", chip),
    TEXT("before", before_text),
    TEXT("after", after_text),
    TEXT("custom_reset_sequence", reset_sequence),
    TEXT("stub", stub),
    TEXT("size", size_text),
    TEXT("cache_size", cache_size_text),
    /* Not the form with a space, which takes --cache_size=... too. */
    {"--cache=%s", offsetof(struct ef_options, cache), 0},
    {"cache=%s", offsetof(struct ef_options, cache), 0},
    TEXT("journal", journal),
    TEXT("reconnect", reconnect_text),
    TEXT("partition_offset", table_text),
    TEXT("log", log_file),
    FLAG("-f", foreground),
    FLAG("foreground", foreground),
    FLAG("--foreground", foreground),
    FLAG("-d", debug),
    FLAG("debug", debug),
    FLAG("--debug", debug),
    FLAG("--probe", probe),
    FLAG("--list", list),
    FLAG("-h", help),
    FLAG("--help", help),
    FLAG("-V", version),
    FLAG("--version", version),
    FLAG("force", force),
    FLAG("--force", force),
    FLAG("ro", read_only),
    FLAG("--ro", read_only),
    /* the kernel is to know, too; not by FUSE_OPT_KEY, at which clang warns */
    {"ro", UINT_MAX, FUSE_OPT_KEY_KEEP},
    FUSE_OPT_END};

static int complain(const char *format, const char *text)
{
    fprintf(stderr, "espflashfs: ");
    fprintf(stderr, format, text);
    fprintf(stderr, "\n");
    return -1;
}

/* Up to two words are ours: [PORT] MOUNTPOINT; the rest is FUSE's. */
static int take_word(void *data, const char *arg, int key, struct fuse_args *rest)
{
    struct ef_options *o = data;
    (void)rest;
    if (key != FUSE_OPT_KEY_NONOPT)
        return 1;
    if (o->mountpoint && o->port)
        return complain("too many arguments, from `%s`: see espflashfs --help", arg);
    char *copy = strdup(arg);
    if (!copy)
        return -1;
    if (o->mountpoint)
        o->port = o->mountpoint;
    o->mountpoint = copy;
    return 0;
}

static void use_variable(char **field, const char *variable)
{
    const char *value = getenv(variable);
    if (!*field && value && *value)
        *field = strdup(value);
}

/* esptool writes no_reset up to version 4 and no-reset since version 5. */
static bool same_word(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, "-_");
        b += strspn(b, "-_");
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (*a == '\0')
            return true;
    }
}

static int check_baud(struct ef_options *o)
{
    uint64_t baud = DEFAULT_BAUD;
    o->baud_auto = !o->baud_text || strcasecmp(o->baud_text, "auto") == 0;
    if (!o->baud_auto &&
        (ef_text_to_u64(o->baud_text, &baud) != EF_OK || baud < BAUD_MIN || baud > BAUD_MAX))
        return complain("baud=%s: a rate from 9600 to 4000000, or auto, is expected", o->baud_text);
    o->baud = (uint32_t)baud;
    return 0;
}

struct mode {
    const char *word;
    int value;
};

/* False where `text` is none of the words. NULL is the first. */
static bool find_mode(const struct mode *modes, size_t count, const char *text, int *value)
{
    for (size_t i = 0; i < count; i++) {
        if (text ? same_word(text, modes[i].word) : i == 0) {
            *value = modes[i].value;
            return true;
        }
    }
    return false;
}

static int check_resets(struct ef_options *o)
{
    static const struct mode BEFORE[] = {{"default-reset", EF_BEFORE_DEFAULT_RESET},
                                         {"usb-reset", EF_BEFORE_USB_RESET},
                                         {"no-reset", EF_BEFORE_NO_RESET},
                                         {"no-reset-no-sync", EF_BEFORE_NO_RESET_NO_SYNC}};
    static const struct mode AFTER[] = {{"hard-reset", EF_AFTER_HARD_RESET},
                                        {"no-reset", EF_AFTER_NO_RESET},
                                        {"no-reset-stub", EF_AFTER_NO_RESET_STUB}};
    int value = 0;
    if (!find_mode(BEFORE, sizeof(BEFORE) / sizeof(BEFORE[0]), o->before_text, &value))
        return complain("before=%s: default-reset, usb-reset, no-reset or no-reset-no-sync is "
                        "expected",
                        o->before_text);
    o->before = (enum ef_before)value;
    if (!find_mode(AFTER, sizeof(AFTER) / sizeof(AFTER[0]), o->after_text, &value))
        return complain("after=%s: hard-reset, no-reset or no-reset-stub is expected",
                        o->after_text);
    o->after = (enum ef_after)value;
    return 0;
}

static int check_chip(struct ef_options *o)
{
    static const char AUTO[] = "auto";
    if (!o->chip || ef_chip_by_option(o->chip))
        return 0;
    if (strcasecmp(o->chip, AUTO) == 0) {
        memcpy(o->chip, AUTO, sizeof(AUTO));
        return 0;
    }
    char names[128];
    ef_chip_options_text(names, sizeof(names));
    fprintf(stderr, "espflashfs: chip=%s: auto is expected, or one of %s\n", o->chip, names);
    return -1;
}

static int check_sequence(const char *text)
{
    struct ef_reset_sequence sequence;
    char why[EF_RESET_WHY_MAX];
    if (!text || ef_reset_parse(text, &sequence, why) == EF_OK)
        return 0;
    fprintf(stderr,
            "espflashfs: custom_reset_sequence=%s: %s; it takes " EF_RESET_GRAMMAR
            " (behind -o, a comma is written \\,)\n",
            text, why);
    return -1;
}

/*
 * A folder, or `none`. Its absolute path in its place: the driver changes to / when it goes to the
 * background.
 */
static int check_folder(const char *option, char **folder, bool *keep)
{
    struct stat st;
    *keep = !*folder || strcmp(*folder, "none") != 0;
    if (!*folder || !*keep)
        return 0;
    char *full = realpath(*folder, NULL);
    if (!full || stat(full, &st) != 0 || !S_ISDIR(st.st_mode)) {
        free(full);
        fprintf(stderr,
                "espflashfs: %s=%s: no such folder: make it with mkdir first, or use %s=none\n",
                option, *folder, option);
        return -1;
    }
    free(*folder);
    *folder = full;
    return 0;
}

static int check_cache_size(struct ef_options *o)
{
    o->cache_size = DEFAULT_CACHE_SIZE;
    if (o->cache_size_text && (ef_text_to_u64(o->cache_size_text, &o->cache_size) != EF_OK ||
                               o->cache_size < EF_CACHE_LIMIT_MIN))
        return complain("cache_size=%s: bytes are expected, 2M at least: digits, or 0x and hex, k "
                        "or M behind them",
                        o->cache_size_text);
    return 0;
}

static int check_reconnect(struct ef_options *o)
{
    uint64_t seconds = DEFAULT_RECONNECT_S;
    if (o->reconnect_text &&
        (ef_text_to_u64(o->reconnect_text, &seconds) != EF_OK || seconds > RECONNECT_MAX_S))
        return complain("reconnect=%s: seconds are expected, 0 to 86400; 0 does not wait",
                        o->reconnect_text);
    o->reconnect_ms = (int)seconds * 1000;
    return 0;
}

static int check_table(struct ef_options *o)
{
    uint64_t addr = EF_TABLE_ADDR;
    if (o->table_text && (ef_text_to_u64(o->table_text, &addr) != EF_OK || addr % EF_SECTOR ||
                          addr > UINT32_MAX - EF_SECTOR))
        return complain("partition_offset=%s: where the partition table lies is expected, a "
                        "multiple of 0x1000: 0x8000, 64k",
                        o->table_text);
    o->table_addr = (uint32_t)addr;
    return 0;
}

/*
 * The driver changes to / when it goes to the background, and opens the port again when a board is
 * back. Links stay: those of /dev/serial/by-id lead to another device then.
 */
static int make_port_absolute(char **port)
{
    if (!*port || (*port)[0] == '/' || access(*port, F_OK) != 0)
        return 0;
    char *folder = getcwd(NULL, 0);
    char *full = NULL;
    int n = folder ? asprintf(&full, "%s/%s", folder, *port) : -1;
    free(folder);
    if (n < 0)
        return complain("%s: cannot tell where that is: give its whole path", *port);
    free(*port);
    *port = full;
    return 0;
}

static int check_values(struct ef_options *o)
{
    /* A variable that is not set, in a script. Whatever port there is may be no board. */
    if (o->port && *o->port == '\0')
        return complain("%s", "the port's name is empty: leave it out to look for a board");
    if (make_port_absolute(&o->port) < 0)
        return -1;
    if (check_baud(o) < 0 || check_resets(o) < 0 || check_sequence(o->reset_sequence) < 0)
        return -1;
    if (check_chip(o) < 0)
        return -1;
    if (o->size_text && (ef_text_to_u64(o->size_text, &o->size) != EF_OK || o->size == 0))
        return complain("size=%s: bytes are expected, for example 4M or 0x400000", o->size_text);
    if (check_folder("cache", &o->cache, &o->keep_images) < 0 || check_cache_size(o) < 0 ||
        check_folder("journal", &o->journal, &o->keep_journal) < 0 || check_reconnect(o) < 0 ||
        check_table(o) < 0)
        return -1;
    if (!o->stub)
        o->stub = strdup("auto");
    return o->stub ? 0 : -1;
}

/* A serial number looks like a folder's name; but a board that is plugged in has it. */
static bool is_serial_number(const char *word)
{
    struct stat st;
    bool is = false;
    if (stat(word, &st) == 0)
        return false;
    struct ef_port *ports = calloc(EF_PORTS_MAX, sizeof(*ports));
    size_t count = ports ? ef_ports_list(ports, EF_PORTS_MAX) : 0;
    for (size_t i = 0; i < count && !is; i++)
        is = strcasecmp(ports[i].serial, word) == 0;
    free(ports);
    return is;
}

static bool looks_like_port(const char *word)
{
    return ef_port_is_spelling(word) || is_serial_number(word);
}

static bool is_empty(const char *folder)
{
    DIR *dir = opendir(folder);
    int entries = 0;
    while (dir && entries <= 2 && readdir(dir))
        entries++;
    if (dir)
        closedir(dir);
    return entries <= 2;
}

/* True if something is mounted on `folder` already. */
static bool is_mount_point(const char *folder, const struct stat *st)
{
    struct stat parent;
    char up[PATH_MAX];
    int n = snprintf(up, sizeof(up), "%s/..", folder);
    return n > 0 && (size_t)n < sizeof(up) && stat(up, &parent) == 0 && parent.st_dev != st->st_dev;
}

/* As libfuse does once the board is connected; whoever cannot had better know before. */
static int check_fuse(void)
{
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fd < 0 && (errno == EACCES || errno == EPERM))
        return complain("%s", "/dev/fuse: permission denied: as root run: chmod 666 /dev/fuse (in "
                              "a container: start it with --device /dev/fuse --cap-add SYS_ADMIN)");
    if (fd < 0)
        return complain("/dev/fuse: %s: as root run: modprobe fuse", strerror(errno));
    close(fd);
    return 0;
}

/* What would fail later, or do harm, is refused before the board is disturbed. */
static int check_mountpoint(struct ef_options *o)
{
    struct stat st;
    if (!o->mountpoint || (!o->port && looks_like_port(o->mountpoint)))
        return complain("%s", "no mount point given: espflashfs [options] [PORT] MOUNTPOINT");
    if (stat(o->mountpoint, &st) != 0 && errno == ENOTCONN)
        return complain("%s: a driver died there: run fusermount3 -u on it first", o->mountpoint);
    if (stat(o->mountpoint, &st) != 0)
        return complain("%s: no such directory: make it with mkdir first", o->mountpoint);
    if (!S_ISDIR(st.st_mode))
        return complain("%s is not a directory: the port comes first, then the mount point",
                        o->mountpoint);
    /* The driver changes to / when it goes to the background. */
    char *full = realpath(o->mountpoint, NULL);
    if (!full)
        return complain("%s cannot be resolved", o->mountpoint);
    free(o->mountpoint);
    o->mountpoint = full;
    if (is_mount_point(full, &st))
        return complain("%s is in use as a mount point: umount it first", full);
    if (access(full, W_OK) != 0)
        return complain("%s: no permission to mount there: choose a folder of your own", full);
    if (!is_empty(full))
        return complain("%s is not empty: was something copied there while nothing was mounted? "
                        "Empty it, or choose another",
                        full);
    return 0;
}

int ef_options_parse(int argc, char **argv, struct ef_options *o)
{
    memset(o, 0, sizeof(*o));
    struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
    if (fuse_opt_parse(&args, o, SPECS, take_word) < 0)
        return -1;
    /* Root and others must be told apart by the modes that getattr gives. */
    fuse_opt_add_arg(&args, "-odefault_permissions,subtype=espflashfs");
    /* Before what was given, so that mount.espflashfs can name the port, by which `mount -a` and
     * umount know it. */
    fuse_opt_insert_arg(&args, 1, "-ofsname=espflashfs");
    o->fuse_argc = args.argc;
    o->fuse_argv = args.argv;
    if (o->help || o->version || o->list)
        return 0;
    if (o->probe && o->mountpoint && o->port)
        return complain("--probe takes a port only, not `%s`", o->mountpoint);
    if (o->probe && o->mountpoint) {
        o->port = o->mountpoint;
        o->mountpoint = NULL;
    }
    use_variable(&o->port, "ESPTOOL_PORT");
    use_variable(&o->baud_text, "ESPTOOL_BAUD");
    use_variable(&o->chip, "ESPTOOL_CHIP");
    use_variable(&o->before_text, "ESPTOOL_BEFORE");
    use_variable(&o->after_text, "ESPTOOL_AFTER");
    if (check_values(o) < 0)
        return -1;
    if (o->probe)
        return 0;
    return check_mountpoint(o) < 0 ? -1 : check_fuse();
}

void ef_options_free(struct ef_options *o)
{
    char *texts[] = {o->port,           o->mountpoint, o->baud_text,       o->chip,
                     o->before_text,    o->after_text, o->reset_sequence,  o->stub,
                     o->size_text,      o->cache,      o->cache_size_text, o->journal,
                     o->reconnect_text, o->table_text, o->log_file};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        free(texts[i]);
    struct fuse_args args = FUSE_ARGS_INIT(o->fuse_argc, o->fuse_argv);
    args.allocated = 1;
    fuse_opt_free_args(&args);
}

void ef_options_help(void)
{
    fputs(
        "usage: espflashfs [options] [PORT] MOUNTPOINT\n"
        "       espflashfs --probe [options] [PORT]\n"
        "       espflashfs --list\n"
        "\n"
        "Mounts an Espressif board's flash as a directory: flash.bin, flash.md5, info.txt,\n"
        "status.txt, map.txt, erase, partitions/, partitions.csv.\n"
        "PORT is a device path, a USB serial number, hwid=VID:PID, rfc2217://HOST:PORT or\n"
        "socket://HOST:PORT; without one, the serial ports are tried.\n"
        "\n"
        "Options, as --NAME=VALUE or -o NAME=VALUE:\n"
        "    -p PORT, port=PORT     instead of the argument\n"
        "    -b RATE, baud=RATE     rate to work at; auto: the highest that works\n"
        "    chip=NAME              auto, or a name like esp8266 or esp32s3: refuse any other\n"
        "    before=MODE            default-reset, usb-reset, no-reset, no-reset-no-sync: how the\n"
        "                           board gets into its boot loader\n"
        "    after=MODE             hard-reset, no-reset, no-reset-stub: how it is left\n"
        "    custom_reset_sequence=STEPS  in place of before's, as esptool spells it: D0|R1|W0.1\n"
        "    stub=WHAT              auto, rom (no stub), a stub's JSON file, or a folder of them\n"
        "    size=BYTES             flash size, where the flash id is wrong (4M, 0x400000)\n"
        "    cache=DIR              keep what is read of boards in DIR; none: keep nothing\n"
        "    cache_size=BYTES       contents held in memory at most; 32M if not given\n"
        "    journal=DIR            keep what is begun on boards in DIR, so that it can be "
        "finished;\n"
        "                           none: do without\n"
        "    reconnect=SECONDS      how long to wait for a board that is gone; 30 if not given,\n"
        "                           0: requests fail at once\n"
        "    partition_offset=ADDRESS  where the partition table lies; 0x8000 if not given\n"
        "    log=FILE               append what happens to a file\n"
        "    ro                     refuse every write\n"
        "    force                  let through what would brick a guarded chip\n"
        "    -f, foreground         stay in the foreground; the exit status tells how it ended\n"
        "    -d, debug              foreground, with debug messages\n"
        "    --probe                print info.txt and leave\n"
        "    --list                 print the serial ports, and what would be done with each\n"
        "    -h, --help             this\n"
        "    -V, --version          the program's version\n"
        "\n"
        "FUSE's options:\n",
        stdout);
}
