#include "esptool_config.h"

#include "espflashfs/reset.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 256 * 1024, LINE_MAX_BYTES = 1024 };

/* Where in the file the parser is, as Python's configparser counts it. */
struct place {
    bool seen;     /* there is a section [esptool] */
    bool inside;   /* in it now */
    bool in_value; /* a line indented deeper than this one's key goes on with its value */
    size_t indent;
};

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
    return text;
}

static void set(char **field, const char *value)
{
    free(*field);
    *field = strdup(value);
}

static void take_pair(struct ef_esptool_config *config, char *line)
{
    size_t len = strcspn(line, "=:");
    if (line[len] == '\0')
        return;
    line[len] = '\0';
    const char *key = trim(line);
    const char *value = trim(line + len + 1);
    if (strcasecmp(key, "custom_reset_sequence") == 0)
        set(&config->reset_sequence, value);
    else if (strcasecmp(key, "custom_hard_reset_sequence") == 0)
        set(&config->hard_reset_sequence, value);
}

static void take_line(struct ef_esptool_config *config, struct place *place, char *line)
{
    size_t indent = strspn(line, " \t");
    char *text = trim(line);
    if (*text == '\0' || *text == '#' || *text == ';')
        return;
    if (place->in_value && indent > place->indent)
        return;
    place->indent = indent;
    size_t len = strlen(text);
    if (text[0] == '[' && text[len - 1] == ']') {
        place->inside = strcmp(text, "[esptool]") == 0;
        place->seen = place->seen || place->inside;
        place->in_value = false;
        return;
    }
    place->in_value = true;
    if (place->inside)
        take_pair(config, text);
}

bool ef_esptool_config_parse(struct ef_esptool_config *config, const char *text)
{
    struct place place = {0};
    char line[LINE_MAX_BYTES];
    while (*text) {
        size_t len = strcspn(text, "\n");
        snprintf(line, sizeof(line), "%.*s", (int)len, text);
        take_line(config, &place, line);
        text += len + (text[len] == '\n');
    }
    return place.seen;
}

/* Root in /tmp, for one, must not have its board driven by what somebody left there. */
static bool is_trusted(const struct stat *st, const char *path, struct ef_log *log)
{
    if ((st->st_uid == geteuid() || st->st_uid == 0) && (st->st_mode & S_IWOTH) == 0)
        return true;
    ef_log(log, EF_LOG_WARN,
           "%s is not read: it is another user's, or everybody may write to it; name it in "
           "ESPTOOL_CFGFILE if it is to count",
           path);
    return false;
}

static char *read_text(int fd)
{
    char *text = malloc(FILE_MAX_BYTES + 1);
    size_t len = 0;
    ssize_t n = text ? 1 : 0;
    while (n > 0 && len < FILE_MAX_BYTES) {
        n = read(fd, text + len, FILE_MAX_BYTES - len);
        if (n > 0)
            len += (size_t)n;
        else if (n < 0 && errno == EINTR)
            n = 1;
    }
    if (text)
        text[len] = '\0';
    return text;
}

/* True if `path` is the file that counts. */
static bool try_file(struct ef_esptool_config *config, const char *path, bool named,
                     struct ef_log *log)
{
    struct ef_esptool_config found = {.path = ""};
    struct stat st;
    /* Not to wait for a FIFO's other end. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool counts = false;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        char *text = read_text(fd);
        counts = text && ef_esptool_config_parse(&found, text);
        free(text);
    }
    close(fd);
    /* Asked last, to warn only of files that would have counted. */
    counts = counts && (named || is_trusted(&st, path, log));
    if (!counts) {
        ef_esptool_config_free(&found);
        return false;
    }
    *config = found;
    if (!realpath(path, config->path))
        snprintf(config->path, sizeof(config->path), "%s", path);
    return true;
}

static bool try_folder(struct ef_esptool_config *config, const char *folder, const char *below,
                       struct ef_log *log)
{
    static const char *const NAMES[] = {"esptool.cfg", "setup.cfg", "tox.ini"};
    char path[sizeof(config->path)];
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        int n = snprintf(path, sizeof(path), "%s%s/%s", folder, below, NAMES[i]);
        if (n > 0 && (size_t)n < sizeof(path) && try_file(config, path, false, log))
            return true;
    }
    return false;
}

static void find(struct ef_esptool_config *config, struct ef_log *log)
{
    const char *named = getenv("ESPTOOL_CFGFILE");
    if (named && *named && try_file(config, named, true, log))
        return;
    const char *home = getenv("HOME");
    if (!home) {
        const struct passwd *user = getpwuid(geteuid());
        home = user ? user->pw_dir : NULL;
    }
    if (!try_folder(config, ".", "", log) && home &&
        !try_folder(config, home, "/.config/esptool", log))
        try_folder(config, home, "", log);
}

static enum ef_err check(const struct ef_esptool_config *config, const char *key, const char *text,
                         struct ef_log *log)
{
    struct ef_reset_sequence sequence;
    char why[EF_RESET_WHY_MAX];
    if (!text || ef_reset_parse(text, &sequence, why) == EF_OK)
        return EF_OK;
    ef_log(log, EF_LOG_ERROR, "%s: %s = %s: %s; it takes " EF_RESET_GRAMMAR, config->path, key,
           text, why);
    return EF_INVALID;
}

enum ef_err ef_esptool_config_read(struct ef_esptool_config *config, struct ef_log *log)
{
    *config = (struct ef_esptool_config){.path = ""};
    find(config, log);
    enum ef_err err = check(config, "custom_reset_sequence", config->reset_sequence, log);
    if (err == EF_OK)
        err = check(config, "custom_hard_reset_sequence", config->hard_reset_sequence, log);
    return err;
}

void ef_esptool_config_free(struct ef_esptool_config *config)
{
    free(config->reset_sequence);
    free(config->hard_reset_sequence);
    config->reset_sequence = NULL;
    config->hard_reset_sequence = NULL;
}
