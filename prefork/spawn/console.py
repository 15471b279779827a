"""What is said to whoever typed the command, in spawn-fcgi's way.

The prefix is part of each message, as in spawn-fcgi: it does not change with the
name that the program is called by.
"""

import os
import sys

PREFIX = "spawn-fcgi: "
STDERR = 2


def say(text: str) -> None:
    """Write a line to stdout; into a file or a pipe it goes when finish() is called."""
    if sys.stdout is not None:  # so it is if it was closed when we were started
        sys.stdout.write(text + "\n")


def complain(text: str, *, prefix: str = PREFIX) -> None:
    """Write a line to stderr at once, byte for byte as names and paths were given."""
    if sys.stderr is None:
        return
    try:
        os.write(STDERR, os.fsencode(f"{prefix}{text}\n"))
    except OSError:
        return  # there is nobody else to tell


def finish() -> None:
    """Let out what was said."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        return  # a full disk: a program in C does not notice at its end either
