#include "stub_places.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Folders that hold an `esptool` package; glob patterns. */
static const struct place {
    const char *variable; /* of the environment, put in front; NULL: absolute */
    const char *pattern;
} PLACES[] = {
    {"VIRTUAL_ENV", "/lib/python3*/site-packages"},
    {"HOME", "/.local/lib/python3*/site-packages"},
    {"HOME", "/.local/share/pipx/venvs/esptool/lib/python3*/site-packages"},
    {"HOME", "/.local/pipx/venvs/esptool/lib/python3*/site-packages"},
    {"HOME", "/.espressif/python_env/*/lib/python3*/site-packages"},
    {"HOME", "/.platformio/penv/lib/python3*/site-packages"},
    {"HOME", "/.platformio/packages/tool-esptoolpy"},
    {NULL, "/usr/local/lib/python3*/dist-packages"},
    {NULL, "/usr/local/lib/python3*/site-packages"},
    {NULL, "/usr/lib/python3*/dist-packages"},
    {NULL, "/usr/lib/python3*/site-packages"},
};

/*
 * Folder 2 holds the current stubs from esptool 5.3 on, which is what that version takes
 * by default and what it first shipped an ESP32-S31 stub with. Before, folder 2 was an
 * experiment (4.8 to 4.11: another program altogether) and 1 the default; before 4.8 there
 * was no subfolder.
 */
static const struct subfolder {
    const char *name;
    const char *witness; /* must be there for the folder to count */
} SUBFOLDERS[] = {{"2", "esp32s31.json"}, {"1", NULL}, {".", NULL}, {"2", NULL}};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* False where it does not fit: then no such file can be opened either. */
static bool join(char *out, size_t cap, const char *folder, const char *name)
{
    int len = snprintf(out, cap, "%s/%s", folder, name);
    return len > 0 && (size_t)len < cap;
}

static enum ef_err find_in_folder(const char *folder, const char *chip_option, struct ef_log *log,
                                  struct ef_stub *stub)
{
    /* esptool before 4.8: stub_flasher_32c3.json. */
    const char *number = strncmp(chip_option, "esp", 3) == 0 ? chip_option + 3 : chip_option;
    char names[2][64];
    snprintf(names[0], sizeof(names[0]), "%s.json", chip_option);
    snprintf(names[1], sizeof(names)[1], "stub_flasher_%s.json", number);
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[sizeof(stub->path)];
        if (!join(path, sizeof(path), folder, names[i]))
            continue;
        enum ef_err err = ef_stub_load(path, log, stub);
        if (err != EF_MISSING)
            return err;
    }
    return EF_MISSING;
}

static enum ef_err find_in_package(const char *packages, const char *chip_option,
                                   struct ef_log *log, struct ef_stub *stub)
{
    char base[sizeof(stub->path)];
    if (!join(base, sizeof(base), packages, "esptool/targets/stub_flasher"))
        return EF_MISSING;
    for (size_t i = 0; i < COUNT(SUBFOLDERS); i++) {
        char folder[sizeof(stub->path)];
        char witness[sizeof(stub->path)];
        if (!join(folder, sizeof(folder), base, SUBFOLDERS[i].name))
            continue;
        if (SUBFOLDERS[i].witness &&
            (!join(witness, sizeof(witness), folder, SUBFOLDERS[i].witness) ||
             access(witness, F_OK) != 0))
            continue;
        enum ef_err err = find_in_folder(folder, chip_option, log, stub);
        if (err != EF_MISSING)
            return err;
    }
    return EF_MISSING;
}

/* glob(3)'s own characters in a folder's name stand for themselves. */
static bool escape_pattern(char *out, size_t cap, const char *text)
{
    size_t n = 0;
    for (; *text; text++) {
        if (n + 3 > cap)
            return false;
        if (strchr("*?[]\\", *text))
            out[n++] = '\\';
        out[n++] = *text;
    }
    out[n] = '\0';
    return true;
}

static int newer_version_first(const void *a, const void *b)
{
    return strverscmp(*(char *const *)b, *(char *const *)a);
}

static enum ef_err find_in_place(const char *base, const char *pattern, const char *chip_option,
                                 struct ef_log *log, struct ef_stub *stub)
{
    char full[sizeof(stub->path)];
    if (!escape_pattern(full, sizeof(full), base) || strlen(full) + strlen(pattern) >= sizeof(full))
        return EF_MISSING;
    memcpy(full + strlen(full), pattern, strlen(pattern) + 1);
    glob_t found = {0};
    enum ef_err err = EF_MISSING;
    int rc = glob(full, GLOB_NOSORT, NULL, &found);
    if (rc != 0) {
        err = rc == GLOB_NOSPACE ? EF_NOMEM : EF_MISSING;
        goto out;
    }
    qsort(found.gl_pathv, found.gl_pathc, sizeof(found.gl_pathv[0]), newer_version_first);
    for (size_t i = 0; i < found.gl_pathc && err == EF_MISSING; i++)
        err = find_in_package(found.gl_pathv[i], chip_option, log, stub);
out:
    globfree(&found);
    return err;
}

enum ef_err ef_stub_find_installed(const char *root, const char *chip_option, struct ef_log *log,
                                   struct ef_stub *stub)
{
    enum ef_err err = EF_MISSING;
    for (size_t i = 0; i < COUNT(PLACES) && err == EF_MISSING; i++) {
        const char *base = PLACES[i].variable ? getenv(PLACES[i].variable) : root;
        if (base && (!PLACES[i].variable || base[0] == '/'))
            err = find_in_place(base, PLACES[i].pattern, chip_option, log, stub);
    }
    return err;
}

enum ef_err ef_stub_find(const char *where, const char *const *folders, const char *chip_option,
                         struct ef_log *log, struct ef_stub *stub)
{
    *stub = (struct ef_stub){0};
    if (where) {
        struct stat st;
        if (stat(where, &st) == 0 && S_ISDIR(st.st_mode))
            return find_in_folder(where, chip_option, log, stub);
        return ef_stub_load(where, log, stub);
    }
    for (; folders && *folders; folders++) {
        enum ef_err err = find_in_folder(*folders, chip_option, log, stub);
        if (err != EF_MISSING)
            return err;
    }
    return ef_stub_find_installed("", chip_option, log, stub);
}
