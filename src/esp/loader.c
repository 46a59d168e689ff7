#include "session_steps.h"

#include "espflashfs/bytes.h"

#include <string.h>

static const char NO_STUB_ESP8266[] =
    "the ESP8266's ROM cannot read the flash and erases more than it is asked to: a stub is "
    "needed (install esptool or set stub=)";

static const char SECURE_DOWNLOAD[] =
    "Secure Download Mode: the chip gives no flash contents out, and nothing that is written could "
    "be proven (-o force and size= let whole sectors be written)";
static const char SECURE_DOWNLOAD_SIZE[] =
    "Secure Download Mode hides the flash's size: with -o force, size= must be given, too";

static bool wants_rom(const struct ef_session *s)
{
    return strcmp(s->config.stub, "rom") == 0;
}

static enum ef_err find_stub(struct ef_session *s)
{
    const char *where = strcmp(s->config.stub, "auto") == 0 ? NULL : s->config.stub;
    const char *option = ef_chip_stub_option(s->chip, &s->identity);
    if (!option) {
        ef_log(s->log, EF_LOG_WARN,
               "no stub runs on this chip as it is: the ROM alone is used, which is slower");
        return EF_OK;
    }
    enum ef_err err = ef_stub_find(where, s->config.stub_folders, option, s->log, &s->stub);
    if (err == EF_OK) {
        s->with_stub = true;
        return EF_OK;
    }
    if (err != EF_MISSING || where) {
        if (err == EF_MISSING)
            ef_log(s->log, EF_LOG_ERROR,
                   "stub=%s: no stub for %s there: give a JSON file, or a folder with %s.json",
                   where, s->chip->name, option);
        return err;
    }
    ef_log(s->log, EF_LOG_WARN,
           "no stub for %s found, so the ROM alone is used%s: run mount-helpers/fetch-stubs, or "
           "install esptool, or set stub=PATH",
           s->chip->name, s->chip->rom_can_flash ? ", which is slower" : "");
    return EF_OK;
}

/* The ROM alone, which only writes, and that only where somebody insists. */
static enum ef_err choose_blind(struct ef_session *s)
{
    if (!s->guard.forced)
        s->no_flash_why = SECURE_DOWNLOAD;
    else if (!s->config.size)
        s->no_flash_why = SECURE_DOWNLOAD_SIZE;
    if (s->no_flash_why)
        ef_log(s->log, EF_LOG_WARN, "only info.txt is offered: %s", s->no_flash_why);
    else
        ef_log(
            s->log, EF_LOG_WARN,
            "flash.bin can only be written, in whole sectors, and the chip proves nothing of it");
    return EF_OK;
}

enum ef_err ef_loader_choose(struct ef_session *s)
{
    if (s->guard.secure_download)
        return choose_blind(s);
    if (s->esp.stub && wants_rom(s)) {
        ef_log(s->log, EF_LOG_ERROR,
               "a stub is running and stub=rom was asked for: reset the board "
               "into its boot loader first");
        return EF_UNSUPPORTED;
    }
    if (!wants_rom(s)) {
        enum ef_err err = find_stub(s);
        if (err != EF_OK)
            return err;
    }
    /* One that runs already is used as it is, with or without a file to repeat the upload from. */
    if (s->esp.stub)
        s->with_stub = true;
    if (!s->with_stub && !s->chip->rom_can_flash) {
        s->no_flash_why = NO_STUB_ESP8266;
        ef_log(s->log, EF_LOG_WARN, "only info.txt is offered: %s", s->no_flash_why);
    }
    return EF_OK;
}

static enum ef_err attach_rom(struct ef_session *s)
{
    uint8_t payload[16] = {0};
    /* No SPI_ATTACH in the ESP8266's ROM: a FLASH_BEGIN that erases nothing attaches. */
    if (s->chip->id == EF_CHIP_ESP8266)
        return ef_command(&s->esp, EF_OP_FLASH_BEGIN, payload, sizeof(payload), 0, 0,
                          EF_COMMAND_TIMEOUT_MS, NULL);
    /* The ESP32's ROM attaches the pins that it is told; other ROMs find theirs. */
    ef_put_le32(payload, s->identity.pads);
    return ef_command(&s->esp, EF_OP_SPI_ATTACH, payload, 8, 0, 0, EF_COMMAND_TIMEOUT_MS, NULL);
}

/* A stub attaches the flash by itself when it starts. */
static enum ef_err attach_flash(struct ef_session *s)
{
    enum ef_err err = s->esp.stub ? EF_OK : attach_rom(s);
    if (err != EF_OK)
        ef_log(s->log, EF_LOG_ERROR, "the flash cannot be attached: %s", ef_err_text(err));
    return err;
}

enum ef_err ef_flash_set_params(struct ef_session *s)
{
    if (!s->esp.stub && s->chip->id == EF_CHIP_ESP8266)
        return EF_OK;
    uint8_t payload[24];
    ef_put_le32(payload, 0); /* id: not checked by the loaders */
    ef_put_le32(payload + 4, s->flash_size);
    ef_put_le32(payload + 8, 0x10000); /* block */
    ef_put_le32(payload + 12, 0x1000); /* sector */
    ef_put_le32(payload + 16, 0x100);  /* page */
    ef_put_le32(payload + 20, 0xFFFF); /* status mask */
    enum ef_err err = ef_command(&s->esp, EF_OP_SPI_SET_PARAMS, payload, sizeof(payload), 0, 0,
                                 EF_COMMAND_TIMEOUT_MS, NULL);
    if (err != EF_OK)
        ef_log(s->log, EF_LOG_ERROR, "SPI_SET_PARAMS: %s", ef_err_text(err));
    return err;
}

enum ef_err ef_loader_start(struct ef_session *s)
{
    enum ef_err err = ef_watchdogs_off(s);
    if (err == EF_OK)
        err = ef_flash_power_on(s);
    if (err != EF_OK)
        return err;
    if (s->with_stub && !s->esp.stub) {
        err = ef_stub_upload(&s->esp, &s->stub);
        if (err != EF_OK) {
            ef_log(s->log, EF_LOG_ERROR,
                   "the stub did not start (%s): reset the board and try "
                   "again, or set stub=rom",
                   ef_err_text(err));
            return err;
        }
    }
    return attach_flash(s);
}
