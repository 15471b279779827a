"""Whether a process has connections that it accepted at a listener of ours."""

import os
import re
import socket
import struct
from collections.abc import Iterable, Iterator

from prefork.system.netlink import ask_for_all

# linux/inet_diag.h: struct inet_diag_req_v2, with our port, and struct inet_diag_msg.
_REQUEST = struct.Struct("=BBBxIH46x")
_INODE = struct.Struct("=68xI")
SOCKET = re.compile(r"socket:\[(\d+)\]")
# proc_net(5): the address, the state and the inode of each; 0A is to listen.
UNIX_LINE = re.compile(r"\S+ \S+ \S+ \S+ \S+ (\S+) +(\d+) (.*)")
TCP_LINE = re.compile(r" *\d+: \w+:(\w+) \S+ (\w+) (?:\S+ +){5}(\d+) .*")
CONNECTED, LISTEN = "03", "0A"
# The bits of linux/tcp_states.h.  Who has left is in TIME_WAIT for a minute, and
# nobody's any more: these may be 30,000, which take a quarter of a second to list.
TIME_WAIT, LISTENING, ALL = 1 << 6, 1 << 10, (1 << 13) - 1


def has_connections(pid: int, listener: socket.socket) -> bool:
    """Has that process a connection that came to `listener`?

    False too where the system does not tell us.
    """
    try:
        sockets = _find_sockets(pid) - {os.fstat(listener.fileno()).st_ino}
        return bool(sockets) and not sockets.isdisjoint(_find_accepted(listener))
    except OSError:  # another user's, or gone
        return False


def _find_sockets(pid: int) -> set[int]:
    """The inodes of those that it has open."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue
        if match := SOCKET.fullmatch(target):
            found.add(int(match[1]))
    return found


def _find_accepted(listener: socket.socket) -> Iterable[int]:
    """The inodes of all who have connected: an accepted socket has the listener's
    name, or at least its port."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return _read_unix(_name_as_listed(name))
    try:
        return [*_ask_tcp(name[1], listener.family)]
    except OSError:  # a sandbox without netlink
        return _read_tcp(f"{name[1]:04X}", is_v6=listener.family == socket.AF_INET6)


def _name_as_listed(name: str | bytes) -> str:
    if isinstance(name, bytes):  # abstract; it begins with a NUL
        return "@" + os.fsdecode(name[1:])
    return name


def _read_unix(wanted: str) -> Iterator[int]:
    for line in _read_lines("unix"):
        match = UNIX_LINE.fullmatch(line)
        if match and match[1] == CONNECTED and match[3] == wanted:
            yield int(match[2])


def _ask_tcp(port: int, family: int) -> Iterator[int]:
    states = ALL & ~TIME_WAIT & ~LISTENING
    request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, states, socket.htons(port))
    for answer in ask_for_all(request):
        yield _INODE.unpack_from(answer)[0]


def _read_tcp(port: str, *, is_v6: bool) -> Iterator[int]:
    for line in _read_lines("tcp6" if is_v6 else "tcp"):
        match = TCP_LINE.fullmatch(line)
        if match and match[1] == port and match[2] != LISTEN:
            yield int(match[3])


def _read_lines(table: str) -> list[str]:
    with open(f"/proc/self/net/{table}", "rb") as file:
        return os.fsdecode(file.read()).splitlines()
