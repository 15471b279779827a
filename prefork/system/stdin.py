"""Stdin and its two neighbours, as whoever started us has left them."""

import os
import socket
from fcntl import F_DUPFD_CLOEXEC, fcntl

STDIN, STDOUT, STDERR = 0, 1, 2


def fill_gaps() -> None:
    """Have those of the three that are closed lead to nothing.

    Their numbers are the next that the kernel gives.  What is printed would go into
    a listener, or into the scoreboard.
    """
    for fd in STDIN, STDOUT, STDERR:
        try:
            os.fstat(fd)
        except OSError:
            silence(fd)


def silence(fd: int) -> None:
    """Have one of the three standard descriptors lead to nothing."""
    null = os.open(os.devnull, os.O_RDWR)
    if null == fd:
        os.set_inheritable(fd, True)
        return
    os.dup2(null, fd)
    os.close(null)


def move() -> int:
    """Leave stdin empty; the new number of what was there.

    What listens there must not be the input of all our children, least of all of
    what applications run.
    """
    number = fcntl(STDIN, F_DUPFD_CLOEXEC, 3)
    silence(STDIN)
    return number


def is_listening() -> bool:
    """Is stdin a listening socket, as FastCGI has it (specification 2.2)?"""
    try:
        with socket.socket(fileno=os.dup(STDIN)) as stdin:
            return bool(stdin.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False
