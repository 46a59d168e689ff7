"""Reads or writes a file through a mapping.

mapped.py read FILE            the whole file to standard output, by a shared mapping
mapped.py read-private FILE    the same by a private one, of which only the first page is written
mapped.py write FILE OFFSET    standard input into the file from OFFSET on
mapped.py close-first FILE OFFSET    the same, the descriptor closed before the bytes are put
"""

import mmap
import os
import sys


def read(path):
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as view:
        sys.stdout.buffer.write(view)


def read_private(path):
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as view:
        first = view[:mmap.PAGESIZE]
        view[:mmap.PAGESIZE] = bytes(mmap.PAGESIZE)
        sys.stdout.buffer.write(first)
        sys.stdout.buffer.write(view[mmap.PAGESIZE:])


def write(path, offset, close_first):
    data = sys.stdin.buffer.read()
    fd = os.open(path, os.O_RDWR)
    view = mmap.mmap(fd, 0)
    if close_first:
        os.close(fd)
    view[offset:offset + len(data)] = data
    view.flush()
    view.close()
    if not close_first:
        os.close(fd)


if sys.argv[1] == "read":
    read(sys.argv[2])
elif sys.argv[1] == "read-private":
    read_private(sys.argv[2])
else:
    write(sys.argv[2], int(sys.argv[3]), sys.argv[1] == "close-first")
