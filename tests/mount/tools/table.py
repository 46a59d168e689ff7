#!/usr/bin/python3
"""table.py <ROWS >TABLE: a partition table, right or wrong, from lines of

  LABEL,TYPE,SUBTYPE,OFFSET,SIZE,FLAGS   as in a CSV with all fields; \\xNN in labels
  #...          nothing
  @md5          the row with the MD5 of those before it
  @hex HEX      a row of these bytes, and zeros
  @patch AT HEX changes bytes of what is there already
  @rows N       N rows `same,data,nvs` of a sector each, from 0x10000 on

and FF up to 0xC00 bytes.
"""
import hashlib
import struct
import sys

TYPES = {"app": 0, "data": 1, "bootloader": 2, "partition_table": 3}
SUBTYPES = {
    0: {"factory": 0, "test": 0x20, "tee_0": 0x30, "tee_1": 0x31},
    1: {"ota": 0, "phy": 1, "nvs": 2, "coredump": 3, "nvs_keys": 4, "efuse": 5, "undefined": 6,
        "esphttpd": 0x80, "fat": 0x81, "spiffs": 0x82, "littlefs": 0x83, "tee_ota": 0x90},
    2: {"primary": 0, "ota": 1, "recovery": 2},
    3: {"primary": 0, "ota": 1},
}
FLAGS = {"": 0, "encrypted": 1, "readonly": 2, "encrypted:readonly": 3}


def number(word):
    factor = {"K": 1024, "M": 1024 * 1024}.get(word[-1], 1)
    return int(word if factor == 1 else word[:-1], 0) * factor


def row(label, kind, sub, addr, size, flags):
    kind = TYPES[kind] if kind in TYPES else int(kind)
    if sub.startswith("ota_"):
        sub = 0x10 + int(sub[4:])
    else:
        words = SUBTYPES.get(kind, {})
        sub = words[sub] if sub in words else int(sub)
    name = label.encode("latin-1").decode("unicode_escape").encode("latin-1")
    return struct.pack("<2sBBLL16sL", b"\xaa\x50", kind, sub, number(addr), number(size), name,
                       FLAGS[flags])


def main():
    table = bytearray()
    for line in sys.stdin:
        line = line.rstrip("\n")
        word = line.split(" ")
        if line == "" or line.startswith("#"):
            continue
        if word[0] == "@md5":
            table += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(table).digest()
        elif word[0] == "@hex":
            table += bytes.fromhex(word[1]).ljust(32, b"\0")
        elif word[0] == "@patch":
            at, new = int(word[1], 0), bytes.fromhex(word[2])
            table[at:at + len(new)] = new
        elif word[0] == "@rows":
            for i in range(int(word[1])):
                table += row("same", "data", "nvs", hex(0x10000 + i * 0x1000), "4K", "")
        else:
            table += row(*line.split(","))
    sys.stdout.buffer.write(table.ljust(0xC00, b"\xff"))


main()
