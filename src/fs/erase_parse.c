/* The grammar of what is written to `erase`. */
#include "espflashfs/node.h"

#include "espflashfs/bytes.h"
#include "espflashfs/text.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 256, WORDS_MAX = 3 };

static const char USAGE[] =
    "write `all`, or OFFSET LENGTH, for example 0x10000 64k, or the name of a partition";

static enum ef_err refuse(char *why, size_t cap, const char *reason, const char *word)
{
    char safe[128];
    ef_text_escape(safe, sizeof(safe), word);
    snprintf(why, cap, "erase: %s%s%s%s: nothing was erased; %s", reason, word[0] ? " `" : "", safe,
             word[0] ? "`" : "", USAGE);
    return EF_INVALID;
}

/* Splits `text` in place at white space. Returns the number of words, WORDS_MAX at most. */
static int split_words(char *text, char *word[WORDS_MAX])
{
    int n = 0;
    char *save = NULL;
    for (char *w = strtok_r(text, " \t\r\n", &save); w && n < WORDS_MAX;
         w = strtok_r(NULL, " \t\r\n", &save))
        word[n++] = w;
    return n;
}

static enum ef_err check_range(const struct ef_erase_request *r, uint32_t size,
                               const char *off_word, const char *len_word, char *why, size_t cap)
{
    if (r->len == 0)
        return refuse(why, cap, "the length is zero", "");
    if (r->off % EF_SECTOR)
        return refuse(why, cap, "the offset must be a multiple of 4096 (0x1000), not", off_word);
    if (r->len % EF_SECTOR)
        return refuse(why, cap, "the length must be a multiple of 4096 (0x1000), not", len_word);
    if (!ef_range_fits(r->off, r->len, size)) {
        char reason[96];
        snprintf(reason, sizeof(reason), "the range goes past the end of the flash (%u bytes)",
                 (unsigned)size);
        return refuse(why, cap, reason, "");
    }
    return EF_OK;
}

enum ef_err ef_erase_parse(const char *text, size_t len, uint32_t size,
                           struct ef_erase_request *request, char *why, size_t cap)
{
    char copy[TEXT_MAX + 1];
    char *word[WORDS_MAX];
    if (len > TEXT_MAX)
        return refuse(why, cap, "the text is too long", "");
    if (memchr(text, '\0', len))
        return refuse(why, cap, "the text has a NUL byte in it", "");
    memcpy(copy, text, len);
    copy[len] = '\0';
    int words = split_words(copy, word);
    if (words == 0)
        return refuse(why, cap, "the text is empty", "");
    if (words == 1 && strcmp(word[0], "all") == 0) {
        *request = (struct ef_erase_request){.off = 0, .len = size};
        return EF_OK;
    }
    if (ef_text_to_u64(word[0], &request->off) != EF_OK)
        return refuse(why, cap, words == 1 ? "unknown word" : "not an offset:", word[0]);
    if (words == 1)
        return refuse(why, cap, "a length must follow the offset", word[0]);
    if (ef_text_to_u64(word[1], &request->len) != EF_OK)
        return refuse(why, cap, "not a length:", word[1]);
    if (words > 2)
        return refuse(why, cap, "too many words, from", word[2]);
    return check_range(request, size, word[0], word[1], why, cap);
}
