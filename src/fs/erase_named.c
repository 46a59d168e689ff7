/* Partitions as `erase` is told them. */
#include "espflashfs/node.h"

#include "espflashfs/partition.h"
#include "espflashfs/text.h"

#include <stdio.h>
#include <string.h>

static const char BLANKS[] = " \t\r\n";

enum { SUFFIX_LEN = sizeof(".bin") - 1 };

/* The text without the white space around it, to `out`; false where it can be no name. */
static bool trim(const char *text, size_t len, char out[EF_PART_NAME_MAX])
{
    while (len > 0 && strchr(BLANKS, text[len - 1]))
        len--;
    while (len > 0 && strchr(BLANKS, text[0])) {
        text++;
        len--;
    }
    if (len == 0 || len >= EF_PART_NAME_MAX || memchr(text, '\0', len))
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

bool ef_erase_may_be_name(const char *text, size_t len)
{
    char word[EF_PART_NAME_MAX];
    uint64_t number;
    if (!trim(text, len, word) || strcmp(word, "all") == 0)
        return false;
    word[strcspn(word, BLANKS)] = '\0';
    return ef_text_to_u64(word, &number) != EF_OK;
}

static bool is_called(const struct ef_partition *p, const char *word)
{
    size_t stem = strlen(p->name) - SUFFIX_LEN;
    return strcmp(p->label, word) == 0 || strcmp(p->name, word) == 0 ||
           (strlen(word) == stem && memcmp(p->name, word, stem) == 0);
}

static enum ef_err several(const struct ef_partition *list, unsigned count, const char *word,
                           char *why, size_t cap)
{
    size_t n = (size_t)snprintf(
        why, cap,
        "erase: several partitions may be meant: nothing was erased; write the name of "
        "one's file:");
    for (unsigned i = 0; i < count && n < cap; i++) {
        char safe[4 * EF_PART_NAME_MAX + 1];
        ef_text_escape(safe, sizeof(safe), list[i].name);
        if (is_called(&list[i], word))
            n += (size_t)snprintf(why + n, cap - n, " `%s`", safe);
    }
    return EF_INVALID;
}

enum ef_err ef_erase_named(const char *text, size_t len, const struct ef_partition *list,
                           unsigned count, struct ef_erase_request *request, char *why, size_t cap)
{
    char word[EF_PART_NAME_MAX];
    const struct ef_partition *found = NULL;
    if (!trim(text, len, word))
        return EF_MISSING;
    for (unsigned i = 0; i < count; i++) {
        if (!is_called(&list[i], word))
            continue;
        if (found)
            return several(list, count, word, why, cap);
        found = &list[i];
    }
    if (!found)
        return EF_MISSING;
    uint64_t end = (uint64_t)found->addr + found->len;
    request->off = found->addr;
    request->len = (end + EF_SECTOR - 1) / EF_SECTOR * EF_SECTOR - found->addr;
    return EF_OK;
}
