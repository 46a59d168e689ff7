#include "rig.h"

#include "board_state.h"
#include "host.h"

#include "cache/cache_private.h"

#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STUB_NAME "stub.json"

enum { WORK_BAUD = 460800, EN_DELAY_NS = 10000000, SETTLE_NS = 20000, RECONNECT_MS = 10000 };

/* The sixteen bytes of code that the simulated boards take for a stub. */
static bool write_stub(struct sw_rig *rig, const char *folder)
{
    uint32_t start = eb_chip_stub_start(eb_chip_find(rig->target.chip), NULL);
    int n = snprintf(rig->stub_path, sizeof(rig->stub_path), "%s/" STUB_NAME, folder);
    FILE *file = n > 0 && (size_t)n < sizeof(rig->stub_path) ? fopen(rig->stub_path, "we") : NULL;
    if (!file)
        return false;
    start = start != 0 ? start : 0x40000000;
    fprintf(file, "{\"entry\": %u, \"text_start\": %u, \"text\": \"AAAAAAAAAAAAAAAAAAAAAA==\"}\n",
            start, start);
    return fclose(file) == 0;
}

struct sw_rig *sw_rig_new(const struct sw_target *target, const char *folder, bool verbose)
{
    char why[EB_WHY_CAP] = "out of memory";
    struct sw_rig *rig = calloc(1, sizeof(*rig));
    if (!rig)
        return NULL;
    rig->target = *target;
    snprintf(rig->folder, sizeof(rig->folder), "%s", folder);
    struct eb_config config = {.chip = eb_chip_find(target->chip),
                               .flash_size = target->flash_size,
                               .en_delay_ns = EN_DELAY_NS,
                               .real_flash_timing = true,
                               .log = {.file = verbose ? stderr : NULL}};
    eb_faults_init(&config.faults, 1);
    rig->wire = config.chip ? sw_wire_new(&config, target->line, why) : NULL;
    if (!rig->wire || !write_stub(rig, folder)) {
        fprintf(stderr, "sweep: %s: %s\n", target->chip, why);
        sw_rig_free(rig);
        return NULL;
    }
    sw_wire_port(rig->wire, rig->port);
    ef_log_init(&rig->log, "espflashfs", verbose ? EF_LOG_DEBUG : EF_LOG_ERROR);
    rig->log.to_stderr = verbose;
    return rig;
}

void sw_rig_free(struct sw_rig *rig)
{
    if (!rig)
        return;
    sw_wire_free(rig->wire);
    free(rig->info);
    free(rig);
}

/* Of the journals in `folder`: the files, and their boards' folders. */
static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    if (at->level > 0 && strcmp(path + at->base, STUB_NAME) != 0)
        (void)(kind == FTW_DP ? rmdir(path) : unlink(path));
    return 0;
}

static void forget_journals(const char *folder)
{
    nftw(folder, remove_entry, 4, FTW_DEPTH | FTW_PHYS);
}

void sw_rig_clean_up(const char *folder)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/" STUB_NAME, folder);
    forget_journals(folder);
    unlink(path);
    rmdir(folder);
}

const uint8_t *sw_rig_flash(const struct sw_rig *rig)
{
    return rig->wire->board->nor.bytes;
}

void sw_rig_fill(struct sw_rig *rig, const uint8_t *bytes)
{
    forget_journals(rig->folder);
    memcpy(rig->wire->board->nor.bytes, bytes, rig->target.flash_size);
    sw_wire_mend(rig->wire);
    /* A serial line's modem lines bring it into its loader. */
    sw_wire_boot(rig->wire, rig->target.line == SW_LINE_SOCKET);
}

/* As main.c's make_flash, and start_threads. */
static struct ef_flash *make_flash(struct sw_rig *rig)
{
    struct ef_session *s = &rig->session;
    struct ef_flash *flash = s->esp.stub ? ef_flash_stub_new(s) : ef_flash_rom_new(s);
    flash = ef_flash_guard_new(flash, &s->guard);
    flash = ef_flash_retry_new(rig->unproven ? flash : ef_flash_verify_new(flash));
    return ef_flash_reconnect_new(flash, RECONNECT_MS, &rig->presence);
}

