#include "espflashfs/board_key.h"

#include "espflashfs/text.h"

void ef_board_key_name(const struct ef_board_key *key, char name[EF_KEY_NAME_MAX])
{
    ef_text_hex(name, key->mac, sizeof(key->mac));
}
