"""Writes an image and judges, after each write, how far the writer is ahead of the chip.

ahead.py IMAGE MOUNTED CHIP LIMIT    MOUNTED: flash.bin; CHIP: the file of the simulated board, which
                                     holds other bytes everywhere; LIMIT: in bytes
"""

import os
import sys

SECTOR = 4096
STEP = 65536


def missing(image, chip, end):
    """Bytes of the first `end` that the chip does not hold, in whole sectors."""
    count = 0
    for at in range(0, end, SECTOR):
        chip.seek(at)
        count += chip.read(SECTOR) != image[at:at + SECTOR]
    return count * SECTOR


def main():
    image_path, mounted, chip_path, limit = sys.argv[1:]
    with open(image_path, "rb") as file:
        image = file.read()
    out = os.open(mounted, os.O_WRONLY)
    most = 0
    with open(chip_path, "rb", buffering=0) as chip:
        for at in range(0, len(image), STEP):
            os.pwrite(out, image[at:at + STEP], at)
            most = max(most, missing(image, chip, at + STEP))
        os.fsync(out)
        left = missing(image, chip, len(image))
    os.close(out)
    print(f"# ahead by {most} bytes at most; {left} after fsync")
    # A writer that is never ahead shows nothing.
    sys.exit(0 if 0 < most <= int(limit) and left == 0 else 1)


main()
