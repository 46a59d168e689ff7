/*
 * What comes in outside frames: however it is split, the last of it is kept; what is read out
 * of a boot log has its form; and whatever a device said, a log can be shown.
 */
#include "fuzz.h"

#include "esp/connect_steps.h"

struct feed {
    struct ef_line line; /* first */
    struct fuzz_input bytes, sizes;
};

static enum ef_err feed_read(struct ef_line *line, uint8_t *buf, size_t cap, ef_deadline deadline,
                             size_t *got)
{
    struct feed *feed = (struct feed *)line;
    const uint8_t *bytes;
    size_t n = feed->sizes.left > 0 ? (size_t)1 + fuzz_u8(&feed->sizes) : cap;
    *got = fuzz_take(&feed->bytes, n < cap ? n : cap, &bytes);
    if (*got > 0) {
        memcpy(buf, bytes, *got);
        return EF_OK;
    }
    fuzz_clock_pass(ef_deadline_left_ms(deadline));
    return EF_TIMEOUT;
}

static bool is_hex(char c)
{
    return strchr("0123456789abcdefABCDEF", c) && c != '\0';
}

static void check_report(const struct ef_boot_report *report)
{
    const char *mode = report->mode;
    size_t len = strnlen(mode, sizeof(report->mode));
    REQUIRE(len < sizeof(report->mode));
    if (strncmp(mode, "0x", 2) == 0) {
        REQUIRE(len >= 3 && len <= 10);
        for (size_t i = 2; i < len; i++)
            REQUIRE(is_hex(mode[i]));
    } else if (len > 0) {
        REQUIRE(len == 3 && mode[1] == ',' && strchr("0123456789", mode[0]) &&
                strchr("0123456789", mode[2]));
    }
}

/* Until nothing comes any more; frames are passed over. */
static void hear_all(struct ef_session *s)
{
    const uint8_t *frame;
    size_t len;
    enum ef_err err;
    do {
        err = ef_link_receive(&s->link, ef_deadline_in(100), &frame, &len);
    } while (err == EF_OK || err == EF_FRAMING);
    REQUIRE(err == EF_TIMEOUT && s->link.noise_len <= EF_LINK_NOISE_MAX);
    REQUIRE(s->link.noise[s->link.noise_len] == '\0');
}

static void start(struct ef_session *s, struct feed *feed, struct fuzz_input bytes,
                  struct fuzz_input sizes)
{
    static const struct ef_line_ops OPS = {.read = feed_read};
    *feed = (struct feed){
        .line = {.ops = &OPS, .name = "feed", .kind = "feed"}, .bytes = bytes, .sizes = sizes};
    s->line = &feed->line;
    s->config.port = "feed";
    ef_link_init(&s->link, s->line);
}

static void check_noise(const struct ef_session *s, struct fuzz_input bytes)
{
    const uint8_t *end = bytes.left > 0 ? memchr(bytes.at, EF_SLIP_END, bytes.left) : NULL;
    size_t len = end ? (size_t)(end - bytes.at) : bytes.left;
    size_t kept = len < EF_LINK_NOISE_MAX ? len : EF_LINK_NOISE_MAX;
    REQUIRE(s->link.noise_len == kept);
    REQUIRE(kept == 0 || memcmp(s->link.noise, bytes.at + len - kept, kept) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct ef_session *s = calloc(1, sizeof(*s));
    struct ef_boot_report report = {0};
    struct fuzz_log log;
    struct feed feed;
    REQUIRE(s);
    fuzz_log_open(&log);
    s->log = &log.log;
    enum ef_err why = fuzz_u8(&in) % 2 ? EF_GONE : EF_TIMEOUT;
    struct fuzz_input sizes = {0};
    sizes.left = fuzz_take(&in, fuzz_u8(&in) % 16, &sizes.at);
    start(s, &feed, in, sizes);
    hear_all(s);
    check_noise(s, in);
    /* A piece first, and then the whole: a log is read each time that more of it is here. */
    char *text = fuzz_text(&in, 64);
    ef_boot_report_read(&report, text);
    check_report(&report);
    ef_boot_report_read(&report, s->link.noise);
    check_report(&report);
    ef_connect_is_gps(s->link.noise);
    ef_connect_explain(s, why, &report);
    ef_connect_explain(s, EF_TIMEOUT, &(struct ef_boot_report){0});
    free(text);
    fuzz_log_close(&log);
    free(s);
    return 0;
}
