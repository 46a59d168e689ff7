/* How much is done to a port that may be something else than a board, before it is given up. */
#include "script_line.h"

#include "esp/connect_steps.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* A line with modem lines, whose changes are counted. */
struct modem_line {
    struct script_line script; /* first */
    int changes;
};

struct room {
    struct modem_line *modem;
    struct script_line *script;
    struct ef_session session;
};

static enum ef_err count_lines(struct ef_line *line, bool dtr, bool rts)
{
    (void)dtr;
    (void)rts;
    ((struct modem_line *)line)->changes++;
    return EF_OK;
}

static enum ef_err count_one_line(struct ef_line *line, enum ef_modem_line which, bool on)
{
    (void)which;
    return count_lines(line, on, on);
}

static int room_open(void **state)
{
    static const struct ef_line_ops OPS = {.read = script_read,
                                           .write = script_write,
                                           .set_lines = count_lines,
                                           .set_one_line = count_one_line};
    struct room *room = calloc(1, sizeof(*room));
    *state = room;
    if (!room)
        return -1;
    room->modem = calloc(1, sizeof(*room->modem));
    if (!room->modem)
        return -1;
    room->script = &room->modem->script;
    room->script->line = (struct ef_line){.ops = &OPS, .name = "script", .kind = "script"};
    return 0;
}

static int room_close(void **state)
{
    struct room *room = *state;
    free(room->modem);
    free(room);
    return 0;
}

/* Connects, from the script's start; returns how it ended. */
static enum ef_err connect_to(struct room *room, enum ef_trial trial)
{
    struct ef_session *s = &room->session;
    memset(s, 0, sizeof(*s));
    s->config.port = "script";
    s->config.trial = trial;
    s->line = &room->script->line;
    ef_link_init(&s->link, s->line);
    s->esp = (struct ef_esp){.link = &s->link, .rom_status = 2};
    room->modem->changes = 0;
    room->script->sent_len = 0;
    return ef_connect(s);
}

static void silence_is_asked_gently(void **state)
{
    struct room *room = *state;
    assert_int_equal(connect_to(room, EF_TRIAL_GENTLE), EF_TIMEOUT);
    assert_int_equal(room->modem->changes, 0);
    assert_in_range(room->script->sent_len, 40, 200);
}

static void what_speaks_is_left_alone(void **state)
{
    struct room *room = *state;
    script_bytes(room->script, "$GPGGA,", 7);
    assert_int_equal(connect_to(room, EF_TRIAL_GENTLE), EF_UNSUPPORTED);
    assert_int_equal(room->modem->changes, 0);
    assert_int_equal(room->script->sent_len, 0);
}

/* A receiver behind a bridge that boards have, too: one reset shows what it is. */
static void a_receiver_is_recognised(void **state)
{
    struct room *room = *state;
    static const char FIX[] = "$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M*47\r\n";
    connect_to(room, EF_TRIAL_BRIEF);
    int changes = room->modem->changes;
    room->script->babble = (const uint8_t *)FIX;
    room->script->babble_len = sizeof(FIX) - 1;
    assert_int_equal(connect_to(room, EF_TRIAL_BRIEF), EF_UNSUPPORTED);
    assert_true(room->modem->changes < changes);
}

static void sentences(void **state)
{
    (void)state;
    assert_true(ef_connect_is_gps("$GPGGA,1"));
    assert_true(ef_connect_is_gps(",M,,*47\r\n$GNRMC,123519,A"));
    assert_true(ef_connect_is_gps("$G$GLGSV,"));
    assert_false(ef_connect_is_gps(""));
    assert_false(ef_connect_is_gps("$G"));
    assert_false(ef_connect_is_gps("$GPGGA"));
    assert_false(ef_connect_is_gps("$GPGG,"));
    assert_false(ef_connect_is_gps("ets Jul 29 2019 12:21:46 rst:0x1 (POWERON_RESET),boot:0x13"));
}

static void hang_up_is_told(void **state)
{
    struct room *room = *state;
    script_error(room->script, EF_GONE);
    assert_int_equal(connect_to(room, EF_TRIAL_GENTLE), EF_GONE);
    assert_int_equal(room->script->sent_len, 0);
}

/* A brief trial resets, but does less of everything than a full one. */
static void brief_is_less_than_full(void **state)
{
    struct room *room = *state;
    assert_int_equal(connect_to(room, EF_TRIAL_BRIEF), EF_TIMEOUT);
    int changes = room->modem->changes;
    size_t sent = room->script->sent_len;
    assert_true(changes > 0);
    assert_true(sent > 0);
    assert_int_equal(connect_to(room, EF_TRIAL_FULL), EF_TIMEOUT);
    assert_true(room->modem->changes > changes);
    assert_true(room->script->sent_len > sent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(silence_is_asked_gently, room_open, room_close),
        cmocka_unit_test_setup_teardown(what_speaks_is_left_alone, room_open, room_close),
        cmocka_unit_test_setup_teardown(a_receiver_is_recognised, room_open, room_close),
        cmocka_unit_test(sentences),
        cmocka_unit_test_setup_teardown(hang_up_is_told, room_open, room_close),
        cmocka_unit_test_setup_teardown(brief_is_less_than_full, room_open, room_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
