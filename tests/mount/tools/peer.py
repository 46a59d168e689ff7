"""Listens as a serial server on which no board answers: peer.py noise|echo|close|silent|late-close.

Prints `listening on 127.0.0.1:PORT`, then serves one host after the other until it is killed.
"""

import random
import select
import socket
import sys
import time

STEP_S = 0.01
LATE_S = 0.3


def noise(host, dice):
    while True:
        host.sendall(dice.randbytes(100))
        readable, _, _ = select.select([host], [], [], STEP_S)
        if readable and not host.recv(4096):
            return


def listen(host, answer):
    while data := host.recv(4096):
        host.sendall(answer(data))


def serve(host, mode, dice):
    if mode == "noise":
        noise(host, dice)
    elif mode == "echo":
        listen(host, lambda data: data)
    elif mode == "silent":
        listen(host, lambda data: b"")
    elif mode == "late-close":
        time.sleep(LATE_S)


def main():
    dice = random.Random(1)
    door = socket.create_server(("127.0.0.1", 0))
    print(f"listening on 127.0.0.1:{door.getsockname()[1]}", flush=True)
    while True:
        host, _ = door.accept()
        with host:
            try:
                serve(host, sys.argv[1], dice)
            except ConnectionError:
                pass


main()
