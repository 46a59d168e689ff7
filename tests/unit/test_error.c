/* The one mapping of failures to errno, and which of them are worth another try. */
#include "espflashfs/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    enum ef_err err;
    int number;
    bool transient;
} KINDS[] = {
    {EF_OK, 0, false},
    {EF_TIMEOUT, EIO, true},
    {EF_FRAMING, EIO, true},
    {EF_REJECTED, EIO, true},
    {EF_VERIFY, EIO, true},
    {EF_GONE, ENODEV, false},
    {EF_GUARDED, EPERM, false},
    {EF_INTERRUPTED, EINTR, false},
    {EF_INVALID, EINVAL, false},
    {EF_NOMEM, ENOMEM, false},
    {EF_BUSY, EBUSY, false},
    {EF_ACCESS, EACCES, false},
    {EF_MISSING, ENOENT, false},
    {EF_UNSUPPORTED, EOPNOTSUPP, false},
    {EF_NO_SPACE, ENOSPC, false},
    {EF_READ_ONLY, EROFS, false},
    {EF_FOREIGN, ENODEV, false},
};

enum { KIND_COUNT = sizeof(KINDS) / sizeof(KINDS[0]) };

/* Every code from 0 down to the last one is in the table, so that none is forgotten here. */
static void all_kinds(void **state)
{
    (void)state;
    for (int i = 0; i < KIND_COUNT; i++)
        assert_int_equal(KINDS[i].err, -i);
    assert_string_equal(ef_err_text((enum ef_err)(-KIND_COUNT)), "unknown error");
}

static void numbers(void **state)
{
    (void)state;
    for (int i = 0; i < KIND_COUNT; i++) {
        assert_int_equal(ef_err_to_errno(KINDS[i].err), KINDS[i].number);
        assert_int_equal(ef_err_is_transient(KINDS[i].err), KINDS[i].transient);
    }
    assert_int_equal(ef_err_to_errno((enum ef_err)(-KIND_COUNT)), EIO);
}

static void texts_differ(void **state)
{
    (void)state;
    for (int i = 0; i < KIND_COUNT; i++) {
        assert_true(strlen(ef_err_text(KINDS[i].err)) > 0);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(ef_err_text(KINDS[i].err), ef_err_text(KINDS[k].err));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kinds),
        cmocka_unit_test(numbers),
        cmocka_unit_test(texts_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
