/*
 * The telnet decoder: however the stream is split, the same data, commands and subnegotiations
 * come out; what this side escapes and frames comes back whole.
 */
#include "fuzz.h"

#include "espflashfs/telnet.h"

/* What came of a stream. */
struct heard {
    size_t data_len, other_len;
    uint8_t *data;  /* owned */
    uint8_t *other; /* owned: what was no data, and at how much data it came */
};

static void note(struct heard *heard, uint8_t kind, const uint8_t *bytes, size_t len)
{
    uint8_t *at = heard->other + heard->other_len;
    memcpy(at, &heard->data_len, sizeof(heard->data_len));
    at += sizeof(heard->data_len);
    *at++ = kind;
    if (len > 0)
        memcpy(at, bytes, len);
    heard->other_len += sizeof(heard->data_len) + 1 + len;
}

static void take_event(struct heard *heard, const struct ef_telnet *t, enum ef_telnet_event event)
{
    const uint8_t command[2] = {t->verb, t->option};
    switch (event) {
    case EF_TELNET_DATA:
        REQUIRE(t->data_len > 0);
        memcpy(heard->data + heard->data_len, t->data, t->data_len);
        heard->data_len += t->data_len;
        break;
    case EF_TELNET_COMMAND:
        REQUIRE(t->verb >= EF_TELNET_WILL && t->verb <= EF_TELNET_DONT);
        note(heard, 'c', command, sizeof(command));
        break;
    case EF_TELNET_SUBNEGOTIATION:
        REQUIRE(t->sub_len <= EF_TELNET_SUB_CAP);
        note(heard, t->option, t->sub, t->sub_len);
        break;
    case EF_TELNET_BAD:
        note(heard, 'b', NULL, 0);
        break;
    case EF_TELNET_MORE:
        break;
    }
}

static struct heard decode(const uint8_t *bytes, size_t len, size_t piece, struct fuzz_input sizes)
{
    enum { EVENT_MAX = sizeof(size_t) + 2 };
    struct heard heard = {.data = malloc(len + 1), .other = malloc(len * EVENT_MAX + 1)};
    struct ef_telnet t;
    REQUIRE(heard.data && heard.other);
    ef_telnet_init(&t);
    for (size_t at = 0; at < len;) {
        size_t n = piece ? piece : (size_t)1 + fuzz_u8(&sizes) % 16;
        n = n < len - at ? n : len - at;
        for (size_t end = at + n; at < end;) {
            size_t used = 0;
            enum ef_telnet_event event = ef_telnet_decode(&t, bytes + at, end - at, &used);
            REQUIRE(used > 0 && used <= end - at);
            if (event == EF_TELNET_DATA)
                REQUIRE(t.data >= bytes + at && t.data + t.data_len <= bytes + at + used);
            at += used;
            REQUIRE(event != EF_TELNET_MORE || at == end);
            take_event(&heard, &t, event);
        }
    }
    return heard;
}

static void require_same(const struct heard *a, const struct heard *b)
{
    REQUIRE(a->data_len == b->data_len && memcmp(a->data, b->data, a->data_len) == 0);
    REQUIRE(a->other_len == b->other_len && memcmp(a->other, b->other, a->other_len) == 0);
}

static void free_heard(struct heard *heard)
{
    free(heard->data);
    free(heard->other);
}

static void data_comes_back(const uint8_t *bytes, size_t len)
{
    uint8_t *out = malloc(2 * len + 1);
    REQUIRE(out);
    size_t n = ef_telnet_escape(out, bytes, len);
    REQUIRE(n >= len && n <= 2 * len);
    struct heard heard = decode(out, n, n + 1, (struct fuzz_input){0});
    REQUIRE(heard.other_len == 0 && heard.data_len == len && memcmp(heard.data, bytes, len) == 0);
    free_heard(&heard);
    free(out);
}

static void setting_comes_back(uint8_t command, const uint8_t *value, size_t len)
{
    uint8_t out[6 + 2 * EF_COM_PORT_VALUE_MAX];
    struct ef_telnet t;
    size_t used;
    len = len < EF_COM_PORT_VALUE_MAX ? len : EF_COM_PORT_VALUE_MAX;
    size_t n = ef_com_port_put(out, command, value, len);
    REQUIRE(n <= sizeof(out));
    ef_telnet_init(&t);
    /* A command of 255 has to be doubled, which no command of the COM port is. */
    if (command == EF_TELNET_IAC)
        return;
    REQUIRE(ef_telnet_decode(&t, out, n, &used) == EF_TELNET_SUBNEGOTIATION && used == n);
    REQUIRE(t.option == EF_TELNET_COM_PORT && t.sub_len == 1 + len && t.sub[0] == command);
    REQUIRE(len == 0 || memcmp(t.sub + 1, value, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input sizes = {data, size};
    struct heard whole = decode(data, size, size + 1, sizes);
    struct heard bytes = decode(data, size, 1, sizes);
    struct heard pieces = decode(data, size, 0, sizes);
    require_same(&whole, &bytes);
    require_same(&whole, &pieces);
    free_heard(&whole);
    free_heard(&bytes);
    free_heard(&pieces);
    if (size > 0) {
        data_comes_back(data, size);
        setting_comes_back(data[0], data + 1, size - 1);
    }
    return 0;
}
