/*
 * The life cycle of a mount: options, board, mount, background, serve, unmount, flush, leave.
 * The board is opened first, so that a failure reaches the caller's terminal and exit status;
 * threads start last, since they would not survive the fork.
 */
#include "bar.h"
#include "discover.h"
#include "esptool_config.h"
#include "options.h"
#include "record.h"

#include "espflashfs/front.h"
#include "espflashfs/parts.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Exit statuses, as the man page lists them. */
enum { EXIT_USAGE = 2, EXIT_NO_BOARD = 1, EXIT_DATA_LOST = 3 };

struct program {
    struct ef_options options;
    struct ef_esptool_config esptool;
    struct ef_log log;
    struct ef_session session;
    struct ef_mount mount;
    struct ef_front *front;
    struct ef_worker *worker;
    struct ef_presence presence;
    struct ef_bar bar;
    struct ef_record record;
    char *stub_folder[3]; /* NULL-terminated */
    char *state_folder;   /* NULL: none */
    char *cache_folder;   /* NULL: none */
    char *journal_folder; /* NULL: none */
    struct ef_board_key image, journal, usual_journal;
    char found[EF_PORT_NAME_MAX]; /* the port, where none was given */
};

/*
 * Stubs lie beside the program in a build tree, and in the data folder of its installation.
 * Both are found from where the program is, so that an installation may be moved.
 */
static void find_stub_folders(struct program *p)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    if (n < 0)
        return;
    exe[n] = '\0';
    char *folder = dirname(exe);
    if (asprintf(&p->stub_folder[0], "%s/stubs", folder) < 0) {
        p->stub_folder[0] = NULL;
        return;
    }
    /* Users see the path: no dots in it. */
    const char *data = EF_DATA_FROM_BIN;
    for (; strncmp(data, "../", 3) == 0; data += 3)
        folder = dirname(folder);
    if (asprintf(&p->stub_folder[1], "%s/%s/stubs", folder, data) < 0)
        p->stub_folder[1] = NULL;
}

/*
 * By the XDG base directory specification, which wants relative paths ignored. NULL where there
 * is none.
 */
static char *find_folder(const char *variable, const char *below_home)
{
    const char *base = getenv(variable);
    const char *home = getenv("HOME");
    char *folder = NULL;
    int n = -1;
    if (base && base[0] == '/')
        n = asprintf(&folder, "%s/espflashfs", base);
    else if (home && home[0] == '/')
        n = asprintf(&folder, "%s/%s/espflashfs", home, below_home);
    return n < 0 ? NULL : folder;
}

static void find_folders(struct program *p)
{
    const struct ef_options *o = &p->options;
    p->state_folder = find_folder("XDG_STATE_HOME", ".local/state");
    if (o->keep_images)
        p->cache_folder = o->cache ? strdup(o->cache) : find_folder("XDG_CACHE_HOME", ".cache");
    const char *journal = o->journal ? o->journal : p->state_folder;
    if (o->keep_journal && journal)
        p->journal_folder = strdup(journal);
}

/* The option wins over esptool's file. */
static const char *reset_sequence(struct program *p)
{
    const char *from_file = p->esptool.reset_sequence;
    if (p->options.reset_sequence || !from_file)
        return p->options.reset_sequence;
    ef_log(&p->log, EF_LOG_INFO, "Reset sequence: %s, from %s", from_file, p->esptool.path);
    return from_file;
}

static enum ef_err open_board(struct program *p)
{
    const struct ef_options *o = &p->options;
    struct ef_session_config config = {.port = o->port,
                                       .baud = o->baud,
                                       .chip = o->chip,
                                       .before = o->before,
                                       .after = o->after,
                                       .reset_sequence = reset_sequence(p),
                                       .hard_reset_sequence = p->esptool.hard_reset_sequence,
                                       .baud_auto = o->baud_auto,
                                       .force = o->force != 0,
                                       .ask = isatty(STDERR_FILENO) == 1,
                                       .state_folder = p->state_folder,
                                       .stub = o->stub,
                                       .stub_folders = (const char *const *)p->stub_folder,
                                       .size = o->size};
    if (config.port)
        return ef_session_open(&config, &p->log, &p->session);
    return ef_discover(&config, getenv(EF_PORTS_VARIABLE), &p->log, &p->session, p->found);
}

