/*
 * The rates that ports were found to carry, in the file `rates` of the user's state folder:
 * a line a port, `GOOD FAILED SECONDS KEY`, the newest last. It is a hint and nothing more:
 * what it says is checked by a transfer before it is used, and a line that makes no sense
 * is dropped.
 */
#include "baud.h"

#include "espflashfs/folder.h"
#include "espflashfs/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    KEY_MAX = 4 * EF_PORT_NAME_MAX + 160,
    LINE_MAX_BYTES = KEY_MAX + 64,
    PORTS_MAX = 64, /* the oldest are forgotten */
    FILE_MAX_BYTES = 256 * 1024,
    RATE_MAX = 10000000
};

/* A cable or a hub may have been changed: after that long, what failed is tried again. */
static const int64_t TRUST_S = INT64_C(7) * 24 * 3600;

static const char FILE_NAME[] = "rates";

struct entry {
    uint32_t good, failed;
    int64_t at_s;
    char key[KEY_MAX];
};

struct entries {
    struct entry list[PORTS_MAX];
    size_t count;
};

/* A USB device comes back under another name: its ids and its serial number stay. */
static void port_key(const struct ef_session *s, char key[KEY_MAX])
{
    char escaped[KEY_MAX - 16];
    const struct ef_line *line = s->line;
    ef_text_escape(escaped, sizeof(escaped), line->usb_serial[0] ? line->usb_serial : line->name);
    if (line->usb_vid)
        snprintf(key, KEY_MAX, "%04x:%04x %s", line->usb_vid, line->usb_pid, escaped);
    else
        snprintf(key, KEY_MAX, "%s", escaped);
}

static bool parse_entry(char *line, struct entry *e)
{
    int at = 0;
    line[strcspn(line, "\n")] = '\0';
    if (sscanf(line, "%" SCNu32 " %" SCNu32 " %" SCNd64 " %n", &e->good, &e->failed, &e->at_s,
               &at) != 3 ||
        at == 0 || line[at] == '\0' || strlen(line + at) >= KEY_MAX)
        return false;
    memcpy(e->key, line + at, strlen(line + at) + 1);
    return e->good > 0 && e->good <= RATE_MAX && e->failed <= RATE_MAX && e->at_s >= 0;
}

static struct entry *find(struct entries *all, const char *key)
{
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->list[i].key, key) == 0)
            return &all->list[i];
    return NULL;
}

static void forget(struct entries *all, struct entry *e)
{
    size_t behind = (size_t)(all->list + all->count - (e + 1));
    memmove(e, e + 1, behind * sizeof(*e));
    all->count--;
}

/* As the newest, in place of what was known. */
static void add(struct entries *all, const struct entry *e)
{
    struct entry *known = find(all, e->key);
    if (known)
        forget(all, known);
    if (all->count == PORTS_MAX)
        forget(all, &all->list[0]);
    all->list[all->count++] = *e;
}

/* A line that is too long is no line of ours; what fgets leaves of it is none either. */
static void read_entries(FILE *file, struct entries *all)
{
    char line[LINE_MAX_BYTES];
    struct entry e;
    while (fgets(line, sizeof(line), file) && ftell(file) <= FILE_MAX_BYTES)
        if (strchr(line, '\n') && parse_entry(line, &e))
            add(all, &e);
}

static void load(int folder, struct entries *all)
{
    all->count = 0;
    int fd = ef_folder_open_file(folder, FILE_NAME);
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (file) {
        read_entries(file, all);
        fclose(file);
    } else if (fd >= 0) {
        close(fd);
    }
}

static bool write_entries(void *user, int fd)
{
    const struct entries *all = user;
    for (size_t i = 0; i < all->count; i++) {
        const struct entry *e = &all->list[i];
        if (dprintf(fd, "%" PRIu32 " %" PRIu32 " %" PRId64 " %s\n", e->good, e->failed, e->at_s,
                    e->key) < 0)
            return false;
    }
    return true;
}

static int open_folder(const struct ef_session *s)
{
    return s->config.state_folder ? ef_folder_open_guarded(s->config.state_folder) : -1;
}

static bool is_fresh(int64_t at_s)
{
    int64_t now_s = time(NULL);
    return at_s <= now_s && now_s - at_s < TRUST_S;
}

void ef_baud_recall(const struct ef_session *s, struct ef_baud_memory *memory)
{
    *memory = (struct ef_baud_memory){0};
    int folder = open_folder(s);
    struct entries *all = malloc(sizeof(*all));
    if (folder >= 0 && all) {
        char key[KEY_MAX];
        port_key(s, key);
        load(folder, all);
        const struct entry *e = find(all, key);
        if (e)
            *memory = (struct ef_baud_memory){
                .good = e->good, .failed = e->failed, .fresh = is_fresh(e->at_s)};
    }
    free(all);
    if (folder >= 0)
        close(folder);
}

/* True if that is known already: then its age counts from when it was found out. */
static bool is_known(struct entries *all, const struct entry *e)
{
    const struct entry *known = find(all, e->key);
    return known && known->good == e->good && known->failed == e->failed && is_fresh(known->at_s);
}

void ef_baud_remember(const struct ef_session *s, uint32_t good, uint32_t failed)
{
    if (!s->config.state_folder)
        return;
    int folder = open_folder(s);
    struct entries *all = malloc(sizeof(*all));
    if (folder >= 0 && all) {
        struct entry e = {.good = good, .failed = failed, .at_s = time(NULL)};
        port_key(s, e.key);
        load(folder, all);
        if (!is_known(all, &e)) {
            add(all, &e);
            if (!ef_folder_replace(folder, FILE_NAME, write_entries, all))
                ef_log(s->log, EF_LOG_DEBUG, "%s: the port's rate is not remembered: %s",
                       s->config.state_folder, strerror(errno));
        }
    }
    free(all);
    if (folder >= 0)
        close(folder);
}
