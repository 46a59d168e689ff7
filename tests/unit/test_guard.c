/* What a guarded chip refuses: the policy, the layer that enforces it, and its words. */
#include "mem_flash.h"

#include "espflashfs/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { SIZE = 1 << 20, BOOT = EF_GUARD_BOOT_END };

/* From which address on each operation goes through; NEVER: nowhere. */
#define NEVER UINT64_MAX

static const struct policy {
    struct ef_guard guard;
    uint64_t read, write, erase;
    const char *state;
    const char *access, *access_read_only; /* how they begin */
} POLICY[] = {
    {{0}, 0, 0, 0, "none", "read and write", "read only"},
    {{.forced = true}, 0, 0, 0, "none", "read and write", "read only"},
    {{.secure_boot = EF_SECURE_BOOT_V1},
     0,
     BOOT,
     BOOT,
     "secure boot v1",
     "read; write from 0x8000 on",
     "read only"},
    {{.secure_boot = EF_SECURE_BOOT_V2},
     0,
     BOOT,
     BOOT,
     "secure boot v2",
     "read; write from 0x8000 on",
     "read only"},
    {{.secure_boot = EF_SECURE_BOOT_V2, .forced = true},
     0,
     0,
     0,
     "secure boot v2",
     "read and write (-o force): unsigned",
     "read only"},
    {{.encryption = EF_ENCRYPTION_DEVELOPMENT},
     NEVER,
     NEVER,
     NEVER,
     "flash encryption (development mode)",
     "none: flash encryption",
     "none: flash encryption"},
    {{.encryption = EF_ENCRYPTION_RELEASE},
     NEVER,
     NEVER,
     NEVER,
     "flash encryption (release mode)",
     "none: flash encryption",
     "none: flash encryption"},
    {{.encryption = EF_ENCRYPTION_RELEASE, .forced = true},
     0,
     0,
     0,
     "flash encryption (release mode)",
     "read and write (-o force), raw ciphertext",
     "read only (-o force), raw ciphertext"},
    {{.encryption = EF_ENCRYPTION_RELEASE, .secure_boot = EF_SECURE_BOOT_V2},
     NEVER,
     NEVER,
     NEVER,
     "flash encryption (release mode), secure boot v2",
     "none: flash encryption",
     "none: flash encryption"},
    {{.secure_download = true}, NEVER, NEVER, NEVER, "Secure Download Mode", "write only", "none"},
    {{.secure_download = true, .forced = true},
     NEVER,
     0,
     0,
     "Secure Download Mode",
     "write only (-o force), whole sectors, written but unproven",
     "none"},
    {{.encryption = EF_ENCRYPTION_ON, .secure_boot = EF_SECURE_BOOT_V2, .secure_download = true},
     NEVER,
     NEVER,
     NEVER,
     "flash encryption, secure boot v2, Secure Download Mode",
     "write only",
     "none"},
};

enum { POLICIES = sizeof(POLICY) / sizeof(POLICY[0]) };

static void expect_from(const struct ef_guard *guard, enum ef_guard_op op, uint64_t from)
{
    static const struct {
        uint64_t addr, len;
    } RANGES[] = {{0, 1},       {0, SIZE},     {BOOT - 1, 1},   {BOOT - 1, 2},   {BOOT, 1},
                  {BOOT, SIZE}, {SIZE - 1, 1}, {UINT32_MAX, 1}, {BOOT - 1, SIZE}};
    for (size_t i = 0; i < sizeof(RANGES) / sizeof(RANGES[0]); i++) {
        enum ef_err expected = RANGES[i].addr < from ? EF_GUARDED : EF_OK;
        assert_int_equal(ef_guard_check(guard, op, RANGES[i].addr, RANGES[i].len), expected);
        assert_int_equal(ef_guard_check(guard, op, RANGES[i].addr, 0), EF_OK);
    }
    assert_int_equal(ef_guard_check_all(guard, op, SIZE), from == NEVER ? EF_GUARDED : EF_OK);
    assert_int_equal(ef_guard_check_all(guard, op, BOOT), from > 0 ? EF_GUARDED : EF_OK);
    assert_int_equal(ef_guard_reason(guard, op)[0] != '\0', from > 0);
}

