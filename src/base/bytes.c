#include "espflashfs/bytes.h"

#include <string.h>

bool ef_bytes_blank(const uint8_t *p, size_t len)
{
    /* Equal to itself shifted by one, and the first is 0xFF: memcmp runs at memory speed. */
    return len == 0 || (p[0] == 0xFF && memcmp(p, p + 1, len - 1) == 0);
}
