"""A command on a terminal of its own, and what is to be seen there in the end.

terminal.py COLUMNS RAW COMMAND...    all that it writes goes to RAW; its exit status. SIGUSR1: Ctrl-C
terminal.py RAW                       prints the lines as they stand after all of that
"""

import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios

CTRL_C = b"\x03"


def run(columns, raw, command):
    pid, fd = pty.fork()
    if pid == 0:
        # The shell that starts a job in the background has it ignore this.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.environ["TERM"] = os.environ.get("TERMINAL", "xterm")
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.execvp(command[0], command)
    signal.signal(signal.SIGUSR1, lambda *_: os.write(fd, CTRL_C))
    signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
    with open(raw, "ab", buffering=0) as out:
        while True:
            try:
                data = os.read(fd, 65536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            out.write(data)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def screen(text):
    lines, column = [""], 0
    for piece in re.findall("\r|\n|\x1b\\[K|[^\r\n\x1b]+|.", text):
        if piece == "\r":
            column = 0
        elif piece == "\n":
            lines.append("")
            column = 0
        elif piece == "\x1b[K":
            lines[-1] = lines[-1][:column]
        else:
            lines[-1] = lines[-1][:column] + piece + lines[-1][column + len(piece):]
            column += len(piece)
    return lines


def main():
    if len(sys.argv) > 2:
        sys.exit(run(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
    with open(sys.argv[1], encoding="utf-8", newline="") as file:
        print("\n".join(screen(file.read())))


main()