static void policy(void **state)
{
    (void)state;
    for (int i = 0; i < POLICIES; i++) {
        const struct policy *p = &POLICY[i];
        expect_from(&p->guard, EF_GUARD_READ, p->read);
        expect_from(&p->guard, EF_GUARD_WRITE, p->write);
        expect_from(&p->guard, EF_GUARD_ERASE, p->erase);
    }
}

static void words(void **state)
{
    (void)state;
    for (int i = 0; i < POLICIES; i++) {
        const struct policy *p = &POLICY[i];
        char text[EF_GUARD_TEXT_MAX];
        ef_guard_state_text(&p->guard, text, sizeof(text));
        assert_string_equal(text, p->state);
        const char *access = ef_guard_access_text(&p->guard, false);
        assert_memory_equal(access, p->access, strlen(p->access));
        access = ef_guard_access_text(&p->guard, true);
        assert_memory_equal(access, p->access_read_only, strlen(p->access_read_only));
    }
    char small[8];
    const struct ef_guard all = {EF_ENCRYPTION_RELEASE, EF_SECURE_BOOT_V1, true, false};
    ef_guard_state_text(&all, small, sizeof(small));
    assert_string_equal(small, "flash e");
}

/* What is refused never reaches the loader; what is not arrives as it was asked for. */
static void last_defence(void **state)
{
    (void)state;
    static uint8_t buf[SIZE];
    for (int i = 0; i < POLICIES; i++) {
        const struct policy *p = &POLICY[i];
        struct mem *mem = mem_new(SIZE);
        struct ef_flash *f = ef_flash_guard_new(mem_flash_new(mem), &p->guard);
        assert_non_null(f);
        static const uint32_t AT[] = {0, BOOT - EF_SECTOR, BOOT, SIZE - EF_SECTOR};
        for (size_t k = 0; k < sizeof(AT) / sizeof(AT[0]); k++) {
            unsigned reads = mem_count(mem, MEM_READ);
            unsigned writes = mem_count(mem, MEM_WRITE);
            unsigned erases = mem_count(mem, MEM_ERASE);
            struct ef_read r = {.addr = AT[k], .len = EF_SECTOR, .buf = buf};
            bool read = AT[k] >= p->read;
            bool write = AT[k] >= p->write;
            bool erase = AT[k] >= p->erase;
            assert_int_equal(ef_flash_read(f, &r), read ? EF_OK : EF_GUARDED);
            assert_int_equal(ef_flash_write(f, AT[k], EF_SECTOR, buf), write ? EF_OK : EF_GUARDED);
            assert_int_equal(ef_flash_erase(f, AT[k], EF_SECTOR), erase ? EF_OK : EF_GUARDED);
            assert_int_equal(mem_count(mem, MEM_READ) - reads, read);
            assert_int_equal(mem_count(mem, MEM_WRITE) - writes, write);
            assert_int_equal(mem_count(mem, MEM_ERASE) - erases, erase);
        }
        assert_int_equal(ef_flash_erase(f, 0, SIZE), p->erase > 0 ? EF_GUARDED : EF_OK);
        ef_flash_free(f);
        mem_free(mem);
    }
}

/* A refusal is final: no attempt is repeated, no line is recovered for it. */
static void not_repeated(void **state)
{
    (void)state;
    static const struct ef_guard BOOT_GUARD = {.secure_boot = EF_SECURE_BOOT_V2};
    struct mem *mem = mem_new(SIZE);
    struct ef_flash *f = ef_flash_guard_new(mem_flash_new(mem), &BOOT_GUARD);
    f = ef_flash_retry_new(ef_flash_verify_new(f));
    assert_int_equal(ef_flash_erase(f, 0, EF_SECTOR), EF_GUARDED);
    assert_int_equal(mem_count(mem, MEM_ERASE) + mem_count(mem, MEM_RECOVER), 0);
    assert_int_equal(ef_flash_erase(f, BOOT, EF_SECTOR), EF_OK);
    ef_flash_free(f);
    mem_free(mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(policy), cmocka_unit_test(words),
                                       cmocka_unit_test(last_defence),
                                       cmocka_unit_test(not_repeated)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
