/* What a chip's boot log tells about why it is not in its boot loader. */
#include "esp/connect_steps.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct ef_boot_report report_of(const char *text)
{
    struct ef_boot_report report = {0};
    ef_boot_report_read(&report, text);
    return report;
}

static void boot_logs(void **state)
{
    (void)state;
    struct ef_boot_report r = report_of("rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)");
    assert_string_equal(r.mode, "0x13");
    assert_false(r.download);
    r = report_of("boot:0x7 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))\r\nwaiting for download");
    assert_string_equal(r.mode, "0x7");
    assert_true(r.download);
    r = report_of("rst cause:2, boot mode:(3,6)");
    assert_string_equal(r.mode, "3,6");
    assert_false(r.download);
    r = report_of("rst cause:2, boot mode:(1,6)");
    assert_true(r.download);
    r = report_of("boot:0x13 (SPI_FAST_FLASH_BOOT)\r\ninvalid header: 0xffffffff\r\n");
    assert_true(r.no_firmware);
    r = report_of("boot:0xfffffffffffffffffffffffffffffff");
    assert_string_equal(r.mode, "0xffffffff");
    r = report_of("boot:0x, boot mode:(x,y), boot mode:(");
    assert_string_equal(r.mode, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boot_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
