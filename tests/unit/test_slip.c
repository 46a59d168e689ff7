/* SLIP: what goes in comes out, however it is cut up, and damage stays in its frame. */
#include "espflashfs/slip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct room {
    struct ef_slip_decoder decoder;
    uint8_t buf[64];
};

static int room_open(void **state)
{
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    ef_slip_decoder_init(&room->decoder, room->buf, sizeof(room->buf));
    return 0;
}

static int room_close(void **state)
{
    free(*state);
    return 0;
}

/* Feeds all of `in` and expects exactly this one event at its end. */
static void expect_frame(struct room *room, const void *in, size_t len, const void *payload,
                         size_t payload_len)
{
    size_t used = 0;
    assert_int_equal(ef_slip_decode(&room->decoder, in, len, &used), EF_SLIP_FRAME);
    assert_int_equal(used, len);
    assert_int_equal(room->decoder.len, payload_len);
    assert_memory_equal(room->decoder.buf, payload, payload_len);
}

static void expect_event(struct room *room, const void *in, size_t len, enum ef_slip_event event)
{
    size_t used = 0;
    assert_int_equal(ef_slip_decode(&room->decoder, in, len, &used), event);
    assert_int_equal(used, len);
}

static void encodes(void **state)
{
    (void)state;
    static const uint8_t IN[] = {0x00, 0xC0, 0xDB, 0xDC, 0xDD, 0xFF};
    static const uint8_t OUT[] = {0xC0, 0x00, 0xDB, 0xDC, 0xDB, 0xDD, 0xDC, 0xDD, 0xFF, 0xC0};
    uint8_t out[2 * sizeof(IN) + 2];
    assert_int_equal(ef_slip_encode(out, IN, sizeof(IN)), sizeof(OUT));
    assert_memory_equal(out, OUT, sizeof(OUT));
    assert_int_equal(ef_slip_encode(out, IN, 0), 2);
    assert_memory_equal(out, "\xC0\xC0", 2);
    assert_int_equal(ef_slip_escape(out, IN, 3), 5);
    assert_memory_equal(out, "\x00\xDB\xDC\xDB\xDD", 5);
    assert_int_equal(ef_slip_encoded_max(sizeof(IN)), sizeof(out));
}

/* Every byte value, in frames of every length, fed in pieces of every size. */
static void round_trips_in_pieces(void **state)
{
    struct room *room = *state;
    uint8_t in[64];
    uint8_t wire[130];
    for (size_t len = 1; len <= sizeof(in); len++) {
        for (size_t piece = 1; piece <= 9; piece++) {
            for (size_t i = 0; i < len; i++)
                in[i] = (uint8_t)(i * 37 + len * 11 + piece) | (i % 3 ? 0 : 0xC0);
            size_t n = ef_slip_encode(wire, in, len);
            size_t at = 0;
            enum ef_slip_event event = EF_SLIP_MORE;
            while (event == EF_SLIP_MORE) {
                size_t take = n - at < piece ? n - at : piece;
                size_t used = 0;
                assert_true(take > 0);
                event = ef_slip_decode(&room->decoder, wire + at, take, &used);
                at += used;
            }
            assert_int_equal(event, EF_SLIP_FRAME);
            assert_int_equal(at, n);
            assert_int_equal(room->decoder.len, len);
            assert_memory_equal(room->decoder.buf, in, len);
        }
    }
    for (int byte = 0; byte < 256; byte++) {
        uint8_t one = (uint8_t)byte;
        expect_frame(room, wire, ef_slip_encode(wire, &one, 1), &one, 1);
    }
    assert_int_equal(room->decoder.noise, 0);
}

static void stops_behind_a_frame(void **state)
{
    struct room *room = *state;
    static const char TWO[] = "\xC0"
                              "one\xC0\xC0two\xC0";
    size_t used;
    assert_int_equal(ef_slip_decode(&room->decoder, (const uint8_t *)TWO, 10, &used),
                     EF_SLIP_FRAME);
    assert_int_equal(used, 5);
    assert_memory_equal(room->buf, "one", 3);
    expect_frame(room, TWO + 5, 5, "two", 3);
}

static void empty_frames(void **state)
{
    struct room *room = *state;
    expect_event(room, "\xC0\xC0\xC0\xC0", 4, EF_SLIP_MORE);
    expect_frame(room, "x\xC0", 2, "x", 1);
    expect_event(room, "\xC0\xC0", 2, EF_SLIP_MORE);
    expect_frame(room, "y\xC0", 2, "y", 1);
}

/* One END between two frames is enough: the other was lost on the way. */
static void lost_end(void **state)
{
    struct room *room = *state;
    expect_frame(room, "\xC0one\xC0", 5, "one", 3);
    expect_frame(room, "two\xC0", 4, "two", 3);
    expect_frame(room, "\xC0three\xC0", 7, "three", 5);
    /* The END between the next two went missing altogether: they are one. */
    expect_frame(room,
                 "\xC0"
                 "fourfive\xC0",
                 10, "fourfive", 8);
    expect_frame(room, "\xC0six\xC0", 5, "six", 3);
}

static void noise_before(void **state)
{
    struct room *room = *state;
    expect_event(room, "ets Jan  8\r\n", 12, EF_SLIP_MORE);
    assert_int_equal(room->decoder.noise, 12);
    expect_frame(room, "boot\xC0x\xC0", 7, "x", 1);
    assert_int_equal(room->decoder.noise, 16);
}

