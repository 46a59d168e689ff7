#!/usr/bin/python3
"""own.py FOLDER WRITES: who has written reads what he wrote, whoever reads and writes beside him.

Two processes write to flash.bin, one through a file of partitions/, each to bytes of its own, and
read them back from flash.bin at once; two read all of it meanwhile."""
import multiprocessing
import os
import random
import sys

FLASH = sys.argv[1] + "/flash.bin"
LOADER = sys.argv[1] + "/partitions/bootloader.bin"
WRITES = int(sys.argv[2])
PART = 64 * 1024
LOADER_AT, LOADER_LEN = 0x1000, 0x7000
SIZES = (8, 16, 256, 4096, 9000)
BESIDE = 5000  # read before and behind what was written: pages that others have read


def write(through, at, place, length, count):
    """Bytes at `at` of `through` are those at `place` of flash.bin. Returns how often it was wrong."""
    flash = os.open(FLASH, os.O_RDONLY)
    file = os.open(through, os.O_RDWR)
    mine = bytearray(os.pread(flash, length, place))
    choice = random.Random(place)
    wrong = 0
    for _ in range(count):
        data = os.urandom(choice.choice(SIZES))
        off = choice.randrange(length - len(data))
        if os.pwrite(file, data, at + off) != len(data):
            sys.exit("a short write")
        mine[off:off + len(data)] = data
        begin, end = max(0, off - BESIDE), min(length, off + len(data) + BESIDE)
        wrong += os.pread(flash, end - begin, place + begin) != mine[begin:end]
    return wrong


def read(done):
    flash = os.open(FLASH, os.O_RDONLY)
    size = os.fstat(flash).st_size
    while not done.is_set():
        for off in range(0, size, PART):
            os.pread(flash, PART, off)


def main():
    done = multiprocessing.Event()
    readers = [multiprocessing.Process(target=read, args=(done,)) for _ in range(2)]
    jobs = [(FLASH, 0x10000, 0x10000, 2 * PART, WRITES), (FLASH, 0x30000, 0x30000, 2 * PART, WRITES),
            (LOADER, 0, LOADER_AT, LOADER_LEN, WRITES // 20)]
    with multiprocessing.Pool(len(jobs)) as pool:
        for reader in readers:
            reader.start()
        wrong = pool.starmap(write, jobs)
    done.set()
    for reader in readers:
        reader.join()
    if any(wrong):
        sys.exit("old bytes were read, so often: %s" % wrong)


main()
