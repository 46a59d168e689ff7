/* Random numbers that can be had again: a generator whose whole state is one number. */
#ifndef EB_DICE_H
#define EB_DICE_H

#include <stdint.h>

/* *dice, its state, is never 0. */
uint64_t eb_dice_roll(uint64_t *dice);

#endif