static void bad_escapes(void **state)
{
    struct room *room = *state;
    expect_event(room,
                 "\xC0"
                 "ab\xDB"
                 "cd\xC0",
                 7, EF_SLIP_BAD);
    expect_frame(room, "\xC0good\xC0", 6, "good", 4);
    expect_event(room,
                 "\xC0"
                 "ab\xDB\xC0",
                 5, EF_SLIP_BAD); /* END cuts the escape off */
    expect_frame(room, "\xC0good\xC0", 6, "good", 4);
    expect_event(room, "\xC0\xDB\xC0", 3, EF_SLIP_BAD);
    expect_event(room, "\xC0\xDB\xDB\xDC\xC0", 5, EF_SLIP_BAD);
    expect_frame(room, "\xC0good\xC0", 6, "good", 4);
}

static void escape_across_calls(void **state)
{
    struct room *room = *state;
    expect_event(room,
                 "\xC0"
                 "a\xDB",
                 3, EF_SLIP_MORE);
    expect_frame(room, "\xDC\xC0", 2, "a\xC0", 2);
}

static void overrun(void **state)
{
    struct room *room = *state;
    uint8_t wire[200];
    uint8_t in[65];
    memset(in, 'x', sizeof(in));
    expect_frame(room, wire, ef_slip_encode(wire, in, 64), in, 64);
    expect_event(room, wire, ef_slip_encode(wire, in, 65), EF_SLIP_BAD);
    expect_frame(room, wire, ef_slip_encode(wire, in, 64), in, 64);
    /* The frame that was dropped may hold anything, over any number of calls. */
    expect_event(room, "\xC0", 1, EF_SLIP_MORE);
    for (int i = 0; i < 100; i++)
        expect_event(room, in, sizeof(in), EF_SLIP_MORE);
    expect_event(room, "\xC0", 1, EF_SLIP_BAD);
    expect_frame(room, "\xC0good\xC0", 6, "good", 4);
}

/* A decoder of one byte at a time, as plain as the format. */
struct plain {
    size_t len;
    bool in_frame, escaped, bad;
    uint8_t buf[64];
};

static void plain_begin(struct plain *p)
{
    p->len = 0;
    p->escaped = false;
    p->bad = false;
    p->in_frame = true;
}

static void plain_put(struct plain *p, uint8_t byte)
{
    if (p->escaped) {
        p->escaped = false;
        p->bad = p->bad || (byte != EF_SLIP_ESC_END && byte != EF_SLIP_ESC_ESC);
        if (byte != EF_SLIP_ESC_END && byte != EF_SLIP_ESC_ESC)
            return;
        byte = byte == EF_SLIP_ESC_END ? EF_SLIP_END : EF_SLIP_ESC;
    } else if (byte == EF_SLIP_ESC) {
        p->escaped = true;
        return;
    }
    if (p->len == sizeof(p->buf))
        p->bad = true;
    else
        p->buf[p->len++] = byte;
}

static enum ef_slip_event plain_take(struct plain *p, uint8_t byte)
{
    if (byte != EF_SLIP_END) {
        if (p->in_frame)
            plain_put(p, byte);
        return EF_SLIP_MORE;
    }
    if (!p->in_frame || (p->len == 0 && !p->bad && !p->escaped)) {
        plain_begin(p);
        return EF_SLIP_MORE;
    }
    return p->bad || p->escaped ? EF_SLIP_BAD : EF_SLIP_FRAME;
}

/* Any bytes, in calls of any length: the same frames end in the same places. */
static void decodes_as_bytes_do(void **state)
{
    struct room *room = *state;
    static const uint8_t LIKELY[8] = {EF_SLIP_END,     EF_SLIP_ESC, EF_SLIP_ESC_END,
                                      EF_SLIP_ESC_ESC, 'a',         'b'};
    struct plain plain = {0};
    unsigned frames = 0;
    unsigned bad = 0;
    uint32_t dice = 1;
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t in[48] = {0};
        size_t len = 1 + round % sizeof(in);
        for (size_t i = 0; i < len; i++) {
            dice = dice * 1664525 + 1013904223;
            /* END and wrong escapes are rare enough in some rounds for frames that overrun. */
            uint32_t of = round % 8 ? 40 : 8;
            uint32_t which = (dice >> 16) % of;
            in[i] = which < 6 ? LIKELY[which] : (uint8_t)(dice >> 8);
        }
        for (size_t at = 0; at < len;) {
            size_t used;
            enum ef_slip_event event = ef_slip_decode(&room->decoder, in + at, len - at, &used);
            assert_in_range(used, 1, len - at);
            for (size_t i = 0; i + 1 < used; i++)
                assert_int_equal(plain_take(&plain, in[at + i]), EF_SLIP_MORE);
            assert_int_equal(plain_take(&plain, in[at + used - 1]), event);
            at += used;
            frames += event == EF_SLIP_FRAME;
            bad += event == EF_SLIP_BAD;
            if (event == EF_SLIP_FRAME) {
                assert_int_equal(room->decoder.len, plain.len);
                assert_memory_equal(room->decoder.buf, plain.buf, plain.len);
            }
            if (event != EF_SLIP_MORE)
                plain_begin(&plain);
        }
    }
    assert_true(frames > 100 && bad > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes),
        cmocka_unit_test_setup_teardown(round_trips_in_pieces, room_open, room_close),
        cmocka_unit_test_setup_teardown(stops_behind_a_frame, room_open, room_close),
        cmocka_unit_test_setup_teardown(empty_frames, room_open, room_close),
        cmocka_unit_test_setup_teardown(lost_end, room_open, room_close),
        cmocka_unit_test_setup_teardown(noise_before, room_open, room_close),
        cmocka_unit_test_setup_teardown(bad_escapes, room_open, room_close),
        cmocka_unit_test_setup_teardown(decodes_as_bytes_do, room_open, room_close),
        cmocka_unit_test_setup_teardown(escape_across_calls, room_open, room_close),
        cmocka_unit_test_setup_teardown(overrun, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
