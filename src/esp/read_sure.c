#include "session_steps.h"

enum { READ_TRIES = 5 };

enum ef_err ef_read_sure(struct ef_esp *esp, uint32_t addr, uint32_t *value)
{
    uint32_t last = 0;
    for (int i = 0; i < READ_TRIES; i++) {
        enum ef_err err = ef_command_read_reg(esp, addr, value);
        if (err != EF_OK)
            return err;
        if (i > 0 && *value == last)
            return EF_OK;
        last = *value;
    }
    return EF_VERIFY;
}
