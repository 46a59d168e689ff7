/*
 * The command line, a word a line of the input: what is taken is within its bounds, spelt as the
 * rest of the program wants it, and freed whole; a refusal ends nothing.
 */
#include "fuzz.h"

#include "program/options.h"

#include "espflashfs/cache.h"
#include "espflashfs/ports.h"
#include "espflashfs/reset.h"

#include <fcntl.h>
#include <unistd.h>

enum { WORDS_MAX = 24, TEXT_MAX = 4096 };

size_t ports_list(struct ef_port *ports, size_t cap) IN_PLACE_OF(ef_ports_list);

/* The machine's own ports are not to count. */
size_t ports_list(struct ef_port *ports, size_t cap)
{
    REQUIRE(cap >= 1);
    ports[0] = (struct ef_port){.name = "/dev/ttyUSB0", .serial = "0001", .vid = 0x10C4};
    return 1;
}

static void check_taken(const struct ef_options *o)
{
    struct ef_reset_sequence sequence;
    char why[EF_RESET_WHY_MAX];
    REQUIRE(o->baud >= 9600 && o->baud <= 4000000);
    REQUIRE(o->before >= EF_BEFORE_DEFAULT_RESET && o->before <= EF_BEFORE_NO_RESET_NO_SYNC);
    REQUIRE(o->after >= EF_AFTER_HARD_RESET && o->after <= EF_AFTER_NO_RESET_STUB);
    REQUIRE(!o->port || o->port[0] != '\0');
    REQUIRE(!o->chip || strcmp(o->chip, "auto") == 0 || ef_chip_by_option(o->chip));
    REQUIRE(!o->reset_sequence || ef_reset_parse(o->reset_sequence, &sequence, why) == EF_OK);
    REQUIRE(o->size_text ? o->size > 0 : o->size == 0);
    REQUIRE(o->cache_size >= EF_CACHE_LIMIT_MIN && o->stub);
    REQUIRE(!o->keep_images || !o->cache || o->cache[0] == '/');
    REQUIRE(o->probe ? !o->mountpoint : o->mountpoint && o->mountpoint[0] == '/');
    REQUIRE(o->fuse_argc > 0 && o->fuse_argv && !o->fuse_argv[o->fuse_argc]);
}

/* Standard error says what is wrong, thousands of times over. */
static int parse_quietly(int argc, char **argv, struct ef_options *options)
{
    int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    REQUIRE(kept >= 0 && null >= 0 && dup2(null, STDERR_FILENO) == STDERR_FILENO);
    int rc = ef_options_parse(argc, argv, options);
    REQUIRE(dup2(kept, STDERR_FILENO) == STDERR_FILENO);
    close(null);
    close(kept);
    return rc;
}

static void set_up(void)
{
    static bool done;
    static const char *const VARIABLES[] = {"ESPTOOL_PORT", "ESPTOOL_BAUD", "ESPTOOL_CHIP",
                                            "ESPTOOL_BEFORE", "ESPTOOL_AFTER"};
    if (done)
        return;
    for (size_t i = 0; i < sizeof(VARIABLES) / sizeof(VARIABLES[0]); i++)
        unsetenv(VARIABLES[i]);
    /* An empty folder to mount on, under a name that an input can know. */
    REQUIRE(chdir(fuzz_folder()) == 0);
    done = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct ef_options options;
    char program[] = "espflashfs";
    char *argv[WORDS_MAX + 2] = {program};
    int argc = 1;
    set_up();
    char *text = fuzz_text(&in, TEXT_MAX);
    char *save = NULL;
    for (char *word = strtok_r(text, "\n", &save); word && argc <= WORDS_MAX;
         word = strtok_r(NULL, "\n", &save))
        argv[argc++] = word;
    int rc = parse_quietly(argc, argv, &options);
    REQUIRE(rc == 0 || rc == -1);
    if (rc == 0 && !options.help && !options.version && !options.list)
        check_taken(&options);
    ef_options_free(&options);
    free(text);
    return 0;
}
