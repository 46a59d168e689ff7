#include "mounting.h"

#include "espflashfs/flash.h"
#include "espflashfs/node.h"

/* Which line a port is opened as: no port is named by anything else. */
static struct ef_line *to_open;

enum ef_err line_open(const char *spec, uint32_t baud, struct ef_log *log, struct ef_line **line)
    IN_PLACE_OF(ef_line_open);

enum ef_err line_open(const char *spec, uint32_t baud, struct ef_log *log, struct ef_line **line)
{
    snprintf(to_open->name, sizeof(to_open->name), "%s", spec);
    to_open->log = log;
    to_open->baud = to_open->ops->set_baud ? baud : 0;
    *line = to_open;
    return EF_OK;
}

/* Any code will do where no chip runs it. */
static const char *stub_path(void)
{
    static const char JSON[] = "{\"entry\": 1073741824, \"text_start\": 1073741824,"
                               " \"text\": \"AAECAwQFBgcICQoLDA0ODw==\"}";
    static char path[300];
    if (path[0] == '\0') {
        snprintf(path, sizeof(path), "%s/stub.json", fuzz_folder());
        fuzz_write_file(path, (const uint8_t *)JSON, sizeof(JSON) - 1);
    }
    return path;
}

struct ef_session_config fuzz_mounting_config(uint8_t flags)
{
    static const uint32_t BAUDS[] = {115200, 460800};
    static const enum ef_before BEFORE[] = {EF_BEFORE_DEFAULT_RESET, EF_BEFORE_NO_RESET,
                                            EF_BEFORE_NO_RESET_NO_SYNC, EF_BEFORE_USB_RESET};
    return (struct ef_session_config){.port = "fuzz",
                                      .stub = flags & 1 ? stub_path() : "rom",
                                      .baud = BAUDS[flags >> 1 & 1],
                                      .baud_auto = flags & 4,
                                      .before = BEFORE[flags >> 3 & 3],
                                      .after = flags & 32 ? EF_AFTER_NO_RESET : EF_AFTER_HARD_RESET,
                                      .force = flags & 64,
                                      .size = flags & 128 ? 1 << 18 : 0};
}

/* `Key: value` lines, and nothing in them that a terminal would act on. */
static void check_info(const struct ef_session *s)
{
    char *text = ef_info_text(s, false);
    REQUIRE(text && fuzz_is_plain(text, true));
    for (const char *at = text; *at; at += strcspn(at, "\n") + 1) {
        const char *colon = strstr(at, ": ");
        REQUIRE(colon && colon > at && colon < at + strcspn(at, "\n"));
    }
    free(text);
}

static struct ef_flash *make_flash(struct ef_session *s)
{
    if (s->guard.secure_download)
        return ef_flash_retry_new(ef_flash_guard_new(ef_flash_blind_new(s), &s->guard));
    struct ef_flash *flash = s->esp.stub ? ef_flash_stub_new(s) : ef_flash_rom_new(s);
    return ef_flash_retry_new(ef_flash_verify_new(ef_flash_guard_new(flash, &s->guard)));
}

static void read_some(struct fuzz_mounting *m, struct ef_flash *flash, int i)
{
    struct ef_read r = {.addr = m->addr[i] % flash->size, .buf = m->buf[i]};
    uint32_t left = flash->size - r.addr;
    r.len = 1 + m->len[i] % FUZZ_READ_MAX;
    r.len = r.len < left ? r.len : left;
    int64_t start_ms = ef_clock_now_ms();
    m->read[i] = ef_flash_read(flash, &r);
    REQUIRE(ef_clock_now_ms() - start_ms <= FUZZ_READ_MAX_MS);
    REQUIRE(r.done <= r.len && (m->read[i] != EF_OK || r.done == r.len));
    m->addr[i] = r.addr;
    m->len[i] = r.len;
    m->done[i] = r.done;
}

static void use(struct fuzz_mounting *m, struct ef_session *s)
{
    check_info(s);
    m->offers_flash = !s->no_flash_why;
    if (!m->offers_flash)
        return;
    REQUIRE(s->flash_size > 0 && s->flash_size % EF_SECTOR == 0);
    struct ef_flash *flash = make_flash(s);
    REQUIRE(flash);
    for (int i = 0; i < FUZZ_READS; i++)
        read_some(m, flash, i);
    ef_flash_free(flash);
    check_info(s);
}

void fuzz_mounting_run(struct fuzz_mounting *m)
{
    struct ef_session *s = calloc(1, sizeof(*s));
    struct fuzz_log log;
    REQUIRE(s);
    fuzz_log_open(&log);
    to_open = m->line;
    for (int i = 0; i < FUZZ_READS; i++)
        m->read[i] = EF_INVALID;
    int64_t start_ms = ef_clock_now_ms();
    m->opened = ef_session_open(&m->config, &log.log, s);
    REQUIRE(ef_clock_now_ms() - start_ms <= FUZZ_OPEN_MAX_MS);
    fflush(log.log.file);
    /* Why nothing is mounted is always said. */
    REQUIRE(m->opened == EF_OK || (log.len > 0 && !s->line));
    if (m->opened == EF_OK)
        use(m, s);
    start_ms = ef_clock_now_ms();
    ef_session_close(s);
    REQUIRE(ef_clock_now_ms() - start_ms <= FUZZ_CLOSE_MAX_MS);
    fuzz_log_close(&log);
    free(s);
}
