#!/usr/bin/python3
"""stuck.py FOLDER PID: reads flash.bin while the kernel is busy dropping its pages.

The board, process PID, stands still meanwhile: one thread's read keeps the first page locked, and
another, who has learned that something was written, waits for it before it drops the page behind.
A third has to see what was written, all the same."""
import os
import signal
import sys
import threading
import time

PAGE = 4096
AT = 7 * PAGE
BOOTLOADER_AT = 0x1000
SOON = 0.3  # for a thread to have come to where it waits; if it has not, nothing is tried
LONG = 1.2  # a second is given to the kernel to drop pages by itself

board = int(sys.argv[2])
flash = os.open(sys.argv[1] + "/flash.bin", os.O_RDONLY)
loader = os.open(sys.argv[1] + "/partitions/bootloader.bin", os.O_RDWR)
os.posix_fadvise(flash, 0, 0, os.POSIX_FADV_RANDOM)


def start(wait, call, *args):
    thread = threading.Thread(target=call, args=args)
    thread.start()
    time.sleep(wait)
    return thread


was = os.pread(flash, PAGE, AT)
new = bytes(b ^ 0x5A for b in was)
got = []
os.kill(board, signal.SIGSTOP)
try:
    threads = [start(SOON, os.pread, flash, PAGE, 0)]
    if os.pwrite(loader, new, AT - BOOTLOADER_AT) != PAGE:
        sys.exit("a short write")
    threads.append(start(LONG, os.fstat, flash))
    threads.append(start(LONG, lambda: got.append(os.pread(flash, PAGE, AT))))
finally:
    os.kill(board, signal.SIGCONT)
for thread in threads:
    thread.join()
if got != [new]:
    sys.exit("what was written before is read" if got == [was] else "wrong bytes are read")
