"""Stdin, as whoever started us has left it: a stream, or a listening socket."""

import os
import socket

STDIN = 0


def is_listening() -> bool:
    """FastCGI 2.2: a listening socket, where an ordinary program has its input."""
    try:
        with socket.socket(fileno=os.dup(STDIN)) as stdin:
            return bool(stdin.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False
