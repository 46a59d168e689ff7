#include "chip_rows.h"

enum { EFUSE = 0x5012D000, BLOCK1 = EFUSE + 0x44 };

static const struct ef_rule NAMES[] = {
    {.text = "ESP32-P4", .when = {{EF_FACT_PACKAGE, 0}}}, {.text = "Unknown ESP32-P4"}, {0}};

static const struct ef_rule FEATURES[] = {{.text = "Dual Core + LP Core"}, {.text = "400MHz"}, {0}};

static const struct ef_chip_rows ROWS = {
    .fields = {[EF_FACT_MAJOR] = {{{BLOCK1 + 4 * 2, 4, 2}, {BLOCK1 + 4 * 2, 23, 1}}, NULL},
               [EF_FACT_MINOR] = {{{BLOCK1 + 4 * 2, 0, 4}}, NULL},
               [EF_FACT_PACKAGE] = {{{BLOCK1 + 4 * 2, 20, 3}}, NULL}},
    .names = NAMES,
    .features = FEATURES,
    .mac_reg = BLOCK1,
    .crystal_mhz = 40,
};

/*
 * v3.1 and v3.2 leave the flash off, so that one of 1.8 V is not harmed. Facts from esptool's
 * power_on_flash: the pads, then the regulator with its current limited while it starts.
 */
enum {
    XPD_PADS = 0x5011010C,
    LDO_CURRENT = 0x501151BC,
    LDO_CURRENT_LIMIT = 1 << 27,
    LDO = 0x501151B8,
    LDO_TIE_HIGH = 1 << 7,
    LDO_TARGET = 0xFF << 23,
    PMU_DATE = 0x501153FC,
    FLASH_FORCE_ON = 3
};

static const struct ef_reg_step FLASH_ON[] = {{XPD_PADS, UINT32_MAX, 1, 10},
                                              {LDO_CURRENT, 0, LDO_CURRENT_LIMIT, 0},
                                              {LDO, 0, LDO_TIE_HIGH, 0},
                                              {PMU_DATE, 0, FLASH_FORCE_ON, 1},
                                              {LDO_CURRENT, LDO_CURRENT_LIMIT, 0, 0},
                                              {LDO, LDO_TARGET, 0, 0},
                                              {LDO, 0, LDO_TIE_HIGH, 0},
                                              {LDO, LDO_TIE_HIGH, 0, 2},
                                              {0}};

/* Two lines of silicon that share a name: v0 and v1, and from v3.0 on. */
enum { SECOND_LINE = 300 };

const struct ef_chip EF_CHIP_ROW_ESP32P4 = {
    .id = EF_CHIP_ESP32P4,
    .name = "ESP32-P4",
    .option = "esp32p4",
    .security_chip_id = 18,
    .rom_status_bytes = 4,
    .rom_can_flash = true,
    .rom_encrypt_word = true,
    .boot_addr = 0x2000,
    .flash_max_bytes = 128 * EF_MIB,
    .rom_flash_max_bytes = 16 * EF_MIB,
    .stub_option_old = "esp32p4-rev1",
    .stub_old_below = SECOND_LINE,
    .spi = EF_SPI_REGS_SINCE_S2(0x5008D000),
    .flash_power = {.from = 301,
                    .to = 302,
                    .steps = FLASH_ON,
                    .by_rom = {EFUSE + 0x34, 16, 1},
                    .by_rom_from = 302,
                    .by_rom_undo = {PMU_DATE, FLASH_FORCE_ON, 0, 0}},
    .guard = {.crypt_count = {EFUSE + 0x34, 18, 3},
              .secure_boot = {EFUSE + 0x38, 20, 1},
              .no_manual_encrypt = {EFUSE + 0x30, 20, 1}},
    .usb = {.uartdev_reg = 0x4FFBFEC8,
            .uartdev_reg_old = 0x4FF3FEC8,
            .uartdev_old_below = SECOND_LINE,
            .uartdev_otg = 5,
            .uartdev_serial_jtag = 6,
            .otg_pid = 0x0012},
    .watchdog = EF_WATCHDOG_REGS_LP(0x50116000, 0x18),
    .boot = {.strap_reg = 0x500E0038,
             .strap_boot_mask = 1 << 3,
             .option_reg = 0x50110008,
             .option_force_loader_mask = 1 << 2},
    .rows = &ROWS,
};