static int probe(struct program *p)
{
    if (open_board(p) != EF_OK)
        return EXIT_NO_BOARD;
    char *text = ef_info_text(&p->session, p->options.read_only);
    if (text)
        fputs(text, stdout);
    free(text);
    ef_session_close(&p->session);
    return text ? EXIT_SUCCESS : EXIT_FAILURE;
}

static struct ef_flash *make_flash(struct program *p)
{
    struct ef_session *s = &p->session;
    if (s->guard.secure_download)
        return ef_flash_retry_new(ef_flash_guard_new(ef_flash_blind_new(s), &s->guard));
    struct ef_flash *flash = s->esp.stub ? ef_flash_stub_new(s) : ef_flash_rom_new(s);
    return ef_flash_retry_new(ef_flash_verify_new(ef_flash_guard_new(flash, &s->guard)));
}

static struct ef_board_key key_in(const struct program *p, const char *folder)
{
    const struct ef_session *s = &p->session;
    struct ef_board_key key = {
        .folder = folder, .flash_id = s->flash_id, .flash_size = s->flash_size};
    memcpy(key.mac, s->identity.mac, sizeof(key.mac));
    return key;
}

/* What a guarded chip's loader tells is not what its owner wants to have lie about. */
static void keep_image(struct program *p)
{
    const struct ef_session *s = &p->session;
    if (!p->cache_folder || s->guard.secure_download || s->guard.encryption != EF_ENCRYPTION_OFF)
        return;
    p->image = key_in(p, p->cache_folder);
    ef_cache_keep_image(p->mount.cache, &p->image);
}

static void keep_journal(struct program *p)
{
    const char *why = !p->journal_folder ? "neither XDG_STATE_HOME nor HOME is set: journal=DIR "
                                           "says where to keep one"
                                         : "the chip does not tell its MAC, by which one is found";
    bool usual = p->options.keep_journal && !p->options.journal;
    if (!usual && p->state_folder && p->session.identity.registers_read && !p->options.read_only) {
        p->usual_journal = key_in(p, p->state_folder);
        ef_cache_retire_journal(p->mount.cache, &p->usual_journal);
    }
    if (!p->options.keep_journal)
        return;
    if (!p->journal_folder || !p->session.identity.registers_read) {
        ef_log(&p->log, EF_LOG_WARN,
               "no journal: what is cut off in the middle of a write stays "
               "torn: %s",
               why);
        return;
    }
    p->journal = key_in(p, p->journal_folder);
    ef_cache_keep_journal(p->mount.cache, &p->journal, p->options.read_only != 0);
}

static enum ef_err start_threads(struct program *p)
{
    if (p->session.no_flash_why)
        return EF_OK;
    struct ef_flash *flash =
        ef_flash_reconnect_new(make_flash(p), p->options.reconnect_ms, &p->presence);
    if (!flash)
        return EF_NOMEM;
    enum ef_err err = ef_worker_start(flash, &p->worker);
    if (err == EF_OK)
        err = ef_cache_new(p->worker, p->session.flash_size, &p->log, &p->mount.cache);
    if (err != EF_OK)
        return err;
    p->mount.worker = p->worker;
    p->mount.presence = &p->presence;
    ef_bar_start(&p->bar, &p->mount);
    ef_cache_limit(p->mount.cache, p->options.cache_size);
    keep_image(p);
    keep_journal(p);
    return EF_OK;
}

/* What is still dirty goes out now; the exit status tells if it did not. */
static int finish(struct program *p, int status)
{
    unsigned unwritten = p->mount.cache ? ef_cache_state(p->mount.cache).dirty_sectors : 0;
    if (p->mount.cache)
        ef_record_add(&p->record, "writing %u", unwritten);
    if (unwritten > 0)
        ef_log(&p->log, EF_LOG_INFO, "writing what was begun before leaving: %u sectors",
               unwritten);
    if (p->mount.cache && !p->options.read_only &&
        ef_cache_flush(p->mount.cache, (struct ef_patience){0}) != EF_OK) {
        ef_log(&p->log, EF_LOG_ERROR,
               "unmounted with unwritten data: flash.bin is incomplete: mount the board again, "
               "which finishes what was begun, and write the image again");
        status = EXIT_DATA_LOST;
    }
    ef_bar_stop(&p->bar);
    ef_cache_free(p->mount.cache);
    ef_worker_stop(p->worker);
    ef_presence_free(&p->presence);
    ef_session_close(&p->session);
    return status;
}

