#include "dice.h"

/* xorshift64*: small, seeded, good enough to pick bits. */
uint64_t eb_dice_roll(uint64_t *dice)
{
    uint64_t x = *dice;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *dice = x;
    return x * 0x2545F4914F6CDD1DULL;
}
