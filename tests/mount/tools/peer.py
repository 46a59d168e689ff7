"""Listens as a serial server on which no board answers:
peer.py noise|echo|close|silent|late-close|gps [FILE]

Prints `listening on 127.0.0.1:PORT`, then serves one host after the other until it is killed.
What the hosts send is appended to FILE.
"""

import random
import select
import socket
import sys
import time

STEP_S = 0.01
LATE_S = 0.3
FIX_S = 1.0
FIX = b"GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,"


def babble(host, next_words, every_s, heard):
    while True:
        host.sendall(next_words())
        readable, _, _ = select.select([host], [], [], every_s)
        if readable:
            data = host.recv(4096)
            if not data:
                return
            heard(data)


def listen(host, answer, heard):
    while data := host.recv(4096):
        heard(data)
        host.sendall(answer(data))


def fix():
    """One line of a GPS receiver, as NMEA 0183 has it."""
    check = 0
    for byte in FIX:
        check ^= byte
    return b"$%s*%02X\r\n" % (FIX, check)


def serve(host, mode, dice, heard):
    if mode == "noise":
        babble(host, lambda: dice.randbytes(100), STEP_S, heard)
    elif mode == "gps":
        babble(host, fix, FIX_S, heard)
    elif mode == "echo":
        listen(host, lambda data: data, heard)
    elif mode == "silent":
        listen(host, lambda data: b"", heard)
    elif mode == "late-close":
        time.sleep(LATE_S)


def keep(data):
    if len(sys.argv) > 2:
        with open(sys.argv[2], "ab") as file:
            file.write(data)


def main():
    dice = random.Random(1)
    keep(b"")
    door = socket.create_server(("127.0.0.1", 0))
    print(f"listening on 127.0.0.1:{door.getsockname()[1]}", flush=True)
    while True:
        host, _ = door.accept()
        with host:
            try:
                serve(host, sys.argv[1], dice, keep)
            except ConnectionError:
                pass


main()