static int serve(struct program *p)
{
    const struct ef_options *o = &p->options;
    ef_mount_init(&p->mount, &p->session, &p->log, o->read_only);
    ef_presence_init(&p->presence);
    ef_record_start(&p->record, o->mountpoint, &p->log);
    if (ef_parts_new(&p->mount, o->table_addr) != EF_OK ||
        ef_front_mount(p->front, o->mountpoint) != 0) {
        ef_session_close(&p->session);
        return EXIT_FAILURE;
    }
    ef_log(&p->log, EF_LOG_INFO, "mounted on %s", o->mountpoint);
    int status = EXIT_FAILURE;
    if (o->foreground || o->debug || ef_front_daemonize() == 0) {
        if (!o->foreground && !o->debug)
            ef_log_to_background(&p->log);
        ef_record_add(&p->record, "process %d", (int)getpid());
        if (start_threads(p) == EF_OK && ef_front_serve(p->front) == 0)
            status = EXIT_SUCCESS;
    }
    ef_front_unmount(p->front);
    return finish(p, status);
}

static int mount_board(struct program *p)
{
    p->front = ef_front_new(p->options.fuse_argc, p->options.fuse_argv, &p->mount);
    if (!p->front) {
        fputs("espflashfs: see espflashfs --help\n", stderr);
        return EXIT_USAGE;
    }
    int status = open_board(p) == EF_OK ? serve(p) : EXIT_NO_BOARD;
    ef_front_free(p->front);
    /* Files that were open to the end have been released by now. */
    ef_parts_free(&p->mount);
    ef_record_end(&p->record, status);
    return status;
}

static int run(struct program *p)
{
    const struct ef_options *o = &p->options;
    if (o->help) {
        ef_options_help();
        ef_front_help();
        return EXIT_SUCCESS;
    }
    if (o->version) {
        printf("espflashfs %s (libfuse %s)\n", EF_VERSION, ef_front_library_version());
        return EXIT_SUCCESS;
    }
    if (o->log_file && ef_log_open_file(&p->log, o->log_file) != 0) {
        fprintf(stderr, "espflashfs: log=%s: %s\n", o->log_file, strerror(errno));
        return EXIT_USAGE;
    }
    if (o->list) {
        ef_discover_list(getenv(EF_PORTS_VARIABLE));
        return EXIT_SUCCESS;
    }
    if (ef_esptool_config_read(&p->esptool, &p->log) != EF_OK)
        return EXIT_USAGE;
    find_stub_folders(p);
    find_folders(p);
    return o->probe ? probe(p) : mount_board(p);
}

/*
 * No right is needed but those of who runs it. With another user's, the files that the options and
 * the environment name would be opened in that user's name.
 */
static bool has_borrowed_rights(void)
{
    if (geteuid() == getuid() && getegid() == getgid())
        return false;
    fputs(
        "espflashfs: set-user-ID and set-group-ID are neither needed nor safe: chmod ug-s it; the "
        "port wants membership of its group (dialout)\n",
        stderr);
    return true;
}

int main(int argc, char **argv)
{
    static struct program p;
    if (has_borrowed_rights())
        return EXIT_USAGE;
    /* A socket that hangs up is an error of write(2), not a reason to die. */
    signal(SIGPIPE, SIG_IGN);
    int status = EXIT_USAGE;
    bool parsed = ef_options_parse(argc, argv, &p.options) == 0;
    ef_log_init(&p.log, "espflashfs", p.options.debug ? EF_LOG_DEBUG : EF_LOG_INFO);
    if (parsed)
        status = run(&p);
    free(p.state_folder);
    free(p.cache_folder);
    free(p.journal_folder);
    free(p.stub_folder[0]);
    free(p.stub_folder[1]);
    ef_log_free(&p.log);
    ef_esptool_config_free(&p.esptool);
    ef_options_free(&p.options);
    return status;
}
