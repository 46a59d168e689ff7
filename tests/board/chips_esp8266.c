/*
 * ESP8266 and ESP8285. The 8285 is the same die with its flash inside, told by efuse bits 4
 * (0x3FF00050) and 80 (0x3FF00058); bits 25 to 27 of 0x3FF0005C tell the flash's size, bit 5
 * of 0x3FF00050 that it stands 105 degrees.
 */
#include "chips_rows.h"

static void store_mac(struct eb_registers *regs, const uint8_t mac[6])
{
    eb_put_bits(regs, 0x3FF00050, 0xFF000000, (uint32_t)mac[5] << 24);
    eb_put_bits(regs, 0x3FF00054, 0xFFFFFFFF, 0x02000000U | (uint32_t)mac[3] << 8 | mac[4]);
    eb_put_bits(regs, 0x3FF0005C, 0x00FFFFFF, eb_be24(mac));
}

/* As the transcripts read them. */
static const struct eb_register PRESETS[] = {
    {0x3FF00058, 0x5A00B000}, {0x3FF0005C, 0x04000000}, {0x6000021C, 0x00000004}, {0, 0}};

static const struct eb_register N08[] = {{0x3FF00050, 1 << 4}, {0x3FF0005C, 0}, {0, 0}};
static const struct eb_register H16[] = {
    {0x3FF00050, 1 << 4 | 1 << 5}, {0x3FF0005C, 1 << 26}, {0, 0}};

static const struct eb_variant VARIANTS[] = {
    {.name = "esp8285", .efuses = N08, .flash_size = 1 << 20, .flash_id = 0x146085},
    {.name = "esp8285h16", .efuses = H16, .flash_size = 2 << 20, .flash_id = 0x156085},
    {0},
};

const struct eb_chip EB_CHIP_ESP8266 = {
    .option = "esp8266",
    .magic = 0xFFF0C101,
    .rom_has = EB_ROM_ERASE_BUG,
    .rom_status_len = 2,
    .spi = {.base = 0x60000200, .usr = 0x1C, .usr1 = 0x20, .usr2 = 0x24, .w0 = 0x40},
    .clkdiv_addr = 0x60000014,
    .crystal_hz = 26000000,
    .uart_clocks_per_crystal = 2,
    .mac = {0x18, 0xFE, 0x34, 0x00, 0x00, 0x00},
    .store_mac = store_mac,
    .presets = PRESETS,
    .variants = VARIANTS,
    .boot_log = "\r\n ets Jan  8 2013,rst cause:2, boot mode:(3,6)\r\n\r\n"
                "load 0x4010f000, len 3424, room 16 \r\ntail 0\r\nchksum 0x2e\r\n"
                "csum 0x2e\r\nv00012345\r\n~ld\r\n",
};
