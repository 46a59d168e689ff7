#include "session_steps.h"

#include "espflashfs/bytes.h"

enum { SECTOR = 0x1000, MIB = 1024 * 1024 };

/* More than 16 MiB takes 4-byte addresses, which no ROM and not every stub knows. */
static uint64_t size_limit(const struct ef_session *s)
{
    uint64_t rom = s->chip->rom_flash_max_bytes;
    return s->esp.stub || !rom ? s->chip->flash_max_bytes : rom;
}

static enum ef_err check_given(struct ef_session *s, uint64_t from_id)
{
    uint64_t size = s->config.size;
    if (size % SECTOR != 0 || size > size_limit(s)) {
        ef_log(s->log, EF_LOG_ERROR,
               "a flash size of %llu bytes is not supported: a multiple of 4k up to %lluM is",
               (unsigned long long)size, (unsigned long long)size_limit(s) / MIB);
        return EF_UNSUPPORTED;
    }
    if (from_id && size > from_id)
        ef_log(
            s->log, EF_LOG_WARN,
            "size=%llu is more than the flash id tells (%llu bytes): reads past the real end fail",
            (unsigned long long)size, (unsigned long long)from_id);
    return EF_OK;
}

static enum ef_err settle_size(struct ef_session *s, uint64_t from_id)
{
    uint64_t size = s->config.size ? s->config.size : from_id;
    if (size == 0) {
        ef_log(s->log, EF_LOG_ERROR,
               "flash id %06x does not tell a size: give it with -o size=, "
               "for example size=4M",
               (unsigned)s->flash_id);
        return EF_UNSUPPORTED;
    }
    if (s->config.size) {
        enum ef_err err = check_given(s, from_id);
        if (err != EF_OK)
            return err;
    } else if (size > size_limit(s)) {
        ef_log(s->log, EF_LOG_WARN,
               "the flash has %llu bytes, of which the %s's %s addresses %lluM: only these are "
               "offered",
               (unsigned long long)size, s->chip->name, s->esp.stub ? "stub" : "ROM",
               (unsigned long long)size_limit(s) / MIB);
        size = size_limit(s);
    }
    s->flash_size = (uint32_t)size;
    s->flash_size_by_id = from_id;
    s->size_is_chip = size == from_id;
    return EF_OK;
}

enum ef_err ef_flash_id_read_sure(struct ef_session *s, uint32_t *id)
{
    uint32_t last = 0;
    for (int i = 0; i < EF_IDENTIFY_TRIES; i++) {
        enum ef_err err = ef_flash_id_read(&s->esp, s->chip, id);
        if (err != EF_OK)
            return err;
        if (i > 0 && *id == last)
            return EF_OK;
        last = *id;
    }
    return EF_VERIFY;
}

/* What cannot be checked is offered as it is: the id is right on all but the odd chip. */
static enum ef_err check_repeats(struct ef_session *s)
{
    uint32_t real = s->flash_size;
    enum ef_err err = ef_flash_find_repeat(s, &real);
    if (err != EF_OK)
        ef_log(s->log, err == EF_GONE ? EF_LOG_ERROR : EF_LOG_WARN,
               "it cannot be checked whether the flash is as large as told: %s", ef_err_text(err));
    if (err == EF_GONE)
        return err;
    if (real == s->flash_size)
        return EF_OK;
    s->flash_repeats = true;
    if (s->config.size) {
        ef_log(s->log, EF_LOG_WARN,
               "size=%u was given, but the flash repeats its contents past %u bytes: unless it was "
               "filled so, writes past them land on what lies before",
               (unsigned)s->flash_size, (unsigned)real);
        return EF_OK;
    }
    ef_log(s->log, EF_LOG_WARN,
           "the flash id tells %u bytes, but the contents repeat past %u: a fake or undersized "
           "chip, unless it was filled so; only these are offered (size=%u offers all)",
           (unsigned)s->flash_size, (unsigned)real, (unsigned)s->flash_size);
    s->flash_size = real;
    s->size_is_chip = false;
    return ef_flash_set_params(s);
}

/* Nothing of the flash can be asked: what the user says of its size is all that is known. */
static enum ef_err detect_blind(struct ef_session *s)
{
    if (s->no_flash_why)
        return EF_OK;
    enum ef_err err = settle_size(s, 0);
    return err == EF_OK ? ef_flash_set_params(s) : err;
}

enum ef_err ef_flash_detect(struct ef_session *s)
{
    if (s->guard.secure_download)
        return detect_blind(s);
    /* A wrong size would cut a backup short. */
    enum ef_err err = ef_flash_id_read_sure(s, &s->flash_id);
    if (err != EF_OK) {
        ef_log(s->log, EF_LOG_ERROR, "the flash id cannot be read: %s", ef_err_text(err));
        return err;
    }
    uint64_t size = 0;
    err = ef_flash_id_size(s->flash_id, &size);
    if (err != EF_OK) {
        ef_log(s->log, EF_LOG_ERROR, "no flash answers (flash id %06X): check its wiring and power",
               (unsigned)s->flash_id);
        return err;
    }
    err = settle_size(s, size);
    if (err != EF_OK)
        return err;
    ef_log(s->log, EF_LOG_INFO, "Flash: %s, id %02x %02x%02x, %u bytes",
           ef_flash_id_maker(s->flash_id), s->flash_id & 0xFFU, s->flash_id >> 8 & 0xFFU,
           s->flash_id >> 16 & 0xFFU, (unsigned)s->flash_size);
    err = ef_flash_set_params(s);
    return err == EF_OK && !s->no_flash_why ? check_repeats(s) : err;
}
