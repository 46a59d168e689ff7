#!/usr/bin/python3
"""aliases.py READER READ_AT WRITER WRITE_AT: two files that share bytes. What is written through
WRITER is what READER, open all the time and read before, gives at once; and a map of it shows it
when the writer has synced."""
import mmap
import os
import sys

reader = os.open(sys.argv[1], os.O_RDONLY)
read_at = int(sys.argv[2], 0)
writer = os.open(sys.argv[3], os.O_RDWR)
write_at = int(sys.argv[4], 0)
view = mmap.mmap(reader, os.fstat(reader).st_size, prot=mmap.PROT_READ)


def expect(what, is_there, wanted):
    if is_there != wanted:
        sys.exit("%s: %r in place of %r" % (what, is_there[:16], wanted[:16]))


for size in (1, 4096, 10000):
    was = os.pread(reader, size, read_at)
    expect("map before", view[read_at:read_at + size], was)
    new = bytes(b ^ 0x5A for b in was)
    if os.pwrite(writer, new, write_at) != size:
        sys.exit("a short write")
    expect("read(2) after write(2)", os.pread(reader, size, read_at), new)
    os.fsync(writer)
    expect("map after fsync(2)", view[read_at:read_at + size], new)