static void keep_journal(struct sw_rig *rig)
{
    const struct ef_session *s = &rig->session;
    rig->journal = (struct ef_board_key){
        .folder = rig->folder, .flash_id = s->flash_id, .flash_size = s->flash_size};
    memcpy(rig->journal.mac, s->identity.mac, sizeof(rig->journal.mac));
    ef_cache_keep_journal(rig->mount.cache, &rig->journal, false);
}

static enum ef_err start_threads(struct sw_rig *rig)
{
    if (rig->session.no_flash_why)
        return EF_OK;
    struct ef_flash *flash = make_flash(rig);
    if (!flash)
        return EF_NOMEM;
    enum ef_err err = ef_worker_start(flash, &rig->worker);
    if (err == EF_OK)
        err = ef_cache_new(rig->worker, rig->session.flash_size, &rig->log, &rig->mount.cache);
    rig->mount.worker = rig->worker;
    rig->mount.presence = &rig->presence;
    if (err == EF_OK && !rig->unjournaled)
        keep_journal(rig);
    return err;
}

static void invalidate(struct ef_mount *mount, const struct ef_node *node)
{
    (void)mount;
    (void)node;
}

enum ef_err sw_rig_mount(struct sw_rig *rig)
{
    bool serial = rig->target.line == SW_LINE_SERIAL;
    struct ef_session_config config = {
        .port = rig->port,
        .baud = serial ? WORK_BAUD : 0,
        .before = EF_BEFORE_DEFAULT_RESET,
        .after = EF_AFTER_HARD_RESET,
        .stub = rig->target.stub ? rig->stub_path : "rom",
    };
    if (rig->target.flash_size < 256 * 1024)
        config.size = rig->target.flash_size;
    enum ef_err err = ef_session_open(&config, &rig->log, &rig->session);
    if (err != EF_OK)
        return err;
    ef_mount_init(&rig->mount, &rig->session, &rig->log, false);
    rig->mount.invalidate = invalidate;
    ef_presence_init(&rig->presence);
    rig->mounted = true;
    err = start_threads(rig);
    if (err != EF_OK) {
        sw_rig_unmount(rig);
        return err;
    }
    sw_host_pass(1);
    free(rig->info);
    rig->info = ef_info_text(&rig->session, false);
    sw_host_pass(-1);
    return EF_OK;
}

enum ef_err sw_rig_unmount(struct sw_rig *rig)
{
    enum ef_err err = EF_OK;
    if (!rig->mounted)
        return EF_OK;
    if (rig->mount.cache)
        err = ef_cache_flush(rig->mount.cache, (struct ef_patience){0});
    ef_cache_free(rig->mount.cache);
    ef_worker_stop(rig->worker);
    ef_presence_free(&rig->presence);
    ef_session_close(&rig->session);
    pthread_mutex_destroy(&rig->mount.lock);
    rig->mount.cache = NULL;
    rig->worker = NULL;
    rig->mounted = false;
    return err;
}

static bool busy(struct sw_rig *rig)
{
    struct ef_cache *c = rig->mount.cache;
    pthread_mutex_lock(&c->lock);
    bool work = c->fetches || c->erases || c->healing || c->passes_wanted > c->passes_done ||
                (!c->stalled && (c->complete_count >= EF_RUN_SECTORS || ef_window_is_full(c)));
    for (uint32_t s = 0; s < c->sectors && !work; s++)
        work = c->sector[s].writing;
    pthread_mutex_unlock(&c->lock);
    return work || ef_worker_activity(rig->worker).busy;
}

void sw_rig_settle(struct sw_rig *rig)
{
    struct timespec a_moment = {.tv_nsec = SETTLE_NS};
    while (rig->mount.cache && busy(rig))
        nanosleep(&a_moment, NULL);
}
