"""The socket that the program gets: made as spawn-fcgi makes it.

Blocking, inherited by whatever is executed, and without IPV6_V6ONLY: programs were
written for this one.  prefork's own listeners are different (prefork.system.listen).
"""

import os
import socket

from prefork.errors import SystemRefusal
from prefork.spawn.attempt import attempt

ANY = "0.0.0.0"
UNCHANGED = -1  # to chown(2)
# To listen(2) a negative backlog is a very large one; Python would make it 0.
LARGEST_BACKLOG = 2**31 - 1


def open_unix(path: str, *, mode: int, uid: int, gid: int, backlog: int) -> int:
    """Listen on `path`, in place of what is there; return the descriptor."""
    _make_way(path)
    sock = _create(socket.AF_UNIX)
    with attempt("bind failed"):
        sock.bind(path)
    with attempt("couldn't chmod socket"):
        os.chmod(path, mode)
    if uid or gid:
        with attempt("couldn't chown socket"):
            os.chown(path, uid or UNCHANGED, gid or UNCHANGED)
    return _listen(sock, backlog)


def open_tcp(address: str | None, port: int, *, backlog: int) -> int:
    """Listen on a port of one address, or of all; return the descriptor."""
    place = ANY if address is None else address
    sock = _create(_find_family(place))
    with attempt("bind failed"):
        sock.bind((place, port))
    return _listen(sock, backlog)


def _make_way(path: str) -> None:
    """Remove whatever is at `path`, unless somebody answers there.

    That it is a socket is not looked at, nor why nobody answers: a regular file
    goes, and so does the socket of a server that does not let us connect.
    """
    with _create(socket.AF_UNIX) as probe:
        # Blocking: where the queue is full this waits, as spawn-fcgi does.
        if not probe.connect_ex(path):
            raise SystemRefusal("socket is already in use, can't spawn")
    with attempt("removing old socket failed"):
        try:
            os.unlink(path)
        except FileNotFoundError:
            return


def _find_family(address: str) -> socket.AddressFamily:
    for family in socket.AF_INET, socket.AF_INET6:
        try:
            socket.inet_pton(family, address)
        except OSError:
            continue
        return family
    raise SystemRefusal(f"'{address}' is not a valid IP address")


def _create(family: socket.AddressFamily) -> socket.socket:
    with attempt("couldn't create socket"):
        sock = socket.socket(family, socket.SOCK_STREAM)
    with attempt("couldn't set SO_REUSEADDR"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock


def _listen(sock: socket.socket, backlog: int) -> int:
    with attempt("listen failed"):
        sock.listen(backlog if backlog >= 0 else LARGEST_BACKLOG)
    sock.set_inheritable(True)
    return sock.detach()
