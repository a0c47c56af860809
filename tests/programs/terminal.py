#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a program on a terminal of its own, for tests.

usage: terminal.py SCRIPT COMMAND...

SCRIPT is words: a number is seconds to wait, COLSxROWS makes the terminal that large, SIGNAL names (TERM, INT) are sent to the
program, anything else are keys. What the program showed goes to standard output. Ends with the program's exit status; 99: it
had to be killed, 98: it left the terminal's settings changed.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

script, command = sys.argv[1].split(), sys.argv[2:]
master, terminal = pty.openpty()


def resize(columns, rows):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))


def listen(seconds):
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and program.poll() is None:
        if select.select([master], [], [], min(left, 0.1))[0]:
            os.write(1, os.read(master, 65536))


def become_foreground():
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


resize(80, 24)
before = termios.tcgetattr(terminal)
program = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=2, preexec_fn=become_foreground)
for word in script:
    if re.fullmatch(r"[0-9.]+", word):
        listen(float(word))
    elif re.fullmatch(r"[0-9]+x[0-9]+", word):
        resize(*map(int, word.split("x")))
    elif word in ("TERM", "INT"):
        program.send_signal(getattr(signal, "SIG" + word))
    else:
        os.write(master, word.replace("space", " ").encode())
listen(60)
if program.poll() is None:
    program.kill()
    sys.exit(99)
while select.select([master], [], [], 0)[0]:
    os.write(1, os.read(master, 65536))
if termios.tcgetattr(terminal) != before:
    sys.exit(98)
sys.exit(program.returncode if program.returncode >= 0 else 128 - program.returncode)
